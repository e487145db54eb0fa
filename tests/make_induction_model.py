"""Writes tests/fixtures/induction/: a GPT-2 of two layers whose heads do what they are called, by construction.

    python tests/make_induction_model.py

The residual stream is three one-hot codes side by side: the token, its position, and (after layer 0) the token before.
    head 0.0  previous token: the query's position matches the key's position + 1; it copies that token's code
    head 0.1  sink: every query asks for position 0
    head 1.0  induction: the query's token matches the code of the token before the key
    head 1.1  nothing: it attends to all tokens alike
MLPs are zero. Weights are whole numbers, so that half precision holds them exactly. Made with Python 3.11, torch 2.15.0,
safetensors 0.8.0, tokenizers 0.23.3.
"""
import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

FOLDER = pathlib.Path(__file__).resolve().parent / "fixtures" / "induction"
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 .,!"
V, P = len(ALPHABET), 24
TOKEN, POSITION, BEFORE = range(0, V), range(V, V + P), range(V + P, 2 * V + P)
D, HEAD = 2 * V + P, (2 * V + P) // 2
# How much the match of two codes counts: after LayerNorm and the scale, about 29 in layer 0 and 40 in layer 1.
SHARP = [4.0, 8.0]


def main():
    t = {"wte.weight": torch.eye(V, D), "wpe.weight": torch.zeros(P, D)}
    for p in range(P):
        t["wpe.weight"][p, POSITION[p]] = 1
    for layer in range(2):
        name = f"h.{layer}"
        for norm in ["ln_1", "ln_2"]:
            t |= {f"{name}.{norm}.weight": torch.ones(D), f"{name}.{norm}.bias": torch.zeros(D)}
        t |= {f"{name}.attn.c_attn.weight": torch.zeros(D, 3 * D), f"{name}.attn.c_attn.bias": torch.zeros(3 * D)}
        t |= {f"{name}.attn.c_proj.weight": torch.zeros(D, D), f"{name}.attn.c_proj.bias": torch.zeros(D)}
        t |= {f"{name}.mlp.c_fc.weight": torch.zeros(D, 4), f"{name}.mlp.c_fc.bias": torch.zeros(4)}
        t |= {f"{name}.mlp.c_proj.weight": torch.zeros(4, D), f"{name}.mlp.c_proj.bias": torch.zeros(D)}
    t |= {"ln_f.weight": torch.ones(D), "ln_f.bias": torch.zeros(D)}
    # Columns of c_attn: queries, keys, values; in each, head 0 then head 1.
    query, key, value = 0, D, 2 * D
    attn, out = t["h.0.attn.c_attn.weight"], t["h.0.attn.c_proj.weight"]
    for p in range(P):
        attn[POSITION[p], query + p] = 1
        if p + 1 < P:
            attn[POSITION[p], key + p + 1] = SHARP[0]
    for v in range(V):
        attn[TOKEN[v], value + v] = 1
        out[v, BEFORE[v]] = 1 / 8  # the code's height after LayerNorm is about 7
    t["h.0.attn.c_attn.bias"][query + HEAD] = 8
    attn[POSITION[0], key + HEAD] = SHARP[0]
    attn = t["h.1.attn.c_attn.weight"]
    for v in range(V):
        attn[TOKEN[v], query + v] = 1
        attn[BEFORE[v], key + v] = SHARP[1]

    FOLDER.mkdir(exist_ok=True)
    save_file({k: x.half() for k, x in t.items()}, FOLDER / "model.safetensors", metadata={"format": "pt"})
    config = dict(model_type="gpt2", n_layer=2, n_head=2, n_embd=D, n_inner=4, n_positions=P, vocab_size=V,
                  layer_norm_epsilon=1e-5, activation_function="gelu_new", tie_word_embeddings=True)
    (FOLDER / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(ALPHABET)}, merges=[])).save(str(FOLDER / "tokenizer.json"))


main()
