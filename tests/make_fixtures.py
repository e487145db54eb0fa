"""Writes tests/fixtures/: tiny GPT-2 checkpoints with what Hugging Face transformers computes from them.

    python tests/make_fixtures.py GPT2_TOKENIZER_DIR [NAME...]

GPT2_TOKENIZER_DIR holds GPT-2's own tokenizer.json (or vocab.json and merges.txt); it is used only for
multilingual.ids.json, the ids of multilingual.txt (that text is written by hand, not by this script).
With names, only those checkpoints are written. The output is the same at every run: every checkpoint is seeded.
Made with Python 3.11, torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, safetensors 0.8.0, on a CPU.

Each checkpoint is reloaded from its files by transformers (eager attention, computing in float32 whatever the file
holds), and expected.safetensors gets, for the ids of a prompt of n tokens (the text is in the file's metadata):
    ids        i64 [n]
    attention  f32 [layer, head, n, n]
    hidden     f32 [layer + 1, n, d]    transformers' hidden_states: the last one is after ln_f
    logits     f32 [n, vocab]
    scores     f32 [layer, head, n, n]  scaled, before the mask; -inf above the diagonal
tied-with-head holds an lm_head.weight that differs from wte although its config ties them: logits are the tied ones
(transformers 4), and logits_untied [n, vocab] what transformers 5 gives, which keeps the two apart.
"""
import json
import pathlib
import shutil
import struct
import sys
import zlib

import torch
from safetensors.torch import load_file, save, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast
from transformers.utils import logging

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
TEXT = "The café is in Zoë."
ACTIVATIONS = ["relu", "silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "tanh"]
# The pieces on each side of a merge, as GPT-2's byte alphabet spells them (Ġ is a space, Ã© is é).
MERGES = """Ġ t|Ġ a|h e|i n|r e|o n|Ġt he|e r|Ġ s|a t|Ġ w|Ġ o|e n|Ġ c|i t|i s|a n|o r|e s|Ġ b|e d|Ġ f|in g|Ġ p|Ġ is|Ġa n|a l|a r|Ġt o
Ġ m|Ġo f|Ġ in|Ġ d|Ġ h|Ġan d|i c|Ġ on|l e|Ġt h|T he|Ã ©|Ġc a|l l""".replace("\n", "|").split("|")
SPECIAL = "<|endoftext|>"


def byte_alphabet():
    """GPT-2's printable stand-ins for the 256 bytes, in its own order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]


def tokenizer():
    pairs = [tuple(m.split(" ")) for m in MERGES]
    pieces = byte_alphabet() + [a + b for a, b in pairs] + [SPECIAL]
    assert len(set(pieces)) == len(pieces)
    vocab = {piece: i for i, piece in enumerate(pieces)}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=pairs, continuing_subword_prefix="", end_of_word_suffix=""))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    tok.post_processor = processors.ByteLevel(trim_offsets=False)
    tok.add_special_tokens([AddedToken(SPECIAL, normalized=False)])
    return tok, vocab, pairs


TOK, VOCAB, PAIRS = tokenizer()


def make(name, **config):
    """A checkpoint's model: weights such that attention is far from uniform, and nothing is zero or one."""
    eos = VOCAB[SPECIAL]
    config = GPT2Config(**{**dict(n_layer=2, n_head=2, n_embd=16, n_positions=32, vocab_size=len(VOCAB),
                                  bos_token_id=eos, eos_token_id=eos), **config})
    model = GPT2LMHeadModel(config)
    random = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    for key, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=random)
        if "ln_" in key:
            p.data = noise * 0.2 + (1.0 if key.endswith("weight") else 0.0)
        elif key.endswith("bias"):
            p.data = noise * 0.3
        elif "c_attn" in key:
            p.data = noise * 0.4
        else:
            p.data = noise * (0.5 if "wte" in key or "lm_head" in key else 0.25)
    model.tie_weights()
    return model.eval()


def save_model(model, folder, **how):
    model.save_pretrained(folder, **how)
    (folder / "generation_config.json").unlink(missing_ok=True)


def edit_tensors(folder, change):
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def edit_config(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config, indent=2) + "\n")


def save_tokenizer(folder, as_pair):
    if as_pair:
        (folder / "vocab.json").write_text(json.dumps(VOCAB))  # non-ASCII as \u escapes, like GPT-2's own file
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in PAIRS), encoding="utf-8")
    else:
        (folder / "tokenizer.json").write_text(TOK.to_str(), encoding="utf-8")


def expected(folder, path, ids, text=None):
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tensors = {"ids": torch.tensor(ids)}
    if model.config.tie_word_embeddings and model.lm_head.weight is not model.transformer.wte.weight:
        # Both are in the file and differ: transformers 5 leaves them untied with a warning; 4 ties them, as the config says.
        with torch.no_grad():
            tensors["logits_untied"] = model(torch.tensor([ids])).logits[0]
        model.lm_head.weight = model.transformer.wte.weight
    c, seen = model.config, []
    hooks = [b.attn.c_attn.register_forward_hook(lambda _m, _i, o: seen.append(o[0])) for b in model.transformer.h]
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)
    for h in hooks:
        h.remove()
    n, heads, scores = len(ids), c.n_head, []
    above = torch.ones(n, n, dtype=torch.bool).triu(1)
    for layer, qkv in enumerate(seen):
        q, k, _ = (t.view(n, heads, -1).transpose(0, 1) for t in qkv.split(c.n_embd, dim=-1))
        s = q @ k.transpose(1, 2)
        if c.scale_attn_weights:
            s = s * (c.n_embd // heads) ** -0.5
        if c.scale_attn_by_inverse_layer_idx:
            s = s / (layer + 1)
        scores.append(s.masked_fill(above, float("-inf")))
    attention, hidden, scores = (torch.stack(list(t)) for t in (
        [a[0] for a in out.attentions], [h[0] for h in out.hidden_states], scores))
    # What this file claims, checked: the scores' softmax is the attention, and the logits come of the last hidden state.
    assert torch.allclose(scores.softmax(-1), attention, atol=1e-5), folder
    assert torch.allclose(hidden[-1] @ model.lm_head.weight.T, out.logits[0], atol=1e-4), folder
    tensors |= {"attention": attention, "hidden": hidden, "logits": out.logits[0], "scores": scores}
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path,
              metadata={"text": TOK.decode(ids, skip_special_tokens=False) if text is None else text})


def build(name, model, **how):
    """One folder: the model as transformers saves it, a change to its files, a tokenizer, the expected values."""
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_model(model if how.get("head", True) else model.transformer, folder, **how.get("save", {}))
    if "tensors" in how:
        edit_tensors(folder, how["tensors"])
    if "config" in how:
        edit_config(folder, how["config"])
    if "raw" in how:
        how["raw"](folder / "model.safetensors")
    save_tokenizer(folder, as_pair=name == "vocab-merges")
    expected(folder, folder / "expected.safetensors", TOK.encode(TEXT).ids, TEXT)
    if "then" in how:
        how["then"](folder)


def rename(old, new):
    return lambda tensors: {k.replace(old, new): v for k, v in tensors.items()}


def legacy(tensors):
    """The causal-mask buffers old files carry: as in OpenAI's gpt2 (float), and as later versions wrote them (bool)."""
    tensors = rename("transformer.", "")(tensors)
    for layer, dtype in enumerate([torch.float32, torch.bool]):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(32, 32).tril().view(1, 1, 32, 32).to(dtype)
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    return tensors


def legacy_config(c):
    c.update(n_ctx=32, gradient_checkpointing=False, output_past=True, some_future_field={"nested": [1, None]},
             task_specific_params={"text-generation": {"do_sample": True, "max_length": 50}})
    for key in ("dtype", "tie_word_embeddings", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "n_inner",
                "reorder_and_upcast_attn", "add_cross_attention", "use_cache", "pad_token_id", "transformers_version"):
        c.pop(key, None)


def misalign(path):
    """The same tensors behind a header of odd length, so that no float starts at a multiple of four."""
    data = save(load_file(path), metadata={"format": "pt"})
    length = struct.unpack("<Q", data[:8])[0]
    header = data[8:8 + length].rstrip(b" ")
    header += b" " * (1 + len(header) % 2)
    assert (8 + len(header)) % 2 == 1
    path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length:])


def other_head(tensors):
    wte = tensors["transformer.wte.weight"]
    return {**tensors, "lm_head.weight": torch.randn(wte.shape, generator=torch.Generator().manual_seed(7)) * 0.5}


def without_biases(model):
    """The same model with biases that are zero, as one that was trained without them."""
    for key, p in model.named_parameters():
        if key.endswith("bias"):
            p.data *= 0
    return model


def only(keep):
    """Leaves out what transformers reads as zero, or as tied; its numbers have been taken before."""
    return lambda folder: edit_tensors(folder, lambda tensors: {k: t for k, t in tensors.items() if keep(k)})


def only_head(folder):
    edit_tensors(folder, lambda tensors: {k.replace("transformer.wte", "lm_head"): t for k, t in tensors.items()})


def taken(folder):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    return tensors


def torch_file(**how):
    return lambda folder: torch.save(taken(folder), folder / "pytorch_model.bin", **how)


def torch_shards(folder):
    """Two files and their index; half of the tensors lie column after column, as a saved transpose does."""
    tensors = [(k, t.T.contiguous().T if t.dim() == 2 and i % 2 else t) for i, (k, t) in enumerate(taken(folder).items())]
    names, index = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"], {}
    for name, part in zip(names, (tensors[::2], tensors[1::2])):
        torch.save(dict(part), folder / name)
        index |= {key: name for key, _ in part}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}) + "\n")


def nanogpt(folder):
    """What nanoGPT's train.py leaves: a compiled model's names, Linear's layout, no biases, and what else it saves."""
    turn = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    tensors = {"_orig_mod." + k: t.T.contiguous() if k.endswith(turn) else t
               for k, t in taken(folder).items() if not k.endswith("bias")}
    tensors["_orig_mod.lm_head.weight"] = tensors["_orig_mod.transformer.wte.weight"]
    moments = {0: {"step": torch.tensor(9.0), "exp_avg": torch.ones(3, 2), "exp_avg_sq": torch.ones(3, 2)}}
    torch.save({"model": tensors, "optimizer": {"state": moments, "param_groups": [{"lr": 1e-3, "params": [0]}]},
                "model_args": {"n_layer": 1, "n_head": 2, "n_embd": 8, "block_size": 16, "bias": False, "vocab_size": 300,
                               "dropout": 0.0},
                "iter_num": 9, "best_val_loss": torch.tensor(3.5), "config": {"out_dir": "out", "compile": True}}, folder / "ckpt.pt")


def other_names(c):
    for name, other in (("n_embd", "hidden_size"), ("n_head", "num_attention_heads"), ("n_layer", "num_hidden_layers"),
                        ("n_positions", "max_position_embeddings")):
        c[other] = c.pop(name)
    c["task_specific_params"] = {"clip": [float("nan"), float("inf"), -float("inf")]}


def variants():
    def plain(name, **config):
        return name, (lambda: build(name, make(name, **config)))

    def changed(name, n_layer=2, **how):
        return name, (lambda: build(name, make(name, n_layer=n_layer), **how))

    yield changed("base")
    yield changed("no-prefix", head=False)
    yield changed("sharded", save={"max_shard_size": "22KB"})
    yield "f16", lambda: build("f16", make("f16").to(torch.float16))
    yield "bf16", lambda: build("bf16", make("bf16").to(torch.bfloat16))
    yield plain("untied", n_layer=1, tie_word_embeddings=False)
    yield plain("n-inner", n_inner=24)
    yield plain("no-scale", scale_attn_weights=False)
    yield plain("inverse-layer", scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True)
    yield plain("eps", layer_norm_epsilon=1e-3)
    yield plain("positions", n_positions=13)
    for act in ACTIVATIONS:
        yield plain(f"act-{act}", activation_function=act, n_layer=1)
    yield changed("legacy-buffers", tensors=legacy, config=legacy_config)
    yield plain("wide-vocab", vocab_size=320)
    yield changed("misaligned", raw=misalign)
    yield plain("odd-heads", n_embd=15, n_head=3, n_layer=1)
    yield changed("vocab-merges", n_layer=1)
    yield changed("tied-with-head", n_layer=1, tensors=other_head)

    def small(name, change=lambda model: model, **how):
        return name, (lambda: build(name, change(make(name, n_layer=1, n_embd=8, n_positions=16)), **how))

    yield small("f64", change=lambda model: model.to(torch.float64))
    yield small("other-names", config=other_names)
    yield small("no-biases", change=without_biases, then=only(lambda key: not key.endswith("bias")))
    yield small("only-head", then=only_head)
    yield small("torch-zip", then=torch_file())
    yield small("torch-old", then=torch_file(_use_new_zipfile_serialization=False))
    yield small("torch-shards", then=torch_shards)
    yield small("nanogpt", change=without_biases, then=nanogpt)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    gpt2, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
    for name, write in variants():
        if not names or name in names:
            write()
    if names:
        return
    assert len(list((FIXTURES / "sharded").glob("model-*.safetensors"))) == 3
    words = TOK.encode(TEXT + " There are hills and there is a lake, and the others are in the city.").ids
    for count, label in ((1, "1"), (2, "2"), (32, "full")):
        expected(FIXTURES / "base", FIXTURES / "base" / f"expected-{label}.safetensors", words[:count])
    source = FIXTURES / "multilingual.txt"
    if source.exists():
        with open(source, encoding="utf-8", newline="") as file:
            ids = GPT2TokenizerFast.from_pretrained(gpt2)(file.read()).input_ids
        source.with_name("multilingual.ids.json").write_text(json.dumps(ids, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
