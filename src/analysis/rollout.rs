//! Attention through all layers: the mean pattern, and rollout (Abnar & Zuidema 2020).

use super::attention::{Extent, Sink, hide_sink};
use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::trace::{Recorder, forward};
use rayon::prelude::*;

/// The share of the residual connection in a layer's output.
pub const RESIDUAL: f64 = 0.5;

/// The mean patterns of a prompt, and what the sink policy did to them.
#[derive(Clone, Debug, Default)]
pub struct MeanPatterns {
    /// The mean pattern of each layer's heads, `[query, key]`, after the sink policy.
    pub layers: Vec<Vec<f64>>,
    /// The share of all attention that lies on the first token before it, a mean over the queries that see others too, the heads and
    /// the layers.
    pub sink_share: f64,
    /// In how many rows of patterns the policy left nothing, though their queries see other tokens, too.
    pub empty_rows: usize,
}

/// The mean pattern of each layer's heads, after the sink policy.
///
/// # Errors
/// Attention that is not finite: a broken checkpoint.
pub fn mean_patterns(model: &dyn Model, ids: &[u32], sink: Sink) -> Result<MeanPatterns> {
    let (n, layers) = (ids.len(), model.spec().layers);
    let mut means = MeanPatterns { layers: vec![Vec::new(); layers], ..MeanPatterns::default() };
    let later = n.saturating_sub(1).max(1); // queries that see others, too
    let all: Vec<usize> = (0..layers).collect();
    let mut recorder = Recorder::new().reduce(Activation::Pattern, &all, |site, pattern| {
        let mut values = pattern.flatten_all()?.to_vec1::<f32>()?; // [head, query, key]
        let heads = (values.len() / (n * n)) as f64;
        let on_first: f64 =
            values.chunks(n * n).flat_map(|head| head.chunks(n).skip(1)).map(|row| f64::from(row[0])).sum();
        means.sink_share += on_first / heads / (layers * later) as f64;
        means.empty_rows +=
            values.par_chunks_mut(n * n).map(|head| hide_sink(head, Extent::causal(n), sink)).sum::<usize>();
        let mut mean = vec![0.0f64; n * n];
        for head in values.chunks(n * n) {
            mean.iter_mut().zip(head).for_each(|(mean, a)| *mean += f64::from(*a) / heads);
        }
        if mean.iter().any(|a| !a.is_finite()) {
            return Err(Error::failed(format!("the attention of layer {} is not finite", site.layer)));
        }
        means.layers[site.layer] = mean;
        Ok(None)
    });
    forward(model, &[ids], &mut recorder)?;
    drop(recorder);
    Ok(means)
}

/// `rownorm((1 − r) A + r I)` of a pattern `[n, n]`; an empty row becomes a row of I.
pub fn with_residual(pattern: &[f64], n: usize) -> Vec<f64> {
    let mut out: Vec<f64> = pattern.iter().map(|a| (1.0 - RESIDUAL) * a).collect();
    for (i, row) in out.chunks_mut(n).enumerate() {
        row[i] += RESIDUAL;
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|a| *a /= sum);
    }
    out
}

/// `Â_L ⋯ Â_1` of lower triangles `[n, n]`, first layer first.
pub fn rollout(layers: &[Vec<f64>], n: usize) -> Vec<f64> {
    let mut rolled = vec![0.0; n * n];
    (0..n).for_each(|i| rolled[i * n + i] = 1.0);
    for layer in layers {
        let mut next = vec![0.0; n * n];
        next.par_chunks_mut(n).zip(layer.par_chunks(n)).enumerate().for_each(|(i, (out, weights))| {
            for (j, weight) in weights[..=i].iter().enumerate() {
                out[..=j].iter_mut().zip(&rolled[j * n..]).for_each(|(out, below)| *out += weight * below);
            }
        });
        rolled = next;
    }
    rolled
}
