//! A fast reader of `tokenizer.json` files of GPT-2's shape; any other file is left to the `tokenizers` crate, which
//! first copies the whole file into a tree of values.
use std::fmt;

use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Unexpected, Visitor};
use tokenizers::models::bpe::Vocab;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::parts::{Added, Parts};

/// What GPT-2's file has, and nothing else: an unknown field may change what the tokenizer does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Option<String>,
    #[serde(rename = "truncation")]
    _truncation: Option<IgnoredAny>,
    #[serde(rename = "padding")]
    _padding: Option<IgnoredAny>,
    added_tokens: Vec<Added>,
    normalizer: Option<IgnoredAny>,
    pre_tokenizer: Level,
    post_processor: Option<Level>,
    decoder: Level,
    model: Model,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    r#type: String,
    add_prefix_space: bool,
    trim_offsets: bool,
    use_regex: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    r#type: String,
    dropout: Option<IgnoredAny>,
    unk_token: Option<IgnoredAny>,
    continuing_subword_prefix: Option<IgnoredAny>,
    end_of_word_suffix: Option<IgnoredAny>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Vocab,
    merges: Vec<Merge>,
}

/// The parts of a file of GPT-2's shape, none for any other file, right or wrong.
pub(super) fn read(bytes: &[u8]) -> Option<Parts> {
    let File { version, added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model, .. } =
        serde_json::from_slice(bytes).ok()?;
    let levels = [Some(&pre_tokenizer), post_processor.as_ref(), Some(&decoder)];
    let options = [&model.dropout, &model.unk_token, &model.continuing_subword_prefix, &model.end_of_word_suffix];
    let switches = [model.fuse_unk, model.byte_fallback, model.ignore_merges];
    let plain = version.is_none_or(|version| version == "1.0")
        && normalizer.is_none()
        && levels.into_iter().flatten().all(|level| level.r#type == "ByteLevel")
        && model.r#type == "BPE"
        && options.iter().all(|option| option.is_none())
        && !switches.contains(&Some(true));
    if !plain {
        return None;
    }
    let merges = model.merges.into_iter().map(|Merge(pair)| pair).collect();
    let parts = Parts::of_pairs(model.vocab, merges).ok()?;
    let level = |level: Level| ByteLevel::from(level);
    Some(Parts {
        pre_tokenizer: Some(level(pre_tokenizer).into()),
        decoder: Some(level(decoder).into()),
        post_processor: post_processor.map(|after| level(after).into()),
        added_tokens,
        ..parts
    })
}

impl From<Level> for ByteLevel {
    fn from(level: Level) -> Self {
        Self::new(level.add_prefix_space, level.trim_offsets, level.use_regex.unwrap_or(true))
    }
}

/// The tokens of a `{token: id}` file.
pub(super) fn vocab(bytes: &[u8]) -> serde_json::Result<Vocab> {
    serde_json::from_slice(bytes)
}

/// The two halves of a merge, `Ġt he`.
pub(super) fn pair(line: &str) -> Option<(String, String)> {
    let (left, right) = line.split_once(' ')?;
    (!right.contains(' ')).then(|| (left.to_owned(), right.to_owned()))
}

/// One merge, written `"Ġt he"` or `["Ġt", "he"]`.
struct Merge((String, String));

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = Merge;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("two tokens")
    }

    fn visit_str<E: Error>(self, line: &str) -> Result<Merge, E> {
        pair(line).map(Merge).ok_or_else(|| E::invalid_value(Unexpected::Str(line), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Merge, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(seq)).map(Merge)
    }
}
