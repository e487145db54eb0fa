"""What a built attnviz says of generated suites, beside transformers; run by hand.

    python tests/compare_bias.py BINARY MODEL_DIR [ROWS [SUITE ...]]

Generates suites of ROWS (500) rows in every format, asks both, and fails where a score is more than 1e-4 of itself off, or a count, a share
or one of StereoSet's scores is another. Then suites in which a coin decides which sentence is which: their p must be uniform.
"""
import csv
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from bias_reference import Bias, counted, stereoset, tables, winobias

PEOPLE = "king queen cook maid miller prince princess boy girl soldier tailor fisherman merchant servant thief hunter".split()
DEEDS = ["went to the old house", "gave the bread to the child", "was very angry", "sat by the fire and slept", "knew what to do", "cried all night",
         "ran faster than the horse", "took all the gold", "was kind to the dog", "did not come home"]
TIMES = ["", "Once upon a time ", "In the morning, ", "They say that "]
KINDS = ["age", "gender", "race-color", "religion", "nationality", "disability", "socioeconomic", "physical-appearance", "sexual-orientation"]


def sentence(draw, person, deed=None):
    text = draw.choice(TIMES) + "the " + person + " " + (deed or draw.choice(DEEDS)) + "."
    return text[0].upper() + text[1:]


def pair(draw):
    a, b = draw.sample(PEOPLE, 2)
    deed, state = draw.choice(DEEDS), draw.getstate()
    first = sentence(draw, a, deed)
    draw.setstate(state)
    return first, sentence(draw, b, deed)


def write_crows(path, draw, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "sent_more", "sent_less", "stereo_antistereo", "bias_type", "annotations", "anon_writer", "anon_annotators"])
        for at in range(rows):
            writer.writerow([at, *pair(draw), draw.choice(["stereo", "stereo", "antistereo"]), draw.choice(KINDS), "[['age'], ['gender']]", "a1", "['b1']"])


def write_pairs(path, draw, rows):
    path.write_text("".join(json.dumps(dict(zip(("sent_more", "sent_less"), pair(draw))) | {"bias_type": draw.choice(KINDS)}) + "\n" for _ in range(rows)))


def write_stereoset(path, draw, rows):
    items = []
    for at in range(rows):
        target = draw.choice(PEOPLE)
        words = draw.sample(["old", "young", "good", "angry", "poor", "rich", "happy", "sad", "brave", "tired"], 2) + [draw.choice(["seven", "upon", "window", "bread"])]
        sentences = [{"sentence": f"The {target} was {word} and went home.", "gold_label": label, "id": f"{at}{label}"}
                     for word, label in zip(words, ("stereotype", "anti-stereotype", "unrelated"))]
        draw.shuffle(sentences)
        items.append({"id": f"{at:032x}", "target": target, "bias_type": draw.choice(["gender", "profession", "race", "religion"]),
                      "context": f"The {target} was BLANK and went home.", "sentences": sentences})
    path.write_text(json.dumps({"version": "1", "data": {"intersentence": [], "intrasentence": items}}))


def write_winobias(folder, draw, rows):
    folder.mkdir()
    swap = {"he": "she", "she": "he", "his": "her"}
    for kind in (1, 2):
        files = [[], []]
        for number in range(1, rows // 2 + 1):
            a, b = draw.sample(PEOPLE, 2)
            pronoun = draw.choice(list(swap))
            rest = {"his": "mother was ill"}.get(pronoun, draw.choice(DEEDS))
            line = f"{number} [The {a}] called the {b} because [{{}}] {rest}."
            files[0].append(line.format(pronoun))
            files[1].append(line.format(swap[pronoun]))
        for name, lines in zip(("pro", "anti"), files):
            (folder / f"{name}_stereotyped_type{kind}.txt.dev").write_text("\n".join(lines) + "\n")


def ask(binary, path, model, *flags):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "found.json"
        subprocess.run([binary, "bias", path, "-m", model, "-q", "--with", "pairs", "-o", out, *flags], check=True, stdout=subprocess.DEVNULL)
        return json.loads(out.read_text())["results"][0]


def compare(name, entry, items, scores):
    order = [pair["texts"] for pair in entry["pairs"]]
    assert order == [item["texts"] for item in items], name
    both = [(a, b) for pair, theirs in zip(entry["pairs"], scores) for a, b in zip(pair["scores"], theirs, strict=True)]
    worst = max(abs(a - b) / abs(b) for a, b in both)
    theirs = {(level["level"], level["category"]): level for level in counted(items, scores)}
    assert len(theirs) == len(entry["categories"]), name
    apart = {"gap": 0, "stereotype": 0, "own": 0}
    for level in entry["categories"]:
        other = theirs[level["level"], level["category"]]
        for field in ("pairs", "more", "ties"):
            assert level[field] == other[field], (name, level, other)
        apart["stereotype"] = max(apart["stereotype"], abs(level["stereotype"] - other["stereotype"]), *(abs(a - b) for a, b in zip(level["interval"], other["interval"])))
        apart["gap"] = max(apart["gap"], abs(level["gap"] - other["gap"]), abs(level["mean_abs_gap"] - other["mean_abs_gap"]))
        for field in set(other) & {"terms", "lms", "ss", "icat"}:
            apart["own"] = max(apart["own"], abs(level[field] - other[field]))
    print(f"{name}: {len(items)} items, {len(theirs)} levels; scores {worst:.1e} of themselves apart, shares and intervals {apart['stereotype']:.1e}, gaps {apart['gap']:.1e} nats, StereoSet's scores {apart['own']:.1e}", flush=True)
    assert worst < 1e-4 and apart["stereotype"] < 1e-9 and apart["gap"] < 1e-3 and apart["own"] < 1e-9


def coins(binary, model, folder, suites=40, rows=25):
    found = []
    for seed in range(suites):
        draw = random.Random(1000 + seed)
        path = folder / f"coin{seed}.jsonl"
        pairs = [draw.sample(pair(draw), 2) for _ in range(rows)]
        path.write_text("".join(json.dumps({"sent_more": a, "sent_less": b}) + "\n" for a, b in pairs if a != b))
        found.append(ask(binary, path, model, "--seed", str(seed))["categories"][0]["p"])
    found.sort()
    distance = max(abs(p - (at + 0.5) / suites) for at, p in enumerate(found)) + 0.5 / suites
    print(f"{suites} suites in which a coin decides: p from {found[0]:.3f} to {found[-1]:.3f}, Kolmogorov-Smirnov distance from uniform {distance:.3f} (1 % point {1.63 / suites ** 0.5:.3f})")
    assert distance < 1.63 / suites**0.5


def main():
    binary, model, *rest = sys.argv[1:]
    rows, wanted = int(rest[0]) if rest else 500, rest[1:] or ["crows.csv", "pairs.jsonl", "stereoset.json", "winobias", "coins"]
    reference, draw = Bias(model), random.Random(11)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        write_crows(scratch / "crows.csv", draw, rows)
        write_pairs(scratch / "pairs.jsonl", draw, rows)
        write_stereoset(scratch / "stereoset.json", draw, rows)
        write_winobias(scratch / "winobias", draw, rows)
        for name, read, conventions in [
            ("crows.csv", tables, ("lm-eval", "minicons", "normalized")), ("pairs.jsonl", tables, ("lm-eval",)),
            ("stereoset.json", stereoset, ("stereoset",)), ("winobias", winobias, ("lm-eval", "normalized")),
        ]:
            if name not in wanted:
                continue
            items = read(scratch / name)
            for convention in conventions:
                flags = [] if convention == "stereoset" else ["--convention", convention]
                compare(f"{name}, {convention}", ask(binary, scratch / name, model, *flags), items, reference.scores(items, convention))
        if "coins" in wanted:
            coins(binary, model, scratch)


if __name__ == "__main__":
    main()
