"""Writes tests/fixtures/ablation.json: what becomes of a run without some heads, MLPs or positions, by hooks on transformers' GPT-2, in
double precision.

    python tests/make_ablation_golden.py

The prompts, the answer and the foil are those of make_patching_golden.py; the other prompt is its corrupt one. A part is set to zero, to
its mean over the prompt's positions, to its mean over all positions of two reference prompts, or to what it is in the other prompt. A
head is what enters c_proj, so that the bias stays; an MLP is all that it adds; `@2` is all of them at that position. For each case
    [logit of the answer, that of the foil, log-probability of the answer, KL(before ‖ after), then the surprisal in bits of tokens 1 …]
and under `each` the first four for every head of a layer and then its MLP, one at a time.
Made with Python 3.11, torch 2.15.0, transformers 5.23.0, on a CPU.
"""
import json
import math

import torch
from make_patching_golden import CHECKPOINTS, CURRENT, FIXTURES, Hooks
from safetensors.torch import load_file
from transformers import GPT2LMHeadModel

LISTS = ["1.0", "mlp0", "0.1,mlp1", "@2", "1.1@3", "mlp0@0,0.0", "0.0,0.1,1.1,mlp1@-1"]
WITH = ["zero", "mean", "reference", "other"]


def cuts(text, n):
    """(layer, head or "mlp", position) of each part; None stands for all."""
    for item in text.split(","):
        part, _, at = item.partition("@")
        position = int(at) % n if at else None
        if part.startswith("mlp"):
            yield int(part[3:]), "mlp", position
        elif part:
            layer, head = part.split(".")
            yield int(layer), int(head), position
        else:
            yield None, None, position


def values(hooks, ids):
    known = {}

    def visit(site, layer, x):
        if site in ("z", "mlp_out"):
            known[site, layer] = x.clone()
        return x
    hooks.visit = visit
    logits = hooks.model(torch.tensor([ids])).logits[0]
    hooks.visit = None
    return known, logits


def without(hooks, ids, parts, new):
    def visit(site, layer, x):
        if site not in ("z", "mlp_out"):
            return x
        x = x.clone()
        for at, part, position in parts:
            if at not in (None, layer) or (part is not None and (part == "mlp") != (site == "mlp_out")):
                continue
            rows = slice(None) if position is None else slice(position, position + 1)
            where = (rows, part) if isinstance(part, int) else (rows,)
            x[where] = new[site, layer][where]
        return x
    hooks.visit = visit
    logits = hooks.model(torch.tensor([ids])).logits[0]
    hooks.visit = None
    return logits


@torch.no_grad()
def main():
    out = {}
    known = json.loads((FIXTURES / "patching.json").read_text())
    for name in CHECKPOINTS:
        model = GPT2LMHeadModel.from_pretrained(FIXTURES / name, attn_implementation="eager").double().eval()
        for block in model.transformer.h:
            block.attn.reorder_and_upcast_attn = False  # without effect on the numbers; it wants float32
        model.config._attn_implementation = "hooked"
        hooks = Hooks(model)
        CURRENT[:] = [hooks]
        ids, other, answer, foil = (known[name][key] for key in ("clean", "corrupt", "answer", "foil"))
        plain = load_file(FIXTURES / name / "expected.safetensors")["ids"].tolist()
        reference = [plain[2:9], [(3 * id + 5) % 250 for id in plain[:5]]]
        own, before = values(hooks, ids)
        texts = [values(hooks, text)[0] for text in reference]
        new = {
            "zero": {at: torch.zeros_like(x) for at, x in own.items()},
            "mean": {at: x.mean(0, keepdim=True).expand_as(x) for at, x in own.items()},
            "reference": {
                at: torch.cat([text[at] for text in texts]).mean(0, keepdim=True).expand_as(x) for at, x in own.items()
            },
            "other": values(hooks, other)[0],
        }
        log_p = before[-1].log_softmax(-1)

        def said(logits):
            after = logits[-1].log_softmax(-1)
            kl = (log_p.exp() * (log_p - after)).sum()
            return [round(x.item(), 9) for x in (logits[-1, answer], logits[-1, foil], after[answer], kl)]

        def surprisal(logits):
            rows = -logits[:-1].log_softmax(-1) / math.log(2)
            return [round(row[id].item(), 9) for row, id in zip(rows, ids[1:])]
        layers, heads = model.config.n_layer, model.config.n_head
        case = dict(ids=ids, other=other, reference=reference, answer=answer, foil=foil, lists={}, each={})
        case["before"] = said(before) + surprisal(before)
        lists = [text for text in LISTS if all((layer or 0) < layers for layer, _, _ in cuts(text, len(ids)))]
        for way in WITH:
            for text in lists:
                logits = without(hooks, ids, list(cuts(text, len(ids))), new[way])
                case["lists"][f"{way} {text}"] = said(logits) + surprisal(logits)
            case["each"][way] = [
                said(without(hooks, ids, [(layer, part, None)], new[way]))
                for layer in range(layers) for part in [*range(heads), "mlp"]
            ]
        out[name] = case
    (FIXTURES / "ablation.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
