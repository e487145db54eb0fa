//! Attention of prompts that share their beginnings: the rows of a batch are a tree, and each attends to the path that leads to it.
//! For forwards that nobody watches and that no gradient comes back from.

use super::Segments;
use super::ops::contiguous;
use super::packed::Columns;
use super::vector;
use super::weighing::Weighing;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// qkv `[rows, (heads + 2 kv_heads) · d]` → z `[rows, heads · d]`; f32 on the CPU.
pub fn attention(qkv: &Tensor, segments: &Segments, heads: [usize; 2], by: Weighing) -> Result<Tensor> {
    let mut paths: Vec<Path> = Vec::with_capacity(segments.len());
    for segment in segments.iter() {
        let before = segment.after.map_or_else(Vec::new, |row| path_to(&paths, row));
        paths.push(Path { before, own: segment.start..segment.start + segment.len });
    }
    qkv.contiguous()?.apply_op1_no_bwd(&Branched { paths, heads, by })
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
    heads: [usize; 2],
    by: Weighing,
}

impl Branched {
    /// What one row's heads carry, into z `[heads · d]`.
    fn row(&self, z: &mut [f32], row: usize, qkv: &[f32], width: usize) {
        let columns = Columns::of(self.heads, width);
        let part =
            |row: usize, which: usize, head: usize| &qkv[row * width + columns.start(which, head)..][..columns.d];
        let path: Vec<usize> = path_to(&self.paths, row).into_iter().flatten().collect();
        let seen = &path[self.by.seen(path.len())];
        let mut pattern = vec![0.0; seen.len()];
        for (head, z) in z.chunks_mut(columns.d).enumerate() {
            let q = part(row, 0, head);
            for (product, key) in pattern.iter_mut().zip(seen) {
                *product = vector::dot(q, part(*key, 1, head));
            }
            self.by.weigh(&mut pattern, seen.len());
            for (weight, key) in pattern.iter().zip(seen) {
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
        let of_z = self.heads[0] * Columns::of(self.heads, width).d;
        let mut z = vec![0.0; rows * of_z];
        z.par_chunks_mut(of_z).enumerate().for_each(|(row, z)| self.row(z, row, qkv, width));
        Ok((CpuStorage::F32(z), (rows, of_z).into()))
    }
}
