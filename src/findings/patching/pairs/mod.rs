//! The same over many pairs of prompts: the mean effect of every cell, with its interval.

mod shown;
mod suite;

pub use shown::Pairs;
pub use suite::{Item, Suite};

use super::{exact, exactly, prompts};
use crate::analysis::patching::{By, Direction, Metric, Pair, Question, Rule, Where, estimate};
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, Sample, none_read};
use crate::findings::survey::{Survey, one};
use crate::findings::target::{answer_and_foil, spaceless};
use crate::findings::{Advice, Findings, Output, Reading, Style, Watch, Words, refuse_parts};
use crate::prompt::Prompt;
use crate::record::{Identity, Input};
use crate::session::Session;
use crate::text::count;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Pairs whose answers are looked at for a space that is lacking.
const DOUBTED: usize = 8;

/// The options of `patch --pairs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How all prompts are read.
    pub reading: Reading,
    /// Which rows are taken.
    pub sample: Sample,
    /// What is replaced: the residual stream entering a block, unless another site is named.
    pub site: Where,
    /// What one cell of the grid is; none means a head where the site has heads, else a position.
    pub by: Option<By>,
    /// What is measured: the logit difference, unless another metric is named.
    pub metric: Metric,
    /// Which run is patched: the corrupt one, unless the other way is named.
    pub direction: Direction,
    /// Estimate every cell from two forward passes and one backward, and patch only those whose means are the largest; off unless asked
    /// for.
    pub attribution: bool,
    /// How an estimate's backward pass goes: by the gradient, unless another rule is named.
    pub rule: Rule,
    /// How the figure looks.
    pub style: Style,
}

impl Survey for Options {
    const COMMAND: &'static str = "patch-pairs";
    type Items = Suite;
    type Answer<'a> = Found;

    fn style(&self) -> &Style {
        &self.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        Suite::read(one(files)?, self)
    }

    fn input(items: &mut Self::Items) -> Option<&mut Input> {
        Some(&mut items.input)
    }

    fn ask<'a>(&'a self, items: &'a Self::Items, session: &Session, watch: Watch) -> Result<Self::Answer<'a>> {
        find(self, items, session, watch)
    }

    fn shown<'a>(
        &'a self,
        items: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Pairs::new(self, items, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("patch", outputs)?;
        super::options::has_cells(self.site, self.by)?;
        super::options::can_be_estimated(self.attribution, self.rule, self.metric, self.direction)?;
        self.sample.check_limit()?;
        self.style.check()
    }
}

impl Options {
    /// What one cell of the grid is.
    fn by(&self) -> By {
        super::options::by(self.site, self.by)
    }
}

/// What was found of one model.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The model.
    pub model: Identity,
    /// The pairs that were patched, by their number in the suite.
    pub pairs: Vec<usize>,
    /// What is measured of their clean runs and of their corrupt ones.
    pub values: Vec<[f64; 2]>,
    /// Their effects, `[pair][layer][cell]`.
    pub grids: Vec<Vec<Vec<f64>>>,
    /// Layer and cell of what was estimated and then patched, with the exact effect in each pair.
    pub confirmed: Vec<(usize, usize, Vec<f64>)>,
    /// What each cell of a layer is called.
    pub cells: Vec<String>,
    /// The first position at which the prompts of any pair differ.
    pub first: usize,
    /// Pairs that cannot be patched.
    pub bad: Vec<Bad>,
    /// That an answer or a foil lacks the space that makes it likely.
    pub doubt: Option<String>,
}

/// Two prompts that can be patched, with the number of their row.
struct Both {
    at: usize,
    clean: Prompt,
    corrupt: Prompt,
    question: Question,
}

/// Patches all pairs, one after the other; `watch` is told how many are done and how many more are planned.
///
/// # Errors
/// A model without next tokens; no pair that can be patched; with `strict`, one that cannot.
pub fn find(options: &Options, suite: &Suite, session: &Session, watch: Watch) -> Result<Found> {
    session.has_next_tokens()?;
    let mut found = Found { model: session.identity(), ..Found::default() };
    let bad = |at: usize, why: String| {
        let Item { file, line, .. } = &suite.items[at];
        Bad { file: suite.files[*file].clone(), line: *line, why }
    };
    let mut pairs = Vec::new();
    for at in 0..suite.items.len() {
        match both(options, &suite.items[at], at, session) {
            Ok(both) => pairs.push(both),
            Err(error) => found.bad.push(bad(at, error.message)),
        }
    }
    if options.by() == By::Position {
        let length = commonest(&pairs);
        pairs.retain(|both| {
            let own = both.clean.ids.len();
            if own != length {
                let why = format!("it has {}, and positions are averaged over pairs of {length}", count(own, "token"));
                found.bad.push(bad(both.at, why));
            }
            own == length
        });
    }
    options.sample.check(&found.bad)?;
    watch(0, pairs.len());
    let (by, layers) = (options.by(), session.spec().layers);
    let mut patched = Vec::with_capacity(pairs.len());
    for both in pairs {
        let (ids, first) = ([&both.clean.ids[..], &both.corrupt.ids[..]], both.first());
        let pair = Pair::new(session.model(), ids, both.question, &[options.site], options.direction)?;
        match pair.differs() {
            Ok(()) => {
                found.grids.push(match options.attribution {
                    true => estimate(&pair, &[(options.site, by)], options.rule)?.remove(0),
                    false => exact(&pair, (options.site, by), layers, first, &|| ())?,
                });
                let [base, source] = pair.values();
                let values = if options.direction == Direction::Denoising { [source, base] } else { [base, source] };
                found.values.push(values);
                patched.push(both);
            }
            Err(error) => found.bad.push(bad(both.at, error.message)),
        }
        options.sample.check(&found.bad)?;
        watch(1, 0);
    }
    if patched.is_empty() {
        return Err(none_read(&session.name, "pair", &suite.input, &found.bad));
    }
    if options.attribution {
        found.confirmed = confirmed(options, &found.grids, &patched, session, watch)?;
    }
    found.pairs = patched.iter().map(|both| both.at).collect();
    found.first = patched.iter().map(Both::first).min().unwrap_or(0);
    found.cells = labels(by, &patched, &found.grids[0]);
    for both in patched.iter().take(DOUBTED) {
        if let Some(doubt) = doubt(&suite.items[both.at], both, session)? {
            found.doubt = Some(bad(both.at, doubt).to_string());
            break;
        }
    }
    Ok(found)
}

/// The cells whose mean estimates are the largest, patched in every pair. The runs are made again: those of all pairs would not fit.
fn confirmed(
    options: &Options,
    grids: &[Vec<Vec<f64>>],
    patched: &[Both],
    session: &Session,
    watch: Watch,
) -> Result<Vec<(usize, usize, Vec<f64>)>> {
    let mut mean = grids[0].clone();
    for (layer, row) in mean.iter_mut().enumerate() {
        for (cell, mean) in row.iter_mut().enumerate() {
            *mean = grids.iter().map(|grid| grid[layer][cell]).sum::<f64>() / grids.len() as f64;
        }
    }
    let order = super::options::largest(&mean, 1);
    let mut all: Vec<(usize, usize, Vec<f64>)> =
        order.iter().map(|(layer, cell)| (*layer, *cell, Vec::new())).collect();
    watch(0, patched.len());
    for both in patched {
        let ids = [&both.clean.ids[..], &both.corrupt.ids[..]];
        let pair = Pair::new(session.model(), ids, both.question, &[options.site], options.direction)?;
        let shares = exactly(&pair, (options.site, options.by()), &order)?;
        all.iter_mut().zip(shares).for_each(|((.., exact), share)| exact.push(share));
        watch(1, 0);
    }
    Ok(all)
}

impl Both {
    fn first(&self) -> usize {
        prompts::first_difference(&self.clean.ids, &self.corrupt.ids)
    }
}

/// The prompts and the question of a row.
fn both(options: &Options, item: &Item, at: usize, session: &Session) -> Result<Both> {
    let read = |text: &str| options.reading.read(Words::Text(text.to_owned()), &session.tokenizer, session.spec());
    let (clean, corrupt) = (read(&item.clean)?, read(&item.corrupt)?);
    prompts::can_be_patched(&clean, &corrupt)?;
    let [answer, foil] = answer_and_foil(session, [&item.answer, &item.foil])?;
    let answer = match (options.metric, answer) {
        (Metric::Kl, _) => 0, // KL is of all tokens
        (_, Some(answer)) => answer,
        (_, None) => return Err(Error::usage("it has no answer")),
    };
    let question = Question { position: clean.last(), answer, foil, metric: options.metric };
    Ok(Both { at, clean, corrupt, question })
}

/// The number of tokens that most pairs have; of several such numbers the one that comes first.
fn commonest(pairs: &[Both]) -> usize {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for length in pairs.iter().map(|both| both.clean.ids.len()) {
        match counts.iter_mut().find(|(known, _)| *known == length) {
            Some((_, count)) => *count += 1,
            None => counts.push((length, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    counts.iter().find(|(_, count)| *count == most).map_or(0, |(length, _)| *length)
}

/// What each cell of a layer is called: of positions the token, where all prompts have the same one there.
fn labels(by: By, pairs: &[Both], grid: &[Vec<f64>]) -> Vec<String> {
    let cells = 0..grid.first().map_or(0, Vec::len);
    if by == By::Head {
        return cells.map(|head| head.to_string()).collect();
    }
    let name = |at: usize| {
        let mut all = pairs.iter().flat_map(|both| [&both.clean, &both.corrupt]).map(|prompt| &prompt.tokens[at].label);
        let first = all.next().filter(|first| all.all(|other| other == *first));
        first.map_or_else(|| format!("#{at}"), Clone::clone)
    };
    cells.map(name).collect()
}

/// That an answer or a foil was typed without the space that makes it likely after its own prompt.
fn doubt(item: &Item, both: &Both, session: &Session) -> Result<Option<String>> {
    let position = || Ok(both.question.position);
    let mut doubts = spaceless(session, &both.clean.ids, position, &[("answer", &item.answer)])?;
    doubts.extend(spaceless(session, &both.corrupt.ids, position, &[("foil", &item.foil)])?);
    Ok(doubts.first().map(|Advice { option, effect, .. }| format!("{option}: {effect}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"answer": "x"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { by: Some(By::Head), ..Options::default() }), Some("by"));
        assert_eq!(refused(Options { rule: Rule::Relp, ..Options::default() }), Some("rule"));
        let sample = Sample { limit: Some(0), ..Sample::default() };
        assert_eq!(refused(Options { sample, ..Options::default() }), Some("limit"));
    }
}
