//! Whether scores point at the tokens that the prediction rests on: tokens are removed, or kept alone, in the order of their
//! scores, and the target's probability is watched (Samek et al. 2017; ERASER, DeYoung et al. 2020).

use super::agreement::{kendall, spearman};
use super::attribution::{Dice, Evaluator, kept};
use super::objective::Of;
use crate::error::Result;

/// Random orders that methods are compared with.
pub const SEEDS: u64 = 10;
/// The shares of the tokens at which comprehensiveness and sufficiency are measured.
pub const SHARES: [f64; 3] = [0.1, 0.2, 0.5];
/// Prompts with fewer tokens have curves only.
const FEWEST: usize = 5;
/// The most points of a curve that are measured; with more tokens they are spread evenly.
const POINTS: usize = 33;

/// The target's probability as tokens are removed, or kept alone, in one order.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The probability without the first `counts[i]` tokens of the order.
    pub deletion: Vec<f64>,
    /// The probability with only the first `counts[i]` tokens.
    pub insertion: Vec<f64>,
    /// The mean, over every number of removed tokens from 0 to all, of how much probability is lost: more is better. What lies
    /// between two points of the curve is interpolated linearly.
    pub deletion_aopc: f64,
    /// The mean of the insertion curve, in the same way: more is better.
    pub insertion_mean: f64,
    /// What is lost without the first 10, 20 and 50 %: more is better. Empty for short prompts.
    pub comprehensiveness: Vec<f64>,
    /// What is lost with nothing but the first 10, 20 and 50 %: less is better. Empty for short prompts.
    pub sufficiency: Vec<f64>,
}

/// What was measured on one prompt.
#[derive(Clone, Debug)]
pub struct Faithfulness {
    /// How many tokens are removed or kept at each point: every number from 0 to all, or 33 of them.
    pub counts: Vec<usize>,
    /// The target's probability after the whole prompt.
    pub probability: f64,
    /// One entry for each list of scores.
    pub methods: Vec<Measured>,
    /// One entry for each random order.
    pub random: Vec<Measured>,
    /// The tokens of each random order, the one removed first in front.
    pub random_orders: Vec<Vec<usize>>,
    /// Spearman's ρ between methods, `[method, method]`; empty for short prompts.
    pub spearman: Vec<f64>,
    /// Kendall's τ-b between methods, `[method, method]`; empty for short prompts.
    pub kendall: Vec<f64>,
}

impl Faithfulness {
    /// How many tokens there are to remove.
    pub fn tokens(&self) -> usize {
        self.counts.last().copied().unwrap_or_default()
    }

    /// Whether only some numbers of removed tokens were measured.
    pub fn is_interpolated(&self) -> bool {
        self.counts.len() <= self.tokens()
    }

    /// The methods' indices, the best deletion first.
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.methods.len()).collect();
        order.sort_by(|a, b| self.methods[*b].deletion_aopc.total_cmp(&self.methods[*a].deletion_aopc));
        order
    }

    /// Mean and standard deviation over the random orders of one number.
    pub fn random(&self, number: impl Fn(&Measured) -> f64) -> (f64, f64) {
        let all: Vec<f64> = self.random.iter().map(number).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (all.len() - 1).max(1) as f64;
        (mean, variance.sqrt())
    }
}

/// Measures each list of scores, `[token]`, on the evaluator's prompt, with the evaluator's baseline for what is removed.
///
/// Tokens are removed in descending order of their signed scores; equal scores, the earlier token first.
///
/// # Errors
/// A model whose numbers are not finite.
pub fn faithfulness(evaluator: &Evaluator, scores: &[&[f32]]) -> Result<Faithfulness> {
    let evaluator = evaluator.asking(evaluator.objective().target, None, Of::Probability);
    let len = evaluator.visible();
    let points = (len + 1).min(POINTS);
    let counts: Vec<usize> = (0..points).map(|i| (i * len + (points - 1) / 2) / (points - 1)).collect();
    let orders = scores.iter().map(|scores| {
        let mut order: Vec<usize> = (0..len).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order
    });
    let random_orders: Vec<Vec<usize>> = (0..SEEDS).map(|seed| Dice::new(seed, 0).order(len)).collect();
    let orders: Vec<Vec<usize>> = orders.chain(random_orders.iter().cloned()).collect();
    let mut methods = measure(&evaluator, &orders, &counts)?;
    let random = methods.split_off(scores.len());
    let probability = random[0].deletion[0];
    let compare = |agreement: fn(&[f32], &[f32]) -> f64| -> Vec<f64> {
        let seen: Vec<&[f32]> = scores.iter().filter(|_| len >= FEWEST).map(|scores| &scores[..len]).collect();
        seen.iter().flat_map(|a| seen.iter().map(move |b| agreement(a, b))).collect()
    };
    let (spearman, kendall) = (compare(spearman), compare(kendall));
    Ok(Faithfulness { counts, probability, methods, random, random_orders, spearman, kendall })
}

fn measure(evaluator: &Evaluator, orders: &[Vec<usize>], counts: &[usize]) -> Result<Vec<Measured>> {
    let len = evaluator.visible();
    let shares: Vec<usize> = match len < FEWEST {
        true => Vec::new(),
        false => SHARES.iter().map(|share| (share * len as f64).ceil() as usize).collect(),
    };
    let points: Vec<usize> = counts.iter().chain(&shares).copied().collect();
    // All points of one order without its first tokens, then all with only those.
    let input = |order: &[usize], keep: bool, count: usize| {
        let mut kept = vec![!keep; len];
        order[..count].iter().for_each(|token| kept[*token] = keep);
        kept
    };
    let curves = orders.iter().flat_map(|order| [(order, false), (order, true)]);
    let inputs = curves.flat_map(|(order, keep)| points.iter().map(move |count| input(order, keep, *count)));
    let values = kept(evaluator, &inputs.collect::<Vec<_>>())?;
    let measured = values.chunks(2 * points.len()).map(|values| {
        let (deleted, inserted) = values.split_at(points.len());
        let whole = deleted[0];
        let mean = |values: &[f64]| mean_of_all(counts, &values[..counts.len()]);
        let lost = |values: &[f64]| values[counts.len()..].iter().map(|p| whole - p).collect();
        Measured {
            deletion: deleted[..counts.len()].to_vec(),
            insertion: inserted[..counts.len()].to_vec(),
            deletion_aopc: whole - mean(deleted),
            insertion_mean: mean(inserted),
            comprehensiveness: lost(deleted),
            sufficiency: lost(inserted),
        }
    });
    Ok(measured.collect())
}

/// The mean over every whole number from 0 to the last of `at`, of values that are known there and in between lie on straight lines.
fn mean_of_all(at: &[usize], values: &[f64]) -> f64 {
    let (Some(last), Some(value)) = (at.last(), values.last()) else { return f64::NAN };
    // A line's numbers with its first end and without its last one.
    let line = |(at, ends): (&[usize], &[f64])| {
        let steps = (at[1] - at[0]) as f64;
        steps * ends[0] + (ends[1] - ends[0]) * (steps - 1.0) / 2.0
    };
    (at.windows(2).zip(values.windows(2)).map(line).sum::<f64>() + value) / (last + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::mean_of_all;

    #[test]
    fn what_was_not_measured_lies_on_straight_lines() {
        // 0 1 2 3 4 5 6: 10, (7), (4), 1, (2), 3, 9.
        assert_eq!(mean_of_all(&[0, 3, 5, 6], &[10.0, 1.0, 3.0, 9.0]), 36.0 / 7.0);
        assert_eq!(mean_of_all(&[0, 1, 2], &[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(mean_of_all(&[0], &[4.0]), 4.0);
    }
}
