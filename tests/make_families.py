"""Writes tests/fixtures/families/: tiny checkpoints with random weights of every family that is read, and what transformers computes.

    python tests/make_families.py [NAME...]

Each folder holds config.json as a hub's would be, model.safetensors, and golden.safetensors: `ids` i64 [n], `attention`
[layer, head, n, n], `hidden` [layer + 1, n, d] (the last one normed), `logits` [n, vocab], and `gradient` [n, d], that of the last
position's largest log-probability with respect to the token embeddings as they enter the first block. Eager attention, in double
precision where transformers does not go back to single. The folders whose names end in -words have the other fixtures' tokenizer.

Sequence classifiers of the same families are in tests/fixtures/classifiers/: golden.safetensors has `ids`, `logits` [3], `padded` [3], those
of the ids with two more, which are padding, and `gradient` [n, d], that of the largest class's log-probability.
Made with Python 3.11, torch 2.15.0, transformers 5.24.0, safetensors 0.8.0, on a CPU.
"""
import copy
import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
FOLDER = FIXTURES / "families"
LENGTH = 10
WORDS = dict(vocab_size=300, bos_token_id=299, eos_token_id=299)

LLAMA = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=24, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, hidden_act="silu",
             rms_norm_eps=1e-5, rope_theta=10000.0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
QWEN = {**LLAMA, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "bos_token_id": None}
OLMO = {**LLAMA, "rope_theta": 5e5, "num_key_value_heads": 4, "bos_token_id": None}
NEOX = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, vocab_size=24,
            max_position_embeddings=64, bos_token_id=0, eos_token_id=0, hidden_act="gelu", layer_norm_eps=1e-5,
            rotary_pct=0.25, rotary_emb_base=10000, use_parallel_residual=True, tie_word_embeddings=False)
GEMMA = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             head_dim=6, vocab_size=24, max_position_embeddings=64, bos_token_id=2, eos_token_id=1,
             hidden_activation="gelu_pytorch_tanh", rms_norm_eps=1e-6, rope_theta=10000.0)
GEMMA3 = {**GEMMA, "rope_theta": 1e6, "rope_local_base_freq": 10000.0, "query_pre_attn_scalar": 6, "sliding_window": 3,
          "sliding_window_pattern": 2}
NEO = dict(hidden_size=16, intermediate_size=24, num_layers=2, num_heads=4, vocab_size=24, max_position_embeddings=32,
           bos_token_id=1, eos_token_id=1, attention_types=[[["global", "local"], 1]], window_size=4,
           activation_function="gelu_new", layer_norm_epsilon=1e-5)

# Name: model_type, type of the weights in the file, fields.
CASES = {
    "llama-words": ("llama", "bf16", {**LLAMA, **WORDS, "tie_word_embeddings": True}),
    "llama-plain": ("llama", "f32", LLAMA),
    "llama-biases": ("llama", "bf16", {**LLAMA, "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 4}),
    "llama-one-kv": ("llama", "f16", {**LLAMA, "num_key_value_heads": 1, "head_dim": 10, "hidden_act": "gelu"}),
    "llama-llama3": ("llama", "bf16", {**LLAMA, "rope_theta": 500.0, "rope_scaling": LLAMA3}),
    "llama-linear": ("llama", "bf16", {**LLAMA, "rope_scaling": dict(type="linear", factor=4.0)}),
    "llama-dynamic": ("llama", "bf16", {**LLAMA, "rope_scaling": dict(type="dynamic", factor=2.0)}),
    "llama-yarn": ("llama", "bf16", {**LLAMA, "rope_parameters": dict(
        rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=16)}),
    "llama-yarn-mscale": ("llama", "bf16", {**LLAMA, "head_dim": 6, "rope_scaling": dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=0.5,
        beta_fast=8, beta_slow=2, truncate=False)}),
    "mistral-window": ("mistral", "bf16", {**LLAMA, "sliding_window": 5, "head_dim": 6}),
    "mistral-no-window": ("mistral", "bf16", {**LLAMA, "sliding_window": None}),
    "qwen2-full": ("qwen2", "bf16", {**QWEN, "tie_word_embeddings": True, "use_sliding_window": False,
                                     "sliding_window": 4, "max_window_layers": 1}),
    "qwen2-window": ("qwen2", "bf16", {**QWEN, "use_sliding_window": True, "sliding_window": 4,
                                       "max_window_layers": 1}),
    "qwen3-words": ("qwen3", "bf16", {**QWEN, **WORDS, "head_dim": 8, "tie_word_embeddings": True}),
    "qwen3-biases": ("qwen3", "bf16", {**QWEN, "head_dim": 6, "attention_bias": True, "use_sliding_window": True,
                                       "sliding_window": 3,
                                       "layer_types": ["sliding_attention", "full_attention"]}),
    "olmo2-words": ("olmo2", "bf16", {**OLMO, **WORDS, "tie_word_embeddings": True}),
    "olmo2-shared": ("olmo2", "f32", {**OLMO, "num_key_value_heads": 2, "attention_bias": True}),
    "phi3-window": ("phi3", "bf16", {**LLAMA, "sliding_window": 7, "original_max_position_embeddings": 64,
                                     "pad_token_id": 0}),
    "neox-words": ("gpt_neox", "bf16", {**NEOX, **WORDS, "attention_bias": True}),
    "neox-one-after-the-other": ("gpt_neox", "bf16", {**NEOX, "use_parallel_residual": False}),
    "neox-whole-heads": ("gpt_neox", "f32", {**NEOX, "rotary_pct": 1.0, "rotary_emb_base": 500}),
    "neox-no-biases": ("gpt_neox", "bf16", {**NEOX, "attention_bias": False, "hidden_act": "gelu_new",
                                            "layer_norm_eps": 1e-3}),
    # A quarter of ten is two, and three tenths of twelve are three, which turn four.
    "neox-odd-heads": ("gpt_neox", "bf16", {**NEOX, "hidden_size": 24, "rotary_pct": 0.3}),
    "neox-tied-scaled": ("gpt_neox", "bf16", {**NEOX, "hidden_size": 20, "tie_word_embeddings": True,
                                              "rope_scaling": dict(type="linear", factor=2.0)}),
}
CASES.update({
    "gemma-plain": ("gemma", "bf16", {**GEMMA, "hidden_act": "gelu_pytorch_tanh"}),
    "gemma-biases": ("gemma", "bf16", {**GEMMA, "attention_bias": True, "tie_word_embeddings": False,
                                       "hidden_act": "gelu"}),
    "gemma2-words": ("gemma2", "bf16", {**GEMMA, **WORDS, "sliding_window": 5, "query_pre_attn_scalar": 9}),
    "gemma2-tight": ("gemma2", "f32", {**GEMMA, "sliding_window": 3, "query_pre_attn_scalar": 4,
                                       "attn_logit_softcapping": 2.0, "final_logit_softcapping": 1.5}),
    "gemma2-no-caps": ("gemma2", "bf16", {**GEMMA, "sliding_window": 4, "attn_logit_softcapping": None,
                                          "final_logit_softcapping": None, "attention_bias": True,
                                          "layer_types": ["full_attention", "sliding_attention"]}),
    "gemma3-words": ("gemma3_text", "bf16", {**GEMMA3, **WORDS}),
    "gemma3-stretched": ("gemma3_text", "bf16", {**GEMMA3, "rope_scaling": dict(rope_type="linear", factor=8.0)}),
    "gemma3-cap": ("gemma3_text", "bf16", {**GEMMA3, "final_logit_softcapping": 2.0, "num_key_value_heads": 1}),
    "neo-words": ("gpt_neo", "bf16", {**NEO, **WORDS}),
    "neo-all-global": ("gpt_neo", "bf16", {**NEO, "attention_types": [[["global"], 2]], "intermediate_size": None}),
    "neo-all-local": ("gpt_neo", "f32", {**NEO, "attention_types": [[["local"], 2]], "window_size": 1,
                                         "tie_word_embeddings": False}),
    "neo-odd-heads": ("gpt_neo", "bf16", {**NEO, "hidden_size": 21, "num_heads": 3, "window_size": 3,
                                          "attention_types": [[["local", "global"], 1]],
                                          "activation_function": "relu"}),
    "neo-one-head": ("gpt_neo", "f16", {**NEO, "num_heads": 1, "window_size": 2, "layer_norm_epsilon": 1e-3,
                                        "activation_function": "gelu"}),
    "neo-deep": ("gpt_neo", "bf16", {**NEO, "num_layers": 5, "num_heads": 8, "intermediate_size": 20, "tie_word_embeddings": False,
                                     "attention_types": [[["local"], 2], [["global", "local", "global"], 1]]}),
})
# All with the other fixtures' tokenizer, whose special token fills texts up.
SORTS = {**WORDS, "pad_token_id": 299, "id2label": {0: "bad", 1: "so <b>so</b>", 2: "good"}}
CLASSIFIERS = {
    "llama": ("llama", "bf16", {**LLAMA, **SORTS}),
    "mistral": ("mistral", "bf16", {**LLAMA, **SORTS, "sliding_window": 5}),
    "qwen2": ("qwen2", "bf16", {**QWEN, **SORTS}),
    "qwen3": ("qwen3", "f16", {**QWEN, **SORTS, "head_dim": 8}),
    "olmo2": ("olmo2", "bf16", {**OLMO, **SORTS}),
    "phi3": ("phi3", "bf16", {**LLAMA, **SORTS, "original_max_position_embeddings": 64}),
    "neox": ("gpt_neox", "bf16", {**NEOX, **SORTS}),
    "gemma": ("gemma", "bf16", {**GEMMA, **SORTS}),
    # The cap is on next tokens only.
    "gemma2": ("gemma2", "bf16", {**GEMMA, **SORTS, "sliding_window": 5, "final_logit_softcapping": 0.2}),
    "gemma3": ("gemma3_text", "f32", {**GEMMA3, **SORTS}),
    "neo": ("gpt_neo", "bf16", {**NEO, **SORTS}),
}
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def random(seed, classes, model_type, dtype, fields):
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **json.loads(json.dumps(fields)))
    model = classes.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "norm" in key or "ln_" in key:
                # Gemma's norms multiply by 1 + w.
                centre = 0.0 if model_type.startswith("gemma") or key.endswith("bias") else 1.0
                weight.copy_(centre + 0.3 * torch.randn_like(weight))
            else:
                # Large enough for attention that is not even.
                weight.copy_((0.5 if weight.dim() > 1 else 0.3) * torch.randn_like(weight))
            weight.copy_(weight.to(TYPES[dtype]))
    return model


def entering(model):
    """Where the embeddings that enter the first block will stand, once a prompt was read."""
    entered = {}

    def keep(_, __, out):
        entered["embeddings"] = out.detach().requires_grad_()
        return entered["embeddings"]

    model.get_input_embeddings().register_forward_hook(keep)
    return entered


def single(x):
    return x.detach().float().contiguous()


def classify(seed, name, model_type, dtype, fields):
    model = random(seed + 40, AutoModelForSequenceClassification, model_type, dtype, fields)
    folder = FIXTURES / "classifiers" / name
    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(TYPES[dtype]).save_pretrained(folder)
    shutil.copy(FIXTURES / "base" / "tokenizer.json", folder)

    model = model.double()
    ids = torch.randint(3, fields["vocab_size"] - 1, (1, LENGTH))
    padding = torch.full((1, 2), fields["pad_token_id"])
    padded = model(input_ids=torch.cat([ids, padding], 1), use_cache=False).logits[0]
    entered = entering(model)
    logits = model(input_ids=ids, use_cache=False).logits[0]
    (gradient,) = torch.autograd.grad(logits.log_softmax(-1).max(), entered["embeddings"])
    save_file({"ids": ids[0], "logits": single(logits), "padded": single(padded), "gradient": single(gradient[0])},
              folder / "golden.safetensors")
    print(f"{type(model).__name__:35} logits {logits.tolist()}, gradient {gradient.norm():.3f}")


def make(seed, name, model_type, dtype, fields):
    model = random(seed, AutoModelForCausalLM, model_type, dtype, fields)
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).to(TYPES[dtype]).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name.endswith("-words"):
        shutil.copy(FIXTURES / "base" / "tokenizer.json", folder)
    else:
        # As older hub repositories have it; the others keep what transformers 5 writes.
        written = {"architectures": [type(model).__name__], "model_type": model_type, **fields}
        (folder / "config.json").write_text(json.dumps(written, indent=2) + "\n")

    model = model.double()
    ids = torch.randint(3, fields["vocab_size"] - 1, (1, LENGTH))
    entered = entering(model)
    out = model(input_ids=ids, output_attentions=True, output_hidden_states=True, use_cache=False)
    largest = out.logits[0, -1].log_softmax(-1).max()
    (gradient,) = torch.autograd.grad(largest, entered["embeddings"])
    save_file({"ids": ids[0], "attention": single(torch.cat(out.attentions)), "logits": single(out.logits[0]),
               "hidden": single(torch.cat(out.hidden_states)), "gradient": single(gradient[0])},
              folder / "golden.safetensors")
    rows = torch.cat(out.attentions)[:, :, -1].amax(-1)
    print(f"{name:20} largest weight of the last query {rows.min():.2f} to {rows.max():.2f}, "
          f"logits {out.logits.std():.2f}, probability {largest.exp():.2f}, gradient {gradient.norm():.3f}")


for seed, (name, case) in enumerate(CASES.items()):
    if len(sys.argv) < 2 or name in sys.argv[1:]:
        make(seed, name, *case)
for seed, (name, case) in enumerate(CLASSIFIERS.items()):
    if len(sys.argv) < 2 or f"classifier-{name}" in sys.argv[1:]:
        classify(seed, name, *case)
