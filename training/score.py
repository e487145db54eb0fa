"""Figures of a checkpoint, and its model card.

    python score.py CHECKPOINT CORPUS [--blimp FOLDER [--all]] [--json FILE] [--card CARD]

`--card` fills the lines between `<!-- figures -->` and `<!-- /figures -->` of a Markdown file with the table printed here.
"""
import argparse
import json
import math
import re
from pathlib import Path

import corpus
import model
import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

AGREEMENT = [
    "regular_plural_subject_verb_agreement_1", "regular_plural_subject_verb_agreement_2",
    "irregular_plural_subject_verb_agreement_1", "irregular_plural_subject_verb_agreement_2",
    "distractor_agreement_relational_noun", "distractor_agreement_relative_clause",
]


def batched(rows, size):
    """Rows (ids, targets) as padded tensors, `size` at a time."""
    for i in range(0, len(rows), size):
        part = rows[i:i + size]
        longest = max(len(ids) for ids, _ in part)
        yield (torch.tensor([list(ids) + [0] * (longest - len(ids)) for ids, _ in part]),
               torch.tensor([list(targets) + [-100] * (longest - len(targets)) for _, targets in part]))


def log_probabilities(params, config, rows, size=16):
    """Summed log-probability (nats) of each row's targets."""
    sums = []
    for ids, targets in batched(rows, size):
        logits = model.forward(params, ids, config)
        nats = F.cross_entropy(logits, targets.reshape(-1), ignore_index=-100, reduction="none").view(targets.shape)
        sums += (-nats.double().sum(1)).tolist()
    return sums


def held_out(params, config, tokenizer, folder):
    windows, size = corpus.held_out_windows(folder, tokenizer)
    nats = -sum(log_probabilities(params, config, windows, 4))
    tokens = sum(len(targets) for _, targets in windows)
    return {"tokens": tokens, "bytes": size, "nats_a_token": nats / tokens, "bits_a_byte": nats / math.log(2) / size}


def heads(params, config, seed=0, sequences=10, period=50):
    """Mean attention of every head on seeded random ids, twice: [layer, head] of each score, and the loss of both halves."""
    rng = np.random.default_rng(seed)
    once = rng.integers(1, config["vocab_size"], (sequences, period))
    ids = torch.as_tensor(np.concatenate([once, once], 1))
    patterns = []
    logits = model.forward(params, ids, config, patterns).view(sequences, 2 * period, -1)
    attention = torch.stack(patterns).mean(1)  # [layer, head, query, key]
    q = torch.arange(2 * period)
    later = q[period:]
    nats = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return {
        "previous": attention[..., q[1:], q[1:] - 1].mean(-1),
        "duplicate": attention[..., later, later - period].mean(-1),
        "induction": attention[..., later, later - period + 1].mean(-1),
    }, (nats[:, :period - 1].mean().item(), nats[:, period - 1:].mean().item())


def strongest(scores, count=3):
    order = scores.flatten().argsort(descending=True)[:count].tolist()
    return [(f"{i // scores.shape[1]}.{i % scores.shape[1]}", scores.flatten()[i].item()) for i in order]


def blimp(params, config, tokenizer, folder, everything):
    """Share of pairs right per paradigm: summed log-probability of the whole sentence after end-of-text."""
    results = {}
    paths = sorted(Path(folder).glob("*.jsonl")) if everything else [Path(folder) / f"{name}.jsonl" for name in AGREEMENT]
    for path in paths:
        pairs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = []
        for pair in pairs:
            for key in ("sentence_good", "sentence_bad"):
                ids = tokenizer.encode(pair[key]).ids
                rows.append(([0] + ids[:-1], ids))
        sums = np.array(log_probabilities(params, config, rows, 64)).reshape(-1, 2)
        results[path.stem] = float((sums[:, 0] > sums[:, 1]).mean())
    return results


def tale(params, config, tokenizer, prompt="Once upon a time", tokens=60, seed=None, temperature=0.7):
    """Greedy, or sampled from a seed, after end-of-text."""
    ids = [0] + tokenizer.encode(prompt).ids
    generator = torch.Generator().manual_seed(seed or 0)
    for _ in range(tokens):
        logits = model.forward(params, torch.tensor([ids[-config["n_positions"]:]]), config)[-1]
        if seed is None:
            ids.append(logits.argmax().item())
        else:
            ids.append(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).item())
        if ids[-1] == 0:
            break
    return tokenizer.decode(ids[1:])


def transformers_difference(checkpoint, params, config):
    """Greatest difference of a logit from transformers' own, the folder loaded unchanged."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    text = "Once upon a time there was a na\u00efve \u4e2d\U0001f9d9."
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    assert tokenizer.decode(ids[0]) == text
    theirs = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)(ids).logits[0]
    return (theirs - model.forward(params, ids, config)).abs().max().item()


def table(figures):
    def list_heads(name):
        return ", ".join(f"{head} {score:.2f}" for head, score in figures[name])
    text, (first, second) = figures["held_out"], figures["repeat_loss"]
    rows = [
        ("size", f"{figures['bytes']:,} bytes, {figures['parameters']:,} parameters"),
        ("in transformers", f"loads unchanged; logits within {figures['transformers']:.0e} of score.py's"),
        ("held-out text", f"{text['nats_a_token']:.3f} nats a token, **{text['bits_a_byte']:.4f} bits a byte** "
                          f"({text['tokens']:,} tokens, {text['bytes']:,} bytes, windows of 512)"),
        ("induction stripe", list_heads("induction")),
        ("duplicate token", list_heads("duplicate")),
        ("previous token", list_heads("previous")),
        ("loss on repeats", f"{first:.2f} nats a token the first time, {second:.2f} the second"),
    ]
    if pairs := figures.get("blimp"):
        agreement = [pairs[name] for name in AGREEMENT if name in pairs]
        rows.append(("subject–verb agreement", f"{np.mean(agreement):.3f} of BLiMP's {len(agreement)} paradigms' pairs ("
                     + ", ".join(f"{name.replace('_agreement', '').replace('_', ' ')} {pairs[name]:.2f}" for name in AGREEMENT) + ")"))
    if len(pairs or []) > len(AGREEMENT):
        rows.append(("BLiMP", f"{np.mean(list(pairs.values())):.3f} over all {len(pairs)} paradigms, chance .5"))
    rows += [("greedy" if i == 0 else f"temperature 0.7, seed {i}", text.replace("\n", " ").replace("|", "\\|"))
             for i, text in enumerate(figures["tales"])]
    return "\n".join(["| figure | value |", "|---|---|"] + [f"| {name} | {value} |" for name, value in rows])


@torch.no_grad()
def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint")
    p.add_argument("corpus")
    p.add_argument("--blimp", help="folder of BLiMP's .jsonl files")
    p.add_argument("--all", action="store_true", help="all its paradigms, not the agreement ones alone")
    p.add_argument("--json", type=Path, help="write the figures here too")
    p.add_argument("--card", type=Path, help="Markdown file to fill")
    args = p.parse_args()
    torch.set_num_threads(1)
    config, params = model.load(args.checkpoint)
    tokenizer = Tokenizer.from_file(str(Path(args.checkpoint) / "tokenizer.json"))
    scores, repeat_loss = heads(params, config)
    figures = {name: strongest(value) for name, value in scores.items()} | {
        "bytes": (Path(args.checkpoint) / "model.safetensors").stat().st_size,
        "parameters": sum(p.numel() for p in params.values()),
        "transformers": transformers_difference(args.checkpoint, params, config),
        "held_out": held_out(params, config, tokenizer, args.corpus), "repeat_loss": repeat_loss,
        "tales": [tale(params, config, tokenizer, seed=seed) for seed in (None, 1, 2)]}
    if args.blimp:
        figures["blimp"] = blimp(params, config, tokenizer, args.blimp, args.all)
    print(table(figures))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    if args.card:
        card = args.card.read_text(encoding="utf-8")
        filled = f"<!-- figures -->\n{table(figures)}\n<!-- /figures -->"
        args.card.write_text(re.sub(r"<!-- figures -->.*<!-- /figures -->", lambda _: filled, card, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    main()
