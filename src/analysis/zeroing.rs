//! Value zeroing: how far a token's representation turns when another token's value vectors are set to zero (Mohebbi et al. 2023).

use super::attribution::Watch;
use crate::error::Result;
use crate::model::{Activation, Model, Segments, Site, Tap};
use crate::trace::Recorder;
use candle_core::{D, Tensor};
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// Rows that are computed together.
const ROWS: usize = 256;

/// `1 − cos(x'_i, x̃'_i)` of each layer for the queries asked for, rows normalised, each `[query, key]`; NaN in other rows.
///
/// `watch` is told how many runs of a layer are done and how many more are planned.
///
/// # Errors
/// An id outside the vocabulary, or more tokens than the model's context.
pub fn value_zeroing(
    model: &dyn Model,
    ids: &[u32],
    queries: RangeInclusive<usize>,
    watch: Watch,
) -> Result<Vec<Vec<f32>>> {
    let (n, layers) = (ids.len(), model.spec().layers);
    let pairs: Vec<(usize, usize)> = queries.clone().flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    watch(0, layers * pairs.len().div_ceil(ROWS));
    let mut maps = Vec::with_capacity(layers);
    let all = Segments::packed(&[n]);
    let mut resid = model.start(&model.embed(ids)?, &all)?;
    for layer in 0..layers {
        // The activations of one layer at a time: patterns of all of them are half a gigabyte for a thousand tokens.
        let kept = [Activation::V, Activation::Pattern, Activation::AttnOut, Activation::MlpOut];
        let mut recorder = kept.into_iter().fold(Recorder::new(), Recorder::keep);
        let left = model.block(layer, &resid, &all, &mut recorder)?;
        let trace = recorder.trace();
        let of = |at| trace.get(at, layer, 0);
        let values = model.value_out(layer, of(Activation::V)?)?.flatten_all()?.to_vec1::<f32>()?; // [head, token, d]
        let pattern = of(Activation::Pattern)?.flatten_all()?.to_vec1::<f32>()?; // [head, query, key]
        let attn_out = of(Activation::AttnOut)?;
        let (mlp_out, after) = (numbers(of(Activation::MlpOut)?)?, numbers(&left)?);
        let d = resid.dim(D::Minus1)?;
        let mut map = vec![0.0f64; n * n];
        for pairs in pairs.chunks(ROWS) {
            // What attention brings to i from j.
            let brought: Vec<f32> = pairs
                .par_iter()
                .flat_map_iter(|&(i, j)| {
                    let mut sum = vec![0.0f64; d];
                    for (pattern, values) in pattern.chunks(n * n).zip(values.chunks(n * d)) {
                        let weight = f64::from(pattern[i * n + j]);
                        let of_token = &values[j * d..][..d];
                        sum.iter_mut().zip(of_token).for_each(|(sum, v)| *sum += weight * f64::from(*v));
                    }
                    sum.into_iter().map(|x| x as f32)
                })
                .collect();
            let rows: Vec<u32> = pairs.iter().map(|(i, _)| *i as u32).collect();
            let rows = Tensor::new(rows, resid.device())?;
            let brought_rows = Tensor::from_slice(&brought, (pairs.len(), d), resid.device())?;
            let mut tap = Replace { attn_out: (attn_out.index_select(&rows, 0)? - brought_rows)?, mlp_out: None };
            // One segment for all rows: what attention would make of them together is replaced.
            let segments = Segments::packed(&[pairs.len()]);
            model.block(layer, &resid.index_select(&rows, 0)?, &segments, &mut tap)?;
            let without = tap.mlp_out.as_ref().map(numbers).transpose()?.unwrap_or_default();
            for (row, &(i, j)) in pairs.iter().enumerate() {
                let at =
                    |x: &[f32], row: usize| -> Vec<f64> { x[row * d..][..d].iter().map(|x| f64::from(*x)).collect() };
                let (brought, without) = (at(&brought, row), at(&without, row));
                // Summed from the parts' changes: the difference of two long vectors would lose its digits.
                let change: Vec<f64> = brought
                    .iter()
                    .zip(at(&mlp_out, i))
                    .zip(without)
                    .map(|((b, with), without)| b + with - without)
                    .collect();
                map[i * n + j] = turn(&at(&after, i), &change);
            }
            watch(1, 0);
        }
        maps.push(normalised(&map, n, &queries));
        resid = left;
    }
    Ok(maps)
}

/// `1 − cos(a, a − change)` without subtracting nearly equal numbers:
/// `(|change|² − (|a| − |b|)²) / (2 |a| |b|)`, with `|a| − |b| = (2 a·change − |change|²) / (|a| + |b|)`.
fn turn(a: &[f64], change: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (aa, ac, cc) = (dot(a, a), dot(a, change), dot(change, change));
    let (a, b) = (aa.sqrt(), (aa - 2.0 * ac + cc).max(0.0).sqrt());
    let shorter = (2.0 * ac - cc) / (a + b);
    let turn = (cc - shorter * shorter) / (2.0 * a * b);
    if turn.is_finite() { turn.max(0.0) } else { 0.0 } // a vector without length has no direction
}

fn normalised(map: &[f64], n: usize, queries: &RangeInclusive<usize>) -> Vec<f32> {
    let row = |(i, row): (usize, &[f64])| {
        let total: f64 = row.iter().sum();
        let share = |x: &f64| if total > 0.0 { (x / total) as f32 } else { 0.0 };
        row.iter().map(|x| if queries.contains(&i) { share(x) } else { f32::NAN }).collect::<Vec<_>>()
    };
    map.chunks(n).enumerate().flat_map(row).collect()
}

fn numbers(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.flatten_all()?.to_vec1()?)
}

/// Puts other attention outputs into a block and keeps what its MLP makes of them.
struct Replace {
    attn_out: Tensor,
    mlp_out: Option<Tensor>,
}

impl Tap for Replace {
    fn wants(&self, site: Site) -> bool {
        matches!(site.at, Activation::AttnOut | Activation::MlpOut)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        if site.at == Activation::AttnOut {
            return Ok(self.attn_out.clone());
        }
        self.mlp_out = Some(x.clone());
        Ok(x)
    }
}
