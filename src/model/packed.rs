//! Attention of all prompts of a batch in one operation, for forwards that nobody watches. Nothing of the size of a pattern is
//! kept: the backward computes patterns again. (One operation a prompt would cost a gradient of the whole batch for each.)

use super::Segments;
use super::kernel::{self, View};
use super::ops::contiguous;
use super::vector;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Queries handled together: their scores stay in the second-level cache between product and softmax.
const BLOCK: usize = 64;

/// qkv `[rows, 3 d]` → z `[rows, d]`, each prompt by itself and from its beginning; f32 on the CPU.
pub fn attention(qkv: &Tensor, segments: &Segments, heads: usize, scale: f64) -> Result<Tensor> {
    let spans = segments.iter().map(|segment| (segment.start, segment.len)).collect();
    qkv.contiguous()?.apply_op1(Packed { spans, heads, scale: scale as f32 })
}

#[derive(Clone)]
struct Packed {
    /// First row and length of each prompt.
    spans: Vec<(usize, usize)>,
    heads: usize,
    scale: f32,
}

/// One head of one prompt: its q, k and v `[len, d]`, among the rows of qkv.
struct Head<'a> {
    qkv: &'a [f32],
    /// Columns of qkv: 3 · heads · d.
    width: usize,
    first: usize,
    len: usize,
    head: usize,
    d: usize,
}

impl<'a> Head<'a> {
    /// Rows `from..from + rows` of q (0), k (1) or v (2).
    fn part(&self, which: usize, from: usize, rows: usize) -> View<'a> {
        let start = (self.first + from) * self.width + which * self.width / 3 + self.head * self.d;
        View::new(&self.qkv[start..], rows, self.d, self.width, 1)
    }

    /// The softmax pattern, `[len, len]`, zero above the diagonal.
    fn pattern(&self, scale: f32) -> Vec<f32> {
        let len = self.len;
        let mut out = vec![0.0; len * len];
        for (index, block) in out.chunks_mut(BLOCK * len).enumerate() {
            let (first, rows) = (index * BLOCK, block.len() / len);
            let keys = self.part(1, 0, first + rows).transposed();
            kernel::product(block, len, self.part(0, first, rows), keys);
            for (i, row) in block.chunks_mut(len).enumerate() {
                let (seen, hidden) = row.split_at_mut(first + i + 1);
                vector::softmax(seen, scale);
                hidden.fill(0.0);
            }
        }
        out
    }

    /// `pattern · v`, `[len, d]`.
    fn mix(&self, pattern: &[f32]) -> Vec<f32> {
        let (len, d) = (self.len, self.d);
        let mut z = vec![0.0; len * d];
        for (index, block) in z.chunks_mut(BLOCK * d).enumerate() {
            let (first, rows) = (index * BLOCK, block.len() / d);
            let seen = View::new(&pattern[first * len..], rows, first + rows, len, 1);
            kernel::product(block, d, seen, self.part(2, 0, first + rows));
        }
        z
    }

    /// From the gradient of z `[len, d]` to those of q, k and v.
    fn back(&self, scale: f32, dz: View) -> [Vec<f32>; 3] {
        let (len, d) = (self.len, self.d);
        let pattern = self.pattern(scale);
        let mut slopes = vec![0.0; len * len]; // ∂/∂pattern, then ∂/∂scores
        kernel::product(&mut slopes, len, dz, self.part(2, 0, len).transposed());
        for (slopes, pattern) in slopes.chunks_mut(len).zip(pattern.chunks(len)) {
            let mean: f32 = slopes.iter().zip(pattern).map(|(g, p)| g * p).sum();
            slopes.iter_mut().zip(pattern).for_each(|(g, p)| *g = scale * p * (*g - mean));
        }
        let product = |x: &[f32], w: View| {
            let mut out = vec![0.0; len * d];
            kernel::product(&mut out, d, View::new(x, len, len, len, 1), w);
            out
        };
        let dq = product(&slopes, self.part(1, 0, len));
        let dk = product(&transposed(&slopes, len), self.part(0, 0, len));
        let dv = product(&transposed(&pattern, len), dz);
        [dq, dk, dv]
    }
}

/// A square matrix with rows and columns exchanged.
fn transposed(x: &[f32], n: usize) -> Vec<f32> {
    (0..n * n).map(|i| x[i % n * n + i / n]).collect()
}

impl Packed {
    /// `work` on every head of every prompt, in parallel: `(first row, head, what it found)`.
    fn each<T: Send>(&self, qkv: &[f32], width: usize, work: impl Fn(&Head) -> T + Sync) -> Vec<(usize, usize, T)> {
        let d = width / (3 * self.heads);
        let one = |i: usize| {
            let ((first, len), head) = (self.spans[i / self.heads], i % self.heads);
            (first, head, work(&Head { qkv, width, first, len, head, d }))
        };
        (0..self.spans.len() * self.heads).into_par_iter().map(one).collect()
    }
}

/// Copies rows of `d` numbers into columns `col..col + d` of a matrix, from row `first` on.
fn scatter(out: &mut [f32], width: usize, first: usize, col: usize, rows: &[f32], d: usize) {
    for (out, row) in out[first * width..].chunks_mut(width).zip(rows.chunks(d)) {
        out[col..col + d].copy_from_slice(row);
    }
}

impl CustomOp1 for Packed {
    fn name(&self) -> &'static str {
        "packed_attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = contiguous(storage, layout)?;
        let (rows, width) = layout.shape().dims2()?;
        let d = width / (3 * self.heads);
        let mut z = vec![0.0; rows * width / 3];
        for (first, head, found) in self.each(qkv, width, |head| head.mix(&head.pattern(self.scale))) {
            scatter(&mut z, width / 3, first, head * d, &found, d);
        }
        Ok((CpuStorage::F32(z), (rows, width / 3).into()))
    }

    fn bwd(&self, qkv: &Tensor, _z: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(qkv.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &Back(self.clone()))?))
    }
}

struct Back(Packed);

impl CustomOp2 for Back {
    fn name(&self) -> &'static str {
        "packed_attention_backward"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (qkv, dz) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let (rows, width) = l1.shape().dims2()?;
        let mut out = vec![0.0; rows * width];
        let work = |head: &Head| {
            let start = head.first * width / 3 + head.head * head.d;
            let found = head.back(self.0.scale, View::new(&dz[start..], head.len, head.d, width / 3, 1));
            (head.d, found)
        };
        for (first, head, (d, parts)) in self.0.each(qkv, width, work) {
            for (which, part) in parts.iter().enumerate() {
                scatter(&mut out, width, first, which * width / 3 + head * d, part, d);
            }
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
