"""Writes tests/fixtures/*/reading.safetensors: what the methods that read a computation give, from their definitions alone.

    python tests/make_reading_golden.py

For each of a few checkpoints, its own prompt (the ids of expected.safetensors) goes through a GPT-2 written out below, in
double precision; its logits are checked against those that transformers gave. Made with Python 3.11, torch 2.15.0,
safetensors 0.8.0, on a CPU. With l layers, h heads, n tokens, a position, a target (the model's own answer there) and a foil:
    ids i64 [n]; position, target, foil i64 []
    raw, rollout, rollout_sink_free, chefer, chefer_contrast   f32 [n, n]
    norm, norm_residual, value_zeroing                          f32 [l, n, n]
    lens_top, lens_rank i64, lens_p, lens_entropy, lens_kl, lens_difference f32   [l + 1, n], of the target; in bits
    parts, parts_centred, parts_contrast f32 [2 + l (h + 2) + 2]: embedding, position, then heads, attention bias and MLP of
        each layer, the final bias, the total
and of a model whose heads look almost only at the first token, which is made here from the first checkpoint (tests/fixtures/sink):
    ids; raw, raw_sink_free, rollout_sink_free   f32 [n, n]; patterns_sink_free   f32 [l, h, n, n]
    sink_share f32 [], empty_rows i64 []: the mean attention on the first token, and the rows of which less than a thousandth is left,
        both over the queries that see others, too
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
POSITION, FOIL = 8, 5
LEAST_LEFT = 1e-3  # of a row's mass: what is less is rounding


class Gpt2:
    def __init__(self, folder):
        c = json.loads((folder / "config.json").read_text())
        self.layers, self.heads, self.eps = c["n_layer"], c["n_head"], c["layer_norm_epsilon"]
        self.by_layer = c.get("scale_attn_by_inverse_layer_idx", False)
        self.w = {k.removeprefix("transformer."): t.double() for k, t in load_file(folder / "model.safetensors").items()}
        self.unembedding = self.w.get("lm_head.weight", self.w["wte.weight"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], self.eps)

    def affine(self, x, name):
        return x @ self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def mlp(self, layer, x):
        hidden = self.affine(self.norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc")
        return self.affine(F.gelu(hidden, approximate="tanh"), f"h.{layer}.mlp.c_proj")

    def values(self, layer, x):
        """What W_V gives each head, bias included: [head, token, d_head]."""
        v = self.affine(self.norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn.c_attn").chunk(3, -1)[2]
        return v.view(len(x), self.heads, -1).transpose(0, 1)

    def pattern(self, layer, x):
        q, k, _ = self.affine(self.norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn.c_attn").chunk(3, -1)
        q, k = (t.view(len(x), self.heads, -1).transpose(0, 1) for t in (q, k))
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) / (layer + 1 if self.by_layer else 1)
        return scores.masked_fill(torch.ones(len(x), len(x)).triu(1).bool(), -math.inf).softmax(-1)

    def out(self, layer):
        """W_O by head: [head, d_head, d]."""
        w = self.w[f"h.{layer}.attn.c_proj.weight"]
        return w.view(self.heads, -1, w.shape[-1])

    def block(self, layer, x, pattern, values):
        mid = x + torch.einsum("hij,hjd,hde->ie", pattern, values, self.out(layer)) + self.w[f"h.{layer}.attn.c_proj.bias"]
        return mid, mid + self.mlp(layer, mid)

    def run(self, ids):
        x = self.w["wte.weight"][ids] + self.w["wpe.weight"][: len(ids)]
        self.pre, self.mid, self.patterns, self.v = [x], [], [], []
        for layer in range(self.layers):
            pattern = self.pattern(layer, x)
            if pattern.requires_grad:
                pattern.retain_grad()
            elif torch.is_grad_enabled():
                pattern.requires_grad_()
            v = self.values(layer, x)
            mid, x = self.block(layer, x, pattern, v)
            self.pre.append(x), self.mid.append(mid), self.patterns.append(pattern), self.v.append(v)
        return self.logits(x)

    def logits(self, x):
        return self.norm(x, "ln_f") @ self.unembedding.T


def rownorm(a):
    total = a.sum(-1, keepdim=True)
    return torch.where(total > 0, a / total.clamp_min(1e-300), torch.zeros_like(a))


def rollout(patterns):
    n = patterns[0].shape[-1]
    rolled = torch.eye(n).double()
    for a in patterns:
        rolled = rownorm(0.5 * a.mean(0) + 0.5 * torch.eye(n)) @ rolled
    return rolled


def without_sink(a):
    left = a.clone()
    left[..., 0] = 0
    left[left.sum(-1) < LEAST_LEFT * a.sum(-1)] = 0
    return rownorm(left)


def norms(m, residual):
    maps = []
    for layer in range(m.layers):
        f = torch.einsum("hjd,hde->hje", m.v[layer], m.out(layer))
        vectors = torch.einsum("hij,hje->ije", m.patterns[layer], f)
        if residual:
            vectors = vectors + torch.diag_embed(m.pre[layer].T).permute(1, 2, 0)
        maps.append(vectors.norm(dim=-1))
    return torch.stack(maps)


def value_zeroing(m):
    maps = []
    for layer in range(m.layers):
        x, n = m.pre[layer], len(m.pre[layer])
        scores = torch.zeros(n, n).double()
        for j in range(n):
            v = m.v[layer].clone()
            v[:, j] = 0
            _, without = m.block(layer, x, m.patterns[layer], v)
            scores[:, j] = (1 - F.cosine_similarity(m.pre[layer + 1], without, dim=-1)).clamp_min(0)
        maps.append(rownorm(scores.tril()))
    return torch.stack(maps)


def chefer(m, ids, foil, target):
    logits = m.run(ids)
    row = logits[POSITION].log_softmax(-1)
    y = row[target] - (row[foil] if foil is not None else 0)
    grads = torch.autograd.grad(y, m.patterns)
    relevance = torch.eye(len(ids)).double()
    for a, g in zip(m.patterns, grads):
        relevance = relevance + (a * g).clamp_min(0).mean(0).detach() @ relevance
    return relevance


def lens(m, target, foil):
    final = m.logits(m.pre[-1]).log_softmax(-1)
    rows = {k: [] for k in ("top", "rank", "p", "entropy", "kl", "difference")}
    for x in m.pre:
        logits = m.logits(x)
        logp = logits.log_softmax(-1)
        rows["top"].append(logits.argmax(-1))
        rows["rank"].append(1 + (logits > logits[:, [target]]).sum(-1))
        rows["p"].append(logp[:, target].exp())
        rows["entropy"].append(-(logp.exp() * logp).sum(-1) / math.log(2))
        rows["kl"].append((final.exp() * (final - logp)).sum(-1) / math.log(2))
        rows["difference"].append(logits[:, target] - logits[:, foil])
    return {f"lens_{k}": torch.stack(v) for k, v in rows.items()}


def parts(m, ids, u):
    """Each writer through the final LayerNorm with its deviation fixed; their sum is checked by the caller."""
    at, x = POSITION, m.pre[-1][POSITION]
    deviation = (x.var(unbiased=False) + m.eps).sqrt()
    through = lambda writer: ((writer - writer.mean()) / deviation * m.w["ln_f.weight"]) @ u
    found = [through(m.w["wte.weight"][ids[at]]), through(m.w["wpe.weight"][at])]
    for layer in range(m.layers):
        z = torch.einsum("hj,hjd->hd", m.patterns[layer][:, at], m.v[layer])
        found += [through(z[h] @ m.out(layer)[h]) for h in range(m.heads)]
        found += [through(m.w[f"h.{layer}.attn.c_proj.bias"]), through(m.mlp(layer, m.mid[layer][at]))]
    found.append(m.w["ln_f.bias"] @ u)
    return torch.stack([*found, sum(found)])


def build_sink(folder, ids):
    """A checkpoint whose position 0 has a direction of its own, which the keys of each head see and all queries ask for."""
    source, torch_seed = FIXTURES / "base", torch.Generator().manual_seed(7)
    weights = load_file(source / "model.safetensors")
    heads, d = json.loads((source / "config.json").read_text())["n_head"], weights["transformer.wpe.weight"].shape[1]
    own = torch.randn(d, generator=torch_seed)
    own = (own - own.mean()) / own.norm()
    weights["transformer.wpe.weight"][0] += 60 * own
    for layer, strengths in enumerate([(45.0, 10.0), (16.0, 12.0)]):
        name = f"transformer.h.{layer}.attn.c_attn"
        for head, strength in enumerate(strengths):
            asked = torch.randn(d // heads, generator=torch_seed)
            asked /= asked.norm()
            at = slice(head * d // heads, (head + 1) * d // heads)
            weights[f"{name}.weight"][:, d:2 * d][:, at] += own[:, None] * asked
            weights[f"{name}.bias"][:d][at] += strength * asked
    folder.mkdir(exist_ok=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_bytes((source / "config.json").read_bytes())
    m = Gpt2(folder)
    with torch.no_grad():
        m.run(ids)
    patterns = torch.stack(m.patterns)
    left = 1 - patterns[:, :, 1:, 0]
    print("left of rows beside the first token:", *(f"{x:.1e}" for x in left.flatten().sort().values))
    empty = (left < LEAST_LEFT).sum()
    assert 0 < empty < left.numel() and ((left / LEAST_LEFT - 1).abs() > 0.02).all(), "no row should be a matter of rounding"
    assert left.min() < 1e-6, "no head holds all but a millionth"
    sink_free = without_sink(patterns)
    golden = {
        "ids": ids, "raw": patterns.mean((0, 1)), "patterns_sink_free": sink_free, "raw_sink_free": sink_free.mean((0, 1)),
        "rollout_sink_free": rollout(list(sink_free)), "sink_share": patterns[:, :, 1:, 0].mean(), "empty_rows": empty,
    }
    save_file({k: (v if v.dtype == torch.int64 else v.float()).contiguous() for k, v in golden.items()},
              folder / "reading.safetensors")


def main():
    build_sink(FIXTURES / "sink", load_file(FIXTURES / "base" / "expected.safetensors")["ids"])
    for name in ["base", "untied", "inverse-layer"]:
        folder = FIXTURES / name
        expected, m = load_file(folder / "expected.safetensors"), Gpt2(folder)
        ids = expected["ids"]
        grad = {}
        with torch.no_grad():
            logits = m.run(ids)
            assert torch.allclose(logits.float(), expected["logits"], atol=1e-4), name
            target = logits[POSITION].argmax().item()
        # Before the patterns are recorded again without a tape.
        grad["chefer"], grad["chefer_contrast"] = chefer(m, ids, None, target), chefer(m, ids, FOIL, target)
        with torch.no_grad():
            m.run(ids)
            u, mean = m.unembedding, m.unembedding.mean(0)
            golden = {
                "ids": ids, "position": torch.tensor(POSITION), "target": torch.tensor(target), "foil": torch.tensor(FOIL),
                "raw": torch.stack(m.patterns).mean((0, 1)), "rollout": rollout(m.patterns),
                "rollout_sink_free": rollout([without_sink(a) for a in m.patterns]),
                "norm": norms(m, False), "norm_residual": norms(m, True), "value_zeroing": value_zeroing(m),
                "parts": parts(m, ids, u[target]), "parts_centred": parts(m, ids, u[target] - mean),
                "parts_contrast": parts(m, ids, u[target] - u[FOIL]),
            } | grad | lens(m, target, FOIL)
            assert abs(golden["parts"][-1] - logits[POSITION, target]) < 1e-9
        save_file({k: (v if v.dtype == torch.int64 else v.float()).contiguous() for k, v in golden.items()},
                  folder / "reading.safetensors")


main()
