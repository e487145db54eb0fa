//! The model's prediction of the next token.

use super::logits::Softmax;
use super::numbers::numbers;
use crate::error::{Error, Result};
use candle_core::Tensor;

/// A token that may come next.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Its id.
    pub id: u32,
    /// Its softmax probability.
    pub probability: f64,
}

/// The `k` most probable next tokens from the logits of one position, `[vocab]`; ties go to the smaller id.
///
/// # Errors
/// Logits that are not finite.
pub fn next_tokens(logits: &Tensor, k: usize) -> Result<Vec<Prediction>> {
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
    Ok(order.into_iter().map(|id| Prediction { id, probability: softmax.probability(logits[id as usize]) }).collect())
}

/// The softmax probability of one token from the logits of one position, `[vocab]`.
///
/// # Errors
/// An id outside the vocabulary; logits that are not finite.
pub fn probability(logits: &Tensor, id: u32) -> Result<f64> {
    let logits = numbers(logits)?;
    let logit = logits.get(id as usize).ok_or_else(|| Error::usage(format!("the model has no token {id}")))?;
    Ok(Softmax::new(&logits)?.probability(*logit))
}
