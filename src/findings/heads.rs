//! What each head does, as figures, data and tables.

pub mod corpus;
mod gathering;
mod ranked;
mod weights;

use super::cost;
use super::subject::{About, Subject, next_of_all};
use super::{Advice, Analysis, Cost, Findings, Output, Reading, Style, need_arrays, refuse_parts, together};
use crate::analysis::Prediction;
use crate::analysis::heads::{Head, SEQUENCES, Score, of_prompts, of_repeats, repeats};
use crate::error::{Error, Result};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::Figure;
use crate::model::Spec;
use crate::session::Session;
use ranked::Ranked;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use weights::OfWeights;

/// The scores of a figure's table. How far the distance spreads says little of one short text.
const COLUMNS: [Score; 7] =
    [Score::Previous, Score::Duplicate, Score::Induction, Score::Sink, Score::Own, Score::Distance, Score::Entropy];
/// Sizes of GPT-2's own vocabulary, and the ids in it that are common whole words.
const GPT2: (usize, std::ops::Range<u32>) = (50_257, 1000..10_000);

/// The options of `heads`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read, where there is one.
    pub reading: Reading,
    /// Colour and rank the heads by this score; none colours them by their labels' and leaves them in order.
    pub sort: Option<Score>,
    /// Seed of the random draws where there is no prompt; none means 0.
    pub seed: Option<u64>,
    /// The random ids, where there is no prompt, as one more array in data files: `random_ids` `[sequence, token]`; off unless asked for.
    pub draws: bool,
    /// What the weights alone say of the heads, instead of what they do on a text; off unless asked for.
    pub weights: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn needs_prompt(&self) -> bool {
        false
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("heads", outputs)?;
        let of_patterns = [("sort", "sort", self.sort.is_some()), ("draws", "with", self.draws)];
        if let Some((what, option, _)) = of_patterns.iter().find(|(.., given)| *given && self.weights) {
            return Err(Error::usage(format!("{what} is for what heads do, but the weights alone are looked at"))
                .hint("leave one of the two out")
                .option(option));
        }
        if self.draws {
            need_arrays(outputs)?;
        }
        self.style.check()
    }

    fn check_prompt(&self) -> Result<()> {
        if self.weights {
            return Err(Error::usage("the weights alone are looked at, but there is a prompt")
                .hint("leave one of the two out")
                .option("weights"));
        }
        let of_chance = [("seed", "seed", self.seed.is_some()), ("draws", "with", self.draws)];
        of_chance.iter().find(|(.., given)| *given).map_or(Ok(()), |(what, option, _)| {
            Err(Error::usage(format!("{what} is for random tokens, but there is a prompt"))
                .hint("leave one of the two out")
                .option(option))
        })
    }

    /// One layer's patterns at a time; of the weights, every head's matrices in double precision, what each writes, what those of a layer
    /// read, and three numbers for each pair.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        if !self.weights {
            return Cost::of_memory(cost::pass(spec, tokens, true));
        }
        let (d, width, all) = (spec.d_model as u64, spec.d_head as u64, (spec.layers * spec.heads) as u64);
        let across = spec.heads as u64 * width;
        Cost::of_memory(
            (4 * 8 + 4) * all * d * width + 4 * 3 * across * (d + 2 * across) + 3 * 8 * all * all + 8 * 8 * d * d,
        )
    }

    fn find<'a>(&'a self, subject: Subject<'a>, outputs: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        if subject.has_prompt() {
            return self.find_all(vec![subject], outputs).remove(0);
        }
        let (session, seed) = (subject.session, self.seed.unwrap_or_default());
        if self.weights {
            return Ok(Box::new(OfWeights::find(self, subject, seed)?));
        }
        let (sequences, period) = repeats(&pool(session), session.spec().context, seed)?;
        let heads = of_repeats(session.model(), &sequences, period)?;
        Ok(Box::new(HeadScores::new(self, subject, heads, Text::Repeats { seed, period, sequences })))
    }

    /// All prompts in one forward pass, unless one is none.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, outputs: &[Output]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        if subjects.iter().any(|subject| !subject.has_prompt()) {
            return subjects.into_par_iter().map(|subject| self.find(subject, outputs)).collect();
        }
        let Some(first) = subjects.first() else { return Vec::new() };
        let (session, model) = (first.session, first.model());
        let prompts: Vec<&[u32]> = subjects.iter().map(|subject| &subject.prompt.ids[..]).collect();
        let found = of_prompts(model, &prompts).and_then(|found| {
            let next = next_of_all(
                session,
                subjects.iter().zip(&found).map(|(subject, (_, resid))| (&subject.prompt, resid)),
            )?;
            Ok(found.into_iter().map(|(heads, _)| heads).zip(next).collect())
        });
        let each = |subject, (heads, next)| -> Result<Box<dyn Findings + 'a>> {
            Ok(Box::new(HeadScores::new(self, subject, heads, Text::Prompt(next))))
        };
        together(subjects, found, |subject| self.find(subject, outputs), each)
    }
}

/// The ids that random sequences are made of.
pub(super) fn pool(session: &Session) -> Vec<u32> {
    let (tokenizer, vocab) = (&session.tokenizer, session.spec().vocab);
    if tokenizer.size() == GPT2.0 && vocab >= GPT2.0 {
        return GPT2.1.collect();
    }
    let known = if tokenizer.missing().is_some() { vocab } else { vocab.min(tokenizer.size()) };
    (0..known as u32).filter(|id| !tokenizer.is_special(*id)).collect()
}

/// The scores of all heads.
struct HeadScores<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    ranked: Ranked,
    text: Text,
}

/// What the heads were looking at.
enum Text {
    /// The prompt; the model's next tokens after it.
    Prompt(Vec<Prediction>),
    /// Random tokens that repeat.
    Repeats { seed: u64, period: usize, sequences: Vec<Vec<u32>> },
}

impl<'a> HeadScores<'a> {
    fn new(options: &'a Options, subject: Subject<'a>, heads: Vec<Head>, text: Text) -> Self {
        let ranked = Ranked::new(heads, subject.session.spec().heads, options.sort);
        Self { options, subject, ranked, text }
    }
}

impl Findings for HeadScores<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn advice(&self) -> Vec<Advice> {
        self.ranked.advice()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let mut lines = vec![self.subject.line("what each head does"), self.ranked.counts()];
        lines.extend(match &self.text {
            Text::Prompt(next) => self.subject.next_line(next),
            Text::Repeats { seed, period, .. } => {
                Some(format!("on {SEQUENCES} sequences of {period} random tokens, each repeated once (seed {seed})"))
            }
        });
        style.figure(&self.subject, lines, self.ranked.panels(style, &COLUMNS))
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let mut arrays = self.ranked.arrays();
        if let Text::Repeats { sequences, period, .. } = &self.text
            && self.options.draws
        {
            let values = sequences.iter().flatten().map(|id| *id as f32).collect();
            arrays.push(Array { name: "random_ids".into(), shape: vec![sequences.len(), 2 * period], values });
        }
        let settings = match &self.text {
            Text::Prompt(_) => {
                Map::from_iter([("on".into(), "prompt".into()), ("bos".into(), self.options.reading.bos.into())])
            }
            Text::Repeats { seed, period, .. } => Map::from_iter([
                ("on".into(), "repeated random tokens".into()),
                ("seed".into(), json!(seed)),
                ("sequences".into(), SEQUENCES.into()),
                ("period".into(), json!(period)),
            ]),
        };
        let fields = Map::from_iter([("label".into(), self.ranked.names())]);
        Ok(self.subject.data(vec![Entry { method: "heads".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(self.ranked.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"order": "self"}"#);
        let sorted = serde_json::from_str::<Options>(r#"{"sort": "self"}"#).unwrap();
        assert_eq!(sorted, Options { sort: Some(Score::Own), ..Options::default() });
    }
}
