//! SentencePiece's own file, a message in protocol buffers, as transformers' classes read it.
use prost::{Enumeration, Message};
use serde_json::{Value, json};
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::Precompiled;
use tokenizers::{AddedToken, NormalizerWrapper};

use super::class::{Class, of};
use super::parts::Parts;

/// More pieces than any vocabulary has.
const MOST_PIECES: usize = 1 << 20;
/// T5's own tokens, more than any model has.
const MOST_EXTRA: u32 = 10_000;

/// The part of the file that is needed; fields that are not named are skipped.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<Normalizer>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(enumeration = "Kind", optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
enum Kind {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

#[derive(Clone, PartialEq, Message)]
struct Trainer {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
    #[prost(int32, optional, tag = "41")]
    bos_id: Option<i32>,
    #[prost(int32, optional, tag = "42")]
    eos_id: Option<i32>,
    #[prost(string, optional, tag = "45")]
    unk_piece: Option<String>,
    #[prost(string, optional, tag = "46")]
    bos_piece: Option<String>,
    #[prost(string, optional, tag = "47")]
    eos_piece: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Normalizer {
    #[prost(bytes = "vec", optional, tag = "2")]
    charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    escape_whitespaces: Option<bool>,
}

/// A file's model.
pub(super) fn read(bytes: &[u8]) -> Result<Model, String> {
    let model = Model::decode(bytes).map_err(|error| format!("it is no model of SentencePiece: {error}"))?;
    match model.pieces.len() {
        0 => Err("it is no model of SentencePiece: it has no pieces".into()),
        1..=MOST_PIECES => Ok(model),
        count => Err(format!("it has {count} pieces")),
    }
}

impl Model {
    /// What a class builds on it; `legacy` and `extra_ids` are settings of some classes.
    pub(super) fn parts(&self, class: Class, legacy: bool, extra_ids: u32) -> Result<Parts, String> {
        match class {
            Class::T5 => {
                let extra = extra_tokens(extra_ids).rev().map(|token| (token, 0.0));
                let parts = self.unigram(self.scored().chain(extra), Some(2), false)?;
                Ok(Parts { normalizer: self.charsmap(), ..parts })
            }
            Class::Llama => Ok(Parts::of(self.pairs(self.merges_by_id())?)),
            _ => self.as_written(legacy),
        }
    }

    /// Tokens that are no text, and those that someone added: special or not.
    pub(super) fn added(&self, class: Class, extra_ids: u32) -> Vec<AddedToken> {
        let wanted = |kind| kind == Kind::Control || (kind == Kind::UserDefined && class != Class::AsWritten);
        let pieces = self.pieces.iter().filter(|piece| wanted(piece.kind()));
        let mut added: Vec<AddedToken> = pieces
            .map(|piece| AddedToken::from(piece.piece(), piece.kind() == Kind::Control).normalized(false))
            .collect();
        if class == Class::T5 && !added.iter().any(|token| token.content.contains("<extra_id_")) {
            added.extend(extra_tokens(extra_ids).map(|token| AddedToken::from(token, true)));
        }
        added
    }

    /// The roles that its own file gives to tokens.
    pub(super) fn roles(&self) -> Vec<(&'static str, String)> {
        let trainer = self.trainer.clone().unwrap_or_default();
        let roles = [
            ("bos_token", trainer.bos_id.unwrap_or(1), trainer.bos_piece, "<s>"),
            ("eos_token", trainer.eos_id.unwrap_or(2), trainer.eos_piece, "</s>"),
            ("unk_token", trainer.unk_id.unwrap_or(0), trainer.unk_piece, "<unk>"),
        ];
        let said = roles.into_iter().filter(|(_, id, ..)| *id >= 0);
        said.map(|(role, _, piece, plain)| {
            (role, piece.filter(|piece| !piece.is_empty()).unwrap_or_else(|| plain.into()))
        })
        .collect()
    }

    /// Whether a text gets a space in front.
    pub(super) fn has_prefix(&self) -> bool {
        self.normalizer.as_ref().and_then(|normalizer| normalizer.add_dummy_prefix).unwrap_or(true)
    }

    fn trainer(&self) -> Option<&Trainer> {
        self.trainer.as_ref()
    }

    fn scored(&self) -> impl Iterator<Item = (String, f64)> {
        self.pieces.iter().map(|piece| (piece.piece().to_owned(), piece.score().into()))
    }

    fn unk_id(&self) -> i32 {
        self.trainer().and_then(|trainer| trainer.unk_id).unwrap_or(0)
    }

    fn byte_fallback(&self) -> bool {
        self.trainer().and_then(|trainer| trainer.byte_fallback).unwrap_or(false)
    }

    fn unigram(
        &self,
        pieces: impl Iterator<Item = (String, f64)>,
        unknown: Option<usize>,
        byte_fallback: bool,
    ) -> Result<Parts, String> {
        Unigram::from(pieces.collect(), unknown, byte_fallback).map(Parts::of).map_err(|error| error.to_string())
    }

    fn pairs(&self, merges: Merges) -> Result<BPE, String> {
        let vocab: Vocab = self.pieces.iter().zip(0..).map(|(piece, id)| (piece.piece().to_owned(), id)).collect();
        let pairs = BPE::builder().vocab_and_merges(vocab, merges).fuse_unk(true).byte_fallback(self.byte_fallback());
        pairs.build().map_err(|error| error.to_string())
    }

    /// Every way to make a piece of two, in the order of the pieces.
    fn merges_by_id(&self) -> Merges {
        let ids: HashMap<&str, usize> = self.pieces.iter().map(Piece::piece).zip(0..).collect();
        let mut merges: Vec<_> = self.pieces.iter().flat_map(|piece| halves(piece.piece(), &ids)).collect();
        merges.sort_by_key(|(left, right)| {
            let whole = ids.get(&format!("{left}{right}")[..]).copied();
            (whole, left.chars().count(), right.chars().count(), ids[&left[..]], ids[&right[..]])
        });
        merges
    }

    /// The same of normal pieces only, in the order of their scores.
    fn merges_by_score(&self) -> Merges {
        let normal = self.pieces.iter().zip(0..).filter(|(piece, _)| piece.kind() == Kind::Normal);
        let ranks: HashMap<&str, (f32, usize)> =
            normal.map(|(piece, id)| (piece.piece(), (piece.score(), id))).collect();
        let mut merges: Vec<(f32, usize, (String, String))> = Vec::new();
        for (piece, (score, id)) in &ranks {
            merges.extend(halves(piece, &ranks).into_iter().map(|pair| (-score, *id, pair)));
        }
        merges.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, &a.2).cmp(&(b.1, &b.2))));
        merges.into_iter().map(|(.., pair)| pair).collect()
    }

    fn charsmap(&self) -> Option<NormalizerWrapper> {
        let bytes = self.normalizer.as_ref()?.charsmap.as_deref().filter(|bytes| !bytes.is_empty())?;
        Precompiled::from(bytes).ok().map(Into::into)
    }

    /// As SentencePiece itself splits a text.
    fn as_written(&self, legacy: bool) -> Result<Parts, String> {
        let suffix = self.trainer().and_then(|trainer| trainer.treat_whitespace_as_suffix);
        if suffix == Some(true) {
            return Err("treat_whitespace_as_suffix is not supported".into());
        }
        let defined: Vec<&str> =
            self.pieces.iter().filter(|piece| piece.kind() == Kind::UserDefined).map(Piece::piece).collect();
        // SentencePiece calls its Unigram model 1, and byte-pair encoding 2.
        let parts = match self.trainer().and_then(|trainer| trainer.model_type).unwrap_or(1) {
            1 => self.unigram(self.scored(), usize::try_from(self.unk_id()).ok(), self.byte_fallback())?,
            2 => {
                let mut pairs = self.pairs(self.merges_by_score())?;
                let unknown = self.trainer().and_then(|trainer| trainer.unk_piece.clone());
                pairs.unk_token = Some(unknown.unwrap_or_else(|| "<unk>".into()));
                pairs.ignore_merges = !defined.is_empty();
                Parts::of(pairs)
            }
            other => return Err(format!("model_type {other} is neither Unigram (1) nor BPE (2)")),
        };
        let options = self.normalizer.clone().unwrap_or_default();
        let regex = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
        let space = |from: &str, to: &str| json!({"type": "Replace", "pattern": {"String": from}, "content": to});
        let mut normalizers: Vec<Value> = Vec::new();
        if let Some(charsmap) = self.charsmap() {
            normalizers.push(serde_json::to_value(charsmap).map_err(|error| error.to_string())?);
        }
        if options.remove_extra_whitespaces.unwrap_or(true) {
            normalizers.extend([regex(r"\A +| +\z", ""), regex(" {2,}", " ")]);
        }
        if options.escape_whitespaces.unwrap_or(true) {
            normalizers.push(space(" ", "▁"));
        }
        let (mut before, mut decoders) = (Vec::new(), vec![space("▁", " ")]);
        decoders.extend(self.byte_fallback().then(|| json!({"type": "ByteFallback"})));
        if self.has_prefix() {
            if legacy {
                normalizers.push(regex(r"\A▁", "▁▁"));
            }
            let scheme = if legacy { "always" } else { "first" };
            before.push(json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false}));
            decoders.extend([json!({"type": "Fuse"}), json!({"type": "Strip", "content": " ", "start": 1, "stop": 0})]);
        } else if self.byte_fallback() {
            decoders.push(json!({"type": "Fuse"}));
        }
        if !defined.is_empty() {
            let mut defined = defined;
            defined.sort_by_key(|piece| std::cmp::Reverse(piece.chars().count()));
            let pattern = defined.iter().map(|piece| escaped(piece)).collect::<Vec<_>>().join("|");
            before
                .push(json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}));
        }
        Ok(Parts {
            normalizer: of(json!({"type": "Sequence", "normalizers": normalizers}))?,
            pre_tokenizer: if before.is_empty() {
                None
            } else {
                of(json!({"type": "Sequence", "pretokenizers": before}))?
            },
            decoder: of(json!({"type": "Sequence", "decoders": decoders}))?,
            ..parts
        })
    }
}

/// T5's own tokens.
pub(super) fn extra_tokens(count: u32) -> impl DoubleEndedIterator<Item = String> {
    (0..count.min(MOST_EXTRA)).map(|id| format!("<extra_id_{id}>"))
}

/// A text as a pattern that only it matches.
fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| r"\.+*?()|[]{}^$#&-~".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

/// Every way to cut a piece into two others.
fn halves<T>(piece: &str, known: &HashMap<&str, T>) -> Merges {
    let cuts = piece.char_indices().skip(1).map(|(at, _)| piece.split_at(at));
    cuts.filter(|(left, right)| known.contains_key(left) && known.contains_key(right))
        .map(|(left, right)| (left.to_owned(), right.to_owned()))
        .collect()
}
