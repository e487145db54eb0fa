//! Prompts: what a user types, what the model is given, and what a figure shows of it.

use crate::support::skip;
use std::path::{Path, PathBuf};

use attnviz::Kind;
use attnviz::prompt::{Prompt, Tokenizer, Truncate, WordRule, decode_bpe, label_of};
use attnviz::text::Class;
use serde_json::{Value, json};

/// The character that GPT-2's byte alphabet writes a byte as.
fn char_of(byte: u8) -> char {
    (0..0x180)
        .filter_map(char::from_u32)
        .find(|c| decode_bpe(&c.to_string()) == [byte] && *c > ' ' && !c.is_control())
        .unwrap()
}

/// The tokenizer of a folder of GPT-2's with these files.
fn of_files(files: &[(&str, &[u8])]) -> Tokenizer {
    let read = |name: &str| Ok(files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.to_vec().into()));
    Tokenizer::from_files(&read, &|name| format!("tiny/{name}"), None, Some("gpt2"))
}

/// A byte-level tokenizer: the 256 bytes in order, a few merges, `<|endoftext|>` last.
fn tiny_parts() -> (Value, Vec<[&'static str; 2]>) {
    let merges = vec![
        ["t", "h"],
        ["th", "e"],
        ["Ġ", "the"],
        ["d", "o"],
        ["do", "n"],
        ["'", "t"],
        ["'", "s"],
        ["Ġ", "c"],
        ["a", "t"],
        ["Ġc", "at"],
        ["Ċ", "Ċ"],
        ["Ġ", "Ġ"],
        ["1", "9"],
        ["ð", "Ł"],
        ["ä", "¸"],
    ];
    let mut vocab: serde_json::Map<_, _> = (0..=255).map(|byte| (char_of(byte).to_string(), json!(byte))).collect();
    for [left, right] in &merges {
        vocab.insert(format!("{left}{right}"), json!(vocab.len()));
    }
    vocab.insert("<|endoftext|>".into(), json!(vocab.len()));
    (vocab.into(), merges)
}

fn tiny_json() -> Value {
    let (vocab, merges) = tiny_parts();
    let end = &vocab["<|endoftext|>"];
    let level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{"id": end, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
                          "rstrip": false, "normalized": false, "special": true}],
        "pre_tokenizer": level, "post_processor": level, "decoder": level,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": merges},
    })
}

fn read(json: &Value) -> Tokenizer {
    Tokenizer::from_json(json.to_string().as_bytes(), "tiny.json").unwrap()
}

fn tiny() -> Tokenizer {
    read(&tiny_json())
}

fn prompt(text: &str) -> Prompt {
    Prompt::from_text(&tiny(), text, None).unwrap()
}

fn labels(prompt: &Prompt) -> Vec<&str> {
    prompt.tokens.iter().map(|token| token.label.as_str()).collect()
}

fn words(prompt: &Prompt, rule: WordRule) -> Vec<String> {
    let words = prompt.words(rule);
    let covered: Vec<usize> = words.iter().flat_map(|word| word.tokens.clone()).collect();
    assert_eq!(covered, (0..prompt.ids.len()).collect::<Vec<_>>(), "each token is in exactly one word");
    words.into_iter().map(|word| word.label).collect()
}

fn decoded(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|&id| tokenizer.bytes(id).unwrap()).collect()
}

/// GPT-2's own files, where the machine has them.
#[track_caller]
fn gpt2_folder() -> Option<PathBuf> {
    skip::shared("data/gpt2-tokenizer")
}

#[track_caller]
fn gpt2() -> Option<Tokenizer> {
    let bytes = std::fs::read(gpt2_folder()?.join("tokenizer.json")).unwrap();
    Some(Tokenizer::from_json(&bytes, "tokenizer.json").unwrap())
}

const TEXTS: [&str; 18] = [
    "",
    " ",
    "the cat",
    " the  cat\n\n\tdon't",
    "日本語、テキスト",
    "שלום עולם",
    "مرحبا بالعالم",
    "e\u{301}\u{327} ñ ṩ",
    "👩‍👩‍👧‍👦 🇫🇷 👍🏽 ❤️",
    "\0\u{1}\u{7f}\u{85}",
    "\x1b[31mred\x1b[0m",
    "a<|endoftext|>b",
    "\u{feff}bom\u{202e}rtl",
    "  \r\n  x",
    "it's we'LL they're I'd 1990's",
    "½ ² Ⅷ ٣",
    "\u{a0}\u{3000}x\u{2028}y",
    "<|endoftext|><|endoftext|> <|endoftext",
];

#[test]
fn every_text_survives_a_round_trip() {
    for tokenizer in [Some(tiny()), gpt2()].into_iter().flatten() {
        for text in TEXTS {
            assert_eq!(decoded(&tokenizer, &tokenizer.encode(text).unwrap()), text.as_bytes(), "{text:?}");
        }
        for c in ('\0'..=char::MAX).step_by(7) {
            let text = format!("x{c}");
            assert_eq!(decoded(&tokenizer, &tokenizer.encode(&text).unwrap()), text.as_bytes(), "{text:?}");
        }
    }
}

#[test]
fn every_way_of_reading_the_same_tokenizer_gives_the_same_ids() {
    let (vocab, merges) = tiny_parts();
    let lines: Vec<String> = merges.iter().map(|pair| pair.join(" ")).collect();
    let mut legacy = tiny_json();
    legacy["model"]["merges"] = json!(lines);
    let mut slow = tiny_json();
    slow["model"]["unk_token"] = json!("<|endoftext|>"); // not GPT-2's shape: read by the crate
    let mut padded = tiny_json();
    padded["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                               "pad_type_id": 0, "pad_token": "!"});
    padded["truncation"] = json!({"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0});
    let mut both = padded.clone();
    both["model"]["unk_token"] = json!("<|endoftext|>");
    let merges = format!("#version: 0.2\n{}\n", lines.join("\n"));
    let files = of_files(&[("vocab.json", vocab.to_string().as_bytes()), ("merges.txt", merges.as_bytes())]);
    let others = [read(&legacy), read(&slow), read(&padded), read(&both), files];
    for text in TEXTS {
        let ids = tiny().encode(text).unwrap();
        for (at, other) in others.iter().enumerate() {
            assert_eq!(other.encode(text).unwrap(), ids, "reader {at}, {text:?}");
            assert_eq!((other.size(), other.token_id("Ġthe")), (tiny().size(), tiny().token_id("Ġthe")));
        }
    }
}

#[test]
fn gpt2_gives_the_ids_of_the_crates_own_reader_and_of_the_vocabulary_files() {
    let Some(folder) = gpt2_folder() else { return };
    let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let ours = gpt2().unwrap();
    let theirs = tokenizers::Tokenizer::from_bytes(file("tokenizer.json")).unwrap();
    let files = of_files(&[("vocab.json", &file("vocab.json")), ("merges.txt", &file("merges.txt"))]);
    let every: String = ('\0'..=char::MAX).collect();
    let source = include_str!("prompt.rs");
    for text in TEXTS.into_iter().chain([source, every.as_str()]) {
        let ids = theirs.encode(text, true).unwrap().get_ids().to_vec();
        assert!(ours.encode(text).unwrap() == ids && files.encode(text).unwrap() == ids, "{:.40}", text);
    }
    assert_eq!((ours.size(), ours.token_id("<|endoftext|>"), ours.token_id("Ġthe")), (50257, Some(50256), Some(262)));
    assert_eq!((ours.bytes(262).unwrap(), ours.bytes(50257)), (b" the".to_vec(), None));
}

#[test]
fn gpt2_gives_the_ids_of_the_reference_implementation() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let Some(tokenizer) = gpt2() else { return };
    let text = std::fs::read_to_string(fixtures.join("multilingual.txt")).unwrap();
    let ids: Vec<u32> =
        serde_json::from_slice(&std::fs::read(fixtures.join("multilingual.ids.json")).unwrap()).unwrap();
    assert_eq!(tokenizer.encode(&text).unwrap(), ids);
}

#[test]
fn added_tokens_keep_their_ids_and_match_in_text() {
    let (vocab, _) = tiny_parts();
    let size = vocab.as_object().unwrap().len() as u32;
    let vocab = vocab.to_string();
    let read = |added: &str| {
        of_files(&[("vocab.json", vocab.as_bytes()), ("merges.txt", b"t h"), ("added_tokens.json", added.as_bytes())])
    };
    let tokenizer = read(&format!(r#"{{"<pad>": {}, "<|user|>": {size}}}"#, size + 1));
    assert_eq!(tokenizer.encode("<|user|>th<pad>").unwrap(), [size, tokenizer.token_id("th").unwrap(), size + 1]);
    assert_eq!(tokenizer.bytes(size + 1).unwrap(), b"<pad>");
    // transformers would give these other ids than the model was trained with.
    for (added, name) in [(r#"{"the": 3}"#, "the"), (r#"{"<pad>": 400}"#, "<pad>")] {
        assert!(read(added).encode("th").is_err_and(|error| error.message.contains(name)), "{added}");
    }
}

#[test]
fn a_special_token_in_the_text_is_one_token_and_a_word_of_its_own() {
    let prompt = prompt("the<|endoftext|>the<|endoftext|>!");
    assert_eq!(labels(&prompt), ["the", "<|endoftext|>", "the", "<|endoftext|>", "!"]);
    assert!(prompt.tokens[1].special && !prompt.tokens[0].special);
    for rule in [WordRule::Default, WordRule::Space] {
        assert_eq!(words(&prompt, rule), labels(&prompt));
    }
}

#[test]
fn an_emoji_split_over_tokens_shows_its_parts_and_is_whole_in_its_word() {
    let prompt = prompt("a👍 b");
    assert_eq!(labels(&prompt), ["a", "👍₁", "👍₂", "👍₃", "·", "b"]);
    assert_eq!(prompt.tokens[2].text, "⟨91⟩");
    assert_eq!(prompt.tokens[4].text, " ");
    assert_eq!(words(&prompt, WordRule::Default), ["a", "👍", "b"]);
    assert_eq!(words(&prompt, WordRule::Space), ["a👍", "b"]);
}

#[test]
fn an_ideograph_starts_a_word_even_where_its_bytes_are_split() {
    let split = prompt("中中");
    assert_eq!(labels(&split)[..2], ["中₁", "中₂"]);
    assert_eq!(split.words(WordRule::Default).iter().map(|word| word.tokens.clone()).collect::<Vec<_>>(), [0..2, 2..4]);
    assert_eq!(split.words(WordRule::Space).len(), 1);
    // Syllables follow their ideograph.
    assert_eq!(prompt("食べ").words(WordRule::Default).len(), 1);
}

#[test]
fn words_follow_whitespace_letters_digits_and_punctuation() {
    let of = |text| words(&prompt(text), WordRule::Default);
    assert_eq!(of("the cat, don't!"), ["the", "cat", ",", "don't", "!"]);
    assert_eq!(of("the cat's 19's"), ["the", "cat's", "19's"]);
    assert_eq!(of("a19b(c)"), ["a19b", "(", "c", ")"]);
    assert_eq!(of("e\u{301}a שלום").len(), 2);
    assert_eq!(of("e\u{301}a")[0], "e\u{301}a");
    assert_eq!(words(&prompt("the cat, don't!"), WordRule::Space), ["the", "cat,", "don't!"]);
}

#[test]
fn whitespace_belongs_to_the_next_word() {
    let of = |text| words(&prompt(text), WordRule::Default);
    assert_eq!(of("the\n\n\n the"), ["the", "⏎⏎⏎·the"]);
    assert_eq!(of("the    cat"), ["the", "cat"]);
    assert_eq!(of("  "), ["··"]);
    assert_eq!(of("the \n"), ["the", "⏎"]);
    assert_eq!(of("\t(the"), ["⇥(", "the"]);
    assert!(of("").is_empty());
}

#[test]
fn no_label_has_a_control_or_a_blank_for_any_character() {
    for c in '\0'..=char::MAX {
        let label = label_of(&c.to_string());
        let acts = |c: char| Class::of(c).acts() || c.is_whitespace();
        assert!(!label.is_empty() && !label.contains(acts), "{c:?} as {label:?}");
        let spelled = format!("U+{:04X}", c as u32);
        match c {
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{61c}'
            | '\u{feff}'
            | '\u{ad}'
            | '\u{fe0f}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{ffff}'
            | '\u{a0}'
            | '\u{3000}' => assert_eq!(label, spelled),
            'a'..='z' | '一'..='龥' | 'א'..='ת' | '😀'..='😏' => assert_eq!(label, c.to_string()),
            _ => {}
        }
    }
}

#[test]
fn labels_name_what_cannot_be_seen() {
    assert_eq!(label_of(" a\tb\nc\r"), "·a⇥b⏎c␍");
    assert_eq!(label_of("\0\x1b[31m\x7f\u{85}"), "␀␛[31m␡⟨85⟩");
    assert_eq!(label_of("a\u{202e}b"), "aU+202Eb");
    assert_eq!(label_of("e\u{301}"), "e\u{301}");
    let emoji = "👩‍👩‍👧‍👦❤️👍🏽🇫🇷1️⃣🏳️‍🌈❤️‍🔥";
    assert_eq!(label_of(emoji), emoji);
    assert_eq!(label_of("👩\u{200d}"), "👩U+200D");
    assert_eq!(label_of("a\u{200d}b\u{fe0f}"), "aU+200DbU+FE0F");
}

#[test]
fn tokens_of_other_tools_are_decoded() {
    assert_eq!(decode_bpe("Ġupon"), b" upon");
    assert_eq!(decode_bpe("ĊĊ"), b"\n\n");
    assert_eq!(decode_bpe("âĢĻ"), "’".as_bytes());
    assert_eq!(decode_bpe("a b"), b"a b"); // a space is outside the alphabet
    let all: Vec<u8> = (0..=255).flat_map(|byte| decode_bpe(&char_of(byte).to_string())).collect();
    assert_eq!(all, (0..=255).collect::<Vec<u8>>());
}

#[test]
fn ten_kilobytes_without_a_space_are_tokens_and_words() {
    for unit in ["a", "the", "aQz9", "👍", "\u{301}", "\n"] {
        let text = unit.repeat(10_000 / unit.len());
        let prompt = prompt(&text);
        let words = prompt.words(WordRule::Default);
        assert_eq!(words.iter().map(|word| word.tokens.len()).sum::<usize>(), prompt.ids.len(), "{unit:?}");
        assert_eq!(prompt.tokens.iter().map(|token| token.bytes.len()).sum::<usize>(), text.len(), "{unit:?}");
    }
}

#[test]
fn a_bos_is_prepended_once_and_survives_truncation_on_the_left() {
    let tokenizer = tiny();
    let bos = tokenizer.token_id("<|endoftext|>");
    let of = |text| Prompt::from_text(&tokenizer, text, bos).unwrap();
    assert_eq!(labels(&of("the cat")), ["<|endoftext|>", "the", "·cat"]);
    assert_eq!(of("<|endoftext|>the").ids, of("the").ids);
    let left = of("the cat!").fit(3, 1000, Truncate::Left).unwrap();
    assert_eq!(labels(&left), ["<|endoftext|>", "·cat", "!"]);
    assert_eq!((left.ids.len(), left.text.as_deref()), (3, Some(" cat!")));
    let right = of("the cat!").fit(3, 1000, Truncate::Right).unwrap();
    assert_eq!((labels(&right), right.text.as_deref()), (vec!["<|endoftext|>", "the", "·cat"], Some("the cat")));
    let plain = prompt("the cat!").fit(2, 1000, Truncate::Left).unwrap();
    assert_eq!(labels(&plain), ["·cat", "!"]);
    assert_eq!(of("the cat").fit(1, 1000, Truncate::Left).unwrap().ids, [bos.unwrap()]);
}

#[test]
fn a_prompt_that_does_not_fit_says_why_and_what_to_do() {
    let refused = |prompt: Prompt, context| prompt.fit(context, 272, Truncate::No).unwrap_err();
    let empty = refused(prompt(""), 8);
    assert_eq!(empty.kind, Kind::Usage);
    let long = refused(prompt("the cat!"), 2);
    assert_eq!(long.kind, Kind::Usage);
    assert!(long.message.contains("3 tokens") && long.message.contains('2'), "{}", long.message);
    assert!(long.hint.unwrap().contains("truncated left or right") && long.option == Some("truncate"));
    let unknown = Prompt::from_ids(&tiny(), vec![5, 50300], None);
    assert_eq!(labels(&unknown), ["␅", "[50300]"]);
    assert!(unknown.text.is_none() && unknown.words(WordRule::Default).len() == 2);
    let unknown = refused(unknown, 8);
    assert!(unknown.kind == Kind::Usage && unknown.message.contains("50300"), "{}", unknown.message);
}

#[test]
fn a_broken_tokenizer_file_is_an_error_that_names_it() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut json = tiny_json();
        change(&mut json);
        json.to_string().into_bytes()
    };
    let whole = tiny_json().to_string().into_bytes();
    let mut files = vec![
        Vec::new(),
        b"{}".to_vec(),
        b"[1, 2]".to_vec(),
        vec![0xff; 100],
        b"[".repeat(100_000),
        whole[..whole.len() / 2].to_vec(),
        with(&|json| json["model"]["vocab"] = json!({})),
        with(&|json| json["model"]["vocab"]["a"] = json!(-1)),
        with(&|json| json["model"]["vocab"]["a"] = json!(5_000_000_000_u64)),
        with(&|json| json["model"]["merges"] = json!(["t h", "the"])),
        with(&|json| json["model"]["merges"] = json!(["no such"])),
        with(&|json| json["model"]["merges"] = json!([["t", "h", "e"]])),
        with(&|json| json["model"] = json!({"type": "Nonsense"})),
        with(&|json| json["version"] = json!("9")),
        with(&|json| {
            json["pre_tokenizer"] =
                json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false})
        }),
        // Longer than any token: out of bounds in the crate.
        with(&|json| json["model"]["merges"] = json!([["<|endoftext|>", "<|endoftext|>"]])),
    ];
    files.extend((1..20).map(|part| whole[..whole.len() * part / 20].to_vec()));
    for bytes in files {
        let error = Tokenizer::from_json(&bytes, "models/tiny/tokenizer.json").err().unwrap();
        assert!(error.kind == Kind::Failed && error.message.contains("models/tiny/tokenizer.json"), "{error}");
    }
    for (vocab, merges, added) in [
        ("{", "", None),
        ("{}", "a b", None),
        (r#"{"a": 0}"#, "a", None),
        (r#"{"a": 0}"#, "a b c", None),
        (r#"{"a": 0}"#, "a a", None),
        (r#"{"a": 0}"#, "", Some("[]")),
        (r#"{"a": "0"}"#, "", None),
    ] {
        let mut parts = vec![("vocab.json", vocab.as_bytes()), ("merges.txt", merges.as_bytes())];
        parts.extend(added.map(|added| ("added_tokens.json", added.as_bytes())));
        let tokenizer = of_files(&parts);
        let error = tokenizer.encode("a").unwrap_err();
        assert!(error.message.contains("tiny/") && tokenizer.missing() == Some(&error), "{error}");
    }
}

#[test]
fn a_tokenizer_that_knows_no_token_of_the_text_makes_an_empty_prompt_rather_than_a_crash() {
    let tokenizer = of_files(&[("vocab.json", b"{}"), ("merges.txt", b"")]);
    assert!(tokenizer.encode("the cat").unwrap().is_empty());
    assert!(Prompt::from_text(&tokenizer, "the", None).unwrap().fit(8, 8, Truncate::No).is_err());
}
