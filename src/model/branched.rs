//! Attention of prompts that share their beginnings: the rows of a batch are a tree, and each attends to the path that leads to it.
//! For forwards that nobody watches and that no gradient comes back from.

use super::Segments;
use super::ops::contiguous;
use super::vector;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// qkv `[rows, 3 d]` → z `[rows, d]`; f32 on the CPU.
pub fn attention(qkv: &Tensor, segments: &Segments, heads: usize, scale: f64) -> Result<Tensor> {
    let mut paths: Vec<Path> = Vec::with_capacity(segments.len());
    for segment in segments.iter() {
        let before = segment.after.map_or_else(Vec::new, |row| path_to(&paths, row));
        paths.push(Path { before, own: segment.start..segment.start + segment.len });
    }
    qkv.contiguous()?.apply_op1_no_bwd(&Branched { paths, heads, scale: scale as f32 })
}

/// The rows of one segment, and those before them.
struct Path {
    before: Vec<Range<usize>>,
    own: Range<usize>,
}

/// All rows up to this one, which an earlier segment has.
fn path_to(paths: &[Path], row: usize) -> Vec<Range<usize>> {
    let at = paths.partition_point(|path| path.own.end <= row);
    let own = |path: &Path| path.own.start..row + 1;
    paths.get(at).map_or_else(Vec::new, |path| path.before.iter().cloned().chain(std::iter::once(own(path))).collect())
}

struct Branched {
    paths: Vec<Path>,
    heads: usize,
    scale: f32,
}

impl Branched {
    /// What one row's heads carry, into z `[d]`.
    fn row(&self, z: &mut [f32], row: usize, qkv: &[f32]) {
        let width = 3 * z.len();
        let d = z.len() / self.heads;
        let part = |row: usize, which: usize, head: usize| {
            let start = row * width + which * width / 3 + head * d;
            &qkv[start..start + d]
        };
        let seen: Vec<usize> = path_to(&self.paths, row).into_iter().flatten().collect();
        let mut pattern = vec![0.0; seen.len()];
        for (head, z) in z.chunks_mut(d).enumerate() {
            let q = part(row, 0, head);
            for (score, key) in pattern.iter_mut().zip(&seen) {
                *score = vector::dot(q, part(*key, 1, head));
            }
            vector::softmax(&mut pattern, self.scale);
            for (weight, key) in pattern.iter().zip(&seen) {
                vector::add_scaled(z, *weight, part(*key, 2, head));
            }
        }
    }
}

impl CustomOp1 for Branched {
    fn name(&self) -> &'static str {
        "branched_attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = contiguous(storage, layout)?;
        let (rows, width) = layout.shape().dims2()?;
        let mut z = vec![0.0; rows * width / 3];
        z.par_chunks_mut(width / 3).enumerate().for_each(|(row, z)| self.row(z, row, qkv));
        Ok((CpuStorage::F32(z), (rows, width / 3).into()))
    }
}
