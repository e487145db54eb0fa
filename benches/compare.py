"""attnviz beside transformers + matplotlib, whole processes in turn on one machine; prints a table of medians and ratios.

    bash benches/peers/setup.sh DIR TOKENIZER_DIR      once: a Python environment and a GPT-2 small with random weights
    cargo build --release && cargo bench --no-run
    python benches/compare.py DIR [RUNS]               RUNS of each, 3 unless given

TOKENIZER_DIR holds GPT-2's tokenizer.json, vocab.json and merges.txt. Ratios hold when the machine is shared; seconds drift.
"""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent
root = here.parent
TEXT = "The quick brown fox jumps over the lazy dog near home"


def run(command, folder):
    """Seconds, peak MiB and output of a process."""
    with open(os.path.join(folder, "log"), "w+b") as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        log.seek(0)
        output = log.read().decode(errors="replace")
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{output}")
    return seconds, usage.ru_maxrss / 1024, output


def pair(ours, theirs, runs):
    """Medians of both and of the ratio, each pair measured back to back; the first pair warms the caches."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [(run(ours, folder), run(theirs, folder)) for _ in range(runs + 1)][1:]
    middle = statistics.median
    return (middle(a[0] for a, _ in rows), middle(b[0] for _, b in rows), middle(b[0] / a[0] for a, b in rows),
            max(a[1] for a, _ in rows), max(b[1] for _, b in rows))


def forward(directory, tokens):
    """The forward alone, in turn: medians of the runs each program makes inside one process."""
    folder = tempfile.mkdtemp()
    ours = run(["cargo", "bench", "-q", "--manifest-path", root / "Cargo.toml", "--bench", "forward", "--",
                directory / "gpt2-random", str(tokens)], folder)[2]
    theirs = run([directory / "venv/bin/python", here / "peers/forward.py", directory, str(tokens)], folder)[2]
    mine = float(re.search(rf"^{tokens} tokens: median ([\d.]+)", ours, re.M)[1])
    other = float(re.search(rf"{tokens} tokens.*?([\d.]+) s", theirs)[1])
    return mine, other


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    directory, runs = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    attnviz = [root / "target/release/attnviz", "-q", "-m", directory / "gpt2-random"]
    python = [directory / "venv/bin/python", here / "peers/heatmap.py", directory]
    long = here / "peers/long.txt"
    jobs = [
        ("11 tokens, one head to PNG", [TEXT, "--layer", "0", "--head", "0", "-o", "one.png"], ["one", TEXT, "peer.png"]),
        ("901 tokens, 144 heads in one PNG", ["--file", long, "-o", "grid.png"], ["grid", f"@{long}", "peer.png"]),
        ("11 tokens, 144 labelled PNGs", [TEXT, "-o", "{layer}-{head}.png"], ["each", TEXT, "peer"]),
    ]
    print("| job | attnviz | transformers + matplotlib | ratio | peak memory |\n|---|---|---|---|---|")
    for name, ours, theirs in jobs:
        a, b, ratio, mine, other = pair(attnviz + ours, python + theirs, runs)
        print(f"| {name} | {a:.3f} s | {b:.2f} s | {ratio:.1f} × | {mine:.0f} and {other:.0f} MiB |", flush=True)
    for tokens in (11, 901):
        rows = [forward(directory, tokens) for _ in range(runs)]
        a, b = (statistics.median(column) for column in zip(*rows))
        ratio = statistics.median(theirs / mine for mine, theirs in rows)
        print(f"| forward with all patterns, {tokens} tokens | {a:.4f} s | {b:.3f} s | {ratio:.1f} × | |", flush=True)


if __name__ == "__main__":
    main()
