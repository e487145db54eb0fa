#!/usr/bin/env python3
"""Makes the bundled fonts: python3 assets/fonts/make.py

Needs npm, and fonttools and brotli from PyPI. Sources are fetched from npm (Inter, Noto Sans Symbols 2) and PyPI (DejaVu
Sans, which travels in matplotlib's wheel) and checked against the hashes below, so the same bytes come out everywhere.

Contextual and ligature features of Inter are dropped on purpose: they would turn the token `->` into an arrow.
"""
import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = pathlib.Path(__file__).parent
INTER = ("inter-ui@4.1.1", "e392e4d71f18a7c1f23dfecd833d68fa05eeab41862686584e80fd2b5d87e9c0")
NOTO = ("@fontsource/noto-sans-symbols-2@5.3.0", "dd714f47e1ba768274c25d14ac95610ca32e416d70c5455cd11d8995042a4552")
DEJAVU = ("matplotlib==3.11.2", "3fdf69cabf06049ea70a00b5919340e2ce1e6d02b0cc3c4b44fb6801bd1e0d22")  # of DejaVuSans.ttf, the wheel differs by platform

# Latin, IPA, modifiers, combining marks, Greek, Cyrillic, their extensions; punctuation, superscripts, currency,
# letterlike, fractions, arrows, mathematics, technical, shapes, ligature letters, the replacement character.
INTER_RANGES = [
    (0x20, 0x7E), (0xA0, 0x52F), (0x1D00, 0x1DBF), (0x1E00, 0x1FFF), (0x2010, 0x2027), (0x202F, 0x205E),
    (0x2070, 0x209C), (0x20A0, 0x20C0), (0x2100, 0x218B), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2300, 0x23FF),
    (0x25A0, 0x25FF), (0x2C60, 0x2C7F), (0xA640, 0xA69F), (0xA720, 0xA7FF), (0xAB30, 0xAB6F), (0xFB00, 0xFB06), (0xFFFD, 0xFFFD),
]


def fetch_npm(source, names):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", source[0]], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = pathlib.Path(folder).glob("*.tgz")
        check(archive.read_bytes(), source)
        with tarfile.open(archive) as tar:
            return [tar.extractfile(f"package/{name}").read() for name in names]


def fetch_dejavu(folder):
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, DEJAVU[0]], check=True)
    (wheel,) = pathlib.Path(folder).glob("matplotlib-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        read = lambda name: archive.read(f"matplotlib/mpl-data/fonts/ttf/{name}")
        font, licence = read("DejaVuSans.ttf"), read("LICENSE_DEJAVU")
    check(font, DEJAVU)
    return font, licence


def check(data, source):
    found = hashlib.sha256(data).hexdigest()
    if found != source[1]:
        sys.exit(f"error: {source[0]} has SHA-256 {found}, expected {source[1]}")


def shrink(data, unicodes, features):
    options = subset.Options()
    options.layout_features = features
    options.hinting = False
    options.glyph_names = False
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 7, 13, 14, 16, 17]
    options.notdef_outline = True
    font = TTFont(io.BytesIO(data), recalcTimestamp=False)
    font.flavor = None
    cmap = font.getBestCmap()
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[u for u in unicodes if u in cmap])
    subsetter.subset(font)
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def main():
    with tempfile.TemporaryDirectory() as folder:
        regular, semibold, inter_licence = fetch_npm(INTER, ["web/Inter-Regular.woff2", "web/Inter-SemiBold.woff2", "LICENSE.txt"])
        noto, noto_licence = fetch_npm(NOTO, ["files/noto-sans-symbols-2-symbols-400-normal.woff2", "LICENSE"])
        dejavu, dejavu_licence = fetch_dejavu(folder)
    wanted = [u for first, last in INTER_RANGES for u in range(first, last + 1)]
    covered = set()
    for weight, data in {"Regular": regular, "SemiBold": semibold}.items():
        font = shrink(data, wanted, ["kern", "mark", "mkmk", "ccmp", "locl"])
        covered |= set(TTFont(io.BytesIO(font)).getBestCmap())
        (HERE / f"Inter-{weight}.ttf").write_bytes(font)
    # What Inter lacks, with the basics kept so that a right-to-left phrase stays in one font.
    rest = [u for u in TTFont(io.BytesIO(dejavu)).getBestCmap() if u not in covered or u <= 0x7E or 0x300 <= u <= 0x36F]
    features = ["kern", "mark", "mkmk", "ccmp", "locl", "init", "medi", "fina", "isol", "rlig", "liga"]
    (HERE / "DejaVuSans.ttf").write_bytes(shrink(dejavu, rest, features))
    # Control pictures, which neither has.
    (HERE / "NotoSansSymbols2.ttf").write_bytes(shrink(noto, range(0x2400, 0x2427), []))
    (HERE / "LICENSE-NotoSansSymbols2.txt").write_bytes(noto_licence)
    (HERE / "LICENSE-Inter.txt").write_bytes(inter_licence)
    (HERE / "LICENSE-DejaVu.txt").write_bytes(dejavu_licence)
    for font in sorted(HERE.glob("*.ttf")):
        print(f"{font.stat().st_size:8} {hashlib.sha256(font.read_bytes()).hexdigest()} {font.name}")


main()
