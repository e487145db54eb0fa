//! Norm-based attention: how long the vectors are that attention moves, not only how they are weighted.
//!
//! Kobayashi et al. 2020, and 2021 for the variant with the residual connection.

use crate::error::Result;
use crate::model::{Activation, Model, Site, Tap};
use crate::trace::forward;
use candle_core::Tensor;
use rayon::prelude::*;

/// The maps of each layer, each `[query, key]`.
#[derive(Clone, Debug, Default)]
pub struct Norms {
    /// `‖Σ_h A^h_ij f_h(x_j)‖` with `f_h(x) = v_h(x) W_O^h`, v with its bias where it has one.
    pub plain: Vec<Vec<f32>>,
    /// The same with `x_i` added on the diagonal.
    pub residual: Vec<Vec<f32>>,
}

/// Both maps of every layer, from one forward pass.
///
/// # Errors
/// An id outside the vocabulary, or more tokens than the model's context.
pub fn norms(model: &dyn Model, ids: &[u32]) -> Result<Norms> {
    let mut tap = Measure { model, resid: Vec::new(), values: Vec::new(), norms: Norms::default() };
    forward(model, &[ids], &mut tap)?;
    Ok(tap.norms)
}

struct Measure<'a> {
    model: &'a dyn Model,
    /// The layer's input, `[token, d]`.
    resid: Vec<f32>,
    /// What each head would move of each token at full weight, `[head, token, d]`.
    values: Vec<f32>,
    norms: Norms,
}

impl Tap for Measure<'_> {
    fn wants(&self, site: Site) -> bool {
        matches!(site.at, Activation::ResidPre | Activation::V | Activation::Pattern)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        match site.at {
            Activation::ResidPre => self.resid = x.flatten_all()?.to_vec1()?,
            Activation::V => self.values = self.model.value_out(site.layer, &x)?.flatten_all()?.to_vec1()?,
            _ => {
                let (heads, n, _) = x.dims3()?;
                self.measure(&x.flatten_all()?.to_vec1()?, heads, n);
            }
        }
        Ok(x)
    }
}

/// Inner products of the vectors that are summed at one token: each head's, and the token's own.
struct Products {
    /// `f_h · f_g`, `[head, head]`.
    pairs: Vec<f64>,
    /// `f_h · x`, `[head]`.
    with_own: Vec<f64>,
    /// `x · x`.
    own: f64,
}

impl Measure<'_> {
    /// `‖Σ a_h f_h‖² = aᵀ G a`: norms of sums from inner products, without making the sums.
    fn measure(&mut self, pattern: &[f32], heads: usize, n: usize) {
        let d = self.resid.len() / n;
        let products: Vec<Products> = (0..n)
            .into_par_iter()
            .map(|j| {
                let f = |h: usize| &self.values[(h * n + j) * d..][..d];
                let x = &self.resid[j * d..][..d];
                Products {
                    pairs: (0..heads * heads).map(|hg| dot(f(hg / heads), f(hg % heads))).collect(),
                    with_own: (0..heads).map(|h| dot(f(h), x)).collect(),
                    own: dot(x, x),
                }
            })
            .collect();
        let row = |i: usize| {
            let (mut plain, mut residual) = (vec![0.0f32; n], vec![0.0f32; n]);
            for j in 0..=i {
                let a: Vec<f64> = (0..heads).map(|h| f64::from(pattern[(h * n + i) * n + j])).collect();
                let along = |products: &[f64]| a.iter().zip(products).map(|(a, p)| a * p).sum::<f64>();
                let products = &products[j];
                let square: f64 = a.iter().zip(products.pairs.chunks(heads)).map(|(a, pairs)| a * along(pairs)).sum();
                plain[j] = square.max(0.0).sqrt() as f32;
                let with_own = if i == j { square + 2.0 * along(&products.with_own) + products.own } else { square };
                residual[j] = with_own.max(0.0).sqrt() as f32;
            }
            (plain, residual)
        };
        let rows: Vec<(Vec<f32>, Vec<f32>)> = (0..n).into_par_iter().map(row).collect();
        let (plain, residual): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        self.norms.plain.push(plain.concat());
        self.norms.residual.push(residual.concat());
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
