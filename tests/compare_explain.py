#!/usr/bin/env python3
"""Whether every number in the sentences of `attnviz explain` is one of the JSON's, for many prompts.

usage: compare_explain.py ATTNVIZ [MODEL]

For each prompt the sentences are read as a person reads them: every number in them must follow from the data of the same file by the
rule of its kind of sentence, rounded as it is written; a kind of sentence that this script does not know is a failure.
"""
import json
import math
import re
import subprocess
import sys
import tempfile

PROMPTS = """Once upon a time there was a
The king and his
She sang, and they sang, and
The fox met the crow by the well. The fox met the
One day a little girl named
The sun was warm and the
He was very
The cat sat on the
In the middle of the forest stood a
The queen said to the king
They lived happily ever
A long time ago
The old man and his wife
It was a dark and stormy
The wolf said to the lamb
Mother, mother,
And when the morning came, the
Give me your
The two brothers went into the
There was once a poor
She looked into the mirror and
The door opened, and in came the
I will give you three
The bird flew away over the
At last he came to a
The giant was so big that
Then the princess began to
His eldest son
The water was deep and
As soon as the sun had set
Who is there?
The soldier took his
No one knew where the
The little tailor
\U0001f98a She sang, and they sang, and
x
1 2 3 4 5
the the the the
"Come with me," said the
café naïve — “quoted” …""".split("\n")


def shown(text):
    """All numbers of a text, with how many decimals each is written; names of tokens and models are left out."""
    text = re.sub(r"“[^”]*”", "“”", text).replace("−", "-").replace("less than 0.1 %", "0.0 %")
    found = re.findall(r"(?<![\w.])[+-]?\d+(?:\.\d+)?", text)
    return [(float(number), len(number.partition(".")[2])) for number in found]


def near(number, known):
    value, digits = number
    return any(abs(value - x) <= 0.5 * 10**-digits + 1e-6 for x in known if x is not None and math.isfinite(x))


def spearman(a, b):
    def ranks(values):
        order = sorted(range(len(values)), key=lambda i: values[i])
        rank = [0.0] * len(values)
        at = 0
        while at < len(order):
            end = at
            while end + 1 < len(order) and values[order[end + 1]] == values[order[at]]:
                end += 1
            for i in order[at : end + 1]:
                rank[i] = (at + end) / 2
            at = end + 1
        return rank

    a, b = ranks(a), ranks(b)
    mean = (len(a) - 1) / 2
    top = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    below = math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))
    return top / below if below else math.nan


def allowed(sentence, whole):
    """What a kind of sentence may say, from the data alone."""
    entries = {entry["method"]: entry for entry in whole["results"]}
    text, last = sentence["text"], len(whole["tokens"]) - 1
    places = list(range(last + 1))
    following = entries["next-token"]
    p = 100 * following["p_target"]
    if sentence["panel"] == "next":
        return [p, last]
    if sentence["panel"] == "saliency":
        scored = [entry["scores"] for entry in whole["results"] if "scores" in entry]
        pairs = [spearman(scored[a], scored[b]) for a in range(len(scored)) for b in range(a)]
        top = max(places, key=lambda i: abs(scored[0][i]))
        return [len(scored), sum(pairs) / len(pairs), top]
    if sentence["panel"] == "mixing":
        row = entries["rollout"]["map"][last]
        at = max(range(1, last), key=lambda i: row[i])
        return [row[at], last, at, row[0]]
    if sentence["panel"] == "lens":
        ranks = [row[last] for row in entries["lens"]["rank"]]
        layers = list(range(len(ranks) - 1))
        return [ranks[-1], ranks[-2]] + layers
    if sentence["panel"] == "direct":
        parts = entries["direct-logit-attribution"]["parts_centred"]
        names = re.findall(r"head (\d+)\.(\d+) \(", text) + re.findall(r"MLP (\d+) \(", text)
        known = [parts["total"]]
        for name in names:
            if isinstance(name, tuple):
                known += [parts["heads"][int(name[0])][int(name[1])], float(".".join(name))]
            else:
                known += [parts["mlp"][int(name)], int(name)]
        return known
    if sentence["panel"] == "without":
        entry = entries["ablation"]
        known = [float(name) for name in entry["ablated"]]
        for when in ("before", "after"):
            known += [100 * math.exp(entry[when]["logprob"]), entry[when]["rank"]]
        return known
    if sentence["panel"] == "attention":
        layer, head = map(int, re.match(r"Head (\d+)\.(\d+)", text).groups())
        row = entries["attention"]["attention"][layer][head][last]
        at = max(places, key=lambda i: row[i])
        return [float(f"{layer}.{head}"), last, at, row[at]]
    if sentence["panel"] == "surprisal":
        bits = [-1 if x is None else x for x in entries["surprisal"]["bits"]]
        at = max(places, key=lambda i: bits[i])
        return [entries["surprisal"]["mean"], at, bits[at]]
    return None


def main():
    attnviz, model = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "builtin"
    sentences = numbers = 0
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for prompt in PROMPTS:
            out = f"{folder}/a.json"
            subprocess.run([attnviz, "explain", "-m", model, "-q", "-o", out, "--", prompt], check=True, stdout=subprocess.DEVNULL)
            with open(out) as file:
                whole = json.load(file)
            for sentence in whole["results"][0]["sentences"]:
                sentences += 1
                if sentence["text"].startswith("Not shown by this"):
                    continue
                known = allowed(sentence, whole)
                for number in shown(sentence["text"]):
                    numbers += 1
                    if known is None or not near(number, known):
                        wrong.append(f"{prompt!r}: {number[0]} is not of the data: {sentence['text']}")
                        print(wrong[-1], flush=True)
    print(f"{len(PROMPTS)} prompts, {sentences} sentences, {numbers} numbers, {len(wrong)} that the data do not have")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
