//! The model's prediction: of the next token, or of a text's class.

use super::logits::{Softmax, logistic};
use super::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::Odds;
use candle_core::Tensor;

/// A token that may come next, or a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Its id.
    pub id: u32,
    /// Its probability; of a class whose model gives scores, its score.
    pub probability: f64,
}

/// The `k` most probable next tokens from the logits of one position, `[vocab]`; ties go to the smaller id.
///
/// # Errors
/// Logits that are not finite.
pub fn next_tokens(logits: &Tensor, k: usize) -> Result<Vec<Prediction>> {
    predictions(logits, Odds::OneOf, k)
}

/// The `k` largest of the logits of one position, `[answer]`, by what they mean; ties go to the smaller id.
///
/// # Errors
/// Logits that are not finite.
pub fn predictions(logits: &Tensor, odds: Odds, k: usize) -> Result<Vec<Prediction>> {
    let logits = numbers(logits)?;
    let softmax = Softmax::new(&logits)?;
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let k = k.min(order.len());
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if k > 0 && k < order.len() {
        order.select_nth_unstable_by(k - 1, by_logit);
    }
    order.truncate(k);
    order.sort_by(by_logit);
    Ok(order
        .into_iter()
        .map(|id| Prediction { id, probability: number(logits[id as usize], odds, &softmax) })
        .collect())
}

/// The same number of one token or class from the logits of one position, `[answer]`.
///
/// # Errors
/// An id that has no logit; logits that are not finite.
pub fn probability(logits: &Tensor, odds: Odds, id: u32) -> Result<f64> {
    let logits = numbers(logits)?;
    let logit = logits.get(id as usize).ok_or_else(|| Error::usage(format!("the model has no answer {id}")))?;
    Ok(number(*logit, odds, &Softmax::new(&logits)?))
}

/// A token's place among the logits of one position, the largest 1; ties go to the smaller id.
pub fn rank<T: PartialOrd>(logits: &[T], id: u32) -> usize {
    let Some(own) = logits.get(id as usize) else { return logits.len() + 1 };
    let ahead = |(other, x): &(usize, &T)| *x > own || (*x == own && *other < id as usize);
    1 + logits.iter().enumerate().filter(ahead).count()
}

/// What a logit means among those of its softmax.
fn number(logit: f64, odds: Odds, softmax: &Softmax) -> f64 {
    match odds {
        Odds::OneOf => softmax.probability(logit),
        Odds::Each => logistic(logit),
        Odds::Score => logit,
    }
}
