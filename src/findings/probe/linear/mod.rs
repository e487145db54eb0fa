//! What each layer knows: linear probes on the residual stream, each beside its control task.

mod conllu;
mod kept;
mod numbers;
mod shown;
mod task;

pub use kept::Kept;
pub use numbers::{Estimate, Found, Site};
pub use shown::Probes;
pub use task::{Example, Item, Task};

use super::rows::{Bad, Sample};
use crate::analysis::linear::{Part, Pool, Reading, control, probe, residuals, split};
use crate::error::{Error, Result};
use crate::findings::reading::front;
use crate::findings::survey::{Survey, one};
use crate::findings::{Findings, Output, Style, Watch, need_arrays, refuse_parts, within};
use crate::record::Input;
use crate::session::Session;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::PathBuf;

/// The most seeds.
const MOST_SEEDS: usize = 100;
/// The most activations that are held, in GiB.
const MOST_HELD: usize = 8;

/// The options of `probe linear`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The column of CoNLL-U, or the field of the label; none means UPOS, or `label`.
    pub label: Option<String>,
    /// The field of the text or of the list of words; none means `text`, `sentence`, `words` or `tokens`.
    pub text: Option<String>,
    /// What stands for a word, or for a text.
    pub pool: Pool,
    /// Texts begin with the model's own beginning-of-text token.
    pub bos: bool,
    /// How many splits and control tasks are drawn, the first with the sample's seed.
    pub seeds: usize,
    /// Which items are taken.
    pub sample: Sample,
    /// The residuals themselves with their labels and splits, in data files.
    pub features: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Self {
        let (label, text, pool, sample, style) = Default::default();
        Self { label, text, pool, bos: false, seeds: 5, sample, features: false, style }
    }
}

impl Survey for Options {
    const COMMAND: &'static str = "linear";
    type Items = Task;
    type Answer<'a> = Found;

    fn style(&self) -> &Style {
        &self.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        let task = Task::read(one(files)?, self)?;
        self.fits(&task)?;
        Ok(task)
    }

    fn input(items: &mut Self::Items) -> Option<&mut Input> {
        Some(&mut items.input)
    }

    fn ask<'a>(&'a self, items: &'a Self::Items, session: &Session, watch: Watch) -> Result<Self::Answer<'a>> {
        let features = read(self, items, session, None, watch)?;
        find(self, items, session, features, watch)
    }

    fn shown<'a>(
        &'a self,
        items: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Probes::new(self, items, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("probe linear", outputs)?;
        within("seeds", self.seeds, 1, MOST_SEEDS)?;
        if self.sample.limit == Some(0) {
            return Err(Error::usage("a limit of 0 leaves nothing").hint("give 5 or more").option("limit"));
        }
        if self.features {
            need_arrays(outputs)?;
        }
        self.style.check()
    }
}

impl Options {
    fn all_seeds(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.seeds as u64).map(|number| self.sample.seed.wrapping_add(number))
    }

    /// Fails where a split of the task leaves nothing to tell apart, before a model is loaded.
    ///
    /// # Errors
    /// A part without a label, a train part with one class only.
    fn fits(&self, task: &Task) -> Result<()> {
        let items: Vec<(usize, usize)> = examples(task).map(|(item, example)| (item, example.label)).collect();
        self.all_seeds().try_for_each(|seed| check_split(&items, &split(task.items.len(), seed), seed))
    }
}

/// All examples, each with the number of its item.
fn examples(task: &Task) -> impl Iterator<Item = (usize, &Example)> {
    task.items.iter().enumerate().flat_map(|(number, item)| item.examples.iter().map(move |example| (number, example)))
}

fn check_split(examples: &[(usize, usize)], parts: &[Part], seed: u64) -> Result<()> {
    let of = |part: Part| examples.iter().filter(move |(item, _)| parts[*item] == part).map(|(_, label)| *label);
    let first = of(Part::Train).next();
    let why = match (of(Part::Dev).next(), of(Part::Test).next()) {
        (None, _) | (_, None) => "leaves a part without labels",
        _ if of(Part::Train).all(|label| Some(label) == first) => "trains on one class only",
        _ => return Ok(()),
    };
    Err(Error::failed(format!("the split of seed {seed} {why}"))
        .hint("give more items, or another seed")
        .option("seed"))
}

/// What a model's residual stream is at every example.
pub struct Features {
    /// `[site][example, d_model]`.
    pub values: Vec<Vec<f32>>,
    /// Width of the residual stream.
    pub width: usize,
    /// The item of each example.
    pub items: Vec<usize>,
    /// The type of each.
    pub kinds: Vec<usize>,
    /// The label of each.
    pub labels: Vec<usize>,
    /// Whether texts begin with a token that is no part of them.
    pub begun: bool,
    /// Words that are in no token.
    pub lost: usize,
    /// Items that the model cannot read.
    pub bad: Vec<Bad>,
    /// What people should know of where they are from and where they are kept.
    pub remark: Option<String>,
}

/// Runs the model on all items, or takes what is kept of an earlier run.
///
/// # Errors
/// A model without a tokenizer, or without the token that is to begin a text; more than fits into memory; residuals that are not finite;
/// with `strict`, an item that it cannot read.
pub fn read(options: &Options, task: &Task, session: &Session, kept: Option<&Kept>, watch: Watch) -> Result<Features> {
    if let Some(why) = session.tokenizer.missing() {
        return Err(why.clone());
    }
    let front = front(session, options.bos)?;
    let width = session.spec().d_model;
    let (mut items, mut kinds, mut labels, mut bad, mut lost) = (vec![], vec![], vec![], vec![], 0);
    let mut texts = Vec::new();
    for (number, item) in task.items.iter().enumerate() {
        let (ids, spans) = match encode(session, item, &front) {
            Ok(encoded) => encoded,
            Err(why) => {
                bad.push(task.place(item, why));
                continue;
            }
        };
        let mut text = Reading { ids, examples: Vec::new() };
        for example in &item.examples {
            let Some(tokens) = within_span(&spans, &example.span) else {
                lost += 1;
                continue;
            };
            text.examples.push(tokens);
            items.push(number);
            kinds.push(example.kind);
            labels.push(example.label);
        }
        texts.push(text);
    }
    options.sample.check(&bad)?;
    let examples: Vec<_> = items.iter().copied().zip(labels.iter().copied()).collect();
    for seed in options.all_seeds() {
        check_split(&examples, &split(task.items.len(), seed), seed).map_err(|error| Error {
            message: format!("of what {} can read, {}", session.name, error.message),
            ..error
        })?;
    }
    let held = (session.spec().layers + 1) * labels.len() * width * size_of::<f32>();
    if held > MOST_HELD << 30 {
        let (size, count) = (held >> 30, labels.len());
        return Err(Error::failed(format!("the residuals of {count} examples need {size} GiB, more than {MOST_HELD}"))
            .hint("take a sample of the items")
            .option("limit"));
    }
    let file = kept.map(|kept| (kept, kept.file(session, &texts, options.pool)));
    let sites = session.spec().layers + 1;
    let old = file.as_ref().and_then(|(_, file)| Kept::read(file, sites, labels.len() * width));
    let (values, remark) = match (old, file) {
        (Some(values), _) => (values, Some("residuals are those of an earlier run".to_owned())),
        (None, file) => {
            watch(0, texts.len());
            let values = residuals(session.model(), &texts, options.pool, &|done| watch(done, 0))?;
            // What cannot be kept is there all the same.
            let said = file.map(|(kept, file)| kept.write(&file, &values).unwrap_or_else(|error| error.message));
            (values, said)
        }
    };
    Ok(Features { values, width, items, kinds, labels, begun: !front.is_empty(), lost, bad, remark })
}

type Spans = Vec<Range<usize>>;

/// An item as ids, and the bytes of each.
fn encode(session: &Session, item: &Item, front: &[u32]) -> Result<(Vec<u32>, Spans), String> {
    let own = session.tokenizer.spans(&item.text).map_err(|error| error.message)?;
    let (ids, spans): (Vec<u32>, Spans) = front.iter().map(|id| (*id, 0..0)).chain(own).unzip();
    let (count, context) = (ids.len(), session.spec().context);
    if count > context {
        return Err(format!("it has {count} tokens, but the model's context holds {context}"));
    }
    Ok((ids, spans))
}

/// The tokens that stand for some of these bytes.
fn within_span(spans: &[Range<usize>], wanted: &Range<usize>) -> Option<Range<usize>> {
    let meets = |span: &Range<usize>| span.start.max(wanted.start) < span.end.min(wanted.end);
    Some(spans.iter().position(meets)?..spans.iter().rposition(meets)? + 1)
}

/// Fits all probes of a model: each site and seed, task and control.
///
/// # Errors
/// Numbers that are not finite.
pub fn find(options: &Options, task: &Task, session: &Session, features: Features, watch: Watch) -> Result<Found> {
    let Features { values, width, items, kinds, labels, .. } = &features;
    let draw = |seed: u64| {
        let parts = split(task.items.len(), seed);
        let parts: Vec<Part> = items.iter().map(|item| parts[*item]).collect();
        (parts, control(kinds, labels, seed))
    };
    let draws: Vec<(Vec<Part>, Vec<usize>)> = options.all_seeds().map(draw).collect();
    let jobs = values.len() * draws.len() * 2;
    watch(0, jobs);
    let one = |job: usize| {
        let (parts, control) = &draws[job / 2 % draws.len()];
        let labels = if job.is_multiple_of(2) { labels } else { control };
        let score = probe(&values[job / 2 / draws.len()], *width, labels, parts);
        watch(1, 0);
        score
    };
    // Each probe is fitted by one thread, whatever their number.
    let scores = (0..jobs).into_par_iter().with_max_len(1).map(one).collect::<Vec<_>>();
    let scores = scores.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Found::new(session, task, &draws, &scores, features, options.features))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"file": "x"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { seeds: 0, ..Options::default() }), Some("seeds"));
        assert_eq!(refused(Options { features: true, ..Options::default() }), Some("with"));
        let sample = Sample { limit: Some(0), ..Sample::default() };
        assert_eq!(refused(Options { sample, ..Options::default() }), Some("limit"));
    }

    #[test]
    fn a_words_tokens_are_those_that_have_a_byte_of_it() {
        let spans = [0..0, 0..3, 3..5, 5..9, 9..9];
        assert_eq!(within_span(&spans, &(0..3)), Some(1..2));
        assert_eq!(within_span(&spans, &(4..6)), Some(2..4));
        assert_eq!(within_span(&spans, &(9..12)), None);
    }
}
