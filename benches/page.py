"""Pages for a browser beside those of other tools, from shell to page, in turn on one machine; prints a table of medians and ratios.

    cargo build --release
    python benches/page.py MODEL PYTHON [RUNS]     RUNS of each, 1 unless given

MODEL is a folder with a GPT-2 and its tokenizer, PYTHON one with `interpkit` and `bertviz` installed (last run with 0.7.0 and 1.4.1).
`interpkit report` is beside `attnviz explain` on a short text, BertViz' model view beside the explorer of 901 tokens.
"""
import pathlib
import statistics
import sys
import tempfile

from compare import TEXT, here, root, run


def turns(ours, theirs, page, peer, runs):
    """Medians of seconds and of their ratio, peak MiB and size of the page in MiB of each."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs + 1):
            rows.append((run(ours, folder), run(theirs, folder)))
        sizes = [(pathlib.Path(folder) / name).stat().st_size / 2**20 for name in (page, peer)]
    rows = rows[1:]  # the first pair warms the caches
    middle = statistics.median
    seconds = [middle(row[side][0] for row in rows) for side in (0, 1)]
    memory = [max(row[side][1] for row in rows) for side in (0, 1)]
    return seconds, middle(b[0] / a[0] for a, b in rows), memory, sizes


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    model, python = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).absolute()
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    attnviz, long = [root / "target/release/attnviz", "-q", "-m", model], here / "peers/long.txt"
    jobs = [
        ("a short text explained, InterpKit", attnviz[:1] + ["explain", TEXT] + attnviz[1:] + ["-o", "a.html"],
         [python.parent / "interpkit", "report", model, TEXT, "--save", "b.html"]),
        ("901 tokens, all heads, BertViz", attnviz[:1] + ["attention", "--file", long] + attnviz[1:] + ["-o", "a.html"],
         [python, here / "peers/bertviz_page.py", model, long, "b.html"]),
    ]
    print("| page | attnviz | the other | ratio | peak memory | size of the page |\n|---|---|---|---|---|---|")
    for name, ours, theirs in jobs:
        (a, b), ratio, (mine, other), (small, large) = turns(ours, theirs, "a.html", "b.html", runs)
        print(f"| {name} | {a:.2f} s | {b:.1f} s | {ratio:.1f} × | {mine:.0f} and {other:.0f} MiB | {small:.1f} and {large:.1f} MiB |", flush=True)


if __name__ == "__main__":
    main()
