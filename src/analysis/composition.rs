//! What heads are made for, told by the weights alone: what they copy, what they match, and which heads read what others write.
//!
//! Elhage et al. 2021. Every reading of the residual is taken with the norm before it at deviation 1: its weights and its centring belong to
//! the matrix, its scale is a number by which no result changes. Where queries and keys are turned, it is at one and the same position.

mod embeddings;

use super::attribution::{Dice, cut};
use super::eigenvalues::eigenvalues;
use crate::error::{Error, Result};
use crate::model::{End, Model};
use candle_core::{DType, Device, Tensor, Var};
use embeddings::Embeddings;
use rayon::prelude::*;

/// Random heads that composition is compared with.
pub const DRAWS: usize = 32;

/// Which input of the later head it is that the earlier one writes.
pub const INPUTS: [End; 3] = [End::Query, End::Key, End::Value];

/// What the weights say of every head.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The sum of the eigenvalues of what a head does to the next token's logits where it looks at a token, over the sum of their sizes:
    /// 1 copies, −1 says anything but; layer by layer. None of a model without a language-model head.
    pub copying: Option<Vec<f64>>,
    /// Which share of the variance of a query's scores comes from where keys stand, the rest from what they are; layer by layer. None of a
    /// model without embeddings of positions.
    pub position: Option<Vec<f64>>,
    /// For [`INPUTS`], how much of what an earlier head writes a later one reads, `[later head, earlier head]` over all layers, NaN where the
    /// one is not earlier: the norm of the product over the product of the norms, minus `chance`.
    pub read: [Vec<f64>; 3],
    /// The mean of that over random matrices of the same shapes.
    pub chance: f64,
    /// Its standard deviation from one draw to the next.
    pub spread: f64,
}

/// Reads all weights.
///
/// # Errors
/// Weights that are not finite.
pub fn composition(model: &dyn Model, seed: u64, watch: &(dyn Fn(usize, usize) + Sync)) -> Result<Composition> {
    let spec = model.spec();
    watch(0, spec.layers + 1);
    let embeddings = Embeddings::read(model)?;
    watch(1, 0);
    let mut layers = Vec::with_capacity(spec.layers);
    for layer in 0..spec.layers {
        let heads = outs(model, layer)?;
        let one = |(head, out): (usize, &Tensor)| Head::read(model, (layer, head), out.clone());
        layers.push(heads.par_iter().enumerate().map(one).collect::<Result<Vec<_>>>()?);
        watch(1, 0);
    }
    let heads: Vec<&Head> = layers.iter().flatten().collect();
    let copying = match &embeddings.copied {
        Some(copied) => Some(heads.par_iter().map(|head| head.copying(copied)).collect::<Result<Vec<_>>>()?),
        None => None,
    };
    let position = if embeddings.has_positions {
        Some(heads.par_iter().map(|head| head.position(&embeddings)).collect::<Result<Vec<_>>>()?)
    } else {
        None
    };
    let (chance, spread) = chance(spec.d_model, spec.d_head, seed)?;
    let mut read = pairs(&layers)?;
    read.iter_mut().flatten().for_each(|share| *share -= chance);
    Ok(Composition { copying, position, read, chance, spread })
}

/// The output matrix of each head of a layer, `[d_head, d]`.
fn outs(model: &dyn Model, layer: usize) -> Result<Vec<Tensor>> {
    let (heads, d) = (model.spec().heads, model.spec().d_head);
    let units = Tensor::eye(d, DType::F32, &Device::Cpu)?.unsqueeze(1)?.expand((d, heads, d))?.contiguous()?;
    let out = model.head_out(layer, &units)?.to_dtype(DType::F64)?; // [heads, d_head, d]
    (0..heads).map(|head| Ok(out.get(head)?)).collect()
}

/// A residual whose mean is 0 and whose deviation is 1, `[1, d]`.
fn of_deviation_one(d: usize) -> Result<Tensor> {
    let size = (d as f32 / 2.0).sqrt();
    let values = (0..d).map(|i| [size, -size].get(i).copied().unwrap_or(0.0)).collect();
    Ok(Tensor::from_vec(values, (1, d), &Device::Cpu)?)
}

/// The matrices of a head: what it reads `[d, d_head]`, and what it writes `[d_head, d]`.
struct Head {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    /// What its queries are whatever is read, `[1, d_head]`.
    constant: Tensor,
}

impl Head {
    fn read(model: &dyn Model, (layer, head): (usize, usize), out: Tensor) -> Result<Self> {
        let (d, width) = (model.spec().d_model, model.spec().d_head);
        let (resid, units) = (of_deviation_one(d)?, Tensor::eye(width, DType::F64, &Device::Cpu)?.unsqueeze(1)?);
        // Reading is linear, so that the slopes of what is read are the matrix, and there are fewer of them than of what may be written.
        let of = |end: End| -> Result<(Tensor, Tensor)> {
            let nothing = Var::zeros((width, 1, d), DType::F64, &Device::Cpu)?;
            let (read, constant) = model.head_in((layer, head, end), 0, &resid, nothing.as_tensor())?; // [d_head, 1, d_head]
            let mut slopes = (read * &units)?.sum_all()?.backward()?;
            let matrix = slopes.remove(&nothing).ok_or_else(cut)?.squeeze(1)?; // [d_head, d]
            Ok((matrix.t()?.contiguous()?, constant))
        };
        let ((query, constant), (key, _), (value, _)) = (of(End::Query)?, of(End::Key)?, of(End::Value)?);
        Ok(Self { query, key, value, out, constant })
    }

    /// `copied` is what the embedding and the unembedding come to, `[d, d]`: the eigenvalues of token → head → logits that are not 0 are
    /// those of the loop around it.
    fn copying(&self, copied: &Tensor) -> Result<f64> {
        let around = self.value.t()?.matmul(copied)?.matmul(&self.out.t()?)?;
        let found = eigenvalues(&around.flatten_all()?.to_vec1::<f64>()?, around.dims()[0])?;
        let sum: f64 = found.iter().map(|x| x.re).sum();
        Ok(sum / found.iter().map(|x| x.size()).sum::<f64>())
    }

    fn position(&self, of: &Embeddings) -> Result<f64> {
        let within = |covariance: &Tensor, side: &Tensor| side.t()?.matmul(&covariance.matmul(side)?);
        // The second moment of the head's queries, the norm's deviation its mean one.
        let mean = ((of.mean.matmul(&self.query)? / of.deviation)? + &self.constant)?;
        let covariance = ((&of.tokens + &of.positions)? / of.deviation.powi(2))?;
        let queries = (within(&covariance, &self.query)? + mean.t()?.matmul(&mean)?)?;
        let variance = |of_keys: &Tensor| -> Result<f64> {
            let keys = within(of_keys, &self.key)?;
            Ok((&queries * &keys)?.sum_all()?.to_scalar::<f64>()?)
        };
        let (position, token) = (variance(&of.positions)?, variance(&of.tokens)?);
        Ok(position / (position + token))
    }

    /// What it writes, `[d_head, d]`: of the same norm as the whole of value and output, also in products.
    fn sender(&self) -> Result<Tensor> {
        Ok(root(&self.value)?.matmul(&self.out)?)
    }

    /// For each input, what it reads there, `[d, d_head]`, in the same way.
    fn readers(&self) -> Result<[Tensor; 3]> {
        let of = |side: &Tensor, other: &Tensor| -> Result<Tensor> { Ok(side.matmul(&root(other)?.t()?)?) };
        Ok([of(&self.query, &self.key)?, of(&self.key, &self.query)?, of(&self.value, &self.out.t()?.contiguous()?)?])
    }
}

/// A matrix `[n, n]` that stands for `x` `[rows, n]` in norms of products: `‖R y‖ = ‖x y‖`. (Cholesky's, of what may be singular.)
fn root(x: &Tensor) -> Result<Tensor> {
    let n = x.dims()[1];
    let mut a = x.t()?.matmul(x)?.flatten_all()?.to_vec1::<f64>()?;
    let largest = (0..n).map(|i| a[i * n + i]).fold(0.0, f64::max);
    for k in 0..n {
        let pivot = a[k * n + k];
        let nothing = pivot <= 1e-14 * largest;
        let scale = if nothing { 0.0 } else { 1.0 / pivot.sqrt() };
        (0..k).for_each(|j| a[k * n + j] = 0.0);
        (k..n).for_each(|j| a[k * n + j] *= scale);
        for i in k + 1..n {
            let along = a[k * n + i];
            (i..n).for_each(|j| a[i * n + j] -= along * a[k * n + j]);
        }
    }
    Ok(Tensor::from_vec(a, (n, n), x.device())?)
}

fn norm(x: &Tensor) -> Result<f64> {
    Ok(x.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
}

/// Shares of all pairs of heads, for each input; a pair of layers is one product.
fn pairs(layers: &[Vec<Head>]) -> Result<[Vec<f64>; 3]> {
    let heads = layers.first().map_or(0, Vec::len);
    let all = layers.len() * heads;
    let mut read = [(); 3].map(|()| vec![f64::NAN; all * all]);
    // Each of norm 1. Single precision is enough for the norm of a product, and twice as fast.
    let unit = |x: Tensor| match norm(&x)? {
        size if size.is_finite() => Ok::<_, Error>((x / size)?.to_dtype(DType::F32)?),
        _ => Err(Error::failed("the model's weights are not finite")),
    };
    let senders = |layer: &Vec<Head>| -> Result<Tensor> {
        let each = layer.iter().map(|head| unit(head.sender()?)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&each, 0)?) // [heads · d_head, d]
    };
    let readers = |layer: &Vec<Head>| -> Result<Tensor> {
        let mut each = Vec::new();
        for head in layer {
            each.extend(head.readers()?.into_iter().map(unit).collect::<Result<Vec<_>>>()?);
        }
        Ok(Tensor::cat(&each, 1)?) // [d, heads · 3 · d_head]
    };
    let senders = layers.iter().map(senders).collect::<Result<Vec<_>>>()?;
    for (later, layer) in layers.iter().enumerate().skip(1) {
        let readers = readers(layer)?;
        for (earlier, sender) in senders[..later].iter().enumerate() {
            let product = sender.matmul(&readers)?;
            let (rows, width) = (product.dims()[0] / heads, product.dims()[1] / (3 * heads));
            let product = product.flatten_all()?.to_vec1::<f32>()?;
            let mut squares = vec![0.0; heads * 3 * heads];
            for (row, values) in product.chunks_exact(3 * heads * width).enumerate() {
                for (block, values) in values.chunks_exact(width).enumerate() {
                    let square: f64 = values.iter().map(|x| f64::from(*x).powi(2)).sum();
                    squares[row / rows * 3 * heads + block] += square;
                }
            }
            for (at, square) in squares.into_iter().enumerate() {
                let (from, to, input) = (at / (3 * heads), at / 3 % heads, at % 3);
                read[input][(later * heads + to) * all + earlier * heads + from] = square.sqrt();
            }
        }
    }
    Ok(read)
}

/// The share of random matrices of these shapes, with its standard deviation. All three inputs have the same shapes.
fn chance(d: usize, d_head: usize, seed: u64) -> Result<(f64, f64)> {
    let one = |draw: usize| -> Result<f64> {
        let mut dice = Dice::new(seed, draw as u64);
        let mut matrix = |rows: usize, columns: usize| -> Result<Tensor> {
            let values = (0..rows * columns).map(|_| dice.normal()).collect();
            Ok(Tensor::from_vec(values, (rows, columns), &Device::Cpu)?)
        };
        let (value, out) = (matrix(d, d_head)?, matrix(d_head, d)?);
        let (near, far) = (matrix(d, d_head)?, matrix(d, d_head)?);
        let (sender, reader) = (root(&value)?.matmul(&out)?, near.matmul(&root(&far)?.t()?)?);
        Ok(norm(&sender.matmul(&reader)?)? / (norm(&sender)? * norm(&reader)?))
    };
    let drawn = (0..DRAWS).into_par_iter().map(one).collect::<Result<Vec<_>>>()?;
    let mean = drawn.iter().sum::<f64>() / DRAWS as f64;
    let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (DRAWS - 1) as f64;
    Ok((mean, variance.sqrt()))
}
