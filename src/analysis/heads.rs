//! Kinds of heads, told by their patterns: scores that have names in the literature, and a label.
//!
//! Previous-token, duplicate-token and induction heads: Elhage et al. 2021 and Olsson et al. 2022, whose repeated random tokens
//! are the prompt where there is none.

mod corpus;
mod reservoir;
mod tally;

pub use corpus::{Corpus, Example, Looked, Sequence};
pub(crate) use reservoir::mix;

use super::attribution::Dice;
use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::named::Named;
use crate::trace::{Recorder, forward};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tally::{Repeated, Tally};

/// Sequences of repeated random ids.
pub const SEQUENCES: usize = 10;
/// The longest half of one.
const LONGEST_HALF: usize = 50;
/// A head whose mean distance is under this many tokens is local.
pub(crate) const LOCAL: f32 = 3.0;

/// A score of a head: a mean over all queries where it is defined. The first query sees nothing but itself, and defines none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Score {
    /// Attention on the token just before.
    Previous,
    /// Attention on earlier occurrences of the same token.
    Duplicate,
    /// Attention on the tokens that followed earlier occurrences.
    Induction,
    /// Attention on the first token.
    Sink,
    /// Attention on the token itself.
    #[serde(rename = "self")]
    Own,
    /// How many tokens back attention reaches.
    Distance,
    /// The entropy of the pattern's row as a share of the largest possible.
    Entropy,
    /// The standard deviation of how many tokens back attention reaches, weighted by attention.
    Spread,
    /// The entropy of the pattern's row, in bits.
    #[serde(rename = "entropy_bits")]
    Bits,
}

impl Named for Score {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Previous, "previous", "Attention on the token just before"),
        (Self::Duplicate, "duplicate", "Attention on earlier occurrences of the same token"),
        (Self::Induction, "induction", "Attention on what followed earlier occurrences of the same token"),
        (Self::Sink, "sink", "Attention on the first token"),
        (Self::Own, "self", "Attention on the token itself"),
        (Self::Distance, "distance", "How many tokens back attention reaches"),
        (Self::Entropy, "entropy", "How evenly attention is spread"),
        (Self::Spread, "spread", "How much it differs how many tokens back attention reaches"),
        (Self::Bits, "entropy_bits", "The entropy of attention, in bits"),
    ];
}

impl Score {
    /// Above this, a head can be labelled with it; none for what is no label.
    pub fn threshold(self) -> Option<f32> {
        match self {
            Self::Previous | Self::Duplicate | Self::Induction | Self::Own => Some(0.4),
            Self::Sink => Some(0.6),
            Self::Distance | Self::Entropy | Self::Spread | Self::Bits => None,
        }
    }
}

/// The label of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// By the largest score above its threshold.
    By(Score),
    /// No score is above its threshold, and attention stays near.
    Local,
    /// No score is above its threshold.
    Broad,
    /// The text is too short for any score.
    Undefined,
}

impl Label {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::By(score) => score.name(),
            Self::Local => "local",
            Self::Broad => "broad",
            Self::Undefined => "undefined",
        }
    }
}

/// The scores of one head.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Head([f32; Score::ALL.len()]);

impl Head {
    /// One score; NaN where no query defines it, such as a duplicate in a text without repetition.
    pub fn score(&self, score: Score) -> f32 {
        self.0[score as usize]
    }

    /// The label with its margin: of the winning score over the runner-up; for heads without one, to the nearest threshold, or 0 where
    /// no score is defined.
    pub fn label(&self) -> (Label, f32) {
        let defined = |score: &Score| score.threshold().is_some() && self.score(*score).is_finite();
        let mut ranked: Vec<Score> = Score::all().filter(defined).collect();
        ranked.sort_by(|a, b| self.score(*b).total_cmp(&self.score(*a)));
        let below = |score: &Score| score.threshold().unwrap_or(f32::INFINITY) - self.score(*score);
        if let Some(winner) = ranked.iter().position(|score| below(score) < 0.0) {
            let runner_up = ranked.iter().enumerate().find(|(place, _)| *place != winner);
            let second = runner_up.map_or(0.0, |(_, score)| self.score(*score));
            return (Label::By(ranked[winner]), self.score(ranked[winner]) - second);
        }
        let label = match self.score(Score::Distance) {
            _ if ranked.is_empty() => Label::Undefined,
            distance if distance < LOCAL => Label::Local,
            _ => Label::Broad,
        };
        (label, ranked.iter().map(below).reduce(f32::min).unwrap_or_default())
    }
}

/// The heads of recorded patterns `[layer, head, query, key]`, layer by layer; `ids` may be empty where they are not known.
///
/// # Errors
/// Numbers or ids that do not fit the shape.
pub fn of_patterns<T: PartialEq + Sync>(attention: &[f32], shape: [usize; 4], ids: &[T]) -> Result<Vec<Head>> {
    let [layers, heads, queries, keys] = shape;
    let fits = attention.len() == layers * heads * queries * keys && (1..=keys).contains(&queries);
    if !fits || !(ids.is_empty() || ids.len() == keys) {
        let (numbers, ids) = (attention.len(), ids.len());
        return Err(Error::failed(format!("{numbers} numbers and {ids} ids do not fit patterns of shape {shape:?}")));
    }
    let repeated = Repeated::of(ids, keys, None);
    let head = |pattern: &[f32]| {
        let mut tally = Tally::default();
        tally.look(pattern, keys, &repeated);
        tally.head()
    };
    Ok(attention.par_chunks_exact(queries * keys).map(head).collect())
}

/// The heads of a model on each of several prompts, layer by layer, and their last `resid_post`: one forward pass, in which no prompt's
/// numbers depend on the others.
///
/// # Errors
/// An id outside the vocabulary, more tokens than the model's context, or attention that is not finite.
pub fn of_prompts(model: &dyn Model, prompts: &[&[u32]]) -> Result<Vec<(Vec<Head>, Tensor)>> {
    let of_one = model.spec().layers * model.spec().heads;
    let mut tallies = vec![Tally::default(); prompts.len() * of_one];
    let resid = look(model, prompts, None, &mut tallies)?;
    let mut first = 0;
    let one = |(ids, tallies): (&&[u32], &[Tally])| {
        let rows = resid.narrow(0, first, ids.len())?;
        first += ids.len();
        Ok((heads(tallies)?, rows))
    };
    prompts.iter().zip(tallies.chunks(of_one)).map(one).collect()
}

/// The heads of a model on sequences that repeat after `period` ids, layer by layer.
///
/// # Errors
/// An id outside the vocabulary, more tokens than the model's context, or attention that is not finite.
pub fn of_repeats(model: &dyn Model, sequences: &[Vec<u32>], period: usize) -> Result<Vec<Head>> {
    let prompts: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let mut tallies = vec![Tally::default(); model.spec().layers * model.spec().heads];
    look(model, &prompts, Some(period), &mut tallies)?;
    heads(&tallies)
}

fn heads(tallies: &[Tally]) -> Result<Vec<Head>> {
    if !tallies.iter().all(Tally::is_finite) {
        return Err(Error::failed("the model's attention is not finite"));
    }
    Ok(tallies.iter().map(Tally::head).collect())
}

/// Adds what prompts show to tallies `[prompt, layer, head]`, or to those of all prompts `[layer, head]`. Returns the last `resid_post`
/// of all rows.
fn look(model: &dyn Model, prompts: &[&[u32]], period: Option<usize>, tallies: &mut [Tally]) -> Result<Tensor> {
    let (layers, heads) = (model.spec().layers, model.spec().heads);
    let groups = tallies.len() / (layers * heads);
    let all: Vec<usize> = (0..layers).collect();
    let repeated: Vec<_> = prompts.iter().map(|ids| Repeated::of(ids, ids.len(), period)).collect();
    let mut recorder = Recorder::new().reduce(Activation::Pattern, &all, |site, pattern| {
        let (keys, repeated) = (prompts[site.segment].len(), &repeated[site.segment]);
        let values = pattern.flatten_all()?.to_vec1::<f32>()?;
        let first = (site.segment % groups * layers + site.layer) * heads;
        tallies[first..first + heads]
            .par_iter_mut()
            .zip(values.par_chunks_exact(keys * keys))
            .for_each(|(tally, pattern)| tally.look(pattern, keys, repeated));
        Ok(None)
    });
    forward(model, prompts, &mut recorder)
}

/// [`SEQUENCES`] sequences of random ids of a pool, each repeated once, and after how many ids.
///
/// # Errors
/// As [`some_repeats`].
pub fn repeats(pool: &[u32], context: usize, seed: u64) -> Result<(Vec<Vec<u32>>, usize)> {
    some_repeats(pool, context, seed, SEQUENCES)
}

/// So many sequences of random ids of a pool, each repeated once, and after how many ids.
///
/// # Errors
/// A context or a pool too small for anything to repeat.
pub fn some_repeats(pool: &[u32], context: usize, seed: u64, count: usize) -> Result<(Vec<Vec<u32>>, usize)> {
    let period = LONGEST_HALF.min(context / 2);
    if period < 2 || pool.len() < 2 {
        return Err(Error::usage("the model's context or vocabulary is too small for repeated sequences")
            .hint("give a prompt to look at"));
    }
    let sequence = |index: usize| {
        let mut dice = Dice::new(seed, index as u64);
        let half: Vec<u32> = (0..period).map(|_| pool[dice.below(pool.len())]).collect();
        half.repeat(2)
    };
    Ok(((0..count).map(sequence).collect(), period))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One head over five tokens of which the fourth repeats the second and the fifth the first.
    fn head(rows: [[f32; 5]; 5]) -> Head {
        of_patterns(&rows.concat(), [1, 1, 5, 5], &[7, 8, 9, 8, 7]).unwrap()[0]
    }

    #[test]
    fn scores_are_means_over_the_queries_that_define_them() {
        let found = head([
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [0.5, 0.5, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [0.1, 0.2, 0.6, 0.1, 0.0],
            [0.3, 0.4, 0.1, 0.1, 0.1],
        ]);
        let near = |score: Score, value: f32| assert!((found.score(score) - value).abs() < 1e-6, "{score:?} {found:?}");
        near(Score::Previous, (0.5 + 1.0 + 0.6 + 0.1) / 4.0);
        near(Score::Duplicate, (0.2 + 0.3) / 2.0);
        near(Score::Induction, (0.6 + 0.4) / 2.0);
        near(Score::Sink, (0.5 + 0.0 + 0.1 + 0.3) / 4.0);
        near(Score::Own, (0.5 + 0.0 + 0.1 + 0.1) / 4.0);
        near(Score::Distance, (0.5 + 1.0 + (0.3 + 0.4 + 0.6) + (1.2 + 1.2 + 0.2 + 0.1)) / 4.0);
        let square = (0.5 + 1.0 + (0.1 * 9.0 + 0.2 * 4.0 + 0.6) + (0.3 * 16.0 + 0.4 * 9.0 + 0.1 * 4.0 + 0.1)) / 4.0;
        near(Score::Spread, (square - found.score(Score::Distance).powi(2)).sqrt());
        near(Score::Bits, (1.0 + 0.0 + 1.570_950_6 + 2.046_439_3) / 4.0);
        let entropy = |row: &[f32]| row.iter().map(|a| -a * a.ln()).sum::<f32>() / (row.len() as f32).ln();
        near(Score::Entropy, (1.0 + 0.0 + entropy(&[0.1, 0.2, 0.6, 0.1]) + entropy(&[0.3, 0.4, 0.1, 0.1, 0.1])) / 4.0);
        // Previous .55 wins over induction .5.
        assert_eq!(found.label().0, Label::By(Score::Previous));
        assert!((found.label().1 - 0.05).abs() < 1e-6);
    }

    #[test]
    fn a_text_without_repetition_defines_no_repetition() {
        let found = of_patterns(&[1.0, 0.0, 0.2, 0.8], [1, 1, 2, 2], &[3, 4]).unwrap()[0];
        assert!(found.score(Score::Duplicate).is_nan() && found.score(Score::Induction).is_nan());
        assert_eq!(found.label().0, Label::By(Score::Own));
        assert_eq!(of_patterns(&[1.0, 0.0, 0.2, 0.8], [1, 1, 2, 2], &[0u32; 0]).unwrap()[0].label(), found.label());
    }

    #[test]
    fn one_token_says_nothing_of_a_head() {
        let found = of_patterns(&[1.0], [1, 1, 1, 1], &[3]).unwrap()[0];
        assert!(Score::all().all(|score| found.score(score).is_nan()), "{found:?}");
        assert_eq!(found.label(), (Label::Undefined, 0.0));
    }

    #[test]
    fn a_head_without_a_high_score_is_local_or_broad() {
        let even: Vec<f32> =
            (0..11).flat_map(|i| (0..11).map(move |j| if j <= i { 1.0 / (i + 1) as f32 } else { 0.0 })).collect();
        let ids: Vec<u32> = (0..11).collect();
        let found = of_patterns(&even, [1, 1, 11, 11], &ids).unwrap()[0];
        assert_eq!(found.label().0, Label::Local, "{found:?}"); // the mean distance is 2.75
        assert!((found.score(Score::Entropy) - 1.0).abs() < 1e-6);
        let far = Head([0.1, 0.1, 0.1, 0.5, 0.1, 9.0, 0.9, 3.0, 5.0]);
        assert_eq!(far.label().0, Label::Broad);
        assert!((far.label().1 - 0.1).abs() < 1e-6);
    }

    #[test]
    fn repeats_are_the_same_for_a_seed_and_stay_in_their_pool() {
        let pool: Vec<u32> = (1000..10_000).collect();
        let (sequences, period) = repeats(&pool, 1024, 7).unwrap();
        assert_eq!((sequences.len(), period, sequences[0].len()), (10, 50, 100));
        assert_eq!(sequences, repeats(&pool, 1024, 7).unwrap().0);
        assert_ne!(sequences, repeats(&pool, 1024, 8).unwrap().0);
        assert!(sequences.iter().all(|ids| ids[..50] == ids[50..] && ids.iter().all(|id| (1000..10_000).contains(id))));
        assert_eq!(repeats(&pool, 33, 7).unwrap().1, 16);
        assert!(repeats(&pool, 2, 7).is_err());
    }
}
