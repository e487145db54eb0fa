//! How large the residual grows, in which dimensions, and how much attention rests on the first token meanwhile.
//!
//! Massive activations: Sun et al. 2024; attention sinks: Xiao et al. 2023.

use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::trace::{Recorder, forward};
use candle_core::Tensor;

/// Dimensions that are named.
pub const LARGEST: usize = 3;

/// A dimension of the residual where it is largest, whichever its sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Large {
    /// Its number.
    pub dimension: usize,
    /// Where it is largest; the first position of several.
    pub position: usize,
    /// The number there.
    pub value: f32,
}

/// The residual at one depth.
#[derive(Clone, Debug, PartialEq)]
pub struct Depth {
    /// Its norm, `[position]`.
    pub norms: Vec<f32>,
    /// The median of the sizes of all numbers, against which the largest are massive.
    pub median: f32,
    /// The dimensions with the largest numbers, at most [`LARGEST`].
    pub largest: Vec<Large>,
}

/// What a prompt makes of the residual.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// What enters each layer, and what leaves the last.
    pub depths: Vec<Depth>,
    /// The attention on the first token in each layer, the mean over heads and queries from the second on; NaN of a single token.
    pub first: Vec<f32>,
    /// The last `resid_post`, `[position, d_model]`.
    pub resid: Tensor,
}

/// Looks at the residuals of a prompt; of each layer only numbers of its positions are kept.
///
/// # Errors
/// A residual or attention that is not finite.
pub fn residuals(model: &dyn Model, ids: &[u32]) -> Result<Residuals> {
    let layers: Vec<usize> = (0..model.spec().layers).collect();
    let (mut depths, mut first) = (Vec::new(), Vec::new());
    let mut recorder = Recorder::new()
        .reduce(Activation::ResidPre, &layers, |_, x| {
            depths.push(Depth::of(x)?);
            Ok(None)
        })
        .reduce(Activation::Pattern, &layers, |_, x| {
            let columns = x.narrow(2, 0, 1)?.flatten_all()?.to_vec1::<f32>()?; // [heads · query]
            let queries = columns.chunks_exact(ids.len());
            let seen: Vec<f64> = queries.flat_map(|column| &column[1..]).map(|a| f64::from(*a)).collect();
            first.push((seen.iter().sum::<f64>() / seen.len() as f64) as f32);
            Ok(None)
        });
    let resid = forward(model, &[ids], &mut recorder)?;
    drop(recorder);
    depths.push(Depth::of(&resid)?);
    Ok(Residuals { depths, first, resid })
}

impl Depth {
    /// Of `[position, d_model]`.
    fn of(x: &Tensor) -> Result<Self> {
        let rows = x.to_vec2::<f32>()?;
        if rows.iter().flatten().any(|x| !x.is_finite()) {
            return Err(Error::failed("the model's residuals are not finite"));
        }
        let norm = |row: &Vec<f32>| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt() as f32;
        let norms = rows.iter().map(norm).collect();
        let mut sizes: Vec<f32> = rows.iter().flatten().map(|x| x.abs()).collect();
        sizes.sort_by(f32::total_cmp);
        // The mean of the two in the middle, or the one.
        let median = (sizes[(sizes.len() - 1) / 2] + sizes[sizes.len() / 2]) / 2.0;
        let of_dimension = |dimension: usize| {
            let at = |position: &usize| rows[*position][dimension].abs();
            let position = (0..rows.len()).rev().max_by(|a, b| at(a).total_cmp(&at(b))).unwrap_or_default();
            Large { dimension, position, value: rows[position][dimension] }
        };
        let mut largest: Vec<Large> = (0..rows[0].len()).map(of_dimension).collect();
        largest.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
        largest.truncate(LARGEST);
        Ok(Self { norms, median, largest })
    }
}
