//! What the model would say next.

use crate::error::{Error, Result};
use candle_core::{DType, Tensor};

/// A token that may come next.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Its id.
    pub id: u32,
    /// Its softmax probability.
    pub probability: f64,
}

/// The `k` most probable next tokens from the logits of one position, `[vocab]`; ties go to the smaller id.
pub fn next_tokens(logits: &Tensor, k: usize) -> Result<Vec<Prediction>> {
    let logits: Vec<f64> = logits.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
    if logits.iter().any(|x| !x.is_finite()) {
        return Err(Error::failed("the model's logits are not finite"));
    }
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|x| (x - max).exp()).sum();
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let k = k.min(order.len());
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if k > 0 && k < order.len() {
        order.select_nth_unstable_by(k - 1, by_logit);
    }
    order.truncate(k);
    order.sort_by(by_logit);
    Ok(order.into_iter().map(|id| Prediction { id, probability: (logits[id as usize] - max).exp() / total }).collect())
}

/// The softmax probability of one token from the logits of one position, `[vocab]`.
pub fn probability(logits: &Tensor, id: u32) -> Result<f64> {
    let logits: Vec<f64> = logits.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|x| (x - max).exp()).sum();
    let logit = logits.get(id as usize).ok_or_else(|| Error::usage(format!("the model has no token {id}")))?;
    Ok((logit - max).exp() / total)
}
