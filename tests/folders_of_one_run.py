"""Folders of results under random changes and random kills: each is what a single run gives, byte for byte, or is refused by name.

    python3 tests/folders_of_one_run.py target/debug/attnviz [--seed N] [--resumes 40] [--merges 40] [--kills 30]

Needs nothing but Python. Resumes: a folder that is finished or was cut short is resumed after one change of a flag, a field of the config,
a file of the tokenizer, a line of the input, a byte of a result, the share or the format. Merges: one of two shares was tampered with or made
otherwise. Kills: SIGKILL, SIGTERM and SIGINT at random moments over JSON, PNG and Parquet, whole and in shares, with lines that are bad.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = "manifest.jsonl"
JOURNAL = ".manifest.jsonl.part"
LOCK = ".attnviz-batch.lock"
# Prompts of the inputs: two whole blocks and some, so that every share has work and the last block is short.
COUNT = 140
# How many runs each signal has ended.
HITS = Counter()
WORDS = "Once upon a time the fox met the crow by the well and said nothing more than that".split()


def prompts(rng, count):
    """Lines, of which some are bad: empty, or no UTF-8."""
    def line(index):
        kind = rng.random()
        if 0 < index < count - 1 and kind < 0.03:
            return b""
        if kind < 0.05:
            return b"caf\xe9"
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 4))).encode()
    return [line(index) for index in range(count)]


class Bench:
    """A folder with a model and prompts, and the program."""

    def __init__(self, program, folder, rng):
        self.program, self.folder, self.rng = program, Path(folder), rng
        self.lines = prompts(rng, COUNT)
        self.model = self.folder / "m"
        self.model.mkdir()
        for name in ["config.json", "model.safetensors", "tokenizer.json"]:
            shutil.copy(ROOT / "tests/fixtures/base" / name, self.model)
        self.write()
        self.environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "cache")}

    def write(self):
        (self.folder / "p.txt").write_bytes(b"".join(line + b"\n" for line in self.lines))

    def command(self, out, flags, format="csv"):
        return [self.program, "batch", "p.txt", "--out", out, "-m", "m", "--format", format, "-q", *flags]

    def run(self, command):
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300)
        if "panicked" in done.stderr or done.returncode < 0:
            raise AssertionError(f"{command}: {done.returncode} {done.stderr}")
        return done

    def done(self, command):
        """Runs it to its end; bad lines are its only failure."""
        done = self.run(command)
        if done.returncode not in (0, 1) or done.returncode == 1 and "prompts failed" not in done.stderr:
            raise AssertionError(f"{command}: {done.returncode} {done.stderr}")

    def contents(self, name):
        return {path.name: path.read_bytes() for path in (self.folder / name).iterdir()}

    def cut(self, out):
        """Makes a finished folder look like one whose run was killed: whole blocks are listed, then perhaps a part of one; what is not listed
        has no file, and of the block that was listed last, files may be missing."""
        folder, rng = self.folder / out, self.rng
        lines = (folder / MANIFEST).read_bytes().splitlines(keepends=True)
        blocks = {}
        for line in lines:
            blocks.setdefault(json.loads(line)["index"] // 64, []).append(line)
        blocks = list(blocks.values())
        whole = rng.randrange(len(blocks))
        kept, rest = b"".join(sum(blocks[:whole], [])), b"".join(blocks[whole])
        part = rest[: rng.choice([0, rng.randrange(len(rest))])]
        files = [[file["name"] for line in block for file in json.loads(line).get("files", [])] for block in blocks[:whole]]
        listed = set(sum(files, []))
        if not part and files and rng.random() < 0.5:
            listed -= set(rng.sample(files[-1], rng.randint(0, len(files[-1]))))
        for path in folder.iterdir():
            if path.name not in listed:
                path.unlink()
        (folder / JOURNAL).write_bytes(kept + part)

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        path.write_bytes(data)


def same_or_refused(bench, done, out, command_of):
    """Whether a folder is what a single run gives now, or the command was refused in two lines that say why."""
    lines = done.stderr.strip().splitlines()
    if done.returncode in (0, 1) and (done.returncode == 0 or "prompts failed" in done.stderr):
        if (bench.folder / "single").exists():
            shutil.rmtree(bench.folder / "single")
        bench.done(command_of("single"))
        if bench.contents(out) != bench.contents("single"):
            raise AssertionError(f"mixed: {done.args}")
        return "the same"
    if done.returncode in (1, 2) and len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("hint: "):
        return "refused"
    raise AssertionError(f"{done.args}: {done.returncode} {done.stderr}")


def resume(program, rng):
    """One resume after one change. Returns what was changed and what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(program, folder, rng)
        flags, format = ["--shard", "1/2"] if rng.random() < 0.3 else [], rng.choice(["csv", "csv,parquet", "json"])
        bench.done(bench.command("d", flags, format))
        before = bench.contents("d")
        if rng.random() < 0.5:
            bench.cut("d")
        kind = rng.choice(["flag", "config", "tokenizer", "line", "result", "shard", "format", "more lines", "weights", "nothing"])
        if kind == "flag":
            flags = flags + rng.choice([["--sink", "mask"], ["--layer", "0"], ["--head", "1"], ["--run", "heads"], ["--bos"],
                                        ["--words"], ["--name", "{index}"], ["--theme", "dark"], ["--column", "x"],
                                        ["--input-format", "txt"], ["--truncate", "left"], ["--dpi", "72"]])
        elif kind == "config":
            path = bench.model / "config.json"
            config = json.loads(path.read_text())
            config.update(rng.choice([{"layer_norm_epsilon": 0.5}, {"scale_attn_weights": False}, {"bos_token_id": 3},
                                      {"activation_function": "relu"}, {"_name_or_path": "x"}]))
            path.write_text(json.dumps(config))
        elif kind == "tokenizer":
            name = rng.choice(["tokenizer.json", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"])
            path = bench.model / name
            path.write_text(path.read_text().replace("fox", "fax", 1) + " " if path.exists() else "{}")
        elif kind == "weights":
            path = bench.model / "model.safetensors"
            data = bytearray(path.read_bytes())
            data[-rng.randint(1, 4000)] ^= 1
            path.write_bytes(data)
        elif kind == "line":
            bench.lines[rng.randrange(COUNT)] = rng.choice([b"another", b"", b"\xff"])
            bench.write()
        elif kind == "more lines":
            bench.lines += prompts(rng, rng.choice([1, 52, 60, 130]))
            bench.write()
        elif kind == "result":
            results = [path for path in (bench.folder / "d").iterdir() if not path.name.startswith(".") and path.name != MANIFEST]
            if results:
                path = rng.choice(sorted(results))
                path.unlink() if rng.random() < 0.3 else bench.flip(path)
        elif kind == "shard":
            flags = rng.choice([f for f in [[], ["--shard", "1/2"], ["--shard", "2/2"], ["--shard", "1/3"]] if f != flags])
        elif kind == "format":
            format = rng.choice([f for f in ["csv", "json", "parquet", "csv,parquet", "parquet,csv"] if f != format])
        done = bench.run(bench.command("d", [*flags, "--resume"], format))
        outcome = same_or_refused(bench, done, "d", lambda out: bench.command(out, flags, format))
        if outcome == "refused":
            changed = [name for name, data in bench.contents("d").items()
                       if name in before and name != MANIFEST and before[name] != data]
            if changed and kind != "result":
                raise AssertionError(f"a refused run has written {changed}")
        return kind, outcome


def merge(program, rng):
    """One merge with one share that is not what it should be."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(program, folder, rng)
        format = rng.choice(["csv", "csv,parquet", "parquet"])
        shares = rng.choice([2, 3])
        names = [f"s{number}" for number in range(1, shares + 1)]
        victim = rng.randrange(shares)
        kind = rng.choice(["byte of the list", "line of the list", "result", "options", "inputs", "fewer lines", "config",
                           "unfinished", "twice", "missing", "nothing"])
        for number, name in enumerate(names):
            flags, here, kept = ["--shard", f"{number + 1}/{shares}"], number == victim, list(bench.lines)
            if here and kind == "options":
                flags += ["--sink", "mask"]
            if here and kind == "inputs":
                bench.lines[rng.randrange(COUNT)] = b"another"
            if here and kind == "fewer lines":
                bench.lines = bench.lines[: rng.choice([COUNT - 1, 130, 100])]
            config = (bench.model / "config.json").read_text()
            if here and kind == "config":
                (bench.model / "config.json").write_text(config.replace("1e-05", "1e-03"))
            bench.write()
            bench.done(bench.command(name, flags, format))
            bench.lines = kept
            bench.write()
            (bench.model / "config.json").write_text(config)
        folder = bench.folder / names[victim]
        manifest = folder / MANIFEST
        if kind == "byte of the list":
            bench.flip(manifest)
        elif kind == "line of the list":
            lines = manifest.read_bytes().splitlines(keepends=True)
            place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            how = rng.choice(["drop", "double", "swap"])
            if how == "drop":
                del lines[place]
            elif how == "double":
                lines.insert(other, lines[place])
            else:
                lines[place], lines[other] = lines[other], lines[place]
            manifest.write_bytes(b"".join(lines))
        elif kind == "result":
            path = rng.choice(sorted(path for path in folder.iterdir() if path.name != MANIFEST))
            path.unlink() if rng.random() < 0.3 else bench.flip(path)
        elif kind == "unfinished":
            bench.cut(names[victim])
        elif kind == "twice":
            names[victim] = names[victim - 1]
        elif kind == "missing":
            del names[victim]
        before = sorted(path.name for path in bench.folder.iterdir())
        rng.shuffle(names)
        done = bench.run([program, "batch", "--merge", *names, "--out", "out", "-q"])
        outcome = same_or_refused(bench, done, "out", lambda out: bench.command(out, [], format))
        if outcome == "refused" and sorted(path.name for path in bench.folder.iterdir()) != before:
            raise AssertionError("a refused merge has left something behind")
        return kind, outcome


def kill(program, rng):
    """One run, or one in shares, killed again and again, resumed and joined."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(program, folder, rng)
        format = rng.choice(["json", "png", "parquet", "json,parquet", "png,parquet"])
        flags = ["--layer", "0", "--head", "0"]
        start = time.monotonic()
        bench.done(bench.command("single", flags, format))
        took, hit = time.monotonic() - start, Counter()
        shares = rng.choice([1, 2, 3])
        names = [f"s{number}" for number in range(1, shares + 1)]

        def until_killed(command, longest):
            child = subprocess.Popen(command, cwd=bench.folder, env=bench.environment,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(rng.uniform(0.0, longest))
            sent = rng.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            child.send_signal(sent)
            said = child.communicate()[1]
            if "panicked" in said or child.returncode not in (0, 1, -sent):
                raise AssertionError(f"{command}: {child.returncode} {said}")
            hit[sent.name] += int(child.returncode != 0)

        for number, name in enumerate(names):
            shard = ["--shard", f"{number + 1}/{shares}"] if shares > 1 else []
            command = bench.command(name, [*flags, *shard, "--resume"], format)
            for _ in range(rng.randint(1, 4)):
                until_killed(command, took / shares)
            bench.done(command)
        if shares > 1:
            command = [program, "batch", "--merge", *names, "--out", "out", "-q"]
            for _ in range(rng.randint(1, 3)):
                until_killed(command, 0.1)
                if (bench.folder / "out").exists():
                    break  # whole, or not there
            if not (bench.folder / "out").exists():
                bench.done(command)
            names = ["out"]
        if bench.contents(names[0]) != bench.contents("single"):
            raise AssertionError(f"not what one run gives: {format}, {shares} shares")
        left = sorted(path.name for path in bench.folder.iterdir() if path.name.startswith("."))
        if left:
            raise AssertionError(f"left behind: {left}")
        HITS.update(hit)
        return f"{format} in {shares}", "the same"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--seed", type=int, default=1)
    for name, count in [("resumes", 40), ("merges", 40), ("kills", 30)]:
        arguments.add_argument(f"--{name}", type=int, default=count)
    args = arguments.parse_args()
    program, failed = str(Path(args.program).resolve()), 0
    for name, one, count in [("resume", resume, args.resumes), ("merge", merge, args.merges), ("kill", kill, args.kills)]:
        outcomes = Counter()
        for number in range(count):
            seed = args.seed * 1000 + number
            try:
                outcomes[one(program, random.Random(seed))] += 1
            except AssertionError as error:
                failed += 1
                print(f"{name} {seed}: {error}", file=sys.stderr, flush=True)
        print(f"{name}: {sum(outcomes.values())} of {count} hold")
        for (kind, outcome), times in sorted(outcomes.items()):
            print(f"  {times:3} {kind}: {outcome}")
        sys.stdout.flush()
    print("ended by", dict(HITS))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
