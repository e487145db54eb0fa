//! From the files of a folder to a tokenizer, as the newest transformers reads them.
use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use tokenizers::PreTokenizerWrapper;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;

use super::chat::CHAT;
use super::class::{Class, Made};
use super::listed::Listed;
use super::parts::Parts;
use super::settings::Settings;
use super::vocabulary::{Engine, Vocabulary};
use super::{pieces, quick};
use crate::error::Result;

/// The names under which SentencePiece's models are saved.
pub const PIECES: [&str; 4] = ["spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model"];

/// Every file that says something of a tokenizer: its vocabulary, and what is said of it.
pub const FILES: [&str; 12] = [
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    PIECES[0],
    PIECES[1],
    PIECES[2],
    PIECES[3],
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    CHAT,
];

/// The contents of a file by its name; none where it is not there.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<Option<Cow<'static, [u8]>>>;

/// What was made of the files, and what people should know of it.
pub(super) struct Loaded {
    pub(super) made: Made,
    pub(super) remarks: Vec<String>,
    /// The file of the vocabulary.
    pub(super) origin: &'static str,
}

type Outcome<T> = std::result::Result<T, Failed>;

/// Why there is no tokenizer.
pub(super) enum Failed {
    /// There is no file of a vocabulary.
    Missing,
    /// A file cannot be read.
    Unread(crate::error::Error),
    /// A file is there and cannot be used: its name, and why.
    Broken(&'static str, String),
}

/// A vocabulary.
struct Source {
    vocabulary: Held,
    origin: &'static str,
}

/// A vocabulary as its file holds it.
enum Held {
    /// With everything around it: `tokenizer.json`.
    Whole(Parts),
    /// Only what a class puts something around; the class that this file is of.
    Bare(Parts, Class),
    /// SentencePiece's.
    Pieces(pieces::Model),
}

/// The tokenizer of the files that `read` gives. `said` is the class that the model's config names, `model_type` its kind.
pub(super) fn load(read: Read, said: Option<&str>, model_type: Option<&str>) -> Outcome<Loaded> {
    const CONFIG: &str = "tokenizer_config.json";
    let get = |name| read(name).map_err(Failed::Unread);
    let (config, map, added) = (get(CONFIG)?, get("special_tokens_map.json")?, get("added_tokens.json")?);
    let Source { vocabulary, origin } = source(read)?.ok_or(Failed::Missing)?;
    let listed = match &vocabulary {
        Held::Whole(parts) => Some(&parts.added_tokens[..]),
        _ => None,
    };
    let has_file = listed.is_some();
    let broken = |reason| Failed::Broken(CONFIG, reason);
    let mut settings = Settings::read(config.as_deref(), map.as_deref(), added.as_deref(), listed).map_err(broken)?;
    let name = settings.class.clone().or(said.map(str::to_owned));
    let said = match (model_type.filter(|_| has_file).and_then(Class::of_any), &name) {
        (Some(class), _) => class,
        (None, Some(name)) => Class::named(name).map_err(broken)?,
        (None, None) => model_type.and_then(|kind| Class::of_model(kind, has_file)).unwrap_or(Class::AsWritten),
    };
    let (class, mut remarks) = class(&vocabulary, origin, name.as_deref(), said).map_err(broken)?;
    let failed = |reason| Failed::Broken(origin, reason);
    let mut parts = match vocabulary {
        Held::Whole(parts) | Held::Bare(parts, _) => parts,
        Held::Pieces(model) => settings.take_pieces(&model, class).map_err(failed)?,
    };
    if let Some(pairs) = parts.model.pairs_mut()
        && let Some(dropout) = pairs.dropout.take().filter(|dropout| *dropout > 0.0 && class == Class::AsWritten)
    {
        remarks
            .push(format!("the tokenizer's dropout of {dropout} is off: the same text always gives the same tokens"));
    }
    let shape = (has_file && class != Class::AsWritten).then(|| Shape::of(&parts));
    let made = class.make(parts, &settings, has_file).map_err(failed)?;
    let unused = shape.map(|shape| shape.unused(&made.tokenizer)).filter(|unused| !unused.is_empty());
    remarks.extend(unused.map(|unused| {
        format!("tokenizer.json's {} is not used: {} has its own, as in transformers", unused.join(", "), class.name())
    }));
    Ok(Loaded { made, remarks, origin })
}

/// The class that builds the tokenizer, and what is to be said of the choice; `name` is what the files call it.
fn class(
    vocabulary: &Held,
    origin: &str,
    name: Option<&str>,
    said: Class,
) -> std::result::Result<(Class, Vec<String>), String> {
    let implied = match vocabulary {
        Held::Whole(parts) if said.suits(parts) => return Ok((said, Vec::new())),
        Held::Whole(_) => Class::AsWritten,
        Held::Bare(_, implied) if said.reads_as(*implied) => return Ok((said, Vec::new())),
        Held::Bare(_, implied) => *implied,
        Held::Pieces(_) if matches!(said, Class::T5 | Class::Llama) => return Ok((said, Vec::new())),
        Held::Pieces(_) => Class::AsWritten,
    };
    let is_whole = matches!(vocabulary, Held::Whole(_));
    let remark = match name {
        // transformers would build on it all the same, of what the class then takes for its vocabulary.
        Some(name) if is_whole => format!("{origin} does not hold what a {name} is; it is read as it is written"),
        Some(name) if said != Class::AsWritten => {
            return Err(format!("tokenizer_class {name} is not read from {origin}"));
        }
        _ if is_whole => format!("{origin} does not hold what a {} is; it is read as it is written", said.name()),
        _ if implied == Class::AsWritten => format!("{origin} is read as SentencePiece does"),
        _ => format!("{origin} is read as {} does", implied.name()),
    };
    let is_plain = name.is_some() && said == implied;
    Ok((implied, if is_plain { Vec::new() } else { vec![remark] }))
}

/// The vocabulary of the files that are there; none without one.
fn source(read: Read) -> Outcome<Option<Source>> {
    let get = |name: &'static str| read(name).map_err(Failed::Unread);
    let found = |origin, vocabulary: std::result::Result<Held, String>| match vocabulary {
        Ok(vocabulary) => Ok(Some(Source { vocabulary, origin })),
        Err(reason) => Err(Failed::Broken(origin, reason)),
    };
    if let Some(json) = get("tokenizer.json")? {
        return found("tokenizer.json", whole(&json).map(Held::Whole));
    }
    if let Some(vocab) = get("vocab.json")? {
        let merges = get("merges.txt")?.ok_or_else(|| Failed::Broken("vocab.json", "merges.txt is missing".into()))?;
        return found("vocab.json", pairs(&vocab, &merges).map(|parts| Held::Bare(parts, Class::Gpt2)));
    }
    if let Some(vocab) = get("vocab.txt")? {
        return found("vocab.txt", words(&vocab).map(|parts| Held::Bare(parts, Class::Bert)));
    }
    for origin in PIECES {
        if let Some(model) = get(origin)? {
            return found(origin, pieces::read(&model).map(Held::Pieces));
        }
    }
    Ok(None)
}

/// The parts of a `tokenizer.json`.
pub(super) fn whole(json: &[u8]) -> std::result::Result<Parts, String> {
    quick::read(json).map_or_else(|| Parts::parse(json), Ok)
}

/// Byte-pair encoding of a `vocab.json` and a `merges.txt`.
fn pairs(vocab: &[u8], merges: &[u8]) -> std::result::Result<Parts, String> {
    let tokens = serde_json::from_slice(vocab).map_err(|error| format!("vocabulary: {error}"))?;
    Listed::new(tokens, read_merges(merges)?.into_iter()).map(|listed| Parts::of(Vocabulary::Listed(listed)))
}

fn read_merges(bytes: &[u8]) -> std::result::Result<Vec<(&str, &str)>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("merges: {error}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !(line.is_empty() || line.starts_with("#version")));
    let pairs = lines.map(|(at, line)| {
        quick::pair(line).ok_or_else(|| format!("merges: line {} is not two tokens with a space between", at + 1))
    });
    pairs.collect()
}

/// WordPiece of a `vocab.txt`: a token a line, whose number is its id; of two lines with one token, the last counts.
fn words(bytes: &[u8]) -> std::result::Result<Parts, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let vocab: Vocab = text.split('\n').zip(0..).map(|(line, id)| (line.trim_end().to_owned(), id)).collect();
    WordPiece::builder().vocab(vocab).build().map(Parts::of).map_err(|error| error.to_string())
}

/// What of a `tokenizer.json` a class may replace.
struct Shape {
    normalizer: Value,
    before: Value,
    options: [bool; 3],
    added: Vec<String>,
}

impl Shape {
    fn of(parts: &Parts) -> Self {
        Self {
            normalizer: json(&parts.normalizer),
            before: json(&parts.pre_tokenizer.as_ref().map(plain)),
            options: options(&parts.model),
            added: parts.added_tokens.iter().map(|added| added.token.content.clone()).collect(),
        }
    }

    /// What the tokenizer has no longer.
    fn unused(&self, tokenizer: &Engine) -> Vec<&'static str> {
        let has = tokenizer.get_added_vocabulary().get_vocab();
        let all = [
            ("normalizer", json(&tokenizer.get_normalizer()) == self.normalizer),
            ("pre_tokenizer", json(&tokenizer.get_pre_tokenizer().map(plain)) == self.before),
            ("model's options", options(tokenizer.get_model()) == self.options),
            ("added_tokens", self.added.iter().all(|token| has.contains_key(token))),
        ];
        all.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
    }
}

fn json(part: &impl Serialize) -> Value {
    serde_json::to_value(part).unwrap_or_default()
}

fn options(model: &Vocabulary) -> [bool; 3] {
    model.pairs().map_or([false; 3], |pairs| [pairs.ignore_merges, pairs.fuse_unk, pairs.byte_fallback])
}

/// Without what changes offsets only.
fn plain(part: &PreTokenizerWrapper) -> PreTokenizerWrapper {
    match part {
        PreTokenizerWrapper::ByteLevel(level) => level.trim_offsets(true).into(),
        other => other.clone(),
    }
}
