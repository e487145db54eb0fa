//! How surprised the model is by each token, as figures, data and tables.

mod options;
mod words;

pub use options::{Base, Options};

use super::subject::{About, Subject};
use super::{Analysis, Findings, Output, Reading, Style, refuse_parts};
use crate::analysis::scoring::{Windows, bits_of_words};
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::surprisal::{Texts, panels};
use crate::figure::{Figure, Scale};
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::{Word, WordRule};
use serde_json::{Map, Value, json};
use words::{beginnings, corrected};

/// Tokens after which progress is told.
const STEP: usize = 4096;

impl Analysis for Options {
    fn reading(&self) -> Reading {
        Reading { any_length: true, ..self.reading }
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("surprisal", outputs)?;
        if self.bow_correction && self.words == Some(WordRule::Default) {
            return Err(Error::usage(
                "the correction is for words between whitespace, but words by another rule are named",
            )
            .hint("leave the words out, or gather them by space")
            .option("words"));
        }
        if self.window.is_some_and(|window| window < 2) || self.stride == Some(0) {
            let option = if self.stride == Some(0) { "stride" } else { "window" };
            return Err(Error::usage(format!("{option} is too small: a token needs one before it"))
                .hint("give a window of 2 or more, a stride of 1 or more")
                .option(option));
        }
        self.style.check()
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.windows(spec).map(drop)
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Surprisal::find(self, subject)?))
    }
}

/// What was found.
struct Surprisal<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    window: usize,
    stride: usize,
    /// In the unit of the base, `[token]`; NaN where nothing was scored.
    tokens: Vec<f64>,
    words: Option<Words>,
    totals: Totals,
}

/// The same by words.
struct Words {
    words: Vec<Word>,
    values: Vec<f64>,
    /// With the correction.
    corrected: Option<Vec<f64>>,
}

/// Of everything that was scored.
struct Totals {
    /// In the unit of the base.
    sum: f64,
    /// In bits.
    bits: f64,
    tokens: usize,
    bytes: usize,
    perplexity: f64,
}

impl<'a> Surprisal<'a> {
    fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let (session, prompt) = (subject.session, &subject.prompt);
        session.has_next_tokens()?;
        let (window, stride) = options.windows(session.spec())?;
        let set = options.bow_correction.then(|| beginnings(session)).transpose()?;
        let mut windows = Windows::new(session.model(), window, stride, set.as_deref());
        (subject.watch)(0, prompt.ids.len().div_ceil(STEP));
        let (mut nats, mut begins) = (vec![f64::NAN], Vec::new());
        for ids in prompt.ids.chunks(STEP) {
            let scored = windows.push(ids)?;
            nats.extend(scored.tokens.iter().map(|ln| -ln));
            begins.extend(scored.set);
            (subject.watch)(1, 0);
        }
        let scored = windows.finish()?;
        nats.extend(scored.tokens.iter().map(|ln| -ln));
        begins.extend(scored.set);
        // What the tokenizer put around the text is no part of it.
        let own = prompt.front..prompt.ids.len() - prompt.behind;
        nats.iter_mut().enumerate().filter(|(at, _)| !own.contains(at)).for_each(|(_, nats)| *nats = f64::NAN);
        let tokens: Vec<f64> = nats.iter().map(|nats| options.base.of_nats(*nats)).collect();
        let words = options.rule().map(|rule| {
            let words = prompt.words(rule);
            let values = bits_of_words(&tokens, &words);
            let corrected = set.as_ref().map(|_| corrected(options.base, &subject, &words, &values, &begins));
            Words { words, values, corrected }
        });
        let totals = Totals::of(options.base, &subject, &nats);
        Ok(Self { options, window, stride, tokens, words, totals, subject })
    }

    fn unit(&self) -> &'static str {
        self.options.base.unit()
    }

    /// Whether there is more than one window.
    fn slides(&self) -> bool {
        self.tokens.len() > self.window
    }

    fn lines(&self) -> Vec<String> {
        let Totals { sum, bits, tokens, bytes, perplexity } = self.totals;
        let mut lines = vec![self.subject.line("surprisal: −log p of each token after those before it")];
        let unit = self.unit();
        if tokens == 0 {
            lines.push("nothing is scored: the first token has nothing before it".into());
        } else {
            lines.push(format!(
                "{sum:.2} {unit} over {tokens} tokens: {:.3} a token, {:.3} bits a byte, perplexity {perplexity:.2}",
                sum / tokens as f64,
                bits / bytes.max(1) as f64
            ));
        }
        if self.slides() {
            lines.push(format!(
                "windows of {} tokens moved by {}: a token is scored once, after at least {} others once the first window is full",
                self.window,
                self.stride,
                (self.window - self.stride).max(1)
            ));
        }
        if self.options.bow_correction {
            lines.push("words are corrected: the space before a word counts to the word that it ends".into());
        }
        lines
    }

    fn settings(&self) -> Map<String, Value> {
        Map::from_iter([
            ("unit".into(), self.unit().into()),
            ("bos".into(), self.options.reading.bos.into()),
            ("window".into(), self.window.into()),
            ("stride".into(), self.stride.into()),
            ("words".into(), self.options.rule().map(Named::name).into()),
            ("bow_correction".into(), self.options.bow_correction.into()),
        ])
    }
}

impl Totals {
    fn of(base: Base, subject: &Subject, nats: &[f64]) -> Self {
        let scored: Vec<usize> = (0..nats.len()).filter(|at| !nats[*at].is_nan()).collect();
        let sum: f64 = scored.iter().map(|at| nats[*at]).sum();
        let bytes = scored.iter().map(|at| subject.prompt.tokens[*at].bytes.len()).sum();
        let tokens = scored.len();
        let perplexity = (sum / tokens as f64).exp();
        Self { sum: base.of_nats(sum), bits: Base::Two.of_nats(sum), tokens, bytes, perplexity }
    }
}

impl Findings for Surprisal<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let shown = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<f32>>();
        let (labels, rows) = match &self.words {
            None => (self.subject.labels(), vec![(String::new(), shown(&self.tokens))]),
            Some(words) => {
                let labels = words.words.iter().map(|word| word.label.clone()).collect();
                let name = if words.corrected.is_some() { "as it is" } else { "" };
                let corrected = words.corrected.iter().map(|values| ("corrected".to_owned(), shown(values)));
                (labels, [(name.to_owned(), shown(&words.values))].into_iter().chain(corrected).collect())
            }
        };
        let largest = rows.iter().flat_map(|(_, values)| values).copied().filter(|x| x.is_finite()).fold(1.0, f32::max);
        let what = if self.words.is_some() { "word" } else { "token" };
        let scale = Scale {
            kind: style.scale,
            colormap: style.colormap.unwrap_or_default(),
            min: 0.0,
            max: largest,
            unit: format!("{} a {what}", self.unit()),
            ..Scale::default()
        };
        style.figure(&self.subject, self.lines(), panels(Texts { labels, rows, what }, scale))
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let array = |name: &str, values: &[f64]| Array {
            name: name.into(),
            shape: vec![values.len()],
            values: values.iter().map(|value| *value as f32).collect(),
        };
        let unit = self.unit();
        let mut arrays = vec![array(unit, &self.tokens)];
        let Totals { sum, bits, tokens, bytes, perplexity } = self.totals;
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        let mut fields = Map::from_iter([
            ("total".into(), json!(sum)),
            ("scored".into(), json!(tokens)),
            ("mean".into(), json!(mean(sum, tokens))),
            ("bits_a_byte".into(), json!(mean(bits, bytes))),
            ("perplexity".into(), json!(mean(perplexity, usize::from(tokens > 0)))),
        ]);
        if let Some(Words { words, values, corrected }) = &self.words {
            let finite = |value: f64| if value.is_finite() { json!(value as f32) } else { Value::Null };
            let word = |at: usize| {
                let Word { tokens, label } = &words[at];
                let mut word = Map::from_iter([
                    ("word".into(), json!(label)),
                    ("tokens".into(), json!([tokens.start, tokens.end])),
                    (unit.into(), finite(values[at])),
                ]);
                if let Some(corrected) = corrected {
                    word.insert("corrected".into(), finite(corrected[at]));
                }
                Value::Object(word)
            };
            fields.insert("words".into(), (0..words.len()).map(word).collect());
            arrays.push(array("words", values));
            arrays.extend(corrected.as_ref().map(|values| array("corrected", values)));
        }
        let settings = self.settings();
        Ok(self.subject.data(vec![Entry { method: "surprisal".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let unit = self.unit();
        if let Some(Words { words, values, corrected }) = &self.words {
            let row = |at: usize| {
                let Word { tokens, label } = &words[at];
                let other = corrected.as_ref().map(|values| values[at] as f32);
                vec![
                    at.into(),
                    label.clone().into(),
                    tokens.start.into(),
                    tokens.len().into(),
                    Cell::from(values[at] as f32),
                    other.into(),
                ]
            };
            let columns =
                vec![whole("place"), text("word"), whole("first"), whole("tokens"), number(unit), number("corrected")];
            return Ok(Table { columns, rows: (0..words.len()).map(row).collect() });
        }
        let prompt = &self.subject.prompt;
        let row = |at: usize| {
            vec![
                at.into(),
                prompt.ids[at].into(),
                prompt.tokens[at].text.clone().into(),
                Cell::from(self.tokens[at] as f32),
            ]
        };
        let columns = vec![whole("position"), whole("token_id"), text("token"), number(unit)];
        Ok(Table { columns, rows: (0..prompt.ids.len()).map(row).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"unit": "bits"}"#);
        assert_eq!(serde_json::from_str::<Options>(r#"{"base": "e"}"#).unwrap().base, Base::E);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { window: Some(1), ..Options::default() }), Some("window"));
        assert_eq!(refused(Options { stride: Some(0), ..Options::default() }), Some("stride"));
        let words = Some(WordRule::Default);
        assert_eq!(refused(Options { bow_correction: true, words, ..Options::default() }), Some("words"));
    }
}
