"""Exact patching over all layers and positions of one pair of prompts: attnviz beside a loop of hooks on transformers.

    cargo build --release
    python benches/patch.py --model DIR [--runs 3] [--layers 12]

DIR is a GPT-2 checkpoint with its tokenizer. The two programs take turns; times are the medians of whole runs without the loading of the
model, which attnviz says with -v and Python does before its clock starts. Both patch resid_pre at every layer and position of a pair of 14
tokens; the largest difference of their grids is printed beside the times.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import torch
from transformers import GPT2LMHeadModel, GPT2TokenizerFast

CLEAN = "When Mary and John went to the store, John gave a drink to"
CORRUPT = "When Mary and John went to the store, Mary gave a drink to"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def hooks(model, ids, answer, foil, layers):
    """The grid [layer][position], and the seconds that it took."""
    started = time.perf_counter()
    blocks = model.transformer.h

    def difference(x):
        logits = model(x).logits[0, -1]
        return (logits[answer] - logits[foil]).item()

    with torch.no_grad():
        known = [s[0] for s in model(ids[0], output_hidden_states=True).hidden_states[:-1]]
        clean, corrupt = difference(ids[0]), difference(ids[1])
        grid = []
        for layer in range(layers):
            row = []
            for position in range(ids[0].shape[1]):
                def patch(module, args):
                    x = args[0].clone()
                    x[0, position] = known[layer][position]
                    return (x, *args[1:])
                handle = blocks[layer].register_forward_pre_hook(patch)
                row.append((difference(ids[1]) - corrupt) / (clean - corrupt))
                handle.remove()
            grid.append(row)
    return grid, time.perf_counter() - started


def attnviz(binary, folder, answer, foil):
    with tempfile.TemporaryDirectory() as out:
        path = pathlib.Path(out, "a.json")
        command = [binary, "patch", CLEAN, CORRUPT, "-m", folder, "--answer", str(answer), "--foil", str(foil), "-v", "-o", path]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        laps = {name: float(ms) for name, ms in re.findall(r"(loaded|computed): ([\d.]+) ms", run.stderr)}
        return json.loads(path.read_text())["results"][0]["grid"], (laps["computed"] - laps["loaded"]) / 1e3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--layers", type=int, help="the first so many only, of transformers: for a quick try")
    parser.add_argument("--binary", default=str(ROOT / "target/release/attnviz"))
    args = parser.parse_args()
    model = GPT2LMHeadModel.from_pretrained(args.model, dtype=torch.float32).eval()
    tokenizer = GPT2TokenizerFast.from_pretrained(args.model)
    ids = [torch.tensor([tokenizer(text)["input_ids"]]) for text in (CLEAN, CORRUPT)]
    answer, foil = (tokenizer(text)["input_ids"][0] for text in (" Mary", " John"))
    layers = args.layers or model.config.n_layer
    times = {"attnviz": [], "hooks on transformers": []}
    for _ in range(args.runs):
        ours, seconds = attnviz(args.binary, args.model, answer, foil)
        times["attnviz"].append(seconds)
        theirs, seconds = hooks(model, ids, answer, foil, layers)
        times["hooks on transformers"].append(seconds * model.config.n_layer / layers)
    apart = max(abs(a - b) for a, b in zip(sum(ours[:layers], []), sum(theirs, [])))
    medians = {name: statistics.median(of) for name, of in times.items()}
    cells = model.config.n_layer * ids[0].shape[1]
    print(f"| {cells} cells, {ids[0].shape[1]} tokens | seconds | ratio |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {seconds:.3f} | {seconds / medians['attnviz']:.1f} × |")
    print(f"\nlargest difference of the two grids: {apart:.1e}" + ("" if layers == model.config.n_layer else f" over {layers} layers; times scaled to all"))


main()
