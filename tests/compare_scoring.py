"""What a built attnviz says of texts and pairs, beside transformers and beside minicons where that is installed; run by hand.

    python tests/compare_scoring.py BINARY MODEL_DIR PAIRS.jsonl [ROWS]

MODEL_DIR is any GPT-2 in Hugging Face's layout. Fails where a token is more than 1e-4 bits off or a pair more than 1e-4 of its score.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

from make_scoring_golden import texts
from scoring_reference import Reference


def ask(binary, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "found.json"
        subprocess.run([binary, *arguments, "-q", "-o", path], check=True, stdout=subprocess.DEVNULL)
        return json.loads(path.read_text())["results"][0]


def surprisal(binary, folder, reference):
    context = reference.context
    cases = [(name, context, context // 2) for name in texts()]
    cases += [("story", context, stride) for stride in (context // 4, context - 1, context)] + [("story", 64, 1)]
    for name, window, stride in cases:
        text = texts()[name] if name != "story" else " ".join([texts()[name]] * 3)
        ids = [reference.bos] + reference.encode(text)
        theirs, windows = reference.sliding(ids, window, stride)
        with tempfile.NamedTemporaryFile() as file:
            file.write(text.encode())
            file.flush()
            found = ask(binary, "surprisal", "--file", file.name, "-m", folder, "--bos", "--window", str(window), "--stride", str(stride))
        ours = found["bits"][1:]
        worst = max(abs(a - b / math.log(2)) for a, b in zip(ours, theirs, strict=True))
        perplexity = math.exp(sum(theirs) / len(theirs))
        print(f"{name}: {len(ids)} tokens, {windows} windows of {window} by {stride}: {worst:.1e} bits apart, perplexity {found['perplexity']:.4f} and {perplexity:.4f}", flush=True)
        assert worst < 1e-4 and abs(found["perplexity"] / perplexity - 1) < 1e-5


def pairs(binary, folder, reference, path, rows):
    lines = [json.loads(line) for line in open(path)][:rows]
    with tempfile.TemporaryDirectory() as scratch:
        cut = pathlib.Path(scratch) / "pairs.jsonl"
        cut.write_text("\n".join(map(json.dumps, lines)))
        found = {c: ask(binary, "probe", "pairs", cut, "-m", folder, "--convention", c, "--with", "pairs") for c in ("lm-eval", "minicons", "normalized")}
    for convention, entry in found.items():
        texts = [(row["sentence_good"], row["sentence_bad"]) for row in lines]
        check(convention, entry, reference.pairs(texts, convention))
    try:
        from minicons import scorer
    except ImportError:
        print("minicons is not installed")
        return
    model = scorer.IncrementalLMScorer(reference.model, tokenizer=reference.tokenizer, device="cpu")
    texts = [row[key] for row in lines for key in ("sentence_good", "sentence_bad")]
    scores = [score for at in range(0, len(texts), 32) for score in model.sequence_score(texts[at : at + 32])]
    check("minicons itself", found["minicons"], list(zip(scores[::2], scores[1::2])))


def check(name, entry, theirs):
    worst = max(abs(a - b) / abs(b) for pair, both in zip(entry["pairs"], theirs, strict=True) for a, b in zip(pair["scores"], both))
    right = sum(good > bad for good, bad in theirs)
    print(f"{name}: {len(theirs)} pairs, {worst:.1e} apart, right {entry['levels'][0]['right']} and {right}", flush=True)
    assert worst < 1e-4 and right == entry["levels"][0]["right"]


if __name__ == "__main__":
    binary, folder, path, *rest = sys.argv[1:]
    reference = Reference(folder)
    if reference.tokenizer.pad_token is None:
        reference.tokenizer.pad_token = reference.tokenizer.eos_token
    pairs(binary, folder, reference, path, int(rest[0]) if rest else 1000)
    surprisal(binary, folder, reference)
