"""Writes tests/fixtures/scoring.json: surprisal and pairs by the built-in model, from transformers.

    python tests/make_scoring_golden.py

Made with Python 3.11, torch 2.15.0, transformers 5, on a CPU. Surprisal in bits: of each token but the first after BOS, sums of 32
neighbours where the text is long. `before` is the bits of "a word begins" at each position from 1 on, and after the text.
"""
import json
import math
import pathlib
import random

from scoring_reference import Reference

ROOT = pathlib.Path(__file__).resolve().parent.parent


def texts():
    draw = random.Random(7)
    words = "the a cat dog king and his son went to old house Once upon time said that little girl was very happy".split()
    return {
        "plain": "Once upon a time, the old man saw the king's two sons.",
        "emoji": "I ❤️ 👩‍💻 and 🏳️‍🌈, 🇩🇪🙂!",
        "cjk": "日本語の文章と中文，한국어도。",
        "control": "a\u0000b\u0007\u001b[31m\r\n\tc\u200b\u202ed  \n\n e",
        "no space": "".join(draw.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(10_000)),
        "story": " ".join(draw.choice(words) for _ in range(560)),
    }


def sums(values):
    return values if len(values) <= 64 else [sum(values[at : at + 32]) for at in range(0, len(values), 32)]


def main():
    reference = Reference(ROOT / "assets/model")
    found = []
    for name, text in texts().items():
        ids = [reference.bos] + reference.encode(text)
        strides = [(512, 256)] if len(ids) <= 512 or name == "no space" else [(512, 1), (512, 128), (512, 256), (512, 511), (512, 512), (64, 16)]
        for window, stride in strides:
            nats, windows = reference.sliding(ids, window, stride)
            bits = [x / math.log(2) for x in nats]
            found.append({
                "name": name, "text": text, "window": window, "stride": stride, "tokens": len(ids), "windows": windows,
                "bits": sums(bits), "perplexity": math.exp(sum(nats) / len(nats)),
            })
    spaced = [id for id in range(reference.model.config.vocab_size) if reference.tokenizer.decode([id])[:1].isspace()]
    ids = [reference.bos] + reference.encode(texts()["plain"])
    before = reference.log_softmax(ids)[:, spaced].logsumexp(-1) / math.log(2)
    pairs = [
        ("The cats sleep.", "The cats sleeps."), ("He hurt himself.", "He hurt herself."), ("A dog ran.", "A dog ran."),
        ("Once upon a time there was a king.", "Upon once time a there was king a."), ("She is old.", "She are old, they said."),
    ]
    scores = {c: [reference.pair(*pair, c) for pair in pairs] for c in ("lm-eval", "minicons", "normalized")}
    golden = {"surprisal": found, "before": [-x for x in before.tolist()], "pairs": pairs, "scores": scores}
    (ROOT / "tests/fixtures/scoring.json").write_text(json.dumps(golden, indent=0, ensure_ascii=True))


if __name__ == "__main__":
    main()
