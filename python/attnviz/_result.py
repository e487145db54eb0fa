"""What a command found."""

from __future__ import annotations

import base64
import html
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._run import run


class Result(Mapping[str, "NDArray[Any]"]):
    """Arrays by name, as in the ``.npz`` file of the same command, with what they are of; in a notebook it shows its figure.

    ``result["attention"]`` is an array; ``list(result)`` tells the names; ``docs/files.md`` says what each holds.
    """

    record: dict[str, Any]
    """Everything about this result that is not an array: version, model with its hash, options, prompt, results."""
    remarks: list[str]
    """What the program said: assumptions, what is left out, advice."""

    def __init__(self, arguments: Sequence[str], text: str | None = None, saved: Mapping[str, Any] | None = None) -> None:
        with tempfile.TemporaryDirectory(prefix="attnviz-") as folder:
            names = {name: str(Path(folder, name)) for name in ["input.npz", "result.npz", "figure.svg"]}
            source = [] if text is None else ["-"]
            if saved:
                np.savez(names["input.npz"], **saved)
                source = [names["input.npz"]]
            self.remarks = run([*arguments, "-o", names["result.npz"], "-o", names["figure.svg"], *source], text)
            self._files = {name: Path(path).read_bytes() for name, path in names.items() if Path(path).exists()}
        with np.load(io.BytesIO(self._files["result.npz"]), allow_pickle=False) as file:
            self.record = json.loads(str(file["attnviz"]))
            self._arrays: dict[str, NDArray[Any]] = {name: file[name] for name in file.files if name != "attnviz"}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @property
    def tokens(self) -> list[str]:
        """The text of each token: names for the axes that are queries or keys."""
        return list(self.record["tokens"])

    @property
    def words(self) -> list[str]:
        """The words that take the tokens' place where ``words`` was asked for, else the tokens."""
        return list(self.results[0].get("words") or self.tokens)

    @property
    def results(self) -> list[dict[str, Any]]:
        """What each method or map says beside its arrays: labels of heads, the target, totals, the numbers of layers and heads."""
        return list(self.record["results"])

    def save(self, path: str | Path) -> Path:
        """Writes it to a file whose extension decides the format: ``.png``, ``.svg``, ``.pdf``, ``.html``, ``.csv``, ``.json``, ``.npz`` …

        Raises ``AttnvizError`` where the program does, and computes again what is neither ``.npz`` nor ``.svg``.
        """
        path = Path(path)
        kept = {".npz": "result.npz", ".svg": "figure.svg"}.get(path.suffix)
        if kept:
            path.write_bytes(self._files[kept])
            return path
        with tempfile.TemporaryDirectory(prefix="attnviz-") as folder:
            for name, content in self._files.items():
                Path(folder, name).write_bytes(content)
            source = ["--input", str(Path(folder, "input.npz"))] if "input.npz" in self._files else []
            run(["rerun", str(Path(folder, "result.npz")), *source, "-q", "-o", str(path)])
        return path

    def _repr_svg_(self) -> str:
        return self._files["figure.svg"].decode()

    def _repr_html_(self) -> str:
        # An image, so that figures of several cells share no names inside, and none is wider than the page.
        picture = base64.b64encode(self._repr_svg_().encode()).decode()
        alt = html.escape(f"attnviz {self.record['command']}: {self.record.get('prompt') or 'saved attention'}")
        return f'<img style="max-width: 100%" alt="{alt}" src="data:image/svg+xml;base64,{picture}">'

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {list(array.shape)}" for name, array in self.items())
        return f"<attnviz {self.record['command']} of {len(self.tokens)} tokens: {arrays}>"
