//! Surprisal in words, figures, fields and tables, of a text that is held or read by parts.

use super::numbers::{Totals, Words};
use super::{Base, Options};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Entry, Table};
use crate::figure::surprisal::{Texts, panels};
use crate::figure::{Panel, Scale};
use crate::findings::Style;
use crate::named::Named;
use crate::prompt::Prompt;
use serde_json::{Map, Value, json};

/// What a figure says of corrected words.
pub(super) const CORRECTED: &str = "words are corrected: the space before a word counts to the word that it ends";

/// What was asked, as it is for a model.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub options: &'a Options,
    pub window: usize,
    pub stride: usize,
}

impl Setting<'_> {
    pub fn unit(&self) -> &'static str {
        self.options.base.unit()
    }

    fn base(&self) -> Base {
        self.options.base
    }

    /// What stands under the headline, after its first line; of a text of so many tokens.
    pub fn lines(&self, first: String, totals: &Totals, length: usize) -> Vec<String> {
        let mut lines = vec![first];
        lines.extend(self.told(totals, length));
        if self.options.bow_correction {
            lines.push(CORRECTED.into());
        }
        lines
    }

    /// Its sums, and how it was read.
    pub fn told(&self, totals: &Totals, length: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let (sum, unit) = (self.base().of_nats(totals.nats), self.unit());
        let Totals { tokens, bytes, .. } = *totals;
        if tokens == 0 {
            lines.push("nothing is scored: the first token has nothing before it".into());
        } else {
            lines.push(format!(
                "{sum:.2} {unit} over {}: {:.3} a token, {:.3} bits a byte, perplexity {:.2}",
                crate::text::count(tokens, "token"),
                sum / tokens as f64,
                totals.bits() / bytes.max(1) as f64,
                totals.perplexity()
            ));
        }
        if length > self.window {
            lines.push(format!(
                "windows of {} tokens moved by {}: a token is scored once, after at least {} others once the first window is full",
                self.window,
                self.stride,
                (self.window - self.stride).max(1)
            ));
        }
        lines
    }

    /// The text in colours, by tokens or words.
    pub fn panels(&self, style: &Style, labels: Vec<String>, rows: Vec<(String, Vec<f32>)>) -> Vec<Panel> {
        let what = if self.options.rule().is_some() { "word" } else { "token" };
        let unit = format!("{} a {what}", self.unit());
        panels_of(style, &unit, Texts { labels, rows, what })
    }

    /// The numbers of tokens, and what they are together.
    pub fn entry(&self, tokens: &[f64], totals: &Totals) -> Entry {
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        let sum = self.base().of_nats(totals.nats);
        let fields = Map::from_iter([
            ("total".into(), json!(sum)),
            ("scored".into(), json!(totals.tokens)),
            ("mean".into(), json!(mean(sum, totals.tokens))),
            ("bits_a_byte".into(), json!(mean(totals.bits(), totals.bytes))),
            ("perplexity".into(), json!(mean(totals.perplexity(), usize::from(totals.tokens > 0)))),
        ]);
        let settings = Map::from_iter([
            ("unit".into(), self.unit().into()),
            ("bos".into(), self.options.reading.bos.into()),
            ("window".into(), self.window.into()),
            ("stride".into(), self.stride.into()),
            ("words".into(), self.options.rule().map(Named::name).into()),
            ("bow_correction".into(), self.options.bow_correction.into()),
        ]);
        Entry { method: "surprisal".into(), settings, fields, arrays: vec![array(self.unit(), tokens)] }
    }

    /// Rows of tokens, of which the first has this position.
    pub fn token_rows(&self, position: usize, part: &Prompt, values: &[f64]) -> Table {
        let row = |at: usize| {
            vec![
                (position + at).into(),
                part.ids[at].into(),
                part.tokens[at].text.clone().into(),
                Cell::from(values[at] as f32),
            ]
        };
        let columns = vec![whole("position"), whole("token_id"), text("token"), number(self.unit())];
        Table { columns, rows: (0..part.ids.len()).map(row).collect() }
    }

    /// Rows of words, of which the first has this place, in a part that begins at this position.
    pub fn word_rows(&self, place: usize, position: usize, words: &Words) -> Table {
        let row = |at: usize| {
            let word = &words.words[at];
            let other = words.corrected.as_ref().map(|values| values[at] as f32);
            vec![
                (place + at).into(),
                word.label.clone().into(),
                (position + word.tokens.start).into(),
                word.tokens.len().into(),
                Cell::from(words.values[at] as f32),
                other.into(),
            ]
        };
        let columns = vec![
            whole("place"),
            text("word"),
            whole("first"),
            whole("tokens"),
            number(self.unit()),
            number("corrected"),
        ];
        Table { columns, rows: (0..words.words.len()).map(row).collect() }
    }
}

/// A text in colours, on the scale of its numbers.
pub(super) fn panels_of(style: &Style, unit: &str, texts: Texts) -> Vec<Panel> {
    let values = texts.rows.iter().flat_map(|(_, values)| values).copied();
    let scale = Scale {
        kind: style.scale,
        colormap: style.colormap.unwrap_or_default(),
        min: 0.0,
        max: values.filter(|x| x.is_finite()).fold(1.0, f32::max),
        unit: unit.into(),
        ..Scale::default()
    };
    panels(texts, scale)
}

/// Rows of a figure of words: as they are, and corrected.
pub(super) fn rows_of_words(values: &[f64], corrected: Option<&[f64]>) -> Vec<(String, Vec<f32>)> {
    let name = if corrected.is_some() { "as it is" } else { "" };
    let corrected = corrected.map(|values| ("corrected".to_owned(), shown(values)));
    [(name.to_owned(), shown(values))].into_iter().chain(corrected).collect()
}

pub(super) fn shown(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

pub(super) fn array(name: &str, values: &[f64]) -> Array {
    Array { name: name.into(), shape: vec![values.len()], values: shown(values) }
}

/// What files say of each word.
pub(super) fn fields_of_words(unit: &str, Words { words, values, corrected }: &Words) -> Value {
    let finite = |value: f64| if value.is_finite() { json!(value as f32) } else { Value::Null };
    let word = |at: usize| {
        let mut word = Map::from_iter([
            ("word".into(), json!(words[at].label)),
            ("tokens".into(), json!([words[at].tokens.start, words[at].tokens.end])),
            (unit.into(), finite(values[at])),
        ]);
        if let Some(corrected) = corrected {
            word.insert("corrected".into(), finite(corrected[at]));
        }
        Value::Object(word)
    };
    (0..words.len()).map(word).collect()
}
