"""Writes tests/fixtures/difference.json: how the attention of two prompts of unequal length differs, from the definitions alone.

    python tests/make_difference_golden.py

transformers' attention of tests/fixtures/base, in double precision; the alignment is the only one that has the fewest edits and
keeps the most tokens, found by trying all. Made with Python 3.11, torch 2.15.0, transformers 5.24.0, on a CPU.
"""
import json
import pathlib

import numpy as np
import torch
from transformers import GPT2LMHeadModel

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
A = [5, 17, 3, 9, 44, 1, 8]
B = [5, 200, 17, 3, 60, 44, 1]


def alignments(i, j):
    """Every way to walk through what is left of A and B."""
    if i == len(A) and j == len(B):
        yield ()
    if i < len(A):
        yield from (((i, None), *rest) for rest in alignments(i + 1, j))
    if j < len(B):
        yield from (((None, j), *rest) for rest in alignments(i, j + 1))
    if i < len(A) and j < len(B):
        yield from (((i, j), *rest) for rest in alignments(i + 1, j + 1))


def cost(alignment):
    kept = sum(None not in slot and A[slot[0]] == B[slot[1]] for slot in alignment)
    return len(alignment) - kept, -kept


costs = {slots: cost(slots) for slots in alignments(0, 0)}
best = min(costs.values())
[slots] = [slots for slots, price in costs.items() if price == best]

model = GPT2LMHeadModel.from_pretrained(FIXTURES / "base", attn_implementation="eager").double().eval()


def attention(ids):
    with torch.no_grad():
        return torch.stack(model(torch.tensor([ids]), output_attentions=True).attentions)[:, 0].numpy()


def spread(weights, side):
    """The weights on the common axis: nothing where this side has no token."""
    places = [slot[side] for slot in slots]
    there = [place is not None for place in places]
    out = np.zeros((*weights.shape[:2], len(slots), len(slots)))
    out[np.ix_(range(out.shape[0]), range(out.shape[1]), there, there)] = weights
    return out


a, b = spread(attention(A), 0), spread(attention(B), 1)
compared = np.array([None not in slot for slot in slots])
difference = (b - a)[:, :, compared]
only_a, only_b = np.array([slot[1] is None for slot in slots]), np.array([slot[0] is None for slot in slots])
golden = {
    "a": A,
    "b": B,
    "alignment": slots,
    "difference": np.where(compared[:, None], b - a, np.nan).tolist(),
    "changed": (np.abs(difference).sum(-1) / 2).mean(-1).tolist(),
    "max_abs": np.abs(difference).max((-1, -2)).tolist(),
    "removed": a[:, :, compared][..., only_a].sum(-1).mean(-1).tolist(),
    "added": b[:, :, compared][..., only_b].sum(-1).mean(-1).tolist(),
}
text = json.dumps(golden).replace("NaN", "null")
(FIXTURES / "difference.json").write_text(text + "\n")
