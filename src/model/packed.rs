//! Attention of all prompts of a batch in one operation, for forwards that nobody watches. Nothing of the size of a pattern is
//! kept: the backward computes patterns again. (One operation a prompt would cost a gradient of the whole batch for each.)

use super::kernel::{self, CHUNK, View};
use super::ops::contiguous;
use super::weighing::Weighing;
use super::{Segments, branched};
use crate::error::Error;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// Queries handled together: their scores stay in the second-level cache between product and softmax.
const BLOCK: usize = 64;

/// Attention of all prompts of a batch in one operation.
type Together = fn(&Tensor, &Segments, [usize; 2], Weighing) -> Result<Tensor>;

/// How attention of these prompts is computed together, where nobody watches it and each begins by itself or with rows of another; none
/// where it goes prompt by prompt.
///
/// # Errors
/// Prompts that share rows, of which somebody watches one or which continue a past.
pub fn together(unwatched: bool, segments: &Segments) -> crate::error::Result<Option<Together>> {
    let alone = unwatched && segments.iter().all(|s| s.past.is_none());
    match (alone, segments.iter().any(|s| s.after.is_some())) {
        (false, true) => Err(Error::failed("prompts that share rows are only for forwards that nobody watches")),
        (false, false) => Ok(None),
        (true, true) => Ok(Some(branched::attention)),
        (true, false) => Ok(Some(attention)),
    }
}

/// qkv `[rows, (heads + 2 kv_heads) · d]` → z `[rows, heads · d]`, each prompt by itself and from its beginning; f32 on the CPU.
/// `heads` are those of queries, and those of keys and values.
pub fn attention(qkv: &Tensor, segments: &Segments, heads: [usize; 2], by: Weighing) -> Result<Tensor> {
    let spans = segments.iter().map(|segment| (segment.start, segment.len)).collect();
    qkv.contiguous()?.apply_op1(Packed { spans, heads, by })
}

#[derive(Clone)]
struct Packed {
    /// First row and length of each prompt.
    spans: Vec<(usize, usize)>,
    heads: [usize; 2],
    by: Weighing,
}

/// Where the heads of queries, keys and values stand in a row.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    heads: [usize; 2],
    /// Width of a head.
    pub d: usize,
}

impl Columns {
    /// Of rows of this width.
    pub fn of(heads: [usize; 2], width: usize) -> Self {
        Self { heads, d: width / (heads[0] + 2 * heads[1]) }
    }

    /// Where a head's query (0), its key (1) or its value (2) begins.
    pub fn start(&self, which: usize, head: usize) -> usize {
        let [heads, kv_heads] = self.heads;
        let shared = head * kv_heads / heads;
        self.d * [head, heads + shared, heads + kv_heads + shared][which]
    }
}

/// One head of one prompt: its q, k and v `[len, d]`, among the rows of qkv.
struct Head<'a> {
    qkv: &'a [f32],
    width: usize,
    columns: Columns,
    first: usize,
    len: usize,
    head: usize,
    by: Weighing,
}

/// Some queries of a head, and the keys that any of them sees.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    rows: usize,
    /// The first key, at the beginning of a chunk, so that sums over keys are the same bits as those over all of them.
    from: usize,
    keys: usize,
}

impl<'a> Head<'a> {
    /// Rows `from..from + rows` of q (0), k (1) or v (2).
    fn part(&self, which: usize, from: usize, rows: usize) -> View<'a> {
        let start = (self.first + from) * self.width + self.columns.start(which, self.head);
        View::new(&self.qkv[start..], rows, self.columns.d, self.width, 1)
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        (0..self.len).step_by(BLOCK).map(|first| {
            let rows = BLOCK.min(self.len - first);
            let from = self.by.seen(first + 1).start / CHUNK * CHUNK;
            Block { first, rows, from, keys: first + rows - from }
        })
    }

    /// Queries times keys, `[rows, keys]`.
    fn products(&self, Block { first, rows, from, keys }: Block) -> Vec<f32> {
        let mut out = vec![0.0; rows * keys];
        kernel::product(&mut out, keys, self.part(0, first, rows), self.part(1, from, keys).transposed());
        out
    }

    /// Products become weights, zero above the diagonal.
    fn weigh(&self, products: &mut [f32], block: Block) {
        for (i, row) in products.chunks_mut(block.keys).enumerate() {
            self.by.weigh(row, block.first + i + 1 - block.from);
        }
    }

    /// What it carries, `[len, d]`.
    fn mixed(&self) -> Vec<f32> {
        let d = self.columns.d;
        let mut z = vec![0.0; self.len * d];
        for block in self.blocks() {
            let mut pattern = self.products(block);
            self.weigh(&mut pattern, block);
            let Block { first, rows, from, keys } = block;
            let pattern = View::new(&pattern, rows, keys, keys, 1);
            kernel::product(&mut z[first * d..], d, pattern, self.part(2, from, keys));
        }
        z
    }

    /// From the gradient of z, of which `dz` gives rows `first..first + rows`, to those of q, k and v, `[len, d]`.
    fn back(&self, dz: impl Fn(usize, usize) -> View<'a>) -> [Vec<f32>; 3] {
        let (len, d, by) = (self.len, self.columns.d, self.by);
        let [mut dq, mut dk, mut dv] = [(); 3].map(|_| vec![0.0; len * d]);
        for block in self.blocks() {
            let Block { first, rows, from, keys } = block;
            let products = self.products(block);
            let mut pattern = products.clone();
            self.weigh(&mut pattern, block);
            let mut slopes = vec![0.0; rows * keys]; // ∂/∂pattern, then ∂/∂products
            kernel::product(&mut slopes, keys, dz(first, rows), self.part(2, from, keys).transposed());
            let each = slopes.chunks_mut(keys).zip(pattern.chunks(keys)).zip(products.chunks(keys));
            for ((slopes, pattern), products) in each {
                let mean: f32 = slopes.iter().zip(pattern).map(|(g, p)| g * p).sum();
                for ((g, p), product) in slopes.iter_mut().zip(pattern).zip(products) {
                    *g = by.slope(*product) * p * (*g - mean);
                }
            }
            let of_keys = View::new(&slopes, rows, keys, keys, 1);
            kernel::product(&mut dq[first * d..], d, of_keys, self.part(1, from, keys));
            let add = |to: &mut [f32], x: &[f32], w: View| {
                let (x, mut part) = (transposed(x, rows, keys), vec![0.0; keys * d]);
                kernel::product(&mut part, d, View::new(&x, keys, rows, rows, 1), w);
                to[from * d..].iter_mut().zip(&part).for_each(|(to, part)| *to += part);
            };
            add(&mut dk, &slopes, self.part(0, first, rows));
            add(&mut dv, &pattern, dz(first, rows));
        }
        [dq, dk, dv]
    }
}

/// A matrix with rows and columns exchanged.
fn transposed(x: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    (0..cols).flat_map(|col| (0..rows).map(move |row| x[row * cols + col])).collect()
}

impl Packed {
    /// `work` on every head of every prompt, in parallel: the head, and what was found.
    fn each<'a, T: Send>(
        &self,
        qkv: &'a [f32],
        width: usize,
        work: impl Fn(&Head<'a>) -> T + Sync,
    ) -> Vec<(Head<'a>, T)> {
        let columns = Columns::of(self.heads, width);
        let one = |i: usize| {
            let ((first, len), head) = (self.spans[i / self.heads[0]], i % self.heads[0]);
            let head = Head { qkv, width, columns, first, len, head, by: self.by };
            let found = work(&head);
            (head, found)
        };
        (0..self.spans.len() * self.heads[0]).into_par_iter().map(one).collect()
    }
}

/// Adds rows of `d` numbers to columns `col..col + d` of a matrix, from row `first` on.
fn scatter(out: &mut [f32], width: usize, first: usize, col: usize, rows: &[f32], d: usize) {
    for (out, row) in out[first * width..].chunks_mut(width).zip(rows.chunks(d)) {
        out[col..col + d].iter_mut().zip(row).for_each(|(out, x)| *out += x);
    }
}

impl CustomOp1 for Packed {
    fn name(&self) -> &'static str {
        "packed_attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = contiguous(storage, layout)?;
        let (rows, width) = layout.shape().dims2()?;
        let d = Columns::of(self.heads, width).d;
        let of_z = self.heads[0] * d;
        let mut z = vec![0.0; rows * of_z];
        for (head, found) in self.each(qkv, width, Head::mixed) {
            scatter(&mut z, of_z, head.first, head.head * d, &found, d);
        }
        Ok((CpuStorage::F32(z), (rows, of_z).into()))
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
        let d = Columns::of(self.0.heads, width).d;
        let of_z = self.0.heads[0] * d;
        let mut out = vec![0.0; rows * width];
        let work = |head: &Head| {
            head.back(|first, rows| View::new(&dz[(head.first + first) * of_z + head.head * d..], rows, d, of_z, 1))
        };
        // Heads that share keys and values add up.
        for (head, parts) in self.0.each(qkv, width, work) {
            for (which, part) in parts.iter().enumerate() {
                scatter(&mut out, width, head.first, head.columns.start(which, head.head), part, d);
            }
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
