"""GPT-2 as a function of a dictionary of tensors, named and laid out as Hugging Face checkpoints are."""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file


def shapes(config):
    d, inner = config["n_embd"], 4 * config["n_embd"]
    yield "transformer.wte.weight", (config["vocab_size"], d)
    yield "transformer.wpe.weight", (config["n_positions"], d)
    for layer in range(config["n_layer"]):
        block = f"transformer.h.{layer}."
        yield from ((block + f"ln_1.{part}", (d,)) for part in ("weight", "bias"))
        yield block + "attn.c_attn.weight", (d, 3 * d)
        yield block + "attn.c_attn.bias", (3 * d,)
        yield block + "attn.c_proj.weight", (d, d)
        yield block + "attn.c_proj.bias", (d,)
        yield from ((block + f"ln_2.{part}", (d,)) for part in ("weight", "bias"))
        yield block + "mlp.c_fc.weight", (d, inner)
        yield block + "mlp.c_fc.bias", (inner,)
        yield block + "mlp.c_proj.weight", (inner, d)
        yield block + "mlp.c_proj.bias", (d,)
    yield from ((f"transformer.ln_f.{part}", (d,)) for part in ("weight", "bias"))


def initialise(config, seed):
    """GPT-2's initialisation: N(0, .02), residual projections narrower by the root of their number."""
    generator = torch.Generator().manual_seed(seed)
    params = {}
    for name, shape in shapes(config):
        if len(shape) == 1:
            ones = "ln_" in name and name.endswith("weight")
            params[name] = torch.ones(shape) if ones else torch.zeros(shape)
        else:
            std = 0.02 / math.sqrt(2 * config["n_layer"]) if "c_proj" in name else 0.02
            params[name] = torch.randn(shape, generator=generator) * std
    return params


def configuration(layers, heads, width, vocabulary):
    return {
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.0, "bos_token_id": 0,
        "dtype": "float16", "embd_pdrop": 0.0, "eos_token_id": 0, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2", "n_embd": width, "n_head": heads, "n_inner": None, "n_layer": layers, "n_positions": 512,
        "resid_pdrop": 0.0, "tie_word_embeddings": True, "vocab_size": vocabulary,
    }


def load(folder):
    """(config, parameters in f32) of a checkpoint."""
    config = json.loads((Path(folder) / "config.json").read_text())
    return config, {name: value.float() for name, value in load_file(Path(folder) / "model.safetensors").items()}


def save(folder, config, params, tokenizer):
    """An ordinary checkpoint in f16; each file appears whole or not at all."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    half = {name: value.detach().half().cpu().contiguous() for name, value in params.items()}
    save_file(half, folder / "model.safetensors.part", metadata={"format": "pt"})
    (folder / "model.safetensors.part").chmod(0o644)
    (folder / "model.safetensors.part").replace(folder / "model.safetensors")


def forward(params, ids, config, patterns=None):
    """Logits [batch * time, vocabulary]; appends each layer's attention [batch, head, query, key] to `patterns`."""
    batch, time = ids.shape
    d, heads, eps = config["n_embd"], config["n_head"], config["layer_norm_epsilon"]

    def norm(x, name):
        return F.layer_norm(x, (d,), params[name + ".weight"], params[name + ".bias"], eps)

    def linear(x, name):
        return torch.addmm(params[name + ".bias"], x, params[name + ".weight"])

    x = F.embedding(ids, params["transformer.wte.weight"]) + params["transformer.wpe.weight"][:time]
    x = x.reshape(batch * time, d)
    for layer in range(config["n_layer"]):
        block = f"transformer.h.{layer}."
        qkv = linear(norm(x, block + "ln_1"), block + "attn.c_attn")
        q, k, v = qkv.view(batch, time, 3, heads, d // heads).permute(2, 0, 3, 1, 4)  # each [batch, head, time, d/heads]
        if patterns is not None:
            scores = q @ k.transpose(2, 3) / math.sqrt(d // heads)
            mask = torch.ones(time, time, dtype=torch.bool, device=ids.device).triu(1)
            patterns.append(scores.masked_fill(mask, -math.inf).softmax(-1))
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(z.transpose(1, 2).reshape(batch * time, d), block + "attn.c_proj")
        h = F.gelu(linear(norm(x, block + "ln_2"), block + "mlp.c_fc"), approximate="tanh")
        x = x + linear(h, block + "mlp.c_proj")
    return norm(x, "transformer.ln_f") @ params["transformer.wte.weight"].T


def loss(params, inputs, targets, config):
    """Summed cross-entropy in nats over the targets that are not -100."""
    return F.cross_entropy(forward(params, inputs, config).float(), targets.reshape(-1), ignore_index=-100, reduction="sum")
