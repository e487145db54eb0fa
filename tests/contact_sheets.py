"""Draws every kind of figure at many sizes and lengths of prompt, and tiles them for a look: what the program refuses is written there.

    python tests/contact_sheets.py path/to/attnviz FOLDER [MODEL [TOKENS,… [WIDTHS,… [THEMES,… [KINDS,…]]]]]

needs Pillow. Each sheet is one kind: a row for each length and theme, a column for each width. A length is that of the prompt in tokens (the
built-in model takes 512), or of what a probe asks."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])
GIVEN = dict(enumerate(sys.argv[3:]))
MODEL = GIVEN.get(0, "builtin")
LENGTHS = [int(n) for n in GIVEN.get(1, "1,2,12,60,300").split(",")]
WIDTHS = [int(n) for n in GIVEN.get(2, "312,600,0,4000").split(",")]  # a column of a paper is 3.25 in; 0 is the default
THEMES = GIVEN.get(3, "light,dark").split(",")
TALE = "The fox met the crow by the well and sang a song to the moon , who did not care .".split()
TILE = 420
CONTEXT = ["--truncate", "right"]

# Each of a prompt: what comes before it.
OF_A_PROMPT = {
    "sheet": ["attention"],
    "head": ["attention", "--layer", "-1", "--head", "0"],
    "log": ["attention", "--layer", "-1", "--head", "0", "--scale", "log", "--colormap", "viridis"],
    "numbers": ["attention", "--layer", "-1", "--head", "0", "--numbers"],
    "picked": ["attention", "--heads", "0.0,1.1,0.2"],
    "lines": ["attention", "--heads", "0.0,1.1", "--view", "lines"],
    "text": ["attention", "--heads", "0.0,1.1", "--view", "text"],
    "sink": ["attention", "--layer", "-1", "--sink", "renorm"],
    "received": ["attention", "--received"],
    "saliency": ["saliency", "--method", "gradient,input-x-gradient"],
    "lens": ["lens"],
    "direct": ["lens", "--direct"],
    "mix": ["mix", "--method", "raw,rollout"],
    "heads": ["heads"],
    "surprisal": ["surprisal"],
}


def words(count):
    return (TALE * (count // len(TALE) + 1))[:count]


def write(name, lines):
    path = FOLDER / name
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return str(path)


def command(kind, count):
    """What is typed for a kind with so many tokens or items."""
    text = " ".join(words(count))
    if kind in OF_A_PROMPT:
        return [*OF_A_PROMPT[kind], text, *CONTEXT]
    if kind == "diff":
        return ["diff", text, " ".join(["A", *words(count)[1:]]), *CONTEXT]
    if kind == "pairs":
        pair = lambda i: {"sentence_good": f"She saw {i} dogs run.", "sentence_bad": f"She saw {i} dogs runs.", "UID": f"number_{i}"}
        return ["probe", "pairs", write(f"pairs-{count}.jsonl", map(pair, range(count)))]
    if kind == "cloze":
        fills = [f"adj={','.join(word for word in dict.fromkeys(words(count)) if word != ',')}", "noun=king,queen"]
        return ["probe", "cloze", "--template", "The {adj} {noun} is", "--fill", fills[0], "--fill", fills[1]]
    if kind == "linear":
        label = lambda i: {"text": f"{' '.join(words(5 + i % 12))} {i}", "label": "ab"[i % 2]}
        return ["probe", "linear", write(f"linear-{count}.jsonl", map(label, range(count))), "--seeds", "2"]
    raise SystemExit(f"no kind {kind}")


def draw(kind, count, width, theme):
    path = FOLDER / f"{kind}-{count}-{width or 'default'}-{theme}.png"
    args = [PROGRAM, *command(kind, count), "-m", MODEL, "-q", "--theme", theme, "-o", str(path)]
    ran = subprocess.run(args + (["--width", str(width)] if width else []), capture_output=True, text=True)
    return path if ran.returncode in (0, 3) else ran.stderr.strip()


def tile(shown):
    page = Image.new("RGB", (TILE, TILE), "#c8a0a0" if isinstance(shown, str) else "#808080")
    if isinstance(shown, str):
        lines = [shown[i : i + 60] for i in range(0, len(shown), 60)]
        ImageDraw.Draw(page).text((8, 8), "\n".join(lines), fill="black")
        return page
    picture = Image.open(shown).convert("RGB")
    size = picture.size
    whole = picture.copy()
    whole.thumbnail((TILE - 8, TILE - 24))
    page.paste(whole, (4, 20))
    ImageDraw.Draw(page).text((4, 4), f"{shown.name}: {size[0]} x {size[1]}", fill="white")
    return page


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    kinds = GIVEN[4].split(",") if 4 in GIVEN else [*OF_A_PROMPT, "diff", "pairs", "cloze", "linear"]
    for kind in kinds:
        rows = [(count, theme) for count in LENGTHS for theme in THEMES]
        sheet = Image.new("RGB", (TILE * len(WIDTHS), TILE * len(rows)))
        for y, (count, theme) in enumerate(rows):
            for x, width in enumerate(WIDTHS):
                sheet.paste(tile(draw(kind, count, width, theme)), (x * TILE, y * TILE))
        sheet.save(FOLDER / f"contact-{kind}.png")


main()
