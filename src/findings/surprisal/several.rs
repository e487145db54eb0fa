//! Several models on one text: how surprised each is, and by how much the others are more so than the first.

use super::numbers::{Totals, Words};
use super::shown::{CORRECTED, Setting, array, panels_of, shown};
use super::{Options, Surprisal, WHAT};
use crate::analysis::proportion::{Interval, mean_of_few};
use crate::analysis::scoring::bits_of_words;
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Data, Table};
use crate::figure::surprisal::{Texts, panels};
use crate::figure::{Figure, Scale};
use crate::findings::{About, Analysis, Findings, Subject, Watch, with_prompt};
use crate::prompt::{Prompt, WordRule};
use crate::record::{Identity, Record};
use crate::session::Session;
use serde_json::json;
use std::ops::Range;

/// What one model finds of a text.
pub struct Found {
    model: Identity,
    prompt: Prompt,
    window: usize,
    stride: usize,
    /// In the unit of the base, `[token]`; NaN where nothing was scored.
    tokens: Vec<f64>,
    words: Option<Words>,
    totals: Totals,
}

/// How surprised one of several models is by a text, as it reads it.
///
/// # Errors
/// As the analysis of one model.
pub fn find(options: &Options, prompt: Prompt, session: &Session, watch: Watch) -> Result<Found> {
    options.fits(session.spec())?;
    let subject = Subject { watch, ..Subject::of(session, prompt, "surprisal", options)? };
    let found = Surprisal::find(options, with_prompt(options, subject)?)?;
    let Surprisal { setting: Setting { window, stride, .. }, subject, tokens, words, totals } = found;
    Ok(Found { model: session.identity(), prompt: subject.about.prompt, window, stride, tokens, words, totals })
}

/// What several models find of one text, by what they can be compared in.
pub struct Several<'a> {
    options: &'a Options,
    found: Vec<Found>,
    about: About,
    /// `token` or `word`.
    what: &'static str,
    /// Whether the models' tokens are not the same, so that words are compared though none were asked for.
    apart: bool,
    labels: Vec<String>,
    /// `[model][token or word]`.
    values: Vec<Vec<f64>>,
}

impl<'a> Several<'a> {
    /// Two or more models; the first is what the others are compared with. `line` is what was typed, for people.
    ///
    /// # Errors
    /// Models that do not read the same words.
    pub fn new(options: &'a Options, found: Vec<Found>, line: &str) -> Result<Self> {
        let first = found.first().ok_or_else(|| Error::usage("no model is named"))?;
        let mut record = Record::of("surprisal", options)?;
        line.clone_into(&mut record.line);
        (record.model, record.others) = (first.model.clone(), found.len() - 1);
        let same = found.iter().all(|other| other.own_ids() == first.own_ids() && other.texts() == first.texts());
        let apart = options.rule().is_none() && !same;
        let rule = options.rule().or(apart.then_some(WordRule::Space));
        let units: Vec<Units> = found.iter().map(|found| found.units(options, rule)).collect();
        for (other, found) in units.iter().zip(&found).skip(1) {
            units[0].compared(other, [first, found])?;
        }
        let what = if rule.is_some() { "word" } else { "token" };
        let about = About::new(record, first.prompt.clone());
        let labels = units[0].labels.clone();
        let values = units.into_iter().map(|units| units.values).collect();
        Ok(Self { options, found, about, what, apart, labels, values })
    }

    /// By how much a model is more surprised than the first at each place, where both were scored.
    fn differences(&self, model: usize) -> Vec<f64> {
        self.values[model].iter().zip(&self.values[0]).map(|(b, a)| b - a).collect()
    }

    fn mean(&self, model: usize) -> (f64, Interval, usize) {
        let known: Vec<f64> = self.differences(model).into_iter().filter(|x| x.is_finite()).collect();
        let (mean, interval) = mean_of_few(&known);
        (mean, interval, known.len())
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{WHAT}, by {} models", self.found.len())];
        for (at, found) in self.found.iter().enumerate() {
            let told = found.setting(self.options).told(&found.totals, found.tokens.len());
            lines.extend(told.into_iter().map(|line| format!("{}: {line}", found.model.title())));
            lines.extend((at > 0).then(|| self.difference(at)));
        }
        lines.extend(self.apart.then(|| "their tokens are not the same: words between blanks are compared".into()));
        lines.extend(self.options.bow_correction.then(|| CORRECTED.into()));
        lines
    }

    /// By how much a model is more surprised than the first, in a line.
    fn difference(&self, model: usize) -> String {
        let (what, unit, (mean, [low, high], count)) = (self.what, self.options.base.unit(), self.mean(model));
        let [name, first] = [model, 0].map(|at| &self.found[at].model.name);
        let over = format!("{unit} a {what} against {first}, over {}", crate::text::count(count, what));
        let line = match low.is_finite() {
            true => format!("{name}: {mean:+.3} [{low:+.3}, {high:+.3}] {over} taken as independent"),
            false => format!("{name}: {mean:+.3} {over}"),
        };
        line.replace('-', "−")
    }
}

/// What models are compared in: tokens, or words.
struct Units {
    /// Bytes, without the blanks around them.
    bytes: Vec<Vec<u8>>,
    labels: Vec<String>,
    values: Vec<f64>,
}

impl Units {
    /// Fails where these are not the other's.
    fn compared(&self, other: &Self, models: [&Found; 2]) -> Result<()> {
        let (own, theirs) = (&self.bytes, &other.bytes);
        if own == theirs {
            return Ok(());
        }
        let at = own.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        let named = |units: &Self| units.labels.get(at).map_or("nothing more".to_owned(), |label| format!("{label:?}"));
        let [a, b] = models.map(|found| &found.model.name);
        Err(Error::usage(format!(
            "{a} and {b} do not read the same words: at {at} the one has {}, the other {}",
            named(self),
            named(other)
        ))
        .hint("compare them by words between blanks (space), or run each alone")
        .option("words"))
    }
}

impl Found {
    /// The text's own tokens, without what the tokenizer or the beginning of text put around it.
    fn own(&self) -> Range<usize> {
        self.prompt.front..self.prompt.ids.len() - self.prompt.behind
    }

    fn own_ids(&self) -> &[u32] {
        &self.prompt.ids[self.own()]
    }

    fn texts(&self) -> Vec<&[u8]> {
        self.prompt.tokens[self.own()].iter().map(|token| &token.bytes[..]).collect()
    }

    fn setting<'a>(&self, options: &'a Options) -> Setting<'a> {
        Setting { options, window: self.window, stride: self.stride }
    }

    fn units(&self, options: &Options, rule: Option<WordRule>) -> Units {
        let own = self.own();
        let bytes = |tokens: Range<usize>| {
            let bytes = self.prompt.tokens[tokens].iter().flat_map(|token| token.bytes.iter().copied());
            bytes.collect::<Vec<u8>>().trim_ascii().to_vec()
        };
        let Some(rule) = rule else {
            let labels = self.prompt.tokens[own.clone()].iter().map(|token| token.label.clone()).collect();
            let bytes = own.clone().map(|at| bytes(at..at + 1)).collect();
            return Units { bytes, labels, values: self.tokens[own].to_vec() };
        };
        let (words, values) = match &self.words {
            Some(words) if options.rule().is_some() => {
                (words.words.clone(), words.corrected.clone().unwrap_or_else(|| words.values.clone()))
            }
            _ => {
                let words = self.prompt.words(rule);
                let values = bits_of_words(&self.tokens, &words);
                (words, values)
            }
        };
        let mut units = Units { bytes: Vec::new(), labels: Vec::new(), values: Vec::new() };
        for (word, value) in words.into_iter().zip(values) {
            if word.tokens.start >= own.start && word.tokens.end <= own.end {
                units.bytes.push(bytes(word.tokens));
                units.labels.push(word.label);
                units.values.push(value);
            }
        }
        units
    }
}

impl Findings for Several<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let (style, what, unit) = (&self.options.style, self.what, self.options.base.unit());
        let texts = |rows| Texts { labels: self.labels.clone(), rows, what };
        let row = |at: usize, values: &[f64]| (self.found[at].model.title(), shown(values));
        let values = self.values.iter().enumerate().map(|(at, values)| row(at, values)).collect();
        let more: Vec<_> = (1..self.found.len()).map(|at| row(at, &self.differences(at))).collect();
        let scores = more.iter().flat_map(|(_, values)| values).copied();
        let scale = Scale::signed(format!("{unit} more than {}", self.found[0].model.title()), scores);
        let mut all = panels_of(style, &format!("{unit} a {what}"), texts(values));
        all.extend(panels(texts(more), scale));
        style.figure(&self.about, self.lines(), all)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let entry = |(at, found): (usize, &Found)| {
            let mut entry = found.setting(self.options).entry(&found.tokens, &found.totals);
            entry.settings.insert("model".into(), json!(found.model));
            entry.settings.insert("compared_by".into(), self.what.into());
            entry.fields.insert("labels".into(), json!(self.labels));
            entry.fields.insert("tokens".into(), found.prompt.tokens.iter().map(|token| json!(token.text)).collect());
            entry.arrays.push(array("compared", &self.values[at]));
            if at > 0 {
                let (mean, interval, count) = self.mean(at);
                let interval = interval[0].is_finite().then_some(interval);
                let than =
                    json!({ "model": self.found[0].model.title(), "mean": mean, "interval": interval, "count": count });
                entry.fields.insert("more_than".into(), than);
                entry.arrays.push(array("difference", &self.differences(at)));
            }
            entry
        };
        Ok(self.about.data(self.found.iter().enumerate().map(entry).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let row = |model: usize, at: usize| {
            vec![
                self.found[model].model.title().into(),
                at.into(),
                self.labels[at].clone().into(),
                Cell::from(self.values[model][at] as f32),
                Cell::from((self.values[model][at] - self.values[0][at]) as f32),
            ]
        };
        let unit = self.options.base.unit();
        let columns = vec![text("model"), whole("place"), text(self.what), number(unit), number("more_than_first")];
        let places = 0..self.labels.len();
        let rows = (0..self.found.len()).flat_map(|model| places.clone().map(move |at| row(model, at))).collect();
        Ok(Table { columns, rows })
    }
}
