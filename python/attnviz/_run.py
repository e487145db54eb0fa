"""Finding the program and running it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Union

Flag = Union[str, int, float, bool, None, Sequence[Union[str, int, float]]]


class AttnvizError(Exception):
    """What the program refused: ``message`` names the thing, ``hint`` the way out, ``code`` is 1 (failed) or 2 (wrong usage)."""

    def __init__(self, message: str, hint: str = "", code: int = 1) -> None:
        super().__init__(f"{message}\nhint: {hint}" if hint else message)
        self.message, self.hint, self.code = message, hint, code


class AttnvizWarning(UserWarning):
    """What the program assumed, or what a figure leaves out."""


def program() -> str:
    """The path of the program: ``$ATTNVIZ``, else the one that was installed with this package. Another version that
    happens to be on the path is never run."""
    if chosen := os.environ.get("ATTNVIZ"):
        return chosen
    name = "attnviz.exe" if sys.platform == "win32" else "attnviz"
    user = "nt_user" if os.name == "nt" else "osx_framework_user" if sys._framework else "posix_user"
    package = Path(__file__).resolve().parent
    folders: list[str | Path] = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme=user),
        package.parent / "bin",  # pip install --target
    ]
    for folder in folders:
        if (path := Path(folder, name)).is_file():
            return str(path)
    hint = "install the wheel (pip install attnviz), or let the variable ATTNVIZ name the program"
    raise AttnvizError(f"the program {name} is not in {', '.join(map(str, folders))}", hint)


def flags(options: Mapping[str, Flag]) -> list[str]:
    """``layer=[0, 3], words=True`` as the program reads it: ``--layer=0,3 --words``."""
    written = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")  # with_ is Python's way to say with
        if value is None or value is False:
            continue
        if value is True:
            written.append(flag)
        elif isinstance(value, (str, int, float)):
            written.append(f"{flag}={value}")
        else:
            written.append(f"{flag}={','.join(map(str, value))}")
    return written


def run(arguments: Sequence[str], text: str | None = None) -> list[str]:
    """Runs the program to its end; the remarks it made, which are also Python warnings."""
    # One byte-order mark and one final newline are not part of a text that is read: these are those.
    told = b"" if text is None else ("\ufeff" + text + "\n").encode()
    try:
        ran = subprocess.run([program(), *arguments], input=told, capture_output=True, check=False)
    except OSError as error:
        raise AttnvizError(f"the program does not start: {error}", "see what the variable ATTNVIZ names") from error
    said = ran.stderr.decode("utf-8", "replace").splitlines()
    if ran.returncode:
        failed = [line for line in said if line.startswith("error: ")]
        hints = [line for line in said if line.startswith("hint: ")]
        message = failed[-1][len("error: ") :] if failed else f"it ended with {ran.returncode}: {' '.join(said)}"
        raise AttnvizError(message, hints[-1][len("hint: ") :] if hints else "", ran.returncode)
    for line in said:
        if not line.startswith("--"):  # advice on flags to try
            warnings.warn(line, AttnvizWarning, stacklevel=4)
    return said
