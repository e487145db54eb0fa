"""Random GPT-2 folders with random tokenizers: attnviz must give transformers' ids, attention and logits, or say why not.

    python tests/differential_tokenizers.py path/to/attnviz [COUNT [SEED [SAMPLE_DIR]]]

Needs transformers, tokenizers, sentencepiece and protobuf. Each folder holds a random tiny GPT-2 and a tokenizer trained on a few
sentences: byte-level BPE, BPE with byte fallback or with </w>, WordPiece, Unigram or WordLevel, with random normalizers, pre-tokenizers,
post-processors, decoders and added tokens, saved as tokenizer.json, vocab.json and merges.txt, vocab.txt or a SentencePiece model, with or
without tokenizer_config.json, special_tokens_map.json and added_tokens.json of a random class and random switches. Forty texts go through
both programs. The reference is what AutoTokenizer and AutoModelForCausalLM (eager attention, float32) make of the same folder.

Outcomes: `equal`; `refused` by an error; `said` (the ids differ and a remark says that tokenizer.json is read as it is written: then they
must be those of PreTrainedTokenizerFast); `more` (transformers reads nothing, or fails); anything else is a failure, printed.
With SAMPLE_DIR, the tokenizers' files of those that are equal are copied there with expected ids, for a sample that tests run.
"""
import collections
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata

import torch
import transformers
from differential_checkpoints import model_of
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, GPT2Config, PreTrainedTokenizerFast
from transformers.utils import logging

CORPUS = """The old king met the fox by the well and said that the café was closed. Once upon a time there was a little girl.
She didn't know the way; she'd lost 12 coins in Zoë's garden, and it's naïve to think they'll come back. 東京 は 大きい。 Привет мир!
the cat sat on the mat the dog ran to the red door and the bird sang a song of the sea in the morning light of 1984""".splitlines() * 4
PIECES = ["the", "old king", "café", "Zoë's", "didn't", "12", "1984", "東京", "は", "Привет", "мир", "fox", "THE", "é", "e\u0301", "😀",
          "👩‍👩‍👧", "...", "(well)", "a,b", "<s>", "</s>", "[UNK]", "<|endoftext|>", "[SEP]", "<user>", "Ⅷ", "ﬁ", "\u00a0", "x", "ß",
          "İ", "it's", "they'll", "##on", "▁x", "Ġ", "<0x41>", "\u200d", "-", "—", "“", "’"]
JOINS = [" "] * 8 + ["", "", "  ", "\n", "\t", " \n ", "\r\n"]
CLASSES = [None, None, "PreTrainedTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend", "GPT2Tokenizer", "GPT2Tokenizer",
           "GPT2TokenizerFast", "RobertaTokenizer", "RobertaTokenizerFast", "GPTNeoXTokenizer", "CodeGenTokenizer", "BertTokenizer",
           "BertTokenizerFast", "T5Tokenizer", "LlamaTokenizer", "BartTokenizer", "ElectraTokenizer", "AlbertTokenizer", "XGLMTokenizer"]
SPECIALS = ["<s>", "</s>", "<unk>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "<pad>", "<|endoftext|>"]


def texts(r):
    all_ = []
    for _ in range(40):
        text = "".join(r.choice(PIECES + CORPUS[0].split()) + r.choice(JOINS) for _ in range(r.choice([1, 2, 4, 9])))
        all_.append(r.choice(["", "", "", " ", "\n"]) + (text if r.random() < 0.3 else text.strip()))
    return [text for text in all_ if text]


def added(r, text, special):
    flags = dict(lstrip=r.random() < 0.2, rstrip=r.random() < 0.2, single_word=r.random() < 0.1)
    return AddedToken(text, special=special, normalized=r.random() < 0.3, **flags)


def normalizer(r):
    return r.choice([None, None, None, None, normalizers.NFC(), normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip(),
                     normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]), normalizers.Replace("’", "'")])


def train(r, kind):
    """A tokenizer of one kind, trained; its special tokens are in its vocabulary."""
    special = r.sample(SPECIALS, r.choice([1, 3, 6]))
    size = r.choice([290, 330, 400])
    if kind == "bytes":
        tok = Tokenizer(models.BPE(dropout=0.3 if r.random() < 0.1 else None, ignore_merges=r.random() < 0.1))
        level = pre_tokenizers.ByteLevel(add_prefix_space=r.random() < 0.4, use_regex=r.random() < 0.9)
        split = pre_tokenizers.Split(Regex(r"\d|\s+|[^\s\d]+"), behavior="isolated")
        tok.pre_tokenizer = pre_tokenizers.Sequence([split, level]) if r.random() < 0.15 else level
        tok.decoder = r.choice([decoders.ByteLevel()] * 4 + [decoders.Sequence([decoders.ByteLevel()])])
        alphabet = pre_tokenizers.ByteLevel.alphabet() if r.random() < 0.9 else []
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    elif kind == "fallback":
        tok = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=r.random() < 0.5))
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=r.choice(["always", "first", "never"]), split=r.random() < 0.5)
        tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
                                        + ([decoders.Strip(" ", 1, 0)] if r.random() < 0.7 else []))
        trainer = trainers.BpeTrainer(vocab_size=size + 200, special_tokens=["<unk>"] + [f"<0x{i:02X}>" for i in range(256)] +
                                      [s for s in special if s != "<unk>"], show_progress=False)
    elif kind == "suffix":
        tok = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
        tok.pre_tokenizer = r.choice([pre_tokenizers.Whitespace(), pre_tokenizers.BertPreTokenizer(), pre_tokenizers.WhitespaceSplit()])
        tok.decoder = decoders.BPEDecoder(suffix="</w>")
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>"] + [s for s in special if s != "<unk>"],
                                      end_of_word_suffix="</w>", show_progress=False)
    elif kind == "wordpiece":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tok.normalizer = normalizers.BertNormalizer(lowercase=r.random() < 0.5)
        tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tok.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False)
    elif kind == "unigram":
        tok = Tokenizer(models.Unigram())
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=r.choice(["always", "first", "never"]))
        tok.decoder = decoders.Metaspace(prepend_scheme="always")
        trainer = trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", show_progress=False,
                                          special_tokens=["<pad>", "</s>", "<unk>"] + [s for s in special if s not in ("<pad>", "</s>", "<unk>")])
    else:
        tok = Tokenizer(models.WordLevel(unk_token="[UNK]"))
        tok.pre_tokenizer = r.choice([pre_tokenizers.Whitespace(), pre_tokenizers.WhitespaceSplit()])
        trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]"] + [s for s in special if s != "[UNK]"], show_progress=False)
    if kind != "wordpiece":
        tok.normalizer = normalizer(r) or tok.normalizer
    tok.train_from_iterator(CORPUS, trainer)
    tok.add_tokens([added(r, text, r.random() < 0.5) for text in r.sample(["<user>", "<bot>", "fox", "it's", "Ⅷ"], r.choice([0, 0, 1, 3]))])
    ids = [s for s in SPECIALS + ["[CLS]", "[SEP]"] if tok.token_to_id(s) is not None]
    choice = r.random()
    if choice < 0.25 and len(ids) > 1:
        front, behind = r.sample(ids, 2)
        single = r.choice([f"{front} $A {behind}", f"{front} $A", f"$A {behind}"])
        tok.post_processor = processors.TemplateProcessing(single=single, special_tokens=[(s, tok.token_to_id(s)) for s in (front, behind)])
    elif choice < 0.5 and kind == "bytes":
        tok.post_processor = processors.ByteLevel(trim_offsets=r.random() < 0.5)
    if r.random() < 0.1:
        tok.decoder = None
    return tok


def save_parts(r, tok, folder, kind, did):
    """One of the ways to save a vocabulary."""
    body = json.loads(tok.to_str())
    way = "json"
    if kind == "bytes" and r.random() < 0.35:
        way = "pair"
        (folder / "vocab.json").write_text(json.dumps(body["model"]["vocab"]))
        merges = body["model"]["merges"]
        lines = [m if isinstance(m, str) else " ".join(m) for m in merges]
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")
    elif kind == "wordpiece" and r.random() < 0.5:
        way = "vocab.txt"
        vocab = sorted(body["model"]["vocab"].items(), key=lambda item: item[1])
        (folder / "vocab.txt").write_text("".join(token + "\n" for token, _ in vocab), encoding="utf-8")
    else:
        (folder / "tokenizer.json").write_text(tok.to_str(), encoding="utf-8")
    did.append(way)
    return way


def save_pieces(r, folder, did):
    """A SentencePiece model; the class that reads it has its own name for the file."""
    import sentencepiece
    name = r.choice(["T5Tokenizer", "T5Tokenizer", "LlamaTokenizer", "PreTrainedTokenizerFast"])
    kind = "bpe" if name == "LlamaTokenizer" else ("unigram" if name == "T5Tokenizer" else r.choice(["unigram", "bpe"]))
    fallback = name == "LlamaTokenizer" or r.random() < 0.3
    with tempfile.TemporaryDirectory() as work:
        source = pathlib.Path(work) / "text"
        source.write_text("\n".join(CORPUS), encoding="utf-8")
        options = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1) if name == "T5Tokenizer" else {}
        sentencepiece.SentencePieceTrainer.train(
            input=str(source), model_prefix=f"{work}/m", vocab_size=r.choice([380, 420] if fallback else [130, 150]), model_type=kind,
            byte_fallback=fallback, hard_vocab_limit=False, minloglevel=2, add_dummy_prefix=r.random() < 0.8,
            remove_extra_whitespaces=r.random() < 0.6, user_defined_symbols=["<user>"] if r.random() < 0.4 else [],
            normalization_rule_name=r.choice(["nmt_nfkc", "identity", "nmt_nfkc_cf"]), **options)
        shutil.copy(f"{work}/m.model", folder / ("spiece.model" if name == "T5Tokenizer" else "tokenizer.model"))
    settings = {"tokenizer_class": name}
    if name == "T5Tokenizer" and r.random() < 0.6:
        settings["extra_ids"] = r.choice([0, 10])
    if r.random() < 0.3:
        settings["legacy"] = r.random() < 0.5
    if r.random() < 0.3:
        settings["add_eos_token"] = True
    if r.random() < 0.3:
        settings["add_bos_token"] = r.random() < 0.7
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    did += ["spm " + kind, name]


def settings(r, tok, folder, did):
    """tokenizer_config.json and what else says something of a vocabulary."""
    choice = r.random()
    if choice < 0.2:
        did.append("no config")
        return
    name = r.choice(CLASSES)
    fields = {} if name is None else {"tokenizer_class": name}
    for key, values in {"add_prefix_space": [True, False], "add_bos_token": [True, False], "add_eos_token": [True],
                        "do_lower_case": [True, False], "strip_accents": [True, False, None], "tokenize_chinese_chars": [False],
                        "split_special_tokens": [True], "model_max_length": [512, 1e30], "clean_up_tokenization_spaces": [True],
                        "trim_offsets": [True], "errors": ["replace"], "padding_side": ["left"], "legacy": [True, False]}.items():
        if r.random() < 0.18:
            fields[key] = r.choice(values)
    roles = {role: r.choice(SPECIALS + ["<new>"]) for role in ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token", "user_token")
             if r.random() < 0.25}
    if roles and r.random() < 0.2:
        role = r.choice(list(roles))
        roles[role] = r.choice([None, {"__type": "AddedToken", "content": roles[role], "lstrip": True, "rstrip": False, "normalized": False,
                                       "single_word": False}])
    extra = {"additional_special_tokens": r.sample(["<user>", "<bot>", "fox"], 2)} if r.random() < 0.15 else {}
    if r.random() < 0.4:
        listed = {str(i): t.__getstate__() if hasattr(t, "__getstate__") else {} for i, t in tok.get_added_tokens_decoder().items()}
        if r.random() < 0.3:
            listed[str(tok.get_vocab_size())] = AddedToken("<more>", special=r.random() < 0.5).__getstate__()
        fields["added_tokens_decoder"] = listed
        fields |= roles | extra
    else:
        if roles and r.random() < 0.6:
            (folder / "special_tokens_map.json").write_text(json.dumps({k: v for k, v in (roles | extra).items() if v is not None and not
                                                                        (isinstance(v, dict) and "__type" in v)}))
        else:
            fields |= roles | extra
        if not (folder / "tokenizer.json").exists() and r.random() < 0.4:
            size = tok.get_vocab_size(with_added_tokens=False)
            (folder / "added_tokens.json").write_text(json.dumps({"<user>": size, "</s>" if tok.token_to_id("</s>") is None else "<b>": size + 1}))
    (folder / "tokenizer_config.json").write_text(json.dumps(fields))
    did += [str(name)] + sorted(k for k in fields if k != "tokenizer_class")


def reference(model, ids):
    model.set_attn_implementation("eager")
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_attentions=True)
    return torch.stack([a[0] for a in out.attentions]), out.logits[0]


def ours(binary, folder, all_texts):
    """Of each text: ids, tokens, attention and logits, or the reason why not; and what was said."""
    with tempfile.TemporaryDirectory() as out:
        source = pathlib.Path(out) / "texts.jsonl"
        source.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in all_texts), encoding="utf-8")
        done = subprocess.run([binary, "batch", source, "-m", folder, "--out", f"{out}/r", "--format", "json", "--with", "logits", "--name",
                               "{index}"], capture_output=True, text=True)
        manifest = pathlib.Path(out) / "r" / "manifest.jsonl"
        if not manifest.exists():
            return None, done.stderr
        results = {}
        for line in manifest.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if "index" in entry and entry.get("files"):
                file = pathlib.Path(out) / "r" / entry["files"][0]["name"]
                results[entry["index"]] = json.loads(file.read_text(encoding="utf-8"))
            elif "index" in entry:
                results[entry["index"]] = str(entry.get("error"))
        return [results.get(i) for i in range(len(all_texts))], done.stderr


def compare(kind, model, tokenizer, raw, all_texts, found, said):
    """The outcome and the largest difference."""
    largest, otherwise = 0.0, "is read as" in said
    if tokenizer is not None and kind in ("bytes", "fallback", "suffix") and hasattr(tokenizer.backend_tokenizer.model, "dropout"):
        tokenizer.backend_tokenizer.model.dropout = None  # drawn anew at each run there
    for text, mine in zip(all_texts, found):
        judge = raw if otherwise and raw is not None else tokenizer
        try:
            ids = judge(text)["input_ids"] if judge is not None else None
        except Exception as error:  # a tokenizer without its own unknown token
            if isinstance(mine, str):
                continue
            return "read what transformers does not", 0.0, f"{text!r}: {error}"
        if ids is None or (otherwise and raw is None and "vocab.txt is read" in said):
            return "more", 0.0, ""
        if isinstance(mine, str) or mine is None:
            if ids or "no tokens" not in str(mine):
                return "refused a text", 0.0, f"{text!r}: {mine}"
            continue
        if mine["token_ids"] != ids:
            return "other ids", 0.0, f"{text!r}: {mine['token_ids']} for {ids}: {said[:300]}"
        attention, logits = reference(model, ids)
        results = mine["results"][0]
        largest = max(largest, (torch.tensor(results["attention"]) - attention).abs().max().item(),
                      ((torch.tensor(results["logits"]) - logits).abs().max() / max(1.0, logits.abs().max())).item())
        written = "".join("".join(mine["tokens"]).split())
        decoded = judge.decode(ids, skip_special_tokens=False)
        wanted = ["".join(text.split()), "".join(decoded.split()), "".join(decoded.replace("</w>", "").replace("##", "").replace("▁", "").split())]
        plain = lambda text: unicodedata.normalize("NFKC", text).casefold()  # an added token shows what it is, not what it is matched as
        decodes = judge.backend_tokenizer.decoder is not None
        if decodes and "⟨" not in written and plain(written) not in map(plain, wanted):
            return "other labels", largest, f"{text!r}: {mine['tokens']} for {decoded!r}"
    if largest > 1e-5:
        return "other numbers", largest, ""
    return ("said" if otherwise else "equal"), largest, ""


def one(r, binary, folder):
    did = []
    kind = r.choice(["bytes", "bytes", "bytes", "wordpiece", "unigram", "level", "fallback", "suffix", "pieces"])
    if kind == "pieces":
        save_pieces(r, folder, did)
        raw = None
    else:
        tok = train(r, kind)
        did.append(kind)
        way = save_parts(r, tok, folder, kind, did)
        settings(r, tok, folder, did)
        raw = None
        if way == "json":
            raw = PreTrainedTokenizerFast.from_pretrained(folder)
            if kind in ("bytes", "fallback", "suffix"):
                raw.backend_tokenizer.model.dropout = None
    GPT2Config(vocab_size=10).save_pretrained(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        size = len(tokenizer)
    except Exception as error:  # whatever it fails for, it does not read the folder
        tokenizer, size = None, 700
        did.append(f"transformers: {type(error).__name__}")
    config = GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=200, vocab_size=max(size, 700))
    model = model_of(r, "GPT2LMHeadModel", config, True, torch.float32)
    model.save_pretrained(folder)
    all_texts = texts(r)
    found, said = ours(binary, folder, all_texts)
    if found is None:
        return "refused", did, said.splitlines()[0] if said else "no word"
    outcome, largest, detail = compare(kind, model, tokenizer, raw, all_texts, found, said)
    return outcome, did, detail or f"{largest:.1e}"


def sample(folder, into, number):
    """The tokenizer's files and the ids of the texts, small enough for a tree."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    keep = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
            "vocab.txt", "spiece.model", "tokenizer.model")
    target = into / f"{number:03}"
    target.mkdir(parents=True, exist_ok=True)
    for name in keep:
        if (folder / name).exists():
            shutil.copy(folder / name, target / name)
    r = random.Random(number)
    (target / "expected.json").write_text(json.dumps([[text, tokenizer(text)["input_ids"]] for text in texts(r)], ensure_ascii=False))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    count, seed = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 100), (3, 1)))
    into = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    outcomes, largest, reasons, kinds = collections.Counter(), 0.0, collections.Counter(), collections.Counter()
    for number in range(count):
        r = random.Random(seed * 1_000_003 + number)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            outcome, did, detail = one(r, binary, folder)
            if outcome == "equal" and into is not None:
                sample(folder, into, number)
        outcomes[outcome] += 1
        kinds[outcome, did[0]] += 1
        if outcome in ("equal", "said"):
            largest = max(largest, float(detail))
        elif outcome == "refused":
            reasons[detail.rsplit("/", 1)[-1]] += 1
        elif outcome != "more":
            print(f"{number}: {outcome}: {', '.join(did)}: {detail}", flush=True)
    print(f"{count} folders of up to 40 texts, seed {seed}: " + ", ".join(f"{n} {what}" for what, n in outcomes.most_common()))
    print("by kind: " + ", ".join(f"{what} {kind} {n}" for (what, kind), n in sorted(kinds.items())))
    print(f"largest difference of those that are equal: {largest:.1e}")
    for reason, n in reasons.most_common():
        print(f"refused {n}: {reason}")
    print(f"transformers {transformers.__version__}")
    sys.exit(0 if set(outcomes) <= {"equal", "refused", "said", "more"} else 1)


if __name__ == "__main__":
    main()
