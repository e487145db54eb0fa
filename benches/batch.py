"""attnviz batch beside a Python loop, and how its time and memory grow; prints two tables.

    bash benches/peers/setup.sh DIR TOKENIZER_DIR      once: a Python environment and a GPT-2 small with random weights
    cargo build --release
    python benches/batch.py DIR COUNT PROMPTS.jsonl…   sentences in the field `sentence_good`, as BLiMP's files have them

The first 1000 sentences of each file are drawn and saved with the GPT-2 small, the first COUNT of them by Python in the middle of two
runs of attnviz over the same; then the built-in model reads 100 to 10,000 of them, repeated where there are too few.
"""
import json
import pathlib
import re
import shutil
import statistics
import sys
import tempfile

from compare import here, root, run

SAVED = ["--format", "json,png", "--quiet"]


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    directory, sample, files = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:]
    attnviz, folder = root / "target/release/attnviz", pathlib.Path(tempfile.mkdtemp())
    lines = [line for name in files for line in open(name, encoding="utf-8").readlines()[:1000]]

    def prompts(count):
        path = folder / f"{count}.jsonl"
        path.write_text("".join(lines[i % len(lines)] for i in range(count)), encoding="utf-8")
        return path

    def batch(count, model):
        """Seconds and peak MiB of a whole process."""
        out = folder / "out"
        command = [attnviz, "batch", prompts(count), "--column", "sentence_good", "-m", model, "--out", out]
        seconds, memory, _ = run(command + SAVED, folder)
        size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
        shutil.rmtree(out)
        return seconds, memory, size

    def python():
        command = [directory / "venv/bin/python", here / "peers/batch.py", directory, prompts(sample), str(sample), folder / "peer"]
        output = run(command, folder)[2]
        shutil.rmtree(folder / "peer")
        return float(re.search(r"([\d.]+) sentences a second", output)[1])

    model = directory / "gpt2-random"
    first, theirs, second = batch(sample, model)[0], python(), batch(sample, model)[0]
    mine = sample / statistics.mean([first, second])
    seconds, memory, _ = batch(len(lines), model)
    print("| sentences on GPT-2 small | sentences a second | ratio | peak memory |\n|---|---|---|---|", flush=True)
    print(f"| {sample}, Python, without its start | {theirs:.3f} | 1 | |", flush=True)
    print(f"| {sample}, attnviz, whole process | {mine:.1f} | {mine / theirs:.1f} × | |")
    print(f"| {len(lines)}, attnviz, whole process | {len(lines) / seconds:.1f} | {len(lines) / seconds / theirs:.1f} × | {memory:.0f} MiB |")
    print("\n| prompts on the built-in model | seconds | prompts a second | peak memory | results |\n|---|---|---|---|---|")
    for count in (100, 300, 1000, 3000, 10000):
        seconds, memory, size = batch(count, "builtin")
        print(f"| {count} | {seconds:.2f} | {count / seconds:.0f} | {memory:.0f} MiB | {size:.0f} MiB |", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
