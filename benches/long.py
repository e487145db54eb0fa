#!/usr/bin/env python3
"""What long prompts take: a table of seconds, peak memory and bytes of files, of one binary or of two.

    python3 benches/long.py -m FOLDER target/release/attnviz [OLDER_BINARY]

The prompt is made of random token ids, so that any checkpoint with a context of 1024 tokens and a vocabulary of 50,000 will do.
`--rows` names other lengths for flow, whose growth is the exponent between one length and the next.
"""
import argparse
import math
import os
import random
import subprocess
import tempfile
import time

EXTRAS = ["--with", "logits,hidden,scores"]
TOKENS = 1024
FILES = [
    ("all extras, npz", EXTRAS + ["-o", "a.npz"]),
    ("all extras, safetensors", EXTRAS + ["-o", "a.safetensors"]),
    ("patterns, parquet", ["-o", "a.parquet"]),
    ("a file for each head, npz", ["-o", "{layer}-{head}.npz"]),
    ("sheet, png", ["-o", "a.png"]),
]


def run(binary, model, tokens, arguments):
    """Seconds, user seconds, peak MiB and MiB of files; nothing where it fails."""
    draw = random.Random(1)
    ids = ",".join(str(draw.randrange(50_000)) for _ in range(tokens))
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        child = subprocess.Popen([binary, *arguments, "-m", model, "--ids", ids, "-q"], cwd=folder,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = child.stderr.read().decode()
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            return None, said.splitlines()[:1]
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))
    return (time.time() - started, usage.ru_utime, usage.ru_maxrss / 1024, size / 2**20), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="+", help="one attnviz, or a new one and an older one")
    parser.add_argument("-m", "--model", required=True, help="the folder of a checkpoint")
    parser.add_argument("--rows", type=int, nargs="+", default=[50, 100, 200], help="lengths for flow of all rows")
    options = parser.parse_args()
    model = os.path.abspath(options.model)
    jobs = [(f"{name} ({TOKENS} tokens)", TOKENS, ["attention", *arguments]) for name, arguments in FILES]
    jobs += [(f"flow, all rows ({n} tokens)", n, ["mix", "--method", "flow", "--all-rows", "-o", "a.npz"])
             for n in options.rows]
    print("| job | binary | s | user s | peak MiB | MiB of files | growth |\n|---|---|---|---|---|---|---|")
    before = {}
    for name, tokens, arguments in jobs:
        for binary in map(os.path.abspath, options.binary):
            found, failed = run(binary, model, tokens, arguments)
            if found is None:
                print(f"| {name} | {binary} | {failed} | | | | |")
                continue
            growth = ""
            if arguments[0] == "mix":
                last = before.get(binary)
                growth = f"n^{math.log(found[1] / last[1]) / math.log(tokens / last[0]):.1f}" if last else ""
                before[binary] = (tokens, found[1])
            seconds, user, peak, size = found
            print(f"| {name} | {binary} | {seconds:.1f} | {user:.1f} | {peak:.0f} | {size:.0f} | {growth} |", flush=True)


if __name__ == "__main__":
    main()
