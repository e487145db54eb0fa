//! A fast reader of files of byte-pair encoding; any other file is left to the `tokenizers` crate, which first copies the whole file into a
//! tree of values.
use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Unexpected, Visitor};
use tokenizers::{DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};

use super::listed::{Listed, Tokens};
use super::parts::{Added, Parts};
use super::vocabulary::Vocabulary;

/// What such a file has, and nothing else: an unknown field may change what the tokenizer does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    version: Option<String>,
    #[serde(rename = "truncation")]
    _truncation: Option<IgnoredAny>,
    #[serde(rename = "padding")]
    _padding: Option<IgnoredAny>,
    added_tokens: Vec<Added>,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    post_processor: Option<PostProcessorWrapper>,
    decoder: Option<DecoderWrapper>,
    #[serde(borrow)]
    model: Model<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model<'a> {
    #[serde(default = "byte_pairs")]
    r#type: String,
    dropout: Option<IgnoredAny>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Tokens,
    #[serde(borrow)]
    merges: Vec<Merge<'a>>,
}

/// How a file calls byte-pair encoding, unless it is old and calls it nothing.
const BYTE_PAIRS: &str = "BPE";

fn byte_pairs() -> String {
    BYTE_PAIRS.into()
}

/// The parts of a file of byte-pair encoding, none for any other file, right or wrong.
pub(super) fn read(bytes: &[u8]) -> Option<Parts> {
    let File { version, added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model, .. } =
        serde_json::from_slice(bytes).ok()?;
    let marks = [&model.continuing_subword_prefix, &model.end_of_word_suffix];
    let is_plain = version.is_none_or(|version| version == "1.0")
        && model.r#type == BYTE_PAIRS
        && model.dropout.is_none()
        && marks.into_iter().flatten().all(String::is_empty);
    if !is_plain {
        return None;
    }
    let mut listed = Listed::new(model.vocab, model.merges.into_iter().map(|Merge(pair)| pair)).ok()?;
    listed.settings.unk_token = model.unk_token;
    listed.settings.fuse_unk = model.fuse_unk.unwrap_or_default();
    listed.settings.byte_fallback = model.byte_fallback.unwrap_or_default();
    listed.settings.ignore_merges = model.ignore_merges.unwrap_or_default();
    let parts = Parts::of(Vocabulary::Listed(listed));
    Some(Parts { normalizer, pre_tokenizer, post_processor, decoder, added_tokens, ..parts })
}

/// The two halves of a merge, `Ġt he`.
pub(super) fn pair(line: &str) -> Option<(&str, &str)> {
    line.split_once(' ').filter(|(_, right)| !right.contains(' '))
}

/// A text, where it lies if nothing in it is escaped.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// One merge, written `"Ġt he"` or `["Ġt", "he"]`.
struct Merge<'a>((Cow<'a, str>, Cow<'a, str>));

impl<'de: 'a, 'a> Deserialize<'de> for Merge<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MergeVisitor)
    }
}

struct MergeVisitor;

impl<'de> Visitor<'de> for MergeVisitor {
    type Value = Merge<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("two tokens")
    }

    fn visit_borrowed_str<E: Error>(self, line: &'de str) -> Result<Merge<'de>, E> {
        let pair = pair(line).map(|(left, right)| Merge((left.into(), right.into())));
        pair.ok_or_else(|| E::invalid_value(Unexpected::Str(line), &self))
    }

    fn visit_str<E: Error>(self, line: &str) -> Result<Merge<'de>, E> {
        let pair = pair(line).map(|(left, right)| Merge((left.to_owned().into(), right.to_owned().into())));
        pair.ok_or_else(|| E::invalid_value(Unexpected::Str(line), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Merge<'de>, A::Error> {
        let (Text(left), Text(right)) = Deserialize::deserialize(SeqAccessDeserializer::new(seq))?;
        Ok(Merge((left, right)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_or_of_no_known_kind_is_left_to_the_crate() {
        let whole =
            r#"{"added_tokens": [], "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}"#;
        assert!(read(whole.as_bytes()).is_some());
        assert!(read(whole.replace(r#""type": "BPE", "#, "").as_bytes()).is_some(), "old files say no type");
        for (there, instead) in [
            (r#""BPE""#, "null"),
            (r#""BPE""#, r#""WordPiece""#),
            ("a b", "a c"),
            ("a b", "a b c"),
            (r#""merges""#, r#""dropout": 0.5, "merges""#),
            (r#""merges""#, r#""end_of_word_suffix": "</w>", "merges""#),
            (r#""merges""#, r#""new": 1, "merges""#),
            (r#""ab": 2"#, r#""ab": -2"#),
        ] {
            let other = whole.replace(there, instead);
            assert!(other != whole && read(other.as_bytes()).is_none(), "{other}");
        }
    }
}
