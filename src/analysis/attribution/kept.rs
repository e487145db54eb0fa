//! y where some tokens are kept and the others replaced. What a causal model computes of a token depends on what stands before it only:
//! inputs that begin alike share those rows.

use super::Evaluator;
use super::evaluator::ROWS;
use crate::error::Result;
use crate::model::{NoTap, Segments};
use candle_core::Tensor;
use std::collections::{BTreeMap, BTreeSet};

/// y of each input; `inputs[i]` says of every visible token whether it is kept or the baseline's.
///
/// # Errors
/// Logits that are not finite.
pub fn kept(evaluator: &Evaluator, inputs: &[Vec<bool>]) -> Result<Vec<f64>> {
    // Each once, those that begin alike beside one another.
    let all: Vec<&[bool]> = inputs.iter().map(Vec::as_slice).collect::<BTreeSet<_>>().into_iter().collect();
    let len = evaluator.visible();
    let shared = |at: usize| match at.checked_sub(1).filter(|_| evaluator.model().branches()) {
        Some(before) => all[at].iter().zip(all[before]).take_while(|(a, b)| a == b).count(),
        None => 0,
    };
    let shared: Vec<usize> = (0..all.len()).map(shared).collect();
    let both = Tensor::cat(&[evaluator.embeddings(), evaluator.baseline()], 0)?; // [2 · len, d]
    let mut values = Vec::with_capacity(all.len());
    let fits = |range: &std::ops::Range<usize>| {
        len + range.clone().skip(1).map(|at| len - shared[at]).sum::<usize>() <= ROWS.max(len)
    };
    evaluator.batches_of(all.len(), &fits, &mut |range| {
        let (mut rows, mut branches) = (Vec::<u32>::new(), Vec::new());
        let mut path: Vec<usize> = Vec::with_capacity(len); // the row of each token of the input before
        for at in range.clone() {
            path.truncate(if at == range.start { 0 } else { shared[at] });
            branches.push((path.last().copied(), len - path.len()));
            for (token, kept) in all[at].iter().enumerate().skip(path.len()) {
                path.push(rows.len());
                rows.push((token + if *kept { 0 } else { len }) as u32);
            }
        }
        let rows = both.index_select(&Tensor::new(rows, both.device())?, 0)?;
        values.extend(evaluator.values_of(&rows, &Segments::branching(branches), &mut NoTap)?);
        Ok(())
    })?;
    let known: BTreeMap<&[bool], f64> = all.iter().copied().zip(values).collect();
    Ok(inputs.iter().map(|input| known[input.as_slice()]).collect())
}
