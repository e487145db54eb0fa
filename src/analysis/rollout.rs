//! Attention through all layers: the mean pattern, and rollout (Abnar & Zuidema 2020).

use super::attention::{Sink, hide_sink};
use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::trace::{Recorder, forward};
use rayon::prelude::*;

/// The share of the residual connection in a layer's output.
pub const RESIDUAL: f64 = 0.5;

/// The mean pattern of each layer's heads, each `[query, key]`, after the sink policy.
///
/// # Errors
/// Attention that is not finite: a broken checkpoint.
pub fn mean_patterns(model: &dyn Model, ids: &[u32], sink: Sink) -> Result<Vec<Vec<f64>>> {
    let (n, layers) = (ids.len(), model.spec().layers);
    let mut means = vec![Vec::new(); layers];
    let all: Vec<usize> = (0..layers).collect();
    let mut recorder = Recorder::new().reduce(Activation::Pattern, &all, |site, pattern| {
        let mut values = pattern.flatten_all()?.to_vec1::<f32>()?; // [head, query, key]
        values.par_chunks_mut(n * n).for_each(|head| hide_sink(head, n, sink));
        let heads = (values.len() / (n * n)) as f64;
        let mut mean = vec![0.0f64; n * n];
        for head in values.chunks(n * n) {
            mean.iter_mut().zip(head).for_each(|(mean, a)| *mean += f64::from(*a) / heads);
        }
        if mean.iter().any(|a| !a.is_finite()) {
            return Err(Error::failed(format!("the attention of layer {} is not finite", site.layer)));
        }
        means[site.layer] = mean;
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
