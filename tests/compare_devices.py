"""A model on a graphics card against the same model on the processor, by the program itself and by transformers.

    python3 tests/compare_devices.py target/release/attnviz --device cuda --tokenizer assets/model/tokenizer.json

Without --folder, writes a checkpoint of true size with random weights. Prints, for each command, the largest difference of any
number (of its size, above 1) and the seconds that each took; then attention on the device against transformers in float32, eager.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TEXT = "The quick brown fox jumps over the lazy dog and runs away from the old grey wolf"
COMMANDS = {
    "attention": [],
    "saliency": ["--method", "input-x-gradient,integrated-gradients", "--steps", "16"],
    "lens": [],
    "lens --direct": [],
    "heads": [],
    "mix": [],
    "surprisal": [],
    "qk": ["--head", "1.0", "--query", "5"],
}


def numbers(value):
    if isinstance(value, float):  # not ids, ranks and counts
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from numbers(item)


def run(program, command, model, flags, out):
    name, *more = command.split()
    started = time.perf_counter()
    line = [program, name, TEXT, "-m", str(model), "-o", str(out), "--quiet", *more, *flags]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip()
    return json.loads(out.read_text()), time.perf_counter() - started


def reference(model, ids):
    import torch
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(model, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        return torch.stack(net(torch.tensor([ids]), output_attentions=True).attentions)[:, 0].numpy()


def random_model(kind, folder):
    import torch
    from transformers import AutoModelForCausalLM, GPT2Config, Qwen2Config

    configs = {
        "gpt2": GPT2Config(),
        "qwen2": Qwen2Config(  # of Qwen2.5-0.5B's size
            vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14,
            num_key_value_heads=2, rope_theta=1e6, tie_word_embeddings=True, use_sliding_window=False,
        ),
    }  # fmt: skip
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(configs[kind]).save_pretrained(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--folder", type=Path, help="a checkpoint with its tokenizer; without it, random weights")
    parser.add_argument("--kind", choices=["gpt2", "qwen2"], default="gpt2", help="the architecture of random weights")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json to put beside random weights")
    args = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as made:
        model = args.folder
        if model is None:
            model = Path(made, f"random-{args.kind}")
            random_model(args.kind, model)
            Path(model, "tokenizer.json").write_bytes(args.tokenizer.read_bytes())
        out = Path(made, "out.json")
        for command, flags in COMMANDS.items():
            here, seconds = run(args.program, command, model, flags, out)
            for place in (["--device", args.device], ["--device", args.device, "--dtype", "bf16"]):
                there, took = run(args.program, command, model, [*flags, *place], out)
                if here is None or there is None:
                    print(f"{command:15} {' '.join(place)}: FAILED {seconds if here is None else took}")
                    worst = float("inf")
                    continue
                a, b = (np.fromiter(numbers(found["results"]), float) for found in (here, there))
                if a.shape != b.shape:
                    print(f"{command:15} {' '.join(place)}: {a.shape} and {b.shape} numbers")
                    continue
                apart = (np.abs(a - b) / np.maximum(1, np.abs(a))).max()
                print(f"{command:15} {' '.join(place):30} {a.size:8} numbers, {apart:.1e} apart, {seconds:.2f} s here, {took:.2f} s there")
                if command == "attention":
                    assert there["model"]["place"]["device"] == args.device
                    expected = reference(model, there["token_ids"])
                    found = np.array(there["results"][0]["attention"])
                    print(f"{'':15} against transformers: {np.abs(found - expected).max():.1e}")
                    if "bf16" not in place:
                        worst = max(worst, apart)
        sys.exit(int(worst > 1e-5))


if __name__ == "__main__":
    main()
