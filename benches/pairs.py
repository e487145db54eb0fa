"""`attnviz probe pairs` beside transformers on the same pairs, in turn on one machine; prints a table, and how far their scores are apart.

    cargo build --release
    python benches/pairs.py MODEL_DIR FILE.jsonl [FILE.jsonl] [RUNS]      RUNS of each, 3 unless given

Our seconds are of the whole process, loading and writing included; theirs of scoring alone. Ratios hold when the machine is shared.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).resolve().parent


def main(arguments):
    runs = int(arguments.pop()) if arguments[-1].isdigit() else 3
    model, *files = arguments
    metadata = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    told = subprocess.run(metadata, cwd=here.parent, capture_output=True, check=True, text=True).stdout
    binary = pathlib.Path(json.loads(told)["target_directory"]) / "release/attnviz"
    print("| file | sentences | attnviz, whole | transformers, scoring | ratio | furthest apart |\n|---|---|---|---|---|---|")
    for file in files:
        seconds, ratios, apart = ([], []), [], 0.0
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                start = time.time()
                subprocess.run(
                    [binary, "probe", "pairs", file, "-m", model, "--with", "pairs", "-q", "-o", f"{folder}/pairs.json"],
                    check=True, stdout=subprocess.DEVNULL,
                )
                seconds[0].append(time.time() - start)
                found = json.loads(pathlib.Path(f"{folder}/pairs.json").read_text())["results"][0]
            theirs = json.loads(subprocess.run(
                [sys.executable, here / "peers/pairs.py", model, file], check=True, capture_output=True, text=True,
            ).stdout)
            seconds[1].append(theirs["seconds"])
            ratios.append(seconds[1][-1] / seconds[0][-1])
            scores = [score for pair in found["pairs"] for score in pair["scores"]]
            apart = max(abs(a - b) / abs(b) for a, b in zip(scores, theirs["scores"], strict=True))
            assert found["levels"][0]["right"] == theirs["right"], (found["levels"][0], theirs["right"])
        name, median = pathlib.Path(file).stem, statistics.median
        print(f"| {name} | {len(scores)} | {median(seconds[0]):.1f} s | {median(seconds[1]):.1f} s | {median(ratios):.1f} | {apart:.0e} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
