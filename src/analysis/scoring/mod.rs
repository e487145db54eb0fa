//! Log-probabilities of the tokens of many texts. Texts are packed, what they have in common is computed once, only positions that are
//! scored are unembedded, and the sum over the vocabulary is taken block by block: no array of `[rows, vocab]` stands.

mod batch;
mod sums;
mod windows;

pub use windows::{Windows, bits_of_words};

use crate::error::Result;
use crate::model::{Model, NoTap, Segments};
use batch::Batch;
use candle_core::Tensor;
use sums::{Sums, above, sums};

/// A text whose tokens are scored.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// What the model reads.
    pub ids: &'a [u32],
    /// The first position that is scored, at least 1: a first token has nothing before it.
    pub from: usize,
    /// Whether what follows the last token is asked for as well: the probability of a set of tokens there.
    pub beyond: bool,
}

impl<'a> Text<'a> {
    /// All of it is scored, but for the first token.
    pub fn new(ids: &'a [u32]) -> Self {
        Self { ids, from: 1, beyond: false }
    }

    /// How many of its tokens the model must read.
    fn read(&self) -> usize {
        if self.beyond { self.ids.len() } else { self.ids.len().saturating_sub(1) }
    }
}

/// What the model says of one text's tokens, in nats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// The logarithm of each token's probability, from the first position that is scored.
    pub tokens: Vec<f64>,
    /// The logarithm of the probability that a token of the set stands there, `[position]`, with one more number where what follows
    /// was asked for; empty without a set.
    pub set: Vec<f64>,
    /// How many tokens are more probable there than the own one, `[position]`; empty unless asked for.
    pub above: Vec<u32>,
}

/// What is wanted beside the probabilities.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// The probability of a token of this set at each position.
    pub set: Option<&'a [u32]>,
    /// How many tokens are more probable than the own one.
    pub above: bool,
}

/// Is told how many texts are done, and how many more are planned.
pub type Watch<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Scores texts, and what is wanted `beside` the tokens' probabilities. No text's numbers depend on the
/// others.
///
/// # Errors
/// A text longer than the model's context, an id that it does not have; a model without a language-model head; logits that are not
/// finite.
pub fn score(model: &dyn Model, texts: &[Text], beside: Beside, watch: Watch) -> Result<Vec<Scored>> {
    let mut scored: Vec<Scored> = texts
        .iter()
        .map(|text| Scored { tokens: vec![0.0; text.ids.len().saturating_sub(text.from)], ..Scored::default() })
        .collect();
    // Beside one another, texts that begin alike share their rows.
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|text| texts[*text].ids);
    watch(0, texts.len());
    let mut batch = Batch::new(model.branches());
    for (done, text) in order.iter().enumerate() {
        batch.push(*text, &texts[*text]);
        if batch.is_full() || done + 1 == order.len() {
            let count = batch.texts;
            run(model, std::mem::replace(&mut batch, Batch::new(model.branches())), beside, &mut scored)?;
            watch(count, 0);
        }
    }
    Ok(scored)
}

/// One forward, and what it says.
fn run(model: &dyn Model, batch: Batch, beside: Beside, scored: &mut [Scored]) -> Result<()> {
    let (rows, targets) = batch.wanted();
    if rows.is_empty() {
        return Ok(());
    }
    let segments = Segments::branching(batch.branches.iter().copied());
    let resid = model.blocks(model.start(&model.embed(&batch.ids)?, &segments)?, &segments, &mut NoTap)?;
    let resid = match rows.len() == batch.ids.len() {
        true => resid,
        false => resid.index_select(&Tensor::new(&rows[..], resid.device())?, 0)?, // [rows, d]
    };
    let normed = model.final_norm(&resid)?;
    let Sums { totals, sets, logits } = sums(model, &normed, &targets, beside.set)?;
    let above = if beside.above { above(model, &normed, &targets, &logits)? } else { Vec::new() };
    for (at, (wanted, logit)) in batch.wanted.iter().zip(logits).enumerate() {
        let row = rows.partition_point(|row| *row < wanted.row as u32);
        let scored = &mut scored[wanted.text];
        if wanted.target.is_some() {
            scored.tokens[wanted.place] = logit - totals[row];
        }
        scored.above.extend(above.get(at));
        if beside.set.is_some() {
            scored.set.push(sets[row] - totals[row]);
        }
    }
    Ok(())
}
