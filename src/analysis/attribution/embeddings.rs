//! Mean and deviation of all token embeddings of a model, read a piece at a time.

use crate::analysis::numbers::numbers;
use crate::error::Result;
use crate::model::Model;

/// Rows gathered at a time: 3 MiB for each 1024 dimensions.
const PIECE: u32 = 768;

/// The mean embedding, `[d_model]`, and the standard deviation of all entries.
pub fn mean_and_deviation(model: &dyn Model) -> Result<(Vec<f64>, f64)> {
    let (vocab, d) = (model.spec().vocab as u32, model.spec().d_model);
    let (mut sum, mut squares) = (vec![0.0f64; d], 0.0f64);
    for first in (0..vocab).step_by(PIECE as usize) {
        let ids: Vec<u32> = (first..vocab.min(first + PIECE)).collect();
        for row in numbers(&model.embed(&ids)?)?.chunks(d) {
            sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            squares += row.iter().map(|x| x * x).sum::<f64>();
        }
    }
    let count = f64::from(vocab);
    let mean = sum.iter().sum::<f64>() / (count * d as f64);
    let variance = (squares / (count * d as f64) - mean * mean).max(0.0);
    Ok((sum.into_iter().map(|sum| sum / count).collect(), variance.sqrt()))
}
