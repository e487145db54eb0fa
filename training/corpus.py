"""The corpus: a folder of plain-text books, split, tokenized and packed once.

The last 2 % of every book's bytes, from the next paragraph on, are held out: neither the tokenizer nor the model sees them.
"""
import hashlib
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

END_OF_TEXT = "<|endoftext|>"  # id 0, begins every book
HELD_OUT = 0.02
BLOCK = 512


def books(folder):
    """(name, training text, held-out text) of every book that books.tsv lists, in its order."""
    rows = (Path(__file__).parent / "books.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for name in (row.split("\t")[0] for row in rows):
        text = (Path(folder) / f"{name}.txt").read_text(encoding="utf-8")
        data = text.encode()
        cut = data.find(b"\n\n", int(len(data) * (1 - HELD_OUT)))
        cut = len(data) if cut < 0 else cut + 2
        yield name, data[:cut].decode(), data[cut:].decode()


def train_tokenizer(texts, size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END_OF_TEXT], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def pack(folder, tokenizer, cache):
    """Every book's training tokens, each book begun by end-of-text, as one u16 array, kept in `cache` by its inputs."""
    texts = [text for _, text, _ in books(folder)]
    key = hashlib.sha256((tokenizer.to_str() + "\0".join(texts)).encode()).hexdigest()[:16]
    path = Path(cache) / f"tokens-{key}.npy"
    if not path.exists():
        ids = [[0] + encoding.ids for encoding in tokenizer.encode_batch(texts)]
        np.save(path, np.concatenate([np.array(book, dtype=np.uint16) for book in ids]))
    return np.load(path, mmap_mode="r")


def held_out_windows(folder, tokenizer, keep=lambda window: True):
    """Windows (inputs, targets) of at most BLOCK tokens that score every held-out token once, and the bytes of those targets.

    A book's held-out text starts after end-of-text; consecutive windows do not see each other.
    """
    count, windows, size = 0, [], 0
    for _, _, text in books(folder):
        ids = [0] + tokenizer.encode(text).ids
        for start in range(0, len(ids) - 1, BLOCK):
            targets = ids[start + 1:start + 1 + BLOCK]
            if keep(count):
                windows.append((ids[start:start + len(targets)], targets))
                size += sum(len(tokenizer.id_to_token(t)) for t in targets)  # byte-level: a character a byte
            count += 1
    return windows, size


class Batches:
    """Sequences of step `s`: a function of (seed, s) alone, so that a stopped run goes on where it was.

    An epoch is a seeded permutation of blocks of BLOCK tokens. A share of the sequences is replaced by repeats of period 8 to
    half the length, half of them random ids and half a piece of real text. Random ids come from an alphabet of 4 to all
    tokens (log-uniform): where few tokens recur by chance, only exact previous-token heads can tell the places apart. The
    first period of random ids cannot be predicted and is not scored (target -100).
    """

    def __init__(self, tokens, vocabulary, tokens_a_step, seed):
        self.tokens, self.vocabulary, self.seed = tokens, vocabulary, seed
        self.blocks_a_step = tokens_a_step // BLOCK
        self.blocks = (len(tokens) - BLOCK - 1) // BLOCK
        self.epoch, self.order = -1, None

    def block(self, number):
        epoch, index = divmod(number, self.blocks)
        if epoch != self.epoch:
            rng = np.random.default_rng([self.seed, 1, epoch])
            self.epoch, self.order, self.shift = epoch, rng.permutation(self.blocks), rng.integers(BLOCK)
        start = self.order[index] * BLOCK + self.shift
        return self.tokens[start:start + BLOCK + 1].astype(np.int64)

    def step(self, step, length, repeat_share):
        """Inputs and targets, each [sequences, length]."""
        rng = np.random.default_rng([self.seed, 2, step])
        rows = []
        for i in range(self.blocks_a_step):
            block = self.block(step * self.blocks_a_step + i)
            rows += [block[a:a + length + 1] for a in range(0, BLOCK, length)]
        inputs = np.stack([row[:-1] for row in rows])
        targets = np.stack([row[1:] for row in rows])
        for i in np.flatnonzero(rng.random(len(rows)) < repeat_share):
            period = int(rng.integers(8, length // 2 + 1))
            real = rng.random() < 0.5
            if real:
                piece = rows[i][:period]
            else:
                size = round(4 * (self.vocabulary / 4) ** rng.random())
                piece = rng.choice(rng.integers(1, self.vocabulary, size), period)
            tiled = np.resize(piece, length + 1)
            inputs[i], targets[i] = tiled[:-1], tiled[1:]
            if not real:
                targets[i, :period - 1] = -100
        return inputs, targets
