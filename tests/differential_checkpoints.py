"""Random GPT-2 folders: attnviz must give transformers' numbers, or refuse with an error that names a field or a tensor.

    python tests/differential_checkpoints.py path/to/attnviz [COUNT [SEED]]

Each folder is a random GPT2Config (activations, sizes, scaling, ties, fields under their other names, fields left out), saved as one of
transformers' classes in one of four precisions, as safetensors or as torch.save writes (whole or in shards, new files and old), and then
changed as people's tools change checkpoints: names wrapped, matrices turned as Linear has them, biases dropped, one of a tied pair
dropped. About a third get something that changes the numbers, or another model's names: those must be refused.

transformers computes the reference in float32 from the numbers that the file holds (eager attention), before they are changed. Compared
are attention (within 1e-5) and logits (within 1e-5 of their size). What is left out of a well-made folder's comparison is printed.
Ends with 1 if any number differs, a well-made folder is refused, or a folder that must be refused is not.
"""
import collections
import copy
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
import transformers
from make_fixtures import SPECIAL, TOK, VOCAB
from safetensors.torch import load_file, save_file
from transformers import GPT2Config
from transformers.utils import logging

ACTIVATIONS = ["relu", "gelu", "gelu_new", "gelu_fast", "quick_gelu", "silu", "swish", "tanh", "gelu_pytorch_tanh"]
CLASSES = ["GPT2LMHeadModel"] * 5 + ["GPT2Model", "GPT2DoubleHeadsModel", "GPT2ForSequenceClassification",
                                     "GPT2ForTokenClassification", "GPT2ForQuestionAnswering"]
OTHER_NAMES = {"n_embd": "hidden_size", "n_head": "num_attention_heads", "n_layer": "num_hidden_layers",
               "n_positions": "max_position_embeddings"}
WRAPPERS = ["_orig_mod.", "module.", "model.", "transformer.", "net.", "_forward_module."]
# What must be refused, by the word that the error must say.
FOREIGN_FIELDS = {
    "add_cross_attention": True, "attention_head_type": "multiquery", "multi_query": True, "num_key_value_heads": 0,
    "auto_map": {"AutoModelForCausalLM": "modeling_x.X"}, "quantization_config": {"quant_method": "gptq", "bits": 4},
    "pruned_heads": {"0": [0]}, "is_encoder_decoder": True, "position_embedding_type": "alibi", "rotary_dim": 4,
    "is_causal": False, "sliding_window": 3, "activation_function": "mish", "layer_norm_epsilon": float("nan"),
    "n_layer": 7, "hidden_size": 1000, "num_attention_heads": 1000, "qk_norm": True, "mup_width_scale": 0.5,
}


def config(r):
    heads, width = r.choice([1, 2, 3, 4]), r.choice([1, 2, 4, 5, 8])
    return GPT2Config(
        n_layer=r.choice([1, 2, 3]), n_head=heads, n_embd=heads * width, vocab_size=len(VOCAB) + r.choice([0, 0, 20]),
        n_positions=r.choice([12, 16, 40]), n_inner=r.choice([None, None, 5, heads * width, 17]),
        activation_function=r.choice(ACTIVATIONS), layer_norm_epsilon=r.choice([1e-5, 1e-5, 1e-3, 0.1]),
        scale_attn_weights=r.random() < 0.8, scale_attn_by_inverse_layer_idx=r.random() < 0.3,
        reorder_and_upcast_attn=r.random() < 0.3, tie_word_embeddings=r.random() < 0.7,
        bos_token_id=VOCAB[SPECIAL], eos_token_id=VOCAB[SPECIAL], num_labels=3)


def model_of(r, name, config, biased, dtype):
    model = getattr(transformers, name)(config)
    noise = torch.Generator().manual_seed(r.getrandbits(40))
    for key, p in model.named_parameters():
        p.data = torch.randn(p.shape, generator=noise) * (0.2 if "ln_" in key else 0.35)
        if "ln_" in key and key.endswith("weight"):
            p.data += 1
        if key.endswith("bias") and not biased and ("ln_" in key or ".c_" in key):
            p.data *= 0
    if hasattr(model, "tie_weights"):
        model.tie_weights()
    return model.to(dtype).eval()


def reference(model, ids):
    model = copy.deepcopy(model).float()
    model.set_attn_implementation("eager")
    body = getattr(model, "transformer", model)
    with torch.no_grad():
        out = body(torch.tensor([ids]), output_attentions=True)
        attention = torch.stack([a[0] for a in out.attentions])
        name, tied = type(model).__name__, model.config.tie_word_embeddings
        if hasattr(model, "lm_head"):
            return attention, model.lm_head(out.last_hidden_state)[0]
        return attention, out.last_hidden_state[0] @ body.wte.weight.T if name == "GPT2Model" and tied else None


def change_tensors(r, tensors, model, did):
    """What tools do to names and layouts; every change leaves the numbers as they are."""
    biased = any(t.any() for k, t in tensors.items() if k.endswith("bias") and ".attn.c_" in k)
    if not biased and r.random() < 0.8:
        heads = ("score", "classifier", "qa_outputs", "multiple_choice")
        tensors = {k: t for k, t in tensors.items() if not k.endswith("bias") or k.startswith(heads)}
        did.append("no biases")
    if r.random() < 0.3:
        turn = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
        tensors = {k: t.T.contiguous() if k.endswith(turn) else t for k, t in tensors.items()}
        did.append("turned")
    tied = model.config.tie_word_embeddings and type(model).__name__ == "GPT2LMHeadModel"
    wte = next(k for k in tensors if k.endswith("wte.weight"))
    if tied and r.random() < 0.3:
        tensors["lm_head.weight"] = tensors[wte].clone()
        did.append("both of a pair")
        if r.random() < 0.5:
            del tensors[wte]
            did[-1] = "only lm_head"
    if r.random() < 0.2:
        for layer in range(model.config.n_layer):
            body = wte.replace("wte.weight", f"h.{layer}.attn.")
            tensors |= {body + "bias": torch.ones(1, 1, 4, 4).tril(), body + "masked_bias": torch.tensor(-1e4)}
        did.append("masks")
    if r.random() < 0.4:
        prefix = "".join(r.choice(WRAPPERS) for _ in range(r.choice([1, 1, 2, 3])))
        tensors = {prefix + k: t for k, t in tensors.items()}
        did.append(f"in {prefix}")
    if r.random() < 0.1:
        tensors = {k.replace(".attn.", "._orig_mod.attn."): t for k, t in tensors.items()}
        did.append("blocks compiled")
    return tensors


def spoil_tensors(r, tensors):
    """Another program's names, or a part that a GPT-2 does not have; what the error must say."""
    key = r.choice([k for k in tensors if ".c_attn.weight" in k])
    kind = r.choice(["lora", "missing", "more", "names", "bias", "shape", "part"])
    if kind == "lora":
        tensors[key.replace("weight", "lora_A.default.weight")] = torch.zeros(2, 2)
        return "adapter"
    if kind == "missing":
        del tensors[key]
        return "c_attn"
    if kind == "more":
        tensors |= {"second." + k: t.clone() for k, t in tensors.items()}
        return "second."
    if kind == "bias":
        tensors["lm_head.bias"] = torch.ones(len(VOCAB))
        return "lm_head.bias"
    if kind == "shape":
        tensors[key] = torch.zeros(3, 2)
        return "c_attn"
    if kind == "part":
        tensors[key.replace("c_attn", "q_norm")] = torch.ones(2)
        return "q_norm"
    for k in list(tensors):
        tensors[k.replace("ln_1", "norm1").replace("c_attn", "qkv")] = tensors.pop(k)
    return "no tensor"


def write_weights(r, folder, tensors, did):
    """One of the ways to save tensors."""
    shards = [dict(list(tensors.items())[i::3]) for i in range(3)] if r.random() < 0.3 else [tensors]
    shards = [shard for shard in shards if shard]
    torch_file = r.random() < 0.4
    stem, end = ("pytorch_model", "bin") if torch_file else ("model", "safetensors")
    new = r.random() < 0.6
    wrapped = torch_file and len(shards) == 1 and r.random() < 0.4
    names = [f"{stem}.{end}"] if len(shards) == 1 else [f"{stem}-{i + 1:05}-of-{len(shards):05}.{end}" for i in range(len(shards))]
    if wrapped:
        names = ["ckpt.pt"]
        shards = [{"model": shards[0], "iter_num": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}},
                   "config": {"lr": 1e-3, "bias": False, "note": None}}]
    for name, shard in zip(names, shards):
        if torch_file:
            torch.save(shard, folder / name, _use_new_zipfile_serialization=new)
        else:
            save_file({k: t.contiguous().clone() for k, t in shard.items()}, folder / name, metadata={"format": "pt"})
    if len(names) > 1:
        index = {k: name for name, shard in zip(names, shards) for k in shard}
        (folder / f"{stem}.{end}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    did.append(f"{'old ' if torch_file and not new else ''}{names[0]}")


def change_config(r, folder, model, did):
    path = folder / "config.json"
    fields = json.loads(path.read_text())
    for name, other in OTHER_NAMES.items():
        choice = r.random()
        if choice < 0.2:
            fields[other] = fields.pop(name)
            did.append(other)
        elif choice < 0.25:
            fields[other] = fields[name]
    if fields["activation_function"] == "gelu_new" and r.random() < 0.5:
        del fields["activation_function"]
    if r.random() < 0.2:
        fields["task_specific_params"] = {"clip": [float("nan"), float("inf"), -float("inf")], "name": "NaN"}
    if r.random() < 0.1:
        fields["some_field"] = {"nested": [1]}
    return path, fields


def run(binary, folder, ids, logits):
    more = ["--with", "logits"] if logits else []
    done = subprocess.run([binary, "-m", folder, "--ids", ",".join(map(str, ids)), "-o", "-", "--format", "json", *more],
                          capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def one(r, binary, folder):
    did = []
    name, dtype = r.choice(CLASSES), r.choice([torch.float32] * 3 + [torch.float16, torch.bfloat16, torch.float64])
    did += [name, str(dtype).removeprefix("torch.")]
    model = model_of(r, name, config(r), r.random() < 0.7, dtype)
    ids = [r.randrange(len(VOCAB)) for _ in range(r.choice([1, 2, 7, 12]))]
    attention, logits = reference(model, ids)
    model.save_pretrained(folder)
    tensors = {}
    for file in folder.glob("*.safetensors"):
        tensors |= load_file(file)
        file.unlink()
    tensors = change_tensors(r, tensors, model, did)
    path, fields = change_config(r, folder, model, did)
    must_say = None
    if r.random() < 0.3:
        if r.random() < 0.6:
            must_say = r.choice(list(FOREIGN_FIELDS))
            fields[must_say] = FOREIGN_FIELDS[must_say]
            if must_say in OTHER_NAMES.values():
                own = next(own for own, other in OTHER_NAMES.items() if other == must_say)
                fields[own] = getattr(model.config, own)
            if must_say in OTHER_NAMES:
                fields.pop(OTHER_NAMES[must_say], None)
        else:
            must_say = spoil_tensors(r, tensors)
        did.append(f"must say {must_say}")
    path.write_text(json.dumps(fields))
    write_weights(r, folder, tensors, did)
    (folder / "tokenizer.json").write_text(TOK.to_str(), encoding="utf-8")
    code, out, err = run(binary, folder, ids, logits is not None)
    if code != 0:
        first = err.splitlines()[0] if err else "no word"
        if must_say is None:
            return "refused although well made", did, first
        return ("refused" if must_say in err else "refused for another reason"), did + [must_say], first
    if must_say is not None:
        return "not refused", did, ""
    found = json.loads(out)["results"][0]
    apart = (torch.tensor(found["attention"]) - attention).abs().max().item()
    if logits is not None:
        theirs = torch.tensor(found["logits"])
        apart = max(apart, ((theirs - logits).abs().max() / max(1.0, logits.abs().max())).item())
    return ("equal" if apart <= 1e-5 else "different"), did, f"{apart:.1e}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    count, seed = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 100), (3, 1)))
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    outcomes, largest, said = collections.Counter(), 0.0, collections.Counter()
    for number in range(count):
        r = random.Random(seed * 1_000_003 + number)
        with tempfile.TemporaryDirectory() as folder:
            outcome, did, detail = one(r, binary, pathlib.Path(folder))
        outcomes[outcome] += 1
        if outcome == "equal":
            largest = max(largest, float(detail))
        elif outcome == "refused":
            said[did[-1]] += 1
        else:
            print(f"{number}: {outcome}: {', '.join(did)}: {detail}")
    print(f"{count} folders, seed {seed}: " + ", ".join(f"{n} {what}" for what, n in outcomes.most_common()))
    print(f"largest difference of those that are equal: {largest:.1e}")
    print("refused by name: " + ", ".join(f"{what} {n}" for what, n in said.most_common()))
    sys.exit(0 if set(outcomes) <= {"equal", "refused"} else 1)


if __name__ == "__main__":
    main()
