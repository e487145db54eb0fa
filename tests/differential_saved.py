"""Attention as other programs save it, drawn to data by the program and compared with NumPy: equal number by number, token by token,
or refused by a message that names what is wrong. Every way of saving is drawn at random: bertviz, inseq, TransformerLens, transformers.

    python tests/differential_saved.py target/release/attnviz --count 200 --seed 0
    python tests/differential_saved.py target/release/attnviz --freeze    # the sample that tests/suite/saved_attention.rs reads

It needs numpy, torch, safetensors and tokenizers; cases of inseq are left out, and counted, where inseq is not installed.
"""

import argparse
import collections
import functools
import json
import pathlib
import pickle
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

SAMPLE = pathlib.Path(__file__).parent / "fixtures" / "saved"


class Case:
    """A file, how it is asked for, and what is right: the numbers and tokens, or what an error says."""

    def __init__(self, style):
        self.style, self.flags = style, []
        self.attention = self.tokens = self.queries = self.kind = self.prompt = self.refused = None
        self.hint_makes = False  # whether the lines of the hint make a file that is read

    def right(self, attention, tokens=None, queries=None, kind=None):
        self.attention, self.tokens, self.queries, self.kind = attention.astype(np.float32), tokens, queries, kind
        return self


def softmax(scores):
    with np.errstate(invalid="ignore"):
        weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def patterns(rng, *shape, kind="causal"):
    """Random attention, [..., query, key]."""
    scores = rng.normal(size=shape) * 2
    queries, keys = shape[-2:]
    if kind == "causal":
        scores = np.where(np.tri(queries, keys, keys - queries, dtype=bool), scores, -np.inf)
    return softmax(scores)


# --- tokens ---------------------------------------------------------------------------------------------------------------

WORDS = ["the", "old", "king", "café", "naïve", "über", "princess", "世界", "😀", "Ångström", "x", "42", "Žižek"]


def gpt2_bytes():
    """GPT-2's alphabet, byte by byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table, more = {byte: chr(byte) for byte in plain}, 0
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(0x100 + more)
            more += 1
    return table


BYTES = gpt2_bytes()


def pieces(rng, count):
    """Pieces of a text, each a piece of a word with the space before it, and their number."""
    found = []
    while len(found) < count:
        word = rng.choice(WORDS)
        at = rng.randrange(1, len(word)) if len(word) > 2 and rng.random() < 0.5 else None
        parts = [word[:at], word[at:]] if at else [word]
        found += [(" " if found and not inner else "") + part for inner, part in enumerate(parts)]
    return found[:count]


def written(rng, count):
    """A list of tokens as a tokenizer writes them, the texts they stand for, and the prompt or None."""
    style = rng.choice(["byte-level", "byte-level", "sentencepiece", "wordpiece", "plain", "plain", "apart", "quoted", "none"])
    if style == "none":
        return None, None, None
    texts = pieces(rng, count)
    prompt = "".join(texts)
    special = rng.random() < 0.4 and count > 1
    if style == "byte-level":
        tokens = ["".join(BYTES[byte] for byte in text.encode()) for text in texts]
        if not any("Ġ" in token for token in tokens):
            return written(rng, count)
        if special:
            tokens[0] = texts[0] = rng.choice(["<|endoftext|>", "<| end of text |>"])
    elif style == "sentencepiece":
        tokens = [text.replace(" ", "▁") for text in texts]
        tokens[0] = "▁" + tokens[0]
        texts[0] = " " + texts[0]
        if special:
            tokens[0] = texts[0] = "<s>"
        if rng.random() < 0.4:
            tokens[-1], texts[-1] = "<0x0A>", "\n"
        if not any(token.startswith("▁") for token in tokens):
            return written(rng, count)
        prompt = "".join(texts[1:] if special else texts)
    elif style == "wordpiece":
        tokens = [text[1:] if text.startswith(" ") else "##" + text for text in texts]
        tokens[0] = tokens[0].removeprefix("##")
        texts = tokens
        if not any(token.startswith("##") for token in tokens):
            return written(rng, count)
        if special:
            tokens[0] = "[CLS]"
    elif style == "apart":
        tokens = texts = [text.strip() for text in texts]
        if sum(any(c.isalnum() for c in token) for token in tokens) < 2 or "##" in tokens[0]:
            return written(rng, count)
        return tokens, texts, None
    elif style == "quoted":
        tokens = [repr(text) for text in texts]
        return tokens, texts, None
    else:
        tokens = texts
        if not any(" " in token for token in tokens):
            return written(rng, count)
    if special:
        return tokens, texts, None
    return tokens, texts, prompt if rng.random() < 0.5 else None


# --- ways of saving ---------------------------------------------------------------------------------------------------------

DTYPES = ["<f4", "<f4", "<f8", "<f2", ">f4", ">f8", ">f2"]


def cast(rng, array, f16=True):
    """The array in a random type and order, and what its numbers are then."""
    dtype = rng.choice([name for name in DTYPES if f16 or not name.endswith("2")])
    array = array.astype(dtype)
    if rng.random() < 0.3:
        array = np.asfortranarray(array)
    return array


def save(rng, path, arrays, tokens=None, names="tokens", prompt=None):
    """An NPZ or safetensors file of arrays, with tokens; returns its path and the arrays as they are in it."""
    texts = {}
    if tokens is not None:
        texts[names] = tokens
    if rng.random() < 0.5:
        arrays = {name: cast(rng, array) if array.dtype.kind == "f" else array for name, array in arrays.items()}
        extra = {name: np.array(value) for name, value in texts.items()}
        if prompt is not None:
            extra["prompt"] = np.array(prompt)
        path = path.with_suffix(".npz")
        rng.choice([np.savez, np.savez_compressed])(path, **arrays, **extra)
        return path, arrays
    path = path.with_suffix(".safetensors")
    dump = repr if rng.random() < 0.3 else json.dumps
    metadata = {name: dump(value) for name, value in texts.items()} | ({"prompt": prompt} if prompt is not None else {})
    if rng.random() < 0.3:
        tensors = {name: torch.tensor(array).to(torch.bfloat16) if array.dtype.kind == "f" else torch.tensor(array)
                   for name, array in arrays.items()}
        save_tensors(tensors, path, metadata=metadata or None)
        return path, {name: tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()
                      for name, tensor in tensors.items()}
    kinds = {name: rng.choice(["f2", "f4", "f8"]) for name in arrays}
    arrays = {name: np.ascontiguousarray(array.astype(kinds[name])) if array.dtype.kind == "f" else array
              for name, array in arrays.items()}
    save_file(arrays, path, metadata=metadata or None)
    return path, arrays


def sizes(rng):
    return rng.randint(1, 3), rng.randint(1, 3), rng.randint(2, 6)


def whole(rng, numbers, path):
    """transformers: torch.stack(outputs.attentions), of a decoder or an encoder."""
    layers, heads, n = sizes(rng)
    kind = rng.choice(["causal", "encoder"])
    shape = (layers, 1, heads, n, n) if rng.random() < 0.6 else (layers, heads, n, n)
    tokens, texts, prompt = written(rng, n)
    case = Case(f"transformers, {kind}")
    case.path, arrays = save(rng, path, {"attention": patterns(numbers, *shape, kind=kind)}, tokens, prompt=prompt)
    if kind == "encoder" and rng.random() < 0.3:
        case.flags = ["--kind", "encoder"]
    return case.right(arrays["attention"].reshape(layers, heads, n, n), texts, kind=None if kind == "causal" else kind)


def cached(rng, numbers, path):
    """transformers: the last tokens of a text whose beginning is in the cache."""
    layers, heads, n = sizes(rng)
    queries = rng.randint(1, n)
    tokens, texts, prompt = written(rng, n)
    case = Case("transformers, cached")
    case.path, arrays = save(rng, path, {"attention": patterns(numbers, layers, 1, heads, queries, n)}, tokens, prompt=prompt)
    return case.right(arrays["attention"][:, 0], texts)


def per_layer(rng, numbers, path):
    """transformers: np.savez(*outputs.attentions), or a name for each layer."""
    layers, heads, n = rng.randint(1, 12), rng.randint(1, 3), rng.randint(2, 5)
    template = rng.choice(["arr_{}", "attention_{}", "attentions.{}", "layer_{}", "attn_{}", "layers.{}.attention"])
    named = {template.format(layer): patterns(numbers, 1, heads, n, n) for layer in range(layers)}
    case, tokens = Case("transformers, a list of layers"), (None, None, None)
    if template == "arr_{}":
        path = path.with_suffix(".npz")
        arrays = {name: cast(rng, array) for name, array in named.items()}
        np.savez(path, *arrays.values())
        case.path = path
    else:
        tokens = written(rng, n)
        items = list(named.items())
        rng.shuffle(items)
        case.path, arrays = save(rng, path, dict(items), tokens[0], prompt=tokens[2])
    return case.right(np.stack([arrays[name][0] for name in named]), tokens[1])


def transformer_lens(rng, numbers, path):
    """TransformerLens: a cache, with or without the batch of one, whole or some of it."""
    layers, heads, n = rng.randint(1, 12), rng.randint(1, 3), rng.randint(2, 5)
    first, batch = rng.choice([0, 0, 3]), (1,) if rng.random() < 0.5 else ()
    arrays = {}
    for layer in range(first, first + layers):
        arrays[f"blocks.{layer}.attn.hook_pattern"] = patterns(numbers, *batch, heads, n, n)
        arrays[f"blocks.{layer}.attn.hook_attn_scores"] = numbers.normal(size=(*batch, heads, n, n))
        arrays[f"blocks.{layer}.attn.hook_q"] = numbers.normal(size=(*batch, n, heads, 2))
    tokens, texts, prompt = written(rng, n)
    case = Case("TransformerLens, a cache")
    case.path, arrays = save(rng, path, arrays, tokens, prompt=prompt)
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(first, first + layers)]
    return case.right(np.stack([arrays[name].reshape(heads, n, n) for name in names]), texts)


def bertviz(rng, numbers, path):
    """bertviz: what model_view takes of an encoder with a decoder."""
    layers, heads, n = sizes(rng)
    m = rng.randint(2, 6)
    arrays = {"encoder_attention": patterns(numbers, layers, 1, heads, n, n, kind="encoder"),
              "decoder_attention": patterns(numbers, layers, 1, heads, m, m),
              "cross_attention": patterns(numbers, layers, 1, heads, m, n, kind="cross")}
    # Its format_special_chars puts the spaces back.
    encoder, decoder = ([text if at else text + "x" for at, text in enumerate(pieces(rng, count))] for count in (n, m))
    if not all(any(" " in text for text in side) for side in (encoder, decoder)):
        return bertviz(rng, numbers, path)
    path = path.with_suffix(".npz")
    arrays = {name: cast(rng, array) for name, array in arrays.items()}
    np.savez(path, **arrays, encoder_tokens=encoder, decoder_tokens=decoder)
    kind = rng.choice(["encoder", "causal", "cross", None])
    case = Case("bertviz, an encoder and a decoder")
    case.path = path
    if kind is None:
        case.refused = "several kinds of attention"
        return case
    case.flags = ["--kind", kind]
    side = {"encoder": encoder, "causal": decoder, "cross": encoder}[kind]
    array = arrays[{"causal": "decoder_attention"}.get(kind, f"{kind}_attention")][:, 0]
    return case.right(array, side, decoder if kind == "cross" else None, None if kind == "causal" else kind)


def cross(rng, numbers, path):
    """transformers: cross-attention alone, with names for both sides or for none."""
    layers, heads, n = sizes(rng)
    m = rng.randint(1, 7)
    name = rng.choice(["attention", "cross_attentions"])
    key, query = rng.choice([("key_tokens", "query_tokens"), ("source_tokens", "target_tokens"), ("encoder_tokens", "decoder_tokens")])
    keys, queries = written(rng, n), written(rng, m)
    case = Case("transformers, cross-attention")
    array = cast(rng, patterns(numbers, layers, 1, heads, m, n, kind="cross"))
    texts = {key: keys[0], query: queries[0]}
    case.path = path.with_suffix(".npz")
    np.savez(case.path, **{name: array}, **{name: np.array(value) for name, value in texts.items() if value is not None})
    if name == "attention":
        case.flags = ["--kind", "cross"]
    return case.right(array[:, 0], keys[1], queries[1] or [str(at) for at in range(m)], "cross")


def batch(rng, numbers, path):
    """transformers: a padded batch with its mask, of which one item is drawn."""
    layers, heads, n = sizes(rng)
    count, left = rng.randint(2, 4), rng.random() < 0.5
    lengths = [rng.randint(1, n) for _ in range(count)]
    mask = np.zeros((count, n), dtype=rng.choice(["i8", "i4", "bool"]))
    array, rows = np.zeros((layers, count, heads, n, n)), []
    for item, length in enumerate(lengths):
        place = slice(n - length, n) if left else slice(0, length)
        mask[item, place] = 1
        array[:, item] = patterns(numbers, layers, heads, n, n, kind="encoder")  # of padding, whatever it is
        array[:, item, :, :, :] = np.where(mask[item].astype(bool)[None, None, None, :], array[:, item], 0)
        array[:, item, :, place, place] = patterns(numbers, layers, heads, length, length)
        words = [" x"] * n
        words[place] = [f" {rng.choice(WORDS)}" for _ in range(length)]
        rows.append(words)
    item, case = rng.randrange(count), Case("transformers, a padded batch")
    arrays = {"attention": array, "attention_mask": mask}
    if rng.random() < 0.4:
        arrays = {f"attention_{layer}": array[layer] for layer in range(layers)} | {"attention_mask": mask}
    case.path, arrays = save(rng, path, arrays, rows)
    array = arrays["attention"] if "attention" in arrays else np.stack([arrays[f"attention_{layer}"] for layer in range(layers)])
    if rng.random() < 0.15:
        case.refused = f"a batch of {count} items"
        return case
    case.flags = ["--item", str(item if rng.random() < 0.7 else item - count)]
    kept = mask[item].astype(bool)
    return case.right(array[:, item][..., kept, :][..., kept], [text for text, kept in zip(rows[item], kept) if kept])


def odd(rng, numbers, path):
    """Numbers that are no weights, shapes that are no attention, and what is left of padding."""
    layers, heads, n = sizes(rng)
    array = patterns(numbers, layers, heads, n, n)
    what = rng.choice(["nan rows", "percent", "nan", "inf", "negative", "integers", "bool", "all nan", "rank 2", "rank 3", "missing",
                       "unequal", "objects", "empty", "no name", "counts", "causal", "tall", "item"])
    case, named, flags = Case(f"odd: {what}"), None, []
    place = (rng.randrange(layers), rng.randrange(heads), rng.randrange(n), rng.randrange(n))
    if what == "nan rows":
        array[:, :, : rng.randint(1, n - 1)] = np.nan
    elif what == "percent":
        array *= 100
    elif what in ("nan", "inf"):
        array[place] = np.nan if what == "nan" else rng.choice([np.inf, -np.inf])
        case.refused = f"{'NaN' if what == 'nan' else 'inf'} at [layer, head, query, key] = {list(place)}"
        if what == "inf" and array[place] < 0:
            case.refused = "-" + case.refused
    elif what == "negative":
        array, case.refused = numbers.normal(size=array.shape) - 9, "a weight of -"
    elif what in ("integers", "bool"):
        array = (array > 0.5).astype("i8" if what == "integers" else "bool")
        case.refused = "numbers of type " + ("i64" if what == "integers" else "bool")
    elif what == "all nan":
        array[:], case.refused = np.nan, "nothing but NaN"
    elif what in ("rank 2", "rank 3"):
        array = array[0, 0] if what == "rank 2" else array[0]
        case.refused = f"shape [{', '.join(map(str, array.shape))}]"
    elif what == "missing":
        named, case.refused = {"attention_0": array[:1], "attention_2": array[:1]}, "layer 1 is missing"
    elif what == "unequal":
        named = {"attention_0": array[:1], "attention_1": array[:1, :, :1]}
        case.refused = "attention_1 has shape"
    elif what == "objects":
        ragged = np.empty(2, dtype=object)
        ragged[0], ragged[1] = array[0], array[0, :, :1]
        case.path, case.refused = path.with_suffix(".npz"), "|O"
        np.savez(case.path, attention=ragged)
        return case
    elif what == "empty":
        array, case.refused = array[:0], "it is empty"
    elif what == "no name":
        named, case.refused = {"logits": array}, "there is no array `attention`, only: logits"
    elif what == "counts":
        case.path, case.refused = path.with_suffix(".npz"), f"tokens has {n + 1} entries, but attention has {n} keys"
        np.savez(case.path, attention=array, tokens=[" x"] * (n + 1))
        return case
    elif what == "causal":
        array = patterns(numbers, layers, heads, n, n, kind="encoder")
        flags, case.refused = ["--kind", "causal"], "not causal"
    elif what == "tall":
        array = patterns(numbers, layers, heads, n, n - 1, kind="cross")
        case.refused = f"{n} queries but only {n - 1} keys"
    elif what == "item":
        flags, case.refused = ["--item", "1"], "the file has 1 item"
    case.path, arrays = save(rng, path, named or {"attention": array})
    case.flags = flags
    return case if case.refused else case.right(arrays["attention"])


def foreign(rng, numbers, path):
    """torch.save, a pickle, JSON, or an array alone."""
    layers, heads, n = sizes(rng)
    array = patterns(numbers, layers, 1, heads, n, n).astype("f4")
    what = rng.choice(["torch list", "torch dict", "torch old", "pickle", "json", "npy"])
    case = Case(f"another format: {what}")
    case.path = path.with_suffix({"pickle": ".pkl", "json": ".json", "npy": ".npy"}.get(what, ".pt"))
    layers_of = [torch.tensor(layer) for layer in array]
    if what == "torch list":
        torch.save(tuple(layers_of), case.path)
    elif what == "torch dict":
        torch.save({"attention": torch.tensor(array)}, case.path)
    elif what == "torch old":
        torch.save(layers_of, case.path, _use_new_zipfile_serialization=False)
    elif what == "pickle":
        case.path.write_bytes(pickle.dumps([np.array(layer) for layer in array]))
    elif what == "json":
        case.path.write_text(json.dumps({"attention": array.tolist(), "tokens": [f" {at}" for at in range(n)]}))
    else:
        np.save(case.path, cast(rng, array, f16=False))
        return case.right(array[:, 0])
    case.refused = {"pickle": "pickle", "json": "JSON"}.get(what, "torch.save")
    case.hint_makes = True
    return case.right(array[:, 0], [f" {at}" for at in range(n)] if what == "json" else None)


def inseq(rng, numbers, path):
    """inseq: out.save of attention as attribution, [key, step, layer, head]: of a decoder that began with a prompt, or of its encoder."""
    from inseq.data.attribution import FeatureAttributionOutput, FeatureAttributionSequenceOutput
    from inseq.utils.typing import TokenWithId

    layers, heads, n = sizes(rng)
    start = rng.randint(1, n - 1)
    target = [TokenWithId(f"{'Ġ' if at else ''}t{at}", at) for at in range(n)]
    source, texts = target[:start], [f"{' ' if at else ''}t{at}" for at in range(n)]
    case = Case("inseq, out.save")
    case.path = path.with_suffix(".json")
    if rng.random() < 0.5:
        array = patterns(numbers, layers, heads, n - start, n).astype("f4")
        attributions = {"target_attributions": torch.tensor(array).permute(3, 2, 0, 1)}
        case.right(array, texts)
    else:
        m = rng.randint(2, 6)
        source = [TokenWithId(f"{'Ġ' if at else ''}s{at}", at) for at in range(m)]
        array = patterns(numbers, layers, heads, n - start, m, kind="cross").astype("f4")
        attributions = {"source_attributions": torch.tensor(array).permute(3, 2, 0, 1)}
        case.right(array, [f"{' ' if at else ''}s{at}" for at in range(m)], texts[start:], "cross")
    sequence = FeatureAttributionSequenceOutput(source=source, target=target, attr_pos_start=start, attr_pos_end=n, **attributions)
    info = {"input_texts": [""], "generated_texts": [""]}
    FeatureAttributionOutput(sequence_attributions=[sequence], info=info).save(case.path, overwrite=True)
    case.refused, case.hint_makes = "JSON of inseq", True
    return case


@functools.cache
def trained():
    """Small tokenizers of each kind, trained on the words above."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    texts = [" ".join(random.Random(seed).choices(WORDS, k=8)) for seed in range(200)]
    level = Tokenizer(models.BPE())
    level.pre_tokenizer, level.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    level.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=290, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    piece = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    piece.pre_tokenizer, piece.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    piece.train_from_iterator([text.replace("😀", "").replace("世界", "") for text in texts],
                              trainers.BpeTrainer(vocab_size=320, special_tokens=["<unk>", *fallback]))
    words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.pre_tokenizer, words.decoder = pre_tokenizers.Whitespace(), decoders.WordPiece()
    words.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=90, special_tokens=["[UNK]", "[CLS]"]))
    return {"byte-level": level, "byte fallback": piece, "WordPiece": words}


def bytes_of(token, kind):
    """What a token stands for."""
    if kind == "byte-level":
        back = {char: byte for byte, char in BYTES.items()}
        return bytes(back[char] for char in token)
    if token.startswith("<0x"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()


def tokenizers(rng, numbers, path):
    """Tokens of a real tokenizer, with its text or without."""
    kind = rng.choice(["byte-level", "byte fallback", "WordPiece"])
    text = " ".join(rng.choices(WORDS, k=rng.randint(2, 5)))
    tokens = trained()[kind].encode(text).tokens
    marks = {"byte-level": "Ġ", "byte fallback": "▁", "WordPiece": "##"}
    if "[UNK]" in tokens or not any(token.startswith(marks[kind]) for token in tokens):
        return tokenizers(rng, numbers, path)
    case, saved = Case(f"tokenizers, {kind}"), rng.random() < 0.5
    n = len(tokens)
    case.path, arrays = save(rng, path, {"attention": patterns(numbers, 1, 1, n, n)}, tokens, prompt=text if saved else None)
    if kind == "WordPiece":
        return case.right(arrays["attention"], tokens)
    parts = [bytes_of(token, kind) for token in tokens]
    assert b"".join(parts).decode().strip() == text
    case.right(arrays["attention"], [part.decode(errors="replace") for part in parts])
    case.prompt = text if saved or kind == "byte-level" else " " + text
    return case


WAYS = [whole, whole, cached, per_layer, transformer_lens, bertviz, cross, batch, odd, odd, foreign, inseq, tokenizers]


# --- comparing --------------------------------------------------------------------------------------------------------------


def run(binary, path, flags, folder):
    out = [folder / f"out.{kind}" for kind in ("npz", "json")]
    for old in out:
        old.unlink(missing_ok=True)
    command = [binary, "render", str(path), *flags, "-o", str(out[0]), "-o", str(out[1])]
    return subprocess.run(command, capture_output=True, text=True, timeout=120), out


def check(binary, case, folder):
    """What came of a case: `equal` or `refused`, and what is wrong, if anything."""
    path, refused = case.path, False
    ran, out = run(binary, path, case.flags, folder)
    if ran.returncode not in (0, 1, 2) or "panicked" in ran.stderr:
        return "crashed", ran.stderr
    if case.refused:
        if ran.returncode == 0:
            return "drawn", "it should be refused: " + case.refused
        if case.refused not in ran.stderr.splitlines()[0]:
            return "refused", f"the error does not say {case.refused!r}: {ran.stderr}"
        if not case.hint_makes:
            return "refused", None
        # The lines that the hint gives make a file that is read.
        hint = ran.stderr.splitlines()[1]
        exec(hint[hint.index("import "):], {})
        path, refused = path.with_suffix(".npz"), True
        ran, out = run(binary, path, [], folder)
    if ran.returncode != 0:
        return "refused", f"it should be drawn: {ran.stderr}"
    said = json.loads(out[1].read_text())
    result = said["results"][0]
    drawn = np.load(out[0])["attention"]
    if drawn.shape != case.attention.shape or not np.array_equal(drawn, case.attention, equal_nan=True):
        return "drawn", f"numbers differ: shape {drawn.shape}, not {case.attention.shape}"
    keys = case.tokens or [str(at) for at in range(drawn.shape[3])]
    # A piece of a character is shown byte by byte.
    same = [drawn == key or "\N{REPLACEMENT CHARACTER}" in key for drawn, key in zip(said["tokens"], keys)]
    if len(said["tokens"]) != len(keys) or not all(same):
        return "drawn", f"tokens are {said['tokens']}, not {keys}"
    if result.get("query_tokens") != case.queries:
        return "drawn", f"queries are {result.get('query_tokens')}, not {case.queries}"
    if case.prompt is not None and said["prompt"] != case.prompt:
        return "drawn", f"the prompt is {said['prompt']!r}, not {case.prompt!r}"
    if result.get("kind") != case.kind:
        return "drawn", f"it is {result.get('kind')}, not {case.kind}"
    return "refused" if refused else "equal", None


def freeze(binary, folder):
    """A small sample, for a test that needs no Python: the files, and what is right of each."""
    SAMPLE.mkdir(exist_ok=True)
    for old in SAMPLE.iterdir():
        old.unlink()
    right, seed, seen = [], 0, collections.Counter()
    for seed in range(600):
        case = draw(seed, folder)
        if case is None or seen[case.style] or case.path.stat().st_size > 3000:
            continue
        came, wrong = check(binary, case, folder)
        if wrong:
            sys.exit(f"seed {seed}, {case.style}: {wrong}")
        seen[case.style] += 1
        name = f"{len(right):02}{case.path.suffix}"
        (SAMPLE / name).write_bytes(case.path.read_bytes())
        entry = {"file": name, "what": case.style, "flags": case.flags}
        if case.refused:
            entry["refused"] = case.refused
        else:
            numbers = [None if np.isnan(number) else float(str(number)) for number in case.attention.ravel()]
            entry |= {"shape": case.attention.shape, "attention": numbers, "tokens": case.tokens, "query_tokens": case.queries, "kind": case.kind}
        right.append(entry)
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in right)
    (SAMPLE / "right.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(right)} files, {sum(file.stat().st_size for file in SAMPLE.iterdir())} bytes")


def draw(seed, folder):
    """The case of a number; None where what it needs is not installed."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    path = folder / f"case{seed}"
    try:
        return rng.choice(WAYS)(rng, numbers, path)
    except ImportError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--freeze", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if args.freeze:
            return freeze(args.binary, folder)
        came, styles, faults, left_out = collections.Counter(), collections.defaultdict(collections.Counter), [], 0
        for seed in range(args.seed, args.seed + args.count):
            case = draw(seed, folder)
            if case is None:
                left_out += 1
                continue
            result, wrong = check(args.binary, case, folder)
            came[result] += 1
            styles[case.style][result] += 1
            if wrong:
                faults.append((seed, case.style, result, wrong))
    for style, results in sorted(styles.items()):
        print(f"{style:40} {', '.join(f'{count} {what}' for what, count in sorted(results.items()))}")
    for seed, style, result, wrong in faults:
        print(f"seed {seed}: {style}: {result}: {wrong}")
    silent = sum(result == "drawn" for _, _, result, _ in faults)
    print(f"{sum(came.values())} cases: {came['equal']} equal, {came['refused']} refused by name, {silent} silent differences, "
          f"{len(faults) - silent} other faults, {left_out} left out")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
