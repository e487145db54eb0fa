//! The two halves of attention for one segment: queries and keys to a pattern, the pattern and values to z.
//!
//! Both halves skip what the causal mask hides: key j is visible to query i when `j ≤ i + past`, `past = keys − queries`.
//!
//! Keys and values may have fewer heads than queries: `heads / kv_heads` neighbouring heads share one (Ainslie et al. 2023).

use super::kernel::{self, View};
use super::memory::zeroed;
use super::ops::{causal_mask, contiguous};
use super::vector;
use super::weighing::Weighing;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Queries handled together: their scores stay in the second-level cache between product and softmax.
const BLOCK: usize = 64;
/// Multiplications below which one thread does it all.
const SERIAL: usize = 1 << 18;

/// `softmax(mask(scale · q kᵀ))`: q `[queries, heads, d]`, k `[keys, kv_heads, d]` → `[heads, queries, keys]`, zero above the
/// diagonal. `fused` is ours, in f32 on the CPU; else candle's own operations, anywhere.
///
/// # Errors
/// Shapes that do not fit; for the fused path another type or device.
pub fn pattern(q: &Tensor, k: &Tensor, scale: f64, fused: bool) -> Result<Tensor> {
    weighed(q, k, Weighing::plain(scale), fused)
}

/// The same where scores are kept below a cap, or a query sees only the last keys.
///
/// # Errors
/// As [`pattern`].
pub fn weighed(q: &Tensor, k: &Tensor, by: Weighing, fused: bool) -> Result<Tensor> {
    if fused {
        return q.apply_op2(k, Pattern(by));
    }
    windowed_softmax(&by.capped(&scores(q, k, by.scale)?)?, by.window, false)
}

/// `scale · q kᵀ` before the mask: q `[queries, heads, d]`, k `[keys, kv_heads, d]` → `[heads, queries, keys]`.
///
/// # Errors
/// Shapes that do not fit.
pub fn scores(q: &Tensor, k: &Tensor, scale: f64) -> Result<Tensor> {
    let k = shared(k, q.dims3()?.1)?; // [keys, heads, d]
    by_head(q)?.matmul(&by_head(&k)?.t()?.contiguous()?)? * scale
}

/// Mask and softmax of scaled scores `[heads, queries, keys]`.
///
/// # Errors
/// For the fused path another type or device than f32 on the CPU.
pub fn causal_softmax(scores: &Tensor, fused: bool) -> Result<Tensor> {
    windowed_softmax(scores, usize::MAX, fused)
}

/// The same where a query sees only so many keys, itself the last.
///
/// # Errors
/// As [`causal_softmax`].
pub fn windowed_softmax(scores: &Tensor, window: usize, fused: bool) -> Result<Tensor> {
    if fused {
        return scores.contiguous()?.apply_op1(CausalSoftmax { window });
    }
    let (_, queries, keys) = scores.dims3()?;
    let mask = causal_mask(queries, keys, window, scores.dtype(), scores.device())?;
    candle_nn::ops::softmax(&scores.broadcast_add(&mask)?, D::Minus1)
}

/// `pattern · v` by head: pattern `[heads, queries, keys]`, v `[keys, kv_heads, d]` → z `[queries, heads, d]`.
///
/// # Errors
/// As [`pattern`].
pub fn mix(pattern: &Tensor, v: &Tensor, fused: bool) -> Result<Tensor> {
    if fused {
        pattern.contiguous()?.apply_op2(v, Mix)
    } else {
        let v = shared(v, pattern.dims3()?.0)?; // [keys, heads, d]
        pattern.matmul(&by_head(&v)?)?.transpose(0, 1)?.contiguous()
    }
}

/// What each head sees of keys or values that heads share: `[rows, kv_heads, d]` → `[rows, heads, d]`; the same where none do.
///
/// # Errors
/// A number of heads that is no multiple of `kv_heads`.
pub fn shared(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (rows, kv_heads, d) = x.dims3()?;
    if kv_heads == heads {
        return Ok(x.clone());
    }
    let group = group(heads, kv_heads)?;
    x.unsqueeze(2)?.expand((rows, kv_heads, group, d))?.reshape((rows, heads, d))
}

/// How many heads share one of the keys and values.
fn group(heads: usize, kv_heads: usize) -> Result<usize> {
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        bail!("{heads} heads cannot share {kv_heads}");
    }
    Ok(heads / kv_heads)
}

/// Gradients of all heads that share keys or values, added up: `[heads, keys, d]` → `[kv_heads, keys, d]`.
fn gathered(grad: Tensor, kv_heads: usize) -> Result<Tensor> {
    let (heads, keys, d) = grad.dims3()?;
    if heads == kv_heads {
        return Ok(grad);
    }
    grad.reshape((kv_heads, heads / kv_heads, keys, d))?.sum(1)
}

/// `[rows, heads, d]` ↔ `[heads, rows, d]`.
fn by_head(x: &Tensor) -> Result<Tensor> {
    x.transpose(0, 1)?.contiguous()
}

/// A strided `[rows, heads, d]` tensor whose last dimension is contiguous.
struct Heads<'a> {
    values: &'a [f32],
    dims: (usize, usize, usize),
    row: usize,
    head: usize,
}

impl<'a> Heads<'a> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> Result<Self> {
        let CpuStorage::F32(values) = storage else { bail!("the fused path works in f32") };
        let dims = layout.shape().dims3()?;
        match *layout.stride() {
            [row, head, last] if last == 1 || dims.2 <= 1 => {
                Ok(Self { values: &values[layout.start_offset()..], dims, row, head })
            }
            _ => bail!("queries, keys and values need a contiguous head dimension"),
        }
    }

    /// Rows `0..rows` of one head, `[rows, d]`.
    fn head(&self, head: usize, first: usize, rows: usize) -> View<'a> {
        View::new(&self.values[first * self.row + head * self.head..], rows, self.dims.2, self.row, 1)
    }
}

struct Pattern(Weighing);

impl CustomOp2 for Pattern {
    fn name(&self) -> &'static str {
        "causal_pattern"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (q, k) = (Heads::new(s1, l1)?, Heads::new(s2, l2)?);
        let ((queries, heads, d), keys) = (q.dims, k.dims.0);
        if keys < queries || k.dims.2 != d {
            bail!("queries {:?} do not fit keys {:?}", q.dims, k.dims);
        }
        let group = group(heads, k.dims.1)?;
        let past = keys - queries;
        let mut out = zeroed(heads * queries * keys);
        let block = |head: usize, first: usize, out: &mut [f32]| {
            let rows = out.len() / keys;
            let from = self.0.seen(first + past + 1).start; // of the first query: the others see later keys
            let visible = k.head(head / group, from, first + rows + past - from).transposed();
            kernel::product(&mut out[from..], keys, q.head(head, first, rows), visible);
            for (i, row) in out.chunks_mut(keys).enumerate() {
                self.0.weigh(&mut row[..first + rows + past], first + i + past + 1);
            }
        };
        let one_head = |(head, out): (usize, &mut [f32])| {
            for (index, out) in out.chunks_mut(BLOCK * keys).enumerate() {
                block(head, index * BLOCK, out);
            }
        };
        if heads * queries * keys * d <= SERIAL {
            out.chunks_mut(queries * keys).enumerate().for_each(one_head);
        } else {
            out.par_chunks_mut(queries * keys).enumerate().for_each(one_head);
        }
        Ok((CpuStorage::F32(out), (heads, queries, keys).into()))
    }

    fn bwd(&self, q: &Tensor, k: &Tensor, pattern: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Weighing { scale, cap, .. } = self.0;
        let mut grad = (softmax_backward(pattern, grad)? * scale)?;
        if let Some(cap) = cap {
            let bent = (scores(q, k, scale)? / cap)?.tanh()?;
            grad = (&grad - (&grad * bent.sqr()?)?)?;
        }
        let dq = grad.matmul(&by_head(&shared(k, q.dims3()?.1)?)?)?;
        let dk = grad.t()?.contiguous()?.matmul(&by_head(q)?)?;
        Ok((Some(by_head(&dq)?), Some(by_head(&gathered(dk, k.dims3()?.1)?)?)))
    }
}

/// `p (g − Σ p g)` along the last dimension.
fn softmax_backward(pattern: &Tensor, grad: &Tensor) -> Result<Tensor> {
    let weighted = (pattern * grad.contiguous()?)?;
    &weighted - pattern.broadcast_mul(&weighted.sum_keepdim(D::Minus1)?)?
}

struct CausalSoftmax {
    window: usize,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal_softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let scores = contiguous(storage, layout)?;
        let (_, queries, keys) = layout.shape().dims3()?;
        let past = keys - queries;
        let mut out = vec![0.0f32; scores.len()];
        out.par_chunks_mut(keys).zip(scores.par_chunks(keys)).enumerate().for_each(|(row, (out, scores))| {
            let end = row % queries + past + 1;
            let seen = end.saturating_sub(self.window)..end;
            out[seen.clone()].copy_from_slice(&scores[seen.clone()]);
            vector::softmax(&mut out[seen], 1.0);
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _scores: &Tensor, pattern: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(softmax_backward(pattern, grad)?))
    }
}

struct Mix;

impl CustomOp2 for Mix {
    fn name(&self) -> &'static str {
        "mix"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let pattern = contiguous(s1, l1)?;
        let (heads, queries, keys) = l1.shape().dims3()?;
        let v = Heads::new(s2, l2)?;
        if v.dims.0 != keys {
            bail!("a pattern over {keys} keys does not fit values {:?}", v.dims);
        }
        let group = group(heads, v.dims.1)?;
        let (past, d) = (keys - queries, v.dims.2);
        let width = heads * d;
        let mut z = vec![0.0f32; queries * width];
        let block = |(index, z): (usize, &mut [f32])| {
            let (first, rows) = (index * BLOCK, z.len() / width);
            let visible = first + rows + past;
            for head in 0..heads {
                let from = &pattern[(head * queries + first) * keys..];
                let rows_of_pattern = View::new(from, rows, visible, keys, 1);
                kernel::product(&mut z[head * d..], width, rows_of_pattern, v.head(head / group, 0, visible));
            }
        };
        if heads * queries * keys * d <= SERIAL {
            z.chunks_mut(BLOCK * width).enumerate().for_each(block);
        } else {
            z.par_chunks_mut(BLOCK * width).enumerate().for_each(block);
        }
        Ok((CpuStorage::F32(z), (queries, heads, d).into()))
    }

    fn bwd(
        &self,
        pattern: &Tensor,
        v: &Tensor,
        _z: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = by_head(grad)?;
        let dp = grad.matmul(&by_head(&shared(v, grad.dims3()?.0)?)?.t()?.contiguous()?)?;
        let dv = pattern.t()?.contiguous()?.matmul(&grad)?;
        Ok((Some(dp), Some(by_head(&gathered(dv, v.dims3()?.1)?)?)))
    }
}
