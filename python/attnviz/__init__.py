"""attnviz from Python: the program's numbers as NumPy arrays, its figures in a notebook.

>>> import attnviz
>>> seen = attnviz.attention("Once upon a time", model="builtin")
>>> seen["attention"].shape  # layer, head, query, key
(5, 4, 4, 4)
>>> seen.tokens
['Once', ' upon', ' a', ' time']

Each function runs one command of the program that is in the same wheel. ``text`` is a prompt, or a sequence of token ids. ``model`` is a
folder, a hub id or ``"builtin"``; ``None`` is what the program takes where ``--model`` is not given. All other keywords are the
command's flags, with ``_`` for ``-``: ``layer=[0, 3]``, ``target=" son"``, ``theme="dark"``, ``bos=True``, ``with_="logits"``;
``attnviz COMMAND --help`` describes them. What the program refuses is an ``AttnvizError`` with its message and its hint; what it
assumes is an ``AttnvizWarning``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from ._result import Result
from ._run import AttnvizError, AttnvizWarning, Flag, flags, program

__all__ = [
    "AttnvizError", "AttnvizWarning", "Result",
    "attention", "heads", "lens", "mix", "program", "render", "saliency", "surprisal",
]  # fmt: skip

Text = Union[str, Sequence[int]]


def _ask(command: str, text: Text | None, model: str | None, options: dict[str, Flag]) -> Result:
    if text is not None and not isinstance(text, str):
        options, text = {**options, "ids": [int(token) for token in text]}, None
    return Result([command, *flags({"model": model, **options})], text)


def attention(text: Text, *, model: str | None = None, **options: Flag) -> Result:
    """What each head attends to: ``attention`` [layer, head, query, key]; ``with_="logits"`` (``hidden``, ``scores``) adds arrays."""
    return _ask("attention", text, model, options)


def saliency(text: Text, *, model: str | None = None, **options: Flag) -> Result:
    """Which tokens moved a prediction: ``scores`` [token], of several methods ``METHOD.scores``."""
    return _ask("saliency", text, model, options)


def lens(text: Text, *, model: str | None = None, **options: Flag) -> Result:
    """What each layer would have said: ``top``, ``p_top``, ``entropy_bits`` … [row, position], rows by name in ``results[0]["rows"]``."""
    return _ask("lens", text, model, options)


def heads(text: Text | None = None, *, model: str | None = None, **options: Flag) -> Result:
    """What each head does: scores [layer, head], names in ``results[0]["label"]``; without a text, on random tokens said twice."""
    return _ask("heads", text, model, options)


def mix(text: Text, *, model: str | None = None, **options: Flag) -> Result:
    """How much of each token reaches each position: ``METHOD.map``, of several methods also how far they agree."""
    return _ask("mix", text, model, options)


def surprisal(text: Text, *, model: str | None = None, **options: Flag) -> Result:
    """How surprising each token is: ``bits`` [token], the first one NaN where nothing is before it."""
    return _ask("surprisal", text, model, options)


def render(attentions: Any, tokens: Sequence[str] | None = None, **options: Flag) -> Result:
    """Attention that another program computed, such as ``model(ids, output_attentions=True).attentions`` of transformers.

    ``attentions`` is one array for each layer, [item, head, query, key] or [head, query, key], or one array of all, [layer, head, query,
    key] or [layer, item, head, query, key]; NumPy arrays, or tensors of torch on any device and of any precision. ``tokens`` names the
    axes in any tokenizer's way of writing (``tokenizer.convert_ids_to_tokens(ids[0])``); without them positions stand there. Options are
    those of ``attnviz render``: ``item``, ``kind``, ``layer``, ``head`` …
    """
    layers = [attentions] if hasattr(attentions, "shape") else list(attentions)
    if not layers:
        raise AttnvizError("there is no attention: the sequence is empty", 'load the model with attn_implementation="eager"')
    if any(layer is None for layer in layers):
        hint = 'load the model with attn_implementation="eager"; other implementations keep no attention'
        raise AttnvizError("attention of a layer is None", hint)
    names = ["attention"] if hasattr(attentions, "shape") else [f"attention_{at}" for at in range(len(layers))]
    saved = {name: _array(layer) for name, layer in zip(names, layers)}
    if tokens is not None:
        saved["tokens"] = [str(token) for token in tokens]
    return Result(["render", *flags(options)], saved=saved)


def _array(layer: Any) -> Any:
    """A tensor of torch without its gradient, on the CPU, in a precision that NumPy has; anything else as it is."""
    return layer.detach().cpu().float().numpy() if hasattr(layer, "detach") else layer
