//! The operations of a transformer, each fused and parallel on the CPU with its backward written out, each with a composite
//! twin made of candle's own differentiable operations (any device, any float type), which is the reference in tests.
//!
//! candle's fused `softmax_last_dim`, `layer_norm` and `rms_norm` have no backward and cut the graph silently; none is used.

mod weight;

pub use weight::{Backend, Weight};

use super::kernel::{self, View};
use super::vector;
use crate::weights::{Numbers, Param};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, DType, Device, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// An affine map `x · w + b`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`, or `[outputs, inputs]` if `transposed`.
    pub weight: Weight,
    /// `[outputs]`.
    pub bias: Option<Weight>,
    /// GPT-2's Conv1D stores `[inputs, outputs]`; an unembedding is `[outputs, inputs]`.
    pub transposed: bool,
}

impl Linear {
    /// `[rows, inputs]` → `[rows, outputs]`.
    ///
    /// # Errors
    /// Rows of another width.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Mapped(weight) => {
                let bias = match &self.bias {
                    Some(Weight::Mapped(bias)) => Some(bias.clone()),
                    None => None,
                    Some(Weight::Dense(_)) => bail!("a mapped weight with a dense bias"),
                };
                x.contiguous()?.apply_op1(LinearOp { weight: weight.clone(), bias, transposed: self.transposed })
            }
            Weight::Dense(weight) => {
                let (x, weight) = (x.contiguous()?, weight.to_dtype(x.dtype())?);
                let product = if self.transposed { x.matmul(&weight.t()?)? } else { x.matmul(&weight)? };
                match &self.bias {
                    Some(bias) => product.broadcast_add(&bias.tensor()?.to_dtype(x.dtype())?),
                    None => Ok(product),
                }
            }
        }
    }
}

impl Linear {
    /// What a head says of rows `[rows, inputs]`: all outputs, or some, `[rows, ids]`. For a weight `[outputs, inputs]` without a bias.
    pub(super) fn of_outputs(&self, x: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        match ids {
            None => self.forward(x),
            // A part of the vocabulary is read where it lies.
            Some(ids) if ids.len() > 1 && ids.windows(2).all(|two| two[0] + 1 == two[1]) => {
                Linear { weight: self.weight.rows(ids[0] as usize, ids.len())?, ..self.clone() }.forward(x)
            }
            Some(ids) => Linear { weight: self.weight.gather(ids)?, ..self.clone() }.forward(x),
        }
    }
}

struct LinearOp {
    weight: Param,
    bias: Option<Param>,
    transposed: bool,
}

impl LinearOp {
    /// The weight as `[inputs, outputs]`.
    fn view<'a, T>(&self, numbers: &'a [T]) -> View<'a, T> {
        let (rows, cols) = self.weight.dims2();
        let view = View::new(numbers, rows, cols, cols, 1);
        if self.transposed { view.transposed() } else { view }
    }

    fn outputs(&self) -> usize {
        let (rows, cols) = self.weight.dims2();
        if self.transposed { rows } else { cols }
    }
}

impl CustomOp1 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout)?;
        let (rows, inputs) = layout.shape().dims2()?;
        let outputs = self.outputs();
        let bias = self.bias.as_ref().map(Param::vector);
        let x = View::new(x, rows, inputs, inputs, 1);
        let y = match self.weight.numbers() {
            Numbers::F32(numbers) => kernel::affine(x, self.view(numbers), bias),
            Numbers::F16(numbers) => kernel::affine(x, self.view(numbers), bias),
            Numbers::Bf16(numbers) => kernel::affine(x, self.view(numbers), bias),
        };
        Ok((CpuStorage::F32(y), (rows, outputs).into()))
    }

    /// Only the input's gradient: weights are frozen.
    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = LinearOp { weight: self.weight.clone(), bias: None, transposed: !self.transposed };
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&back)?))
    }
}

/// LayerNorm over the last dimension.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    /// `[d]`.
    pub weight: Weight,
    /// `[d]`.
    pub bias: Weight,
    /// Added to the variance.
    pub eps: f64,
}

impl LayerNorm {
    /// `[rows, d]` → `[rows, d]`.
    ///
    /// # Errors
    /// Rows of another width.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match (&self.weight, &self.bias) {
            (Weight::Mapped(weight), Weight::Mapped(bias)) => {
                let op = LayerNormOp { weight: weight.clone(), bias: bias.clone(), eps: self.eps as f32 };
                x.contiguous()?.apply_op1(op)
            }
            (weight, bias) => {
                let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
                let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
                let like = |weight: &Weight| weight.tensor()?.to_dtype(x.dtype());
                centred.broadcast_div(&deviation)?.broadcast_mul(&like(weight)?)?.broadcast_add(&like(bias)?)
            }
        }
    }
}

impl LayerNorm {
    /// What becomes of parts `[parts, rows, d]` of what is normed, mean and scale fixed at all of it, `[rows, d]`: linear, without the
    /// bias. In double precision.
    ///
    /// # Errors
    /// Rows of another width.
    pub fn of_parts(&self, x: &Tensor, parts: &Tensor) -> Result<Tensor> {
        let (x, parts) = (double(x)?, double(parts)?);
        let centred = |x: &Tensor| x.broadcast_sub(&x.mean_keepdim(D::Minus1)?);
        let deviation = (centred(&x)?.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?; // [rows, 1]
        centred(&parts)?.broadcast_div(&deviation)?.broadcast_mul(&self.weight.double()?)
    }
}

struct LayerNormOp {
    weight: Param,
    bias: Param,
    eps: f32,
}

impl CustomOp1 for LayerNormOp {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout)?;
        let d = self.weight.vector().len();
        let mut y = vec![0.0; x.len()];
        by_rows(&mut y, x, d, |y, x| {
            vector::layer_norm(y, x, self.weight.vector(), self.bias.vector(), self.eps);
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = LayerNormBack { weight: self.weight.clone(), eps: self.eps };
        Ok(Some(x.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &back)?))
    }
}

/// `dx = (g − mean g − x̂ · mean(g x̂)) / σ`, with `g = dy · weight` and `x̂ = (x − mean) / σ`.
struct LayerNormBack {
    weight: Param,
    eps: f32,
}

impl CustomOp2 for LayerNormBack {
    fn name(&self) -> &'static str {
        "layer_norm_backward"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, grad) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let (weight, d) = (self.weight.vector(), self.weight.vector().len());
        let (ones, zeros) = (vec![1.0; d], vec![0.0; d]);
        let mut dx = vec![0.0; x.len()];
        dx.par_chunks_mut(d).zip(x.par_chunks(d)).zip(grad.par_chunks(d)).for_each(|((dx, x), grad)| {
            let (_, inverse) = vector::layer_norm(dx, x, &ones, &zeros, self.eps);
            let (mut mean, mut along) = (0.0f64, 0.0f64);
            for ((hat, g), w) in dx.iter().zip(grad).zip(weight) {
                mean += f64::from(g * w);
                along += f64::from(g * w) * f64::from(*hat);
            }
            let (mean, along) = ((mean / d as f64) as f32, (along / d as f64) as f32);
            for ((dx, g), w) in dx.iter_mut().zip(grad).zip(weight) {
                *dx = inverse * (g * w - mean - *dx * along);
            }
        });
        Ok((CpuStorage::F32(dx), l1.shape().clone()))
    }
}

/// `a + b`, both `[rows, d]`: the residual stream. (candle's own addition wakes a second pool of threads.)
///
/// # Errors
/// Tensors of different shapes.
pub fn add(a: &Tensor, b: &Tensor, fused: bool) -> Result<Tensor> {
    if fused { a.contiguous()?.apply_op2(&b.contiguous()?, Add) } else { a + b }
}

/// `a · b`, element by element: a gated MLP.
pub(super) fn multiply(a: &Tensor, b: &Tensor, fused: bool) -> Result<Tensor> {
    if fused { a.contiguous()?.apply_op2(&b.contiguous()?, Multiply) } else { a * b }
}

struct Multiply;

impl CustomOp2 for Multiply {
    fn name(&self) -> &'static str {
        "multiply"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        if l1.shape() != l2.shape() {
            bail!("cannot multiply {:?} and {:?}", l1.shape(), l2.shape());
        }
        Ok((CpuStorage::F32(a.iter().zip(b).map(|(a, b)| a * b).collect()), l1.shape().clone()))
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(multiply(grad, b, true)?), Some(multiply(grad, a, true)?)))
    }
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        if l1.shape() != l2.shape() {
            bail!("cannot add {:?} and {:?}", l1.shape(), l2.shape());
        }
        Ok((CpuStorage::F32(a.iter().zip(b).map(|(a, b)| a + b).collect()), l1.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(grad.clone()), Some(grad.clone())))
    }
}

/// The same numbers in double precision on the CPU.
pub(super) fn double(x: &Tensor) -> Result<Tensor> {
    x.to_device(&Device::Cpu)?.to_dtype(DType::F64)
}

/// The values of a contiguous f32 tensor.
pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let CpuStorage::F32(values) = storage else { bail!("the fused path works in f32") };
    match layout.contiguous_offsets() {
        Some((first, last)) => Ok(&values[first..last]),
        None => bail!("a fused operation was given a strided tensor"),
    }
}

/// Numbers below which handing work to another thread costs more than doing it.
const SERIAL: usize = 1 << 15;

/// `f` on every row of `d` numbers, in parallel where that pays.
pub(super) fn by_rows(y: &mut [f32], x: &[f32], d: usize, f: impl Fn(&mut [f32], &[f32]) + Sync) {
    if x.len() <= SERIAL {
        y.chunks_mut(d).zip(x.chunks(d)).for_each(|(y, x)| f(y, x));
    } else {
        y.par_chunks_mut(d).zip(x.par_chunks(d)).with_min_len(SERIAL / d / 2 + 1).for_each(|(y, x)| f(y, x));
    }
}

/// `f` on pieces of a slice, in parallel where that pays. Pieces are whole vectors, so no number depends on the cut.
pub(super) fn each(values: &mut [f32], f: impl Fn(&mut [f32]) + Sync) {
    if values.len() <= SERIAL { f(values) } else { values.par_chunks_mut(SERIAL / 2).for_each(&f) }
}

/// What a query may see: 0 where key j ≤ query i + past and in the `window` of keys that end there, −∞ elsewhere, `[queries, keys]`.
///
/// # Errors
/// A type or device that cannot hold the mask.
pub fn causal_mask(queries: usize, keys: usize, window: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let past = keys - queries;
    let sees = move |i: usize, j: usize| j <= i + past && i + past - j < window;
    let mask: Vec<f32> =
        (0..queries).flat_map(|i| (0..keys).map(move |j| if sees(i, j) { 0.0 } else { f32::NEG_INFINITY })).collect();
    Tensor::from_vec(mask, (queries, keys), device)?.to_dtype(dtype)
}
