//! What heads do over many sequences, and where each does it: sums and a sample of examples, whatever the number of sequences.

use super::reservoir::{FIFTHS, Ranked, Reservoir, mix};
use super::{Head, Repeated, Tally, heads};
use crate::error::Result;
use crate::model::{Activation, Model};
use crate::trace::{Recorder, forward};
use rayon::prelude::*;

/// Tokens before the query that an example shows, and after it.
const BESIDE: [usize; 2] = [16, 2];
/// Keys that an example names.
const KEYS: usize = 3;

/// A sequence of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Its number in the text.
    pub number: u64,
    /// Its tokens.
    pub ids: Vec<u32>,
}

/// A query with the weights that a head gives there.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The number of its sequence.
    pub sequence: u64,
    /// Its position in it.
    pub query: usize,
    /// The largest weight on a token that is not the first.
    pub weight: f32,
    /// Positions, ids and weights of the tokens with the largest weights, the largest first; the first token is left out.
    pub keys: Vec<(usize, u32, f32)>,
    /// Tokens around the query; the position of the first of them.
    pub around: Vec<u32>,
    /// See `around`.
    pub first: usize,
    rank: u64,
}

impl Ranked for Example {
    fn value(&self) -> f32 {
        self.weight
    }
    fn rank(&self) -> u64 {
        self.rank
    }
}

impl Example {
    fn new(Sequence { number, ids }: &Sequence, query: usize, row: &[f32], weight: f32, rank: u64) -> Self {
        let mut keys: Vec<usize> = (1..=query).collect();
        // The earlier one of two, so that nothing depends on how they are sorted.
        keys.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
        let keys = keys.into_iter().take(KEYS).map(|j| (j, ids[j], row[j])).collect();
        let (first, end) = (query.saturating_sub(BESIDE[0]), (query + BESIDE[1] + 1).min(ids.len()));
        Self { sequence: *number, query, weight, keys, around: ids[first..end].to_vec(), first, rank }
    }
}

/// What was found of one head.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Its scores, over all queries of all sequences.
    pub head: Head,
    /// Up to three examples of each fifth of its range of largest weights, the lowest fifth first; in each the strongest first.
    pub examples: [Vec<Example>; FIFTHS],
    /// The range of the largest weight of a query on a token that is not the first.
    pub range: (f32, f32),
}

/// Gathers what heads do. Every head draws its examples for itself.
pub struct Corpus<'a> {
    model: &'a dyn Model,
    /// How far apart the numbers of queries of one sequence and the next are.
    stride: u64,
    /// `[layer, head]`.
    tallies: Vec<Tally>,
    reservoirs: Vec<(u64, Reservoir<Example>)>,
}

impl<'a> Corpus<'a> {
    /// Nothing yet. A seed draws the same examples whatever sequences go through the model together.
    pub fn new(model: &'a dyn Model, seed: u64) -> Self {
        let spec = model.spec();
        let count = spec.layers * spec.heads;
        let reservoirs = (0..count as u64).map(|head| (mix(seed, head), Reservoir::default())).collect();
        Self { model, stride: spec.context as u64, tallies: vec![Tally::default(); count], reservoirs }
    }

    /// Looks at some sequences, which go through the model together; only the patterns of one layer of one of them are held.
    ///
    /// # Errors
    /// An id outside the vocabulary, a sequence longer than the model's context or without tokens.
    pub fn look(&mut self, sequences: &[Sequence]) -> Result<()> {
        let Self { model, stride, tallies, reservoirs } = self;
        let (layers, heads) = (model.spec().layers, model.spec().heads);
        let prompts: Vec<&[u32]> = sequences.iter().map(|sequence| &sequence.ids[..]).collect();
        let repeated: Vec<_> = prompts.iter().map(|ids| Repeated::of(ids, ids.len(), None)).collect();
        let all: Vec<usize> = (0..layers).collect();
        let mut recorder = Recorder::new().reduce(Activation::Pattern, &all, |site, pattern| {
            let (sequence, repeated) = (&sequences[site.segment], &repeated[site.segment]);
            let keys = sequence.ids.len();
            let values = pattern.flatten_all()?.to_vec1::<f32>()?;
            let own = site.layer * heads..(site.layer + 1) * heads;
            let of_layer = tallies[own.clone()].par_iter_mut().zip(reservoirs[own].par_iter_mut());
            of_layer.zip(values.par_chunks_exact(keys * keys)).for_each(|((tally, (seed, reservoir)), pattern)| {
                tally.look(pattern, keys, repeated);
                for (query, row) in pattern.chunks_exact(keys).enumerate().skip(1) {
                    let weight = row[1..=query].iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let rank = mix(*seed, sequence.number * *stride + query as u64);
                    reservoir.offer(weight, rank, || Example::new(sequence, query, row, weight, rank));
                }
            });
            Ok(None)
        });
        forward(*model, &prompts, &mut recorder).map(drop)
    }

    /// What was found, layer by layer.
    ///
    /// # Errors
    /// Attention that is not finite.
    pub fn finish(self) -> Result<Vec<Looked>> {
        let one = |(head, (_, reservoir)): (Head, (u64, Reservoir<Example>))| {
            let (examples, range) = reservoir.fifths();
            Looked { head, examples, range }
        };
        Ok(heads(&self.tallies)?.into_iter().zip(self.reservoirs).map(one).collect())
    }
}

impl Looked {
    /// The weights of a fifth: from here to there.
    pub fn bounds(&self, fifth: usize) -> (f32, f32) {
        let (low, high) = self.range;
        let at = |share: usize| low + (high - low) * share as f32 / FIFTHS as f32;
        (at(fifth), at(fifth + 1))
    }
}
