"""The archive of a release, out of a wheel: the same program, with licences, manual pages, completions and the SBOM.

    python packaging/archive.py dist/attnviz-0.1.0-py3-none-….whl x86_64-unknown-linux-gnu dist

Writes attnviz-vVERSION-TARGET.tar.gz (.zip for Windows) and its .sha256, and prints the archive's path. The program in the wheel must run
here: it writes its own pages. The same wheel gives the same bytes.
"""

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
SHELLS = {"bash": "attnviz.bash", "zsh": "_attnviz", "fish": "attnviz.fish", "elvish": "attnviz.elv", "powershell": "attnviz.ps1"}
WHEN = (1980, 1, 1, 0, 0, 0)  # what zip can say, and the same every time


def contents(wheel: Path) -> tuple[str, dict[str, bytes]]:
    """The version that the program says, and what goes into the archive."""
    files = {}
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            for part, folder in [(".data/scripts/", ""), (".dist-info/licenses/", ""), (".dist-info/sboms/", "")]:
                if part in name:
                    files[folder + name.split(part)[1]] = packed.read(name)
    program = next((name for name in files if name in ("attnviz", "attnviz.exe")), None)
    if program is None:
        sys.exit(f"error: {wheel} holds no program\nhint: make it with maturin build --profile dist")
    for name in ["README.md", "CHANGELOG.md"]:
        files[name] = (TREE / name).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, program)
        path.write_bytes(files[program])
        path.chmod(0o755)
        says = lambda *words: subprocess.run([path, *words], check=True, stdout=subprocess.PIPE).stdout
        version = says("--version").decode().split()[1]
        for shell, name in SHELLS.items():
            files[f"completions/{name}"] = says("completions", shell)
        for words in commands(says):
            files[f"man/{'-'.join(['attnviz', *words])}.1"] = says("man", *words)
    return version, files


def commands(says, *words: str) -> list[tuple[str, ...]]:
    """The words of every command, the program's own none first, as its help lists them."""
    listed = says(*words, "--help").decode().partition("Commands:\n")[2].split("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines() if line[2:3].strip()]
    return [words] + [found for name in names if name != "help" for found in commands(says, *words, name)]


def tarred(root: str, files: dict[str, bytes]) -> bytes:
    """A .tar.gz that depends on nothing but the files."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mode = len(files[name]), 0o755 if name == "attnviz" else 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()


def zipped(root: str, files: dict[str, bytes]) -> bytes:
    """A .zip that depends on nothing but the files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"{root}/{name}", WHEN), files[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def main() -> None:
    """Reads the arguments, writes the two files."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    wheel, target, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    version, files = contents(wheel)
    root = f"attnviz-v{version}-{target}"
    name, pack = (f"{root}.zip", zipped) if "windows" in target else (f"{root}.tar.gz", tarred)
    out.mkdir(parents=True, exist_ok=True)
    packed = pack(root, files)
    (out / name).write_bytes(packed)
    (out / f"{name}.sha256").write_text(f"{hashlib.sha256(packed).hexdigest()}  {name}\n", encoding="ascii", newline="\n")
    print(os.path.join(out, name))


if __name__ == "__main__":
    main()
