"""Writes tests/fixtures/heads.json: heads over a corpus, heads by their weights, and the norms of residuals, by transformers and NumPy.

    python tests/make_heads_golden.py

corpus: of fixture base over the first 3000 characters of tests/fixtures/multilingual.txt (its mark apart), by eager attentions in double precision, for each case the settings, and for
    each head its scores and its examples by an exhaustive search: of each fifth of the range of the largest weight (first key left out) the
    three of lowest rank, as [sequence, query, weight, [[key, weight], …]]. Ranks are SplitMix64 of head and query.
weights: of several fixtures, from the tensors in double precision, copying, position share and composition before chance is taken off.
norms: of fixture base on the ids of expected.safetensors, the norm of every residual, the three dimensions with the largest numbers with
    where they are, and the attention on the first token.
Made with Python 3.11, numpy 2.4.6, torch 2.15.0, transformers 5.24.0, on a CPU.
"""
import json
import math
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import GPT2LMHeadModel

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
CASES = [{}, {"length": 20, "seed": 3}, {"length": 24, "limit": 40, "seed": 5}, {"length": 16, "bos": True}]
WEIGHTS = ["base", "untied", "no-biases", "odd-heads", "positions", "inverse-layer", "no-scale", "f16"]
MASK = (1 << 64) - 1


def mix(seed, place):
    x = (seed + (place + 1) * 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def load(name):
    return GPT2LMHeadModel.from_pretrained(FIXTURES / name, attn_implementation="eager").double().eval()


def sequences(ids, length, bos, limit, seed):
    own = length - bool(bos)
    all = [ids[at : at + own] for at in range(0, len(ids), own)]
    all = [([299] if bos and s[0] != 299 else []) + s for s in all]
    all = [(number, s) for number, s in enumerate(all) if len(s) >= 2]
    if limit:
        all = sorted(sorted(all, key=lambda s: mix(seed, s[0]))[:limit])
    return all


def corpus(model, ids, case):
    context, heads = model.config.n_positions, model.config.n_head
    seed, found = case.get("seed", 0), []
    all = sequences(ids, case.get("length", context), case.get("bos"), case.get("limit"), seed)
    with torch.no_grad():
        patterns = [torch.cat(model(torch.tensor([s]), output_attentions=True).attentions).numpy() for _, s in all]
    for layer in range(model.config.n_layer):
        for head in range(heads):
            scores, queries = {}, []
            add = lambda name, x: scores.setdefault(name, []).append(x)
            own = mix(seed, layer * heads + head)
            for (number, s), pattern in zip(all, patterns):
                a = pattern[layer, head]
                for i in range(1, len(s)):
                    row, back = a[i, : i + 1], i - np.arange(i + 1)
                    same = [j for j in range(i) if s[j] == s[i]]
                    after = [j for j in range(1, i) if s[j - 1] == s[i]]
                    if same:
                        add("duplicate", row[same].sum())
                    if after:
                        add("induction", row[after].sum())
                    positive = row[row > 0]
                    entropy = -(positive * np.log(positive)).sum()
                    for name, x in [("previous", row[i - 1]), ("sink", row[0]), ("self", row[i]), ("distance", row @ back),
                                    ("square", row @ back**2), ("entropy", entropy / math.log(i + 1)), ("entropy_bits", entropy / math.log(2))]:
                        add(name, x)
                    keys = sorted(range(1, i + 1), key=lambda j: (-row[j], j))[:3]
                    queries.append((mix(own, number * context + i), number, i, row[1:].max(), [[j, row[j]] for j in keys]))
            mean = {name: float(np.mean(x)) for name, x in scores.items()}
            mean["spread"] = math.sqrt(mean.pop("square") - mean["distance"] ** 2)
            low, high = min(q[3] for q in queries), max(q[3] for q in queries)
            fifth = lambda q: min(int(5 * (q[3] - low) / (high - low)), 4)
            best = [sorted(q for q in queries if fifth(q) == which)[:3] for which in range(5)]
            best = [[list(q[1:]) for q in sorted(b, key=lambda q: -q[3])] for b in best]
            found.append({"scores": mean, "fifths": best, "range": [low, high]})
    tokens = sum(len(s) for _, s in all)
    return {"case": case, "sequences": len(all), "tokens": tokens, "heads": found}


def weights(model):
    config, t = model.config, {name: x.detach().numpy() for name, x in model.state_dict().items()}
    d, heads = config.n_embd, config.n_head
    width = d // heads
    centre = np.eye(d) - 1 / d
    wte, wpe = t["transformer.wte.weight"], t["transformer.wpe.weight"]
    unembedding = t["lm_head.weight"] * t["transformer.ln_f.weight"] @ centre
    cov_e, cov_p = np.cov(wte.T, bias=True), np.cov(wpe.T, bias=True)
    x = wte[:, None] + wpe[None]
    deviation = math.sqrt(x.var(-1).mean())
    copying, share, read = [], [], []
    for layer in range(config.n_layer):
        p = f"transformer.h.{layer}."
        norm, shift = t[p + "ln_1.weight"], t[p + "ln_1.bias"]
        # Conv1D's weights are [inputs, outputs].
        w, b = t[p + "attn.c_attn.weight"], t[p + "attn.c_attn.bias"]
        folded = centre @ (norm[:, None] * w)
        for h in range(heads):
            q, k, v = (folded[:, n * d + h * width : n * d + (h + 1) * width] for n in range(3))
            o = t[p + "attn.c_proj.weight"][h * width : (h + 1) * width]
            constant = (shift @ w + b)[h * width : (h + 1) * width]
            values = np.linalg.eigvals((wte @ v) .T @ (unembedding @ o.T))
            copying.append(float(values.sum().real / np.abs(values).sum()))
            moment = q.T @ (cov_e + cov_p) @ q / deviation**2
            mean = (wte.mean(0) + wpe.mean(0)) @ q / deviation + constant
            moment = moment + np.outer(mean, mean)
            of_p, of_e = (np.sum(moment * (k.T @ cov @ k)) for cov in (cov_p, cov_e))
            share.append(float(of_p / (of_p + of_e)))
            read.append((layer, q @ k.T, v @ o))
    f = np.linalg.norm
    pairs = []
    for later, qk, ov in read:
        for earlier, _, sent in read:
            if earlier < later:
                pairs.append([float(f(sent @ m) / f(sent) / f(m)) for m in (qk, qk.T, ov)])
    draw = np.random.default_rng(0).standard_normal
    chance = []
    for _ in range(200):
        sent, got = draw((d, width)) @ draw((width, d)), draw((d, width)) @ draw((width, d))
        chance.append(f(sent @ got) / f(sent) / f(got))
    return {"copying": copying, "position_share": share, "pairs": pairs, "chance": [float(np.mean(chance)), float(np.std(chance))]}


def norms(model, ids):
    states = []
    for block in model.transformer.h:
        block.register_forward_pre_hook(lambda m, a: states.append(a[0][0].detach().numpy()))
    block.register_forward_hook(lambda m, a, out: states.append((out[0] if isinstance(out, tuple) else out).detach().numpy().reshape(len(ids), -1)))
    with torch.no_grad():
        attentions = model(torch.tensor([ids]), output_attentions=True).attentions
    top = []
    for x in states:
        order = np.argsort(-np.abs(x).max(0), kind="stable")[:3]
        top.append([[int(dim), int(np.abs(x[:, dim]).argmax()), float(x[np.abs(x[:, dim]).argmax(), dim])] for dim in order])
    return {
        "ids": ids,
        "norms": [np.linalg.norm(x, axis=-1).tolist() for x in states],
        "medians": [float(np.median(np.abs(x))) for x in states],
        "top": top,
        "first": [float(a[0, :, 1:, 0].mean()) for a in attentions],
    }


model = load("base")
text = (FIXTURES / "multilingual.txt").read_text(encoding="utf-8")[:3000].removeprefix("\ufeff")
ids = Tokenizer.from_file(str(FIXTURES / "base/tokenizer.json")).encode(text).ids
own = load_file(FIXTURES / "base/expected.safetensors")["ids"].tolist()
golden = {
    "corpus": [corpus(model, ids, case) for case in CASES],
    "weights": {name: weights(load(name)) for name in WEIGHTS},
    "norms": norms(model, own),
}
rounded = json.loads(json.dumps(golden), parse_float=lambda x: float(f"{float(x):.9g}"))
(FIXTURES / "heads.json").write_text(json.dumps(rounded, separators=(",", ":")) + "\n")
