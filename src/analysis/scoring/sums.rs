//! Sums over the vocabulary, block by block.

use crate::analysis::logits::not_finite;
use crate::error::{Error, Result};
use crate::model::{Model, vector};
use candle_core::{DType, Storage, Tensor};
use rayon::prelude::*;

/// Tokens of a block: its logits stay in the cache of the processor while they are summed.
const BLOCK: usize = 2048;

/// What is known of each row.
pub(super) struct Sums {
    /// `ln Σ exp` of all logits, `[row]`.
    pub totals: Vec<f64>,
    /// The same of the set's, `[row]`.
    pub sets: Vec<f64>,
    /// The targets' own logits; 0 without a target.
    pub logits: Vec<f64>,
}

/// A row's running sums, all relative to its largest logit so far.
#[derive(Clone, Copy)]
struct Running {
    max: f32,
    total: f64,
    set: f64,
}

/// The sums of the rows `normed` `[rows, d]`, and the logits of `targets`, each a row and a token.
pub(super) fn sums(
    model: &dyn Model,
    normed: &Tensor,
    targets: &[(usize, Option<u32>)],
    set: Option<&[u32]>,
) -> Result<Sums> {
    let (rows, vocab) = (normed.dims()[0], model.spec().vocab);
    if let Some(id) = targets.iter().filter_map(|(_, id)| *id).find(|id| *id as usize >= vocab) {
        return Err(Error::usage(format!("token id {id} is outside the model's vocabulary of {vocab}"))
            .hint("this tokenizer and this model do not belong together, or the id was mistyped"));
    }
    let mut by_id: Vec<usize> = (0..targets.len()).filter(|at| targets[*at].1.is_some()).collect();
    by_id.sort_by_key(|at| targets[*at].1);
    let mut by_id = &by_id[..];
    let mut set: Vec<u32> = set.unwrap_or_default().to_vec();
    set.sort_unstable();
    let mut running = vec![Running { max: f32::NEG_INFINITY, total: 0.0, set: 0.0 }; rows];
    let mut logits = vec![0.0; targets.len()];
    each_block(model, normed, &mut |first, width, block| {
        let within = |id: u32| (id as usize) < first + width;
        let members = &set[set.partition_point(|id| (*id as usize) < first)..set.partition_point(|id| within(*id))];
        let add = |(running, block): (&mut Running, &[f32])| running.add(block, first, members);
        running.par_iter_mut().zip(block.par_chunks(width)).for_each(add);
        let here = by_id.partition_point(|at| targets[*at].1.is_some_and(within));
        for at in &by_id[..here] {
            if let (row, Some(id)) = targets[*at] {
                logits[*at] = f64::from(block[row * width + id as usize - first]);
            }
        }
        by_id = &by_id[here..];
    })?;
    if running.iter().any(|row| !row.total.is_finite()) {
        return Err(not_finite());
    }
    let log = |row: &Running, sum: f64| f64::from(row.max) + sum.ln();
    let totals = running.iter().map(|row| log(row, row.total)).collect();
    Ok(Sums { totals, sets: running.iter().map(|row| log(row, row.set)).collect(), logits })
}

/// How many tokens have a larger logit than each target, whose own are known; 0 without a target.
pub(super) fn above(
    model: &dyn Model,
    normed: &Tensor,
    targets: &[(usize, Option<u32>)],
    logits: &[f64],
) -> Result<Vec<u32>> {
    let mut above = vec![0; targets.len()];
    each_block(model, normed, &mut |_, width, block| {
        above.par_iter_mut().zip(targets.par_iter().zip(logits)).for_each(|(above, ((row, id), logit))| {
            let larger = block[row * width..(row + 1) * width].iter().filter(|x| f64::from(**x) > *logit).count();
            *above += if id.is_some() { larger as u32 } else { 0 };
        });
    })?;
    Ok(above)
}

/// Hands over the logits block by block: the first token, how many there are, and `[rows, block]`.
fn each_block(model: &dyn Model, normed: &Tensor, take: &mut dyn FnMut(usize, usize, &[f32])) -> Result<()> {
    let vocab = model.spec().vocab;
    for first in (0..vocab).step_by(BLOCK) {
        let ids: Vec<u32> = (first as u32..(first + BLOCK).min(vocab) as u32).collect();
        let block = model.unembed(normed, Some(&ids))?.to_dtype(DType::F32)?.contiguous()?; // [rows, block]
        let (storage, layout) = block.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { return Err(Error::failed("logits that are not in memory")) };
        take(first, ids.len(), &storage.as_slice::<f32>()?[layout.start_offset()..]);
    }
    Ok(())
}

impl Running {
    /// Adds a block of logits, of the tokens from `first` on; `members` are those of the set.
    fn add(&mut self, block: &[f32], first: usize, members: &[u32]) {
        let max = vector::max(block).max(self.max);
        let before = f64::from(self.max - max).exp();
        let sum = |x: &[f32]| f64::from(vector::exp_sum(x, max));
        // Nothing was summed before the first block, where the largest is −∞.
        let carry = |sum: f64| if sum == 0.0 { 0.0 } else { sum * before };
        self.total = carry(self.total) + sum(block);
        if !members.is_empty() {
            let own: Vec<f32> = members.iter().map(|id| block[*id as usize - first]).collect();
            self.set = carry(self.set) + sum(&own);
        } else {
            self.set = carry(self.set);
        }
        self.max = max;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_the_order_of_sizes() {
        let logits = [3.5f32, -80.0, 90.0, 0.25, 89.0, -3.0];
        let direct = 90.0 + logits.iter().map(|x| (f64::from(*x) - 90.0).exp()).sum::<f64>().ln();
        for width in 1..=6 {
            let mut row = Running { max: f32::NEG_INFINITY, total: 0.0, set: 0.0 };
            for (at, block) in logits.chunks(width).enumerate() {
                let members: Vec<u32> = [0u32, 4].into_iter().filter(|id| (*id as usize) / width == at).collect();
                row.add(block, at * width, &members);
            }
            assert!((f64::from(row.max) + row.total.ln() - direct).abs() < 1e-6, "{width}");
            assert!((f64::from(row.max) + row.set.ln() - 89.0).abs() < 1e-6, "{width}");
        }
    }

    #[test]
    fn a_logit_that_is_no_number_is_noticed() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut row = Running { max: f32::NEG_INFINITY, total: 0.0, set: 0.0 };
            row.add(&[1.0, bad, 2.0], 0, &[]);
            assert!(!row.total.is_finite());
        }
    }
}
