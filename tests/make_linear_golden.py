"""Writes tests/fixtures/linear/task.jsonl and sklearn.json: a task, and what scikit-learn's probes score on the features that attnviz exports.

    python tests/make_linear_golden.py target/debug/attnviz

Made with Python 3.11, scikit-learn 1.9.1, numpy. Words of several classes in templates; each of --seeds splits and control tasks is read
from the exported file, so that only the regression is compared: StandardScaler, LogisticRegression, C chosen on dev, the strongest of equals.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests/fixtures/linear"
SEEDS = 2
STRENGTHS = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
WORDS = {
    "DET": "the a every this that".split(),
    "ADJ": "old light little long still kind quick".split(),
    "NOUN": "man walk saw watch light fish kind love ship rose long".split(),
    "VERB": "saw watch love ship rose fish found walk still".split(),
    "ADV": "then still long there soon".split(),
    "ADP": "in by to over".split(),
}
SHAPES = ["DET NOUN VERB", "DET ADJ NOUN VERB ADV", "DET NOUN VERB DET NOUN", "ADV DET NOUN VERB", "DET NOUN ADP DET NOUN VERB", "DET ADJ NOUN VERB ADP DET NOUN"]


def sentences():
    draw = random.Random(5)
    for _ in range(200):
        labels = draw.choice(SHAPES).split()
        yield {"words": [draw.choice(WORDS[label]) for label in labels], "labels": labels}


def accuracy(x, labels, part):
    scaler = StandardScaler().fit(x[part == 0])
    x, best = scaler.transform(x), (-1.0, 0.0)
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=3000, tol=1e-6).fit(x[part == 0], labels[part == 0])
        dev, test = (float((model.predict(x[part == which]) == labels[part == which]).mean()) for which in (1, 2))
        best = max(best, (dev, test), key=lambda pair: pair[0])  # the first of equals
    return best[1]


def main():
    warnings.simplefilter("ignore")
    FOLDER.mkdir(exist_ok=True)
    task = FOLDER / "task.jsonl"
    task.write_text("".join(json.dumps(sentence, separators=(",", ":")) + "\n" for sentence in sentences()))
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "features.npz"
        command = [sys.argv[1], "probe", "linear", str(task), "-m", "builtin", "--seeds", str(SEEDS), "--with", "features", "-o", str(out), "-q"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        arrays = np.load(out)
        features, labels = arrays["features"].astype(np.float64), arrays["labels"].astype(int)
        parts, controls = arrays["part"].astype(int), arrays["control_labels"].astype(int)
    golden = {
        "task": [[accuracy(x, labels, part) for part in parts] for x in features],
        "control": [[accuracy(x, control, part) for part, control in zip(parts, controls)] for x in features],
    }
    (FOLDER / "sklearn.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
