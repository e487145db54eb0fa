"""Writes tests/fixtures/edges.json: the scores of edges by EAP-IG and what circuits of edges give, in double precision.

    python tests/make_edges_golden.py

An independent GPT-2 in plain PyTorch over the fixtures' own weights, checked against transformers' logits. The residual stream is never
summed into one: each reader (a head's queries, its keys, its values, an MLP, the logits) has an input of its own, the sum of what all
writers before it wrote, so that autograd gives the gradient by every input, and a circuit can give each input other writers' outputs.
The prompts, the answer and the foil are those of patching.json. For each checkpoint
    scores     by metric, [reader][writer]: Σ_positions (a_corrupt − a_clean) · mean_k ∂m/∂in at e_corrupt + (k/m)(e_clean − e_corrupt)
    circuits   lists of edges [writer, reader] with the metric of the run in which all other edges carry the corrupt run's value
Writers: the embedding, then each layer's heads and its MLP. Readers: each layer's queries, keys and values by head and its MLP, then the
logits. Made with Python 3.11, torch 2.15.0, transformers 5.23.0, on a CPU.
"""
import json
import pathlib
import random

import torch
from transformers import GPT2LMHeadModel

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
CHECKPOINTS = ["base", "act-relu", "inverse-layer", "n-inner"]
STEPS = 5


class Split:
    """GPT-2 with an input for each reader. `embed` → (writers' outputs, readers' inputs, last logits)."""

    def __init__(self, model):
        self.c, self.p = model.config, model.transformer
        self.unembed = model.lm_head.weight
        self.heads, self.d = self.c.n_head, self.c.n_embd // self.c.n_head

    def head(self, layer, h, xs):
        block, d = self.p.h[layer], self.d
        w, b = block.attn.c_attn.weight, block.attn.c_attn.bias
        q, k, v = (block.ln_1(x) @ w[:, s : s + d] + b[s : s + d] for x, s in zip(xs, [i * self.heads * d + h * d for i in range(3)]))
        scale = d**-0.5 if self.c.scale_attn_weights else 1.0
        if self.c.scale_attn_by_inverse_layer_idx:
            scale /= layer + 1
        n = len(q)
        pattern = (q @ k.T * scale).masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf).softmax(-1)
        return pattern @ v @ block.attn.c_proj.weight[h * d : (h + 1) * d]

    def run(self, embedding, gather=None):
        """`gather(reader, seen, constant)` makes an input of what was written before it; by default it is the sum."""
        gather = gather or (lambda reader, seen, constant: constant + sum(seen))
        written, inputs, constant = [embedding], [], self.p.wpe.weight[: len(embedding)]

        def read(seen):
            inputs.append(gather(len(inputs), seen, constant))
            return inputs[-1]
        for layer, block in enumerate(self.p.h):
            seen = list(written)
            ins = [[read(seen) for _ in range(self.heads)] for _ in range(3)]
            written += [self.head(layer, h, [ins[i][h] for i in range(3)]) for h in range(self.heads)]
            constant = constant + block.attn.c_proj.bias
            written.append(block.mlp(block.ln_2(read(list(written)))))
        last = read(list(written))
        return written, inputs, self.p.ln_f(last)[-1] @ self.unembed.T


def scores(split, clean, corrupt, measure):
    total = None
    for k in range(STEPS):
        embedding = corrupt[0] + k / STEPS * (clean[0] - corrupt[0])
        with torch.enable_grad():
            def leaf(reader, seen, constant):
                x = constant + sum(seen)
                if not x.requires_grad:
                    x.requires_grad_()
                x.retain_grad()
                return x
            _, inputs, logits = split.run(embedding, leaf)
            measure(logits).backward()
        moves = [b - a for a, b in zip(clean, corrupt)]
        layers, heads = split.c.n_layer, split.heads
        sees = [n for l in range(layers) for n in [1 + l * (heads + 1)] * 3 * heads + [1 + l * (heads + 1) + heads]]
        sees.append(1 + layers * (heads + 1))
        rows = [torch.stack([(moves[u] * x.grad).sum() for u in range(n)]) for x, n in zip(inputs, sees)]
        total = rows if total is None else [a + b for a, b in zip(total, rows)]
    return [(row / STEPS).tolist() for row in total]


def circuit(split, clean, corrupt, corrupt_inputs, edges, measure):
    kept = {}
    for writer, reader in edges:
        kept.setdefault(reader, []).append(writer)

    def gather(reader, seen, constant):
        return corrupt_inputs[reader] + sum(seen[u] - corrupt[u] for u in kept.get(reader, []))
    return measure(split.run(clean[0], gather)[2]).item()


@torch.no_grad()
def main():
    prompts, out = json.loads((FIXTURES / "patching.json").read_text()), {}
    for name in CHECKPOINTS:
        case = prompts[name]
        model = GPT2LMHeadModel.from_pretrained(FIXTURES / name, attn_implementation="eager").double().eval()
        for p in model.parameters():
            p.requires_grad_(False)
        for block in model.transformer.h:
            block.attn.reorder_and_upcast_attn = False
        split = Split(model)
        runs = [split.run(model.transformer.wte(torch.tensor(case[k]))) for k in ["clean", "corrupt"]]
        for run, k in zip(runs, ["clean", "corrupt"]):
            assert (run[2] - model(torch.tensor([case[k]])).logits[0, -1]).abs().max() < 1e-9, "the model is another one"
        (clean, _, logits), (corrupt, corrupt_inputs, other) = runs
        log_p, answer, foil = logits.log_softmax(-1), case["answer"], case["foil"]
        measures = {
            "logit-difference": lambda x: x[answer] - x[foil],
            "logprob": lambda x: x.log_softmax(-1)[answer],
            "kl": lambda x: (log_p.exp() * (log_p - x.log_softmax(-1))).sum(),
        }
        found = dict(steps=STEPS, scores={}, circuits=[])
        for metric in list(measures) if name == "base" else ["logit-difference"]:
            rows = scores(split, clean, corrupt, measures[metric])
            found["scores"][metric] = [[float(f"{x:.7g}") for x in row] for row in rows]
        rows = found["scores"]["logit-difference"]
        ranked = sorted(((u, v) for v, row in enumerate(rows) for u in range(len(row))), key=lambda e: -abs(rows[e[1]][e[0]]))
        drawn = random.Random(0).sample(ranked, len(ranked) // 3)
        for edges in [ranked[:3], ranked[:12], ranked[:40], drawn, ranked]:
            values = {m: circuit(split, clean, corrupt, corrupt_inputs, edges, f) for m, f in measures.items()}
            found["circuits"].append(dict(edges=edges, values=values))
        out[name] = found
    (FIXTURES / "edges.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
