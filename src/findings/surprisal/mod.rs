//! How surprised the model is by each token, as figures, data and tables.

mod long;
mod numbers;
mod options;
mod several;
mod shown;
mod words;

pub use long::Long;
pub use options::{Base, Options};
pub use several::{Found, Several, find};

use super::cost;
use super::subject::{About, Subject};
use super::{Analysis, Cost, Findings, Output, Reading, Style, refuse_parts};
use crate::error::{Error, Result};
use crate::export::{Data, Table};
use crate::figure::Figure;
use crate::model::Spec;
use crate::prompt::WordRule;
use numbers::{STEP, Scorer, Totals, Words};
use shown::{Setting, array, fields_of_words, rows_of_words, shown};
use words::beginnings;

/// What the figure shows, in words.
const WHAT: &str = "surprisal: −log p of each token after those before it";
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

    /// A window at a time.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        Cost::of_memory(cost::pass(spec, tokens.min(self.window.unwrap_or(spec.context)), false))
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Surprisal::find(self, subject)?))
    }
}

/// What was found.
struct Surprisal<'a> {
    setting: Setting<'a>,
    subject: Subject<'a>,
    /// In the unit of the base, `[token]`; NaN where nothing was scored.
    tokens: Vec<f64>,
    words: Option<Words>,
    totals: Totals,
}

impl<'a> Surprisal<'a> {
    fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let (session, prompt) = (subject.session, &subject.prompt);
        session.has_next_tokens()?;
        let (window, stride) = options.windows(session.spec())?;
        let set = options.bow_correction.then(|| beginnings(session)).transpose()?;
        let mut scorer = Scorer::new(session.model(), (window, stride), set.as_deref());
        (subject.watch)(0, prompt.ids.len().div_ceil(STEP));
        for ids in prompt.ids.chunks(STEP) {
            scorer.push(ids)?;
            (subject.watch)(1, 0);
        }
        let scores = scorer.finish(prompt.front..prompt.ids.len() - prompt.behind)?;
        let mut totals = Totals::default();
        totals.add(&prompt.tokens, &scores.nats);
        let tokens = scores.of(options.base, 0..prompt.ids.len());
        let words = scores.words(options, prompt, 0);
        Ok(Self { setting: Setting { options, window, stride }, tokens, words, totals, subject })
    }
}

impl Findings for Surprisal<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.setting.options.style;
        let (labels, rows) = match &self.words {
            None => (self.subject.labels(), vec![(String::new(), shown(&self.tokens))]),
            Some(words) => {
                let labels = words.words.iter().map(|word| word.label.clone()).collect();
                (labels, rows_of_words(&words.values, words.corrected.as_deref()))
            }
        };
        let lines = self.setting.lines(self.subject.line(WHAT), &self.totals, self.tokens.len());
        style.figure(&self.subject, lines, self.setting.panels(style, labels, rows))
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let mut entry = self.setting.entry(&self.tokens, &self.totals);
        if let Some(words) = &self.words {
            entry.fields.insert("words".into(), fields_of_words(self.setting.unit(), words));
            entry.arrays.push(array("words", &words.values));
            entry.arrays.extend(words.corrected.as_ref().map(|values| array("corrected", values)));
        }
        Ok(self.subject.data(vec![entry]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(match &self.words {
            Some(words) => self.setting.word_rows(0, 0, words),
            None => self.setting.token_rows(0, &self.subject.prompt, &self.tokens),
        })
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
