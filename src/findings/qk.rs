//! Why a head looks where it looks, as figures, data and tables: its score by who wrote at the query and at the key.

use super::subject::{About, Subject, in_a_line, percent};
use super::{Analysis, Cost, Findings, Output, Picks, Reading, Style, position, refuse_parts};
use crate::analysis::qk::{Look, Scored, Writer, qk, sharpest};
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::qk::{Parts, keys, matrix, pairs};
use crate::figure::{Figure, Scale};
use crate::model::Spec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// The options of `qk`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// The head, such as 4.3; none means the one that looks hardest at one token.
    pub head: Option<Picks>,
    /// The position that looks: the last, unless another is named; negative ones count from the end.
    pub query: i64,
    /// The position that it looks at; none means the one that it attends to most.
    pub key: Option<i64>,
    /// How the figure looks.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Self {
        Self { reading: Reading::default(), head: None, query: -1, key: None, style: Style::default() }
    }
}

impl Options {
    /// The head that is named, among those of a model.
    fn named(&self, spec: &Spec) -> Result<Option<(usize, usize)>> {
        let all = |count| (0..count).collect::<Vec<_>>();
        let one = |picks: &Picks| picks.among("the model", &all(spec.layers), &all(spec.heads));
        Ok(self.head.as_ref().map(one).transpose()?.map(|found| (found.layers[0], found.heads[0])))
    }
}

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("qk", outputs)?;
        if self.head.as_ref().is_some_and(Picks::are_several) {
            return Err(Error::usage("several heads are named, and qk takes one apart")
                .hint("name one")
                .option("head"));
        }
        self.style.check()
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.named(spec).map(drop)
    }

    /// What all writers of one layer come to, in double precision, and what is kept of them; beside the activations.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let layers = self.named(spec).ok().flatten().map_or(spec.layers, |(layer, _)| layer + 1);
        let (n, d) = (tokens as u64, spec.d_model as u64);
        let writers = (layers * (spec.heads + 2) + 3) as u64;
        let working = 3 * 8 * spec.heads as u64 * n * d + 4 * 3 * layers as u64 * n * d;
        Cost { memory: working + 8 * writers * n * spec.d_head as u64, ..Cost::default() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        let (model, ids) = (subject.model(), &subject.prompt.ids);
        let query = position("query", self.query, ids.len())?;
        let key = self.key.map(|key| position("key", key, ids.len())).transpose()?;
        if let Some(key) = key.filter(|key| *key > query) {
            return Err(Error::usage(format!("key {key} comes after query {query}, which cannot see it"))
                .hint(format!("give a key from 0 to {query}"))
                .option("key"));
        }
        let named = self.named(subject.session.spec())?;
        let (layer, head) = named.map_or_else(|| sharpest(model, ids, query), Ok)?;
        let scored = qk(model, ids, Look { layer, head, query })?;
        let key = key.unwrap_or_else(|| scored.favourite());
        let names = scored.writers.iter().map(|writer| name(*writer)).collect();
        let (parts, centred) = (scored.parts(key), scored.centred(key));
        let chosen = named.is_none();
        Ok(Box::new(Taken { options: self, subject, scored, layer, head, query, key, names, parts, centred, chosen }))
    }
}

/// What a writer is called.
fn name(writer: Writer) -> String {
    match writer {
        Writer::Embedding => "embedding".into(),
        Writer::Position => "position".into(),
        Writer::Head(layer, head) => format!("head {layer}.{head}"),
        Writer::AttnBias(layer) => format!("attention bias {layer}"),
        Writer::Mlp(layer) => format!("MLP {layer}"),
        Writer::Bias => "bias".into(),
    }
}

/// A score that was taken apart.
struct Taken<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    scored: Scored,
    layer: usize,
    head: usize,
    query: usize,
    key: usize,
    names: Vec<String>,
    /// `[query writer][key writer]`.
    parts: Vec<f64>,
    centred: Vec<f64>,
    /// Whether nobody named the head.
    chosen: bool,
}

impl Taken<'_> {
    /// A position with its token.
    fn at(&self, position: usize) -> String {
        format!("{} ({position})", in_a_line(&self.subject.prompt.tokens[position].label))
    }

    fn what(&self) -> String {
        let chosen = if self.chosen { " (the one that looks hardest at one token)" } else { "" };
        format!(
            "why head {}.{}{chosen} looks from {} at {}",
            self.layer,
            self.head,
            self.at(self.query),
            self.at(self.key)
        )
    }

    /// The score of the mean of all keys that the query sees.
    fn mean(&self) -> f64 {
        let scores = &self.scored.scores;
        scores.iter().sum::<f64>() / scores.len() as f64
    }

    /// How large it is, and against what.
    fn totals(&self) -> Vec<String> {
        let number = |x: f64| format!("{x:+.2}").replace('-', "−");
        let (score, count, parts) = (self.scored.scores[self.key], self.scored.scores.len(), self.names.len());
        let attention = percent(self.scored.pattern[self.key]);
        let exact = format!("its {parts} × {parts} parts add up to it within {:.0e}", self.scored.apart.max(1e-9));
        let mut lines = vec![format!("score {}, attention {attention}; {}", number(score), exact.replace("e-", "e−"))];
        if count > 1 {
            lines.push(format!(
                "shown against the mean of the {count} keys, {}: what all have in common moves no attention; the sum is {}",
                number(self.mean()),
                number(score - self.mean())
            ));
        }
        lines
    }
}

impl Findings for Taken<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let floats = |values: &[f64]| values.iter().map(|x| *x as f32).collect::<Vec<_>>();
        let mut labels = self.subject.labels();
        labels.truncate(self.query + 1);
        // One key alone has nothing to stand out against.
        let (shown, unit) = match labels.len() {
            1 => (&self.parts, "part of the score"),
            _ => (&self.centred, "above the mean key"),
        };
        let scale = |values: &[f32]| {
            let signed = Scale::signed(unit, values.iter().copied());
            Scale { kind: style.scale, colormap: style.colormap.unwrap_or(signed.colormap), ..signed }
        };
        let ends = [self.at(self.query), self.at(self.key)];
        let of = Parts { writers: &self.names, shown, parts: &self.parts, unit, ends };
        let strip = keys(labels, floats(&self.scored.scores), floats(&self.scored.pattern));
        let panels = vec![strip, matrix(&of, scale), pairs(&of)];
        let lines = std::iter::once(self.subject.line(&self.what())).chain(self.totals()).collect();
        style.figure(&self.subject, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (n, keys) = (self.names.len(), self.scored.scores.len());
        let array = |name: &str, shape: Vec<usize>, values: &[f64]| Array {
            name: name.into(),
            shape,
            values: values.iter().map(|x| *x as f32).collect(),
        };
        let arrays = vec![
            array("parts", vec![n, n], &self.parts),
            array("parts_centred", vec![n, n], &self.centred),
            array("key_scores", vec![keys], &self.scored.scores),
            array("key_attention", vec![keys], &self.scored.pattern),
            array("by_key_writer", vec![keys, n], &self.scored.by_key_writer()),
        ];
        let settings = Map::from_iter([
            ("layer".into(), self.layer.into()),
            ("head".into(), self.head.into()),
            ("query".into(), self.query.into()),
            ("key".into(), self.key.into()),
            ("bos".into(), self.options.reading.bos.into()),
        ]);
        let fields = Map::from_iter([
            ("writers".into(), json!(self.names)),
            ("score".into(), json!(self.scored.scores[self.key])),
            ("apart".into(), json!(self.scored.apart)),
        ]);
        Ok(self.subject.data(vec![Entry { method: "qk".into(), settings, fields, arrays }]))
    }

    /// A row for each key with its whole score, and one for each part of the score that was taken apart.
    fn table(&self, _: Option<usize>) -> Result<Table> {
        let tokens = &self.subject.prompt.tokens;
        let columns = vec![
            whole("key"),
            text("token"),
            text("query_writer"),
            text("key_writer"),
            number("score"),
            number("score_centred"),
            number("attention"),
        ];
        let (scores, mean) = (&self.scored.scores, self.mean());
        let row = |key: usize, writers: [&str; 2], score: f64, centred: f64, attention: Option<f32>| -> Vec<Cell> {
            let [query, of_key] = writers.map(Cell::from);
            let token = tokens[key].text.clone().into();
            vec![key.into(), token, query, of_key, (score as f32).into(), (centred as f32).into(), attention.into()]
        };
        let whole = |key: usize| {
            let attention = Some(self.scored.pattern[key] as f32);
            row(key, ["all", "all"], scores[key], scores[key] - mean, attention)
        };
        let n = self.names.len();
        let part = |at: usize| {
            let writers = [&*self.names[at / n], &*self.names[at % n]];
            row(self.key, writers, self.parts[at], self.centred[at], None)
        };
        Ok(Table { columns, rows: (0..scores.len()).map(whole).chain((0..n * n).map(part)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"heads": "1.1"}"#);
    }

    #[test]
    fn several_heads_are_refused() {
        let options = Options { head: Some("1.1,1.2".parse().unwrap()), ..Options::default() };
        assert_eq!(options.check(&[]).unwrap_err().option, Some("head"));
    }
}
