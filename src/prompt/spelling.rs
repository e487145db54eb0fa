//! What a token of a vocabulary says: its bytes, by the tokenizer's own decoder, and by where it stands in the text.
use serde::Serialize;
use serde_json::Value;
use tokenizers::{DecoderWrapper, ModelWrapper, PreTokenizerWrapper};

use super::label::decode_bpe;
use super::vocabulary::Vocabulary;

/// How a vocabulary writes its tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spelling {
    /// In GPT-2's byte alphabet.
    pub(super) byte_level: bool,
    /// A byte that no token has is `<0xC3>`.
    byte_fallback: bool,
    /// What stands for something else: `▁` for a space.
    replaced: Vec<(String, String)>,
    /// What the inside of a word begins with: `##`.
    inside: Option<String>,
    /// What the end of a word ends with: `</w>`.
    end: Option<String>,
    /// Whether spaces are no part of tokens: a token begins a word unless it says otherwise.
    apart: bool,
    /// Whether a space before the first token is not the text's.
    prefixed: bool,
}

impl Spelling {
    /// That of a tokenizer's parts: of its decoder, else of what splits its texts.
    pub(super) fn of(
        decoder: Option<&DecoderWrapper>,
        before: Option<&PreTokenizerWrapper>,
        model: &Vocabulary,
    ) -> Self {
        let mut spelling = Self::default();
        let parts = match decoder {
            Some(decoder) => flat(decoder, "decoders"),
            None => flat(&before, "pretokenizers"),
        };
        parts.iter().for_each(|part| spelling.take(part));
        if decoder.is_none() {
            spelling.take_model(model);
            let marked = spelling.byte_level || !spelling.replaced.is_empty();
            spelling.apart = !marked && before.is_some();
        }
        spelling
    }

    fn take(&mut self, part: &Value) {
        let text = |name: &str| part[name].as_str().map(str::to_owned);
        match part["type"].as_str().unwrap_or_default() {
            "ByteLevel" => self.byte_level = true,
            "ByteFallback" => self.byte_fallback = true,
            "Metaspace" => {
                self.replaced.extend(text("replacement").map(|mark| (mark, " ".to_owned())));
                self.prefixed |= part["prepend_scheme"] != "never";
            }
            "Replace" => {
                let pattern = part["pattern"]["String"].as_str().map(str::to_owned);
                self.replaced.extend(pattern.zip(text("content")));
            }
            "Strip" => self.prefixed |= part["content"] == " " && part["start"].as_u64() > Some(0),
            "WordPiece" => (self.inside, self.apart) = (text("prefix"), true),
            "BPEDecoder" => (self.end, self.apart) = (text("suffix"), true),
            _ => (),
        }
    }

    /// Without a decoder, a model's own marks.
    fn take_model(&mut self, model: &Vocabulary) {
        match model {
            Vocabulary::Whole(ModelWrapper::WordPiece(pieces)) => {
                self.inside = Some(pieces.continuing_subword_prefix.clone());
            }
            Vocabulary::Whole(ModelWrapper::Unigram(_)) => self.byte_fallback = true,
            _ => (),
        }
        if let Some(pairs) = model.pairs() {
            (self.inside, self.end) = (pairs.continuing_subword_prefix.clone(), pairs.end_of_word_suffix.clone());
            self.byte_fallback = pairs.byte_fallback;
        }
        self.inside.take_if(|mark| mark.is_empty());
        self.end.take_if(|mark| mark.is_empty());
    }

    /// The bytes of a token in the middle of a text.
    pub(super) fn bytes(&self, token: &str) -> Vec<u8> {
        let begins = self.apart && !self.is_inside(token);
        let own = self.own(token);
        if begins { [b" ", &own[..]].concat() } else { own }
    }

    /// The bytes of the tokens of a text, the special ones among them as they are. `gaps` tells of each whether the text has a blank
    /// before it that no token has; none where there is no text.
    pub(super) fn all(&self, tokens: &[(String, bool)], gaps: Option<&[bool]>) -> Vec<Vec<u8>> {
        let mut all = Vec::with_capacity(tokens.len());
        let (mut is_first, mut after_end) = (true, false);
        for (at, (token, special)) in tokens.iter().enumerate() {
            if *special && self.fallback(token).is_none() {
                all.push(token.clone().into_bytes());
                continue;
            }
            let mut bytes = self.own(token);
            let ends = self.end.as_ref().is_some_and(|end| token.ends_with(end.as_str()));
            let apart = match gaps {
                Some(gaps) => gaps[at],
                None if self.end.is_some() => after_end,
                None => !self.is_inside(token),
            };
            if self.apart && apart && !is_first {
                bytes.insert(0, b' ');
            }
            if is_first && self.prefixed && bytes.len() > 1 && bytes[0] == b' ' {
                bytes.remove(0);
            }
            all.push(bytes);
            (is_first, after_end) = (false, ends);
        }
        all
    }

    /// The byte that a token stands for which no text has.
    pub(super) fn fallback(&self, token: &str) -> Option<u8> {
        byte(token).filter(|_| self.byte_fallback)
    }

    fn is_inside(&self, token: &str) -> bool {
        self.inside.as_ref().is_some_and(|mark| token.starts_with(mark.as_str()))
    }

    /// The bytes of a token itself.
    fn own(&self, token: &str) -> Vec<u8> {
        if self.byte_level {
            return decode_bpe(token);
        }
        if let Some(byte) = self.fallback(token) {
            return vec![byte];
        }
        let mut text = token;
        if let Some(rest) = self.inside.as_ref().and_then(|mark| text.strip_prefix(mark.as_str())) {
            text = rest;
        }
        if let Some(rest) = self.end.as_ref().and_then(|mark| text.strip_suffix(mark.as_str())) {
            text = rest;
        }
        let mut text = text.to_owned();
        for (mark, meant) in self.replaced.iter().filter(|(mark, _)| !mark.is_empty()) {
            text = text.replace(mark, meant);
        }
        text.into_bytes()
    }
}

/// The byte of `<0xC3>`.
pub(super) fn byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// A part as JSON, or the parts of a sequence.
fn flat(part: &impl Serialize, list: &str) -> Vec<Value> {
    match serde_json::to_value(part).unwrap_or_default() {
        Value::Object(mut object) if object.get("type") == Some(&"Sequence".into()) => match object.remove(list) {
            Some(Value::Array(all)) => all.iter().flat_map(|one| flat(one, list)).collect(),
            _ => Vec::new(),
        },
        Value::Null => Vec::new(),
        other => vec![other],
    }
}
