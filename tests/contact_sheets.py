"""Draws every kind of figure at many sizes and lengths of prompt, and tiles them for a look: what the program refuses is written there.

    python tests/contact_sheets.py path/to/attnviz FOLDER [MODEL [TOKENS,… [WIDTHS,… [THEMES,…]]]]

needs Pillow. Each sheet is one kind: a row for each length and theme, a column for each width."""

import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])
MODEL = sys.argv[3] if len(sys.argv) > 3 else "builtin"
LENGTHS = [int(n) for n in sys.argv[4].split(",")] if len(sys.argv) > 4 else [1, 2, 12, 60, 300]
WIDTHS = [312, 600, 0, 4000]  # a column of a paper is 3.25 in; 0 is the default
WIDTHS = [int(n) for n in sys.argv[5].split(",")] if len(sys.argv) > 5 else WIDTHS
THEMES = sys.argv[6].split(",") if len(sys.argv) > 6 else ["light", "dark"]
KINDS = {
    "sheet": ["attention"],
    "head": ["attention", "--layer", "-1", "--head", "0"],
    "sink": ["attention", "--layer", "-1", "--sink", "renorm"],
    "received": ["attention", "--received"],
    "saliency": ["saliency", "--method", "gradient,input-x-gradient"],
    "lens": ["lens"],
    "direct": ["lens", "--direct"],
    "mix": ["mix", "--method", "raw,rollout"],
    "heads": ["heads"],
}
TALE = "The fox met the crow by the well and sang a song to the moon , who did not care .".split()
TILE = 420


def draw(kind, tokens, width, theme):
    text = " ".join((TALE * (tokens // len(TALE) + 1))[:tokens])
    path = FOLDER / f"{kind}-{tokens}-{width or 'default'}-{theme}.png"
    args = [PROGRAM, *KINDS[kind], text, "-m", MODEL, "-q", "--theme", theme, "-o", str(path)]
    ran = subprocess.run(args + (["--width", str(width)] if width else []), capture_output=True, text=True)
    return path if ran.returncode == 0 else ran.stderr.strip()


def tile(shown):
    page = Image.new("RGB", (TILE, TILE), "#c8a0a0" if isinstance(shown, str) else "#808080")
    if isinstance(shown, str):
        lines = [shown[i : i + 60] for i in range(0, len(shown), 60)]
        ImageDraw.Draw(page).text((8, 8), "\n".join(lines), fill="black")
        return page
    picture = Image.open(shown)
    size = picture.size
    picture.thumbnail((TILE - 8, TILE - 24))
    page.paste(picture, (4, 20))
    ImageDraw.Draw(page).text((4, 4), f"{shown.name}: {size[0]} x {size[1]}", fill="white")
    return page


FOLDER.mkdir(parents=True, exist_ok=True)
for kind in KINDS:
    rows = [(tokens, theme) for tokens in LENGTHS for theme in THEMES]
    sheet = Image.new("RGB", (TILE * len(WIDTHS), TILE * len(rows)))
    for y, (tokens, theme) in enumerate(rows):
        for x, width in enumerate(WIDTHS):
            sheet.paste(tile(draw(kind, tokens, width, theme)), (x * TILE, y * TILE))
    sheet.save(FOLDER / f"contact-{kind}.png")
