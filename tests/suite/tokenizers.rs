//! Tokenizers as people's folders have them: transformers' ids, and labels and words of the text.

use crate::support::checkpoint::{Copy, TOKENIZER, base};
use crate::support::skip;
use attnviz::prompt::{LongText, Prompt, Tokenizer, WordRule};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The tokenizer of a folder.
fn of_folder(folder: &Path) -> Tokenizer {
    let read = |name: &str| Ok(fs::read(folder.join(name)).ok().map(Into::into));
    Tokenizer::from_files(&read, &|name| folder.join(name).display().to_string(), None, Some("gpt2"))
}

/// The tokenizer of these files, of a class that takes `tokenizer.json` as it is written.
fn as_written(tokenizer: Value) -> Tokenizer {
    let files = [
        (TOKENIZER, tokenizer.to_string()),
        ("tokenizer_config.json", json!({"tokenizer_class": "PreTrainedTokenizerFast"}).to_string()),
    ];
    let read =
        |name: &str| Ok(files.iter().find(|(file, _)| *file == name).map(|(_, text)| text.clone().into_bytes().into()));
    Tokenizer::from_files(&read, &str::to_owned, None, Some("gpt2"))
}

fn labels(prompt: &Prompt) -> Vec<String> {
    prompt.tokens.iter().map(|token| token.label.clone()).collect()
}

fn words(prompt: &Prompt) -> Vec<String> {
    prompt.words(WordRule::Default).into_iter().map(|word| word.label).collect()
}

#[track_caller]
fn check(tokenizer: &Tokenizer, text: &str, expected: &[&str], in_words: &[&str]) {
    let prompt = Prompt::from_text(tokenizer, text, None).unwrap();
    assert_eq!((labels(&prompt), words(&prompt)), (owned(expected), owned(in_words)), "{text:?}");
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A vocabulary of these tokens, by their places.
fn vocab(tokens: &[&str]) -> Value {
    tokens.iter().zip(0..).map(|(token, id)| ((*token).to_owned(), json!(id))).collect()
}

#[test]
fn folders_with_random_tokenizers_give_transformers_ids() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers");
    let mut folders: Vec<PathBuf> = fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 10, "{folders:?}");
    for folder in folders {
        let tokenizer = of_folder(&folder);
        let expected: Vec<(String, Vec<u32>)> =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        for (text, ids) in expected {
            assert_eq!(Prompt::from_text(&tokenizer, &text, None).unwrap().ids, ids, "{}: {text:?}", folder.display());
        }
    }
}

/// What transformers 5.24 makes of the text "the café by the well" in folders that failed once.
const CASES: [(&str, &[u32]); 9] = [
    ("c20-no-decoder", &[258, 272, 65, 70, 128, 103, 274, 259, 279]),
    ("c22-vocab-txt", &[2, 1, 1, 1, 1, 1, 3]),
    ("c27-byte-fallback", &[268, 271, 198, 172, 259, 101, 124, 268, 259, 122, 262, 111, 111]),
    ("c30-added-tokens-decoder", &[258, 272, 65, 70, 128, 103, 274, 259, 279]),
    ("c32-vm-prefix", &[259, 272, 65, 70, 128, 103, 274, 259, 279]),
    ("c35-roberta-post", &[317, 259, 272, 65, 70, 128, 103, 274, 259, 279, 318]),
    ("c36-gpt2class-template", &[0, 258, 272, 65, 70, 128, 103, 274, 259, 279]),
    ("c71-bos-is-a-word", &[258, 272, 65, 70, 128, 103, 274, 259, 279]),
    ("c79-prefix-true", &[259, 272, 65, 70, 128, 103, 274, 259, 279]),
];

#[test]
fn folders_that_failed_once_give_transformers_ids() {
    let Some(cases) = skip::shared("cases") else { return };
    for (case, ids) in CASES {
        let tokenizer = of_folder(&cases.join(case));
        let prompt = Prompt::from_text(&tokenizer, "the café by the well", None).unwrap();
        assert_eq!(prompt.ids, ids, "{case}");
        if !case.starts_with("c22") {
            let special = prompt.tokens.iter().filter(|token| !token.special).cloned().collect();
            let prompt = Prompt { tokens: special, ..Prompt::default() };
            assert_eq!(words(&prompt), ["the", "café", "by", "the", "well"], "{case}");
        }
    }
    let level = of_folder(&cases.join("c24-wordlevel"));
    let prompt = Prompt::from_text(&level, "the old king met the fox by the well", None).unwrap();
    assert_eq!(words(&prompt), ["the", "old", "king", "met", "the", "fox", "by", "the", "well"]);
}

#[test]
fn bytes_of_a_tokenizer_without_a_decoder_are_read_as_bytes() {
    let tokenizer = as_written(json!({
        "model": {"type": "BPE", "vocab": vocab(&["Ġ", "c", "a", "f", "Ã", "©", "b", "y", "Ġc", "Ġb", "Ġby"]),
                  "merges": ["Ġ c", "Ġ b", "Ġb y"]},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    }));
    check(&tokenizer, " café by", &["·c", "a", "f", "é₁", "é₂", "·by"], &["café", "by"]);
}

#[test]
fn bytes_that_no_token_has_are_bytes_and_the_prefix_space_is_not_the_texts() {
    let tokenizer = as_written(json!({
        "model": {"type": "BPE", "vocab": vocab(&["<unk>", "▁", "a", "f", "<0xC3>", "<0xA9>", "▁a", "<0x09>"]),
                  "merges": ["▁ a"], "byte_fallback": true, "unk_token": "<unk>"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
    }));
    check(&tokenizer, "afé af", &["a", "f", "é₁", "é₂", "·a", "f"], &["afé", "af"]);
    check(&tokenizer, "a\ta", &["a", "⇥", "a"], &["a", "⇥a"]);
}

#[test]
fn words_of_tokens_without_spaces_are_those_of_the_text() {
    let level = as_written(json!({
        "model": {"type": "WordLevel", "vocab": vocab(&["[UNK]", "the", "well", ".", "it", "'", "s"]), "unk_token": "[UNK]"},
        "pre_tokenizer": {"type": "Whitespace"},
    }));
    check(&level, "the well. the", &["the", "·well", ".", "·the"], &["the", "well", ".", "the"]);
    check(&level, "the\n well", &["the", "·well"], &["the", "well"]);
    let prompt = Prompt::from_ids(&level, vec![1, 2, 1], None);
    assert_eq!(words(&prompt), ["the", "well", "the"]);
    let suffix = as_written(json!({
        "model": {"type": "BPE", "vocab": vocab(&["<unk>", "a", "b</w>", "b", "ab</w>", "."]), "merges": ["a b</w>"],
                  "unk_token": "<unk>", "end_of_word_suffix": "</w>"},
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
    }));
    check(&suffix, "ab bab", &["ab", "·b", "ab"], &["ab", "bab"]);
    assert_eq!(labels(&Prompt::from_ids(&suffix, vec![4, 3, 4], None)), ["ab", "·b", "ab"]);
    let pieces = as_written(json!({
        "model": {"type": "WordPiece", "vocab": vocab(&["[UNK]", "up", "##on", "a", "."]), "unk_token": "[UNK]",
                  "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    }));
    check(&pieces, "upon a. up", &["up", "on", "·a", ".", "·up"], &["upon", "a", ".", "up"]);
    assert_eq!((pieces.label(1), pieces.label(2)), ("·up".into(), "on".into()));
}

#[test]
fn what_a_tokenizer_does_not_know_or_drops_is_said() {
    let said = |tokenizer: &Tokenizer, text: &str| {
        let prompt = Prompt::from_text(tokenizer, text, None).unwrap();
        prompt.remarks.into_iter().map(|remark| remark.text).collect::<Vec<_>>().join("\n")
    };
    let level = as_written(json!({
        "model": {"type": "WordLevel", "vocab": vocab(&["[UNK]", "the"]), "unk_token": "[UNK]"},
        "pre_tokenizer": {"type": "Whitespace"},
    }));
    assert_eq!(said(&level, "the the"), "");
    assert_eq!(said(&level, "the fox"), "1 token is [UNK]: what the tokenizer does not know");
    let bytes = as_written(json!({
        "model": {"type": "BPE", "vocab": vocab(&["a", "b"]), "merges": []},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    }));
    assert_eq!(said(&bytes, "ab"), "");
    assert_eq!(
        said(&bytes, "axb"),
        "1 character of the text is in no token: the tokenizer has nothing for what it drops"
    );
    assert!(said(&bytes, "axbx b").starts_with("3 characters of the text are in no token"));
}

#[test]
fn dropout_is_off() {
    let with = |dropout: Value| {
        as_written(json!({
            "model": {"type": "BPE", "vocab": vocab(&["a", "b", "ab"]), "merges": ["a b"], "dropout": dropout},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        }))
    };
    let tokenizer = with(json!(0.9));
    assert!(tokenizer.remarks().iter().any(|remark| remark.contains("dropout of 0.9 is off")));
    let text = "ab".repeat(50);
    assert_eq!(tokenizer.encode(&text).unwrap(), with(Value::Null).encode(&text).unwrap());
}

/// What a command found, and what it said.
#[track_caller]
fn found(folder: &Copy, command: &str, args: &[&str]) -> (Value, String) {
    let ran = folder.asks(&[&[command], args, &["-o", "-", "--format", "json"]].concat());
    let said = ran.err.clone();
    (serde_json::from_slice(&ran.ok()).unwrap(), said)
}

/// The ids of a run, and what it said.
#[track_caller]
fn ids(folder: &Copy, args: &[&str]) -> (Value, String) {
    let (found, said) = found(folder, "attention", args);
    (found["token_ids"].clone(), said)
}

#[test]
fn ids_need_no_tokenizer_and_a_text_can_have_anothers() {
    let without = || base().without(TOKENIZER);
    let (read, said) = ids(&without(), &["--ids", "3,4"]);
    assert_eq!(read, json!([3, 4]));
    assert!(said.contains("shown by their ids"), "{said}");
    assert_eq!(found(&without(), "attention", &["--ids", "3,4"]).0["tokens"], json!(["3", "4"]));
    let lent = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vocab-merges");
    assert_eq!(ids(&without(), &["The café", "--tokenizer", lent]).0, ids(&base(), &["The café"]).0);
    without().refused(&["no tokenizer", "--tokenizer"]);
    // A file that is no tokenizer is no reason to refuse ids either.
    let broken = without().with("spiece.model", "nonsense");
    assert!(ids(&broken, &["--ids", "3"]).1.contains("spiece.model"));
    broken.refused(&["spiece.model"]);
    let (message, _) = base().asks(&["attention", "The", "--tokenizer", "/nowhere"]).fails(1);
    assert!(message.contains("/nowhere"), "{message}");
}

#[test]
fn tokens_that_the_tokenizer_puts_around_a_text_are_said_and_can_be_left_out() {
    let around = base().json(TOKENIZER, |tokenizer| {
        let end = tokenizer["added_tokens"][0].clone();
        let piece = json!({"SpecialToken": {"id": end["content"], "type_id": 0}});
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        tokenizer["post_processor"] = json!({
            "type": "TemplateProcessing", "single": [piece, text, piece], "pair": [piece, text, piece],
            "special_tokens": {end["content"].as_str().unwrap(): {"id": end["content"], "ids": [end["id"]], "tokens": [end["content"]]}},
        });
    });
    let (plain, _) = ids(&base(), &["The café"]);
    let (found, said) = ids(&around, &["The café"]);
    let found = found.as_array().unwrap();
    assert_eq!(found[1..found.len() - 1], plain.as_array().unwrap()[..]);
    assert!(said.contains("in front of the text and <|endoftext|> behind it (--no-special)"), "{said}");
    let (without, said) = ids(&around, &["The café", "--no-special"]);
    assert!(without == plain && !said.contains("puts"), "{said}");
    // What comes next is asked of the text's last token, not of what was put behind.
    let next = |args: &[&str]| {
        let (found, _) = self::found(&around, "saliency", args);
        found["results"][0]["position"].as_u64().unwrap()
    };
    assert_eq!(next(&["The café"]), plain.as_array().unwrap().len() as u64);
    assert_eq!(next(&["The café", "--position", "-1"]), plain.as_array().unwrap().len() as u64 + 1);
}

#[test]
fn a_text_begins_with_a_token_that_begins_texts() {
    let (bos, plain) = (ids(&base(), &["The", "--bos"]).0, ids(&base(), &["The"]).0);
    let end = &bos[0];
    let with = |id: u64| base().json("config.json", |config| config["bos_token_id"] = json!(id));
    for (id, why) in [(5, "is no special token"), (1_000_000, "names no bos_token_id that the model has")] {
        let (found, said) = ids(&with(id), &["The", "--bos"]);
        assert_eq!(found, json!([end, plain[0]]), "{said}");
        assert!(said.contains(why) && said.contains("tokenizer's own"), "{said}");
    }
}

#[test]
fn what_is_not_understood_of_a_tokenizer_is_refused_by_name() {
    let with = |fields: Value| base().with("tokenizer_config.json", fields.to_string());
    for (fields, name) in [
        (json!({"tokenizer_class": "BertJapaneseTokenizer"}), "BertJapaneseTokenizer"),
        (json!({"auto_map": {"AutoTokenizer": ["x.X", null]}}), "auto_map"),
        (json!({"add_prefix_space": "yes"}), "add_prefix_space"),
        (json!({"added_tokens_decoder": {"9": {"content": "<x>", "colour": 1}}}), "added_tokens_decoder"),
        (json!({"added_tokens_decoder": {"9": {"content": "<x>"}}}), "<x>"),
        (json!({"eos_token": 5}), "eos_token"),
        (json!({"post_processor": {}}), "post_processor"),
        (json!(["x"]), "tokenizer_config.json"),
    ] {
        let folder = with(fields.clone());
        folder.refused(&[name, "tokenizer"]);
        assert_eq!(ids(&folder, &["--ids", "1"]).0, json!([1]), "{fields}");
    }
}

#[test]
fn a_file_says_whose_tokenizer_it_was_made_with() {
    let lent = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vocab-merges");
    let folder = base().without(TOKENIZER);
    folder.asks(&["attention", "The café", "--tokenizer", lent, "-o", "a.json"]).ok();
    let (message, hint) = folder.asks(&["rerun", "a.json"]).fails(1);
    assert!(message.contains("vocab-merges") && hint.contains("--tokenizer"), "{message} {hint}");
    let same = String::from_utf8(folder.asks(&["rerun", "a.json", "--tokenizer", lent]).ok()).unwrap();
    assert!(same.contains("the same bytes"), "{same}");
}

#[test]
fn a_batch_says_once_what_is_so_of_its_prompts_and_refuses_a_model_without_a_tokenizer() {
    let with = |tokens: Value| base().with("tokenizer_config.json", tokens.to_string());
    let folder = with(json!({"tokenizer_class": "PreTrainedTokenizerFast"})).json(TOKENIZER, |tokenizer| {
        tokenizer["model"]["vocab"].as_object_mut().unwrap().remove("z");
    });
    folder.write_beside("p.txt", "Thezz\nThe z\nThe zy\nThe\n");
    let ran = folder.asks(&["batch", "p.txt", "--out", "d", "--format", "json"]);
    assert_eq!(ran.err.matches(" in no token").count(), 2, "{}", ran.err);
    let without = base().without(TOKENIZER);
    without.write_beside("p.txt", "The\n");
    let (message, _) = without.asks(&["batch", "p.txt", "--out", "d"]).fails(1);
    assert!(message.contains("no tokenizer"), "{message}");
}

/// Paragraphs with names, numbers, emoji, CJK and runs of blanks, about so many bytes.
fn long_text(bytes: usize) -> String {
    const PIECES: [&str; 12] = [
        "Once",
        "upon",
        "a time,",
        "the café",
        "saw\u{1f98a}\u{1f469}\u{200d}\u{1f680}",
        "狐狸和乌鸦",
        "1234567",
        "it's",
        "  two",
        "\r\n\r\n",
        "\t",
        "…",
    ];
    let (mut text, mut state) = (String::new(), 7u32);
    while text.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text += PIECES[(state >> 24) as usize % PIECES.len()];
        text += if (state >> 16).is_multiple_of(13) { "\n" } else { " " };
    }
    text
}

#[test]
fn a_text_read_by_parts_has_the_tokens_of_the_whole() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers");
    let mut folders: Vec<PathBuf> = fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/base"));
    let (mut same, mut refused) = (0, Vec::new());
    for folder in folders {
        let tokenizer = of_folder(&folder);
        let text = long_text(150_000);
        let Ok(whole) = Prompt::from_text(&tokenizer, &text, Some(0)) else { continue };
        let mut parts = LongText::new(&tokenizer, text.as_bytes(), "text", true, Some(0));
        let (mut read, mut count) = (Prompt::default(), 0);
        let failed = loop {
            match parts.part() {
                Ok(None) => break None,
                Err(error) => break Some(error),
                Ok(Some(part)) => {
                    if count == 0 {
                        (read.front, read.bos) = (part.front, part.bos);
                    }
                    count += 1;
                    read.ids.extend(part.ids);
                    read.tokens.extend(part.tokens);
                    read.behind = part.behind;
                }
            }
        };
        match failed {
            None => {
                assert!(count > 1, "{folder:?}");
                assert_eq!((read.front, read.behind), (whole.front, whole.behind), "{folder:?}");
                assert!(read.ids == whole.ids && read.tokens == whole.tokens, "{folder:?}");
                same += 1;
            }
            Some(error) => refused.push(format!("{}: {error}", folder.display())),
        }
    }
    assert!(same >= 10, "{same} {refused:?}");
}

#[test]
fn what_is_no_text_is_named_wherever_it_stands_and_a_mark_and_a_last_newline_are_none_of_it() {
    let tokenizer = of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/base"));
    let read = |bytes: &[u8]| {
        let mut parts = LongText::new(&tokenizer, bytes, "f.txt", true, None);
        let mut ids = Vec::new();
        while let Some(part) = parts.part()? {
            ids.extend(part.ids);
        }
        Ok::<_, attnviz::Error>(ids)
    };
    let text = long_text(100_000);
    let bare = read(text.trim_end().as_bytes()).unwrap();
    for end in ["\n", "\r\n"] {
        assert_eq!(read(format!("\u{feff}{}{end}", text.trim_end()).as_bytes()).unwrap(), bare);
    }
    for at in [0, 70_000, 99_999] {
        let mut bytes = text.clone().into_bytes();
        let at = (at..).find(|at| text.is_char_boundary(*at)).unwrap();
        bytes.insert(at, 0xff);
        let error = read(&bytes).unwrap_err();
        assert!(error.message.contains("f.txt is not UTF-8"), "{error}");
        assert!(error.message.contains(&format!("(byte {at})")), "{at}: {error}");
    }
    assert!(
        read(&[&text.as_bytes()[..90_000], "é".as_bytes()[..1].as_ref()].concat())
            .unwrap_err()
            .message
            .contains("not UTF-8")
    );
    assert!(read(b"").unwrap().is_empty());
}
