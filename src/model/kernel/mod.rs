//! Matrix products on plain slices.
//!
//! `affine` and `product` compute `b + x · w` for a row-major `x` and a weight matrix of any strides, read where it lies (a
//! mapped file). Every element of the result is `b + Σ_chunk (fused multiply-add chain over the chunk)`, chunks of
//! [`CHUNK`] along the contraction, in order. That sum does not depend on how many rows there are, how the work is tiled or how
//! many threads share it, so a prompt's numbers are the same bits alone and in a batch. Weights in half precision are widened a
//! strip at a time on their way into the cache: the bits are those of the same weights as f32.
//!
//! With AVX2 or AVX-512 the tiles are ours, and give the same bits: few rows read the weights in place with a software prefetch
//! (short prompts are bound by memory), many rows pack each strip of columns once. Elsewhere the `gemm` crate multiplies,
//! chunk by chunk.
#![allow(unsafe_code)] // raw tiles and target features; each block says why it is sound

mod level;
mod number;
#[cfg(target_arch = "x86_64")]
mod panels;
#[cfg(target_arch = "x86_64")]
mod register;
#[cfg(target_arch = "x86_64")]
mod tile;

pub use level::{Level, level};
pub use number::Number;

use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// How many terms are summed in one chain before they are added to the result.
pub const CHUNK: usize = 64;

/// A borrowed matrix `[rows, cols]` with strides counted in elements.
#[derive(Clone, Copy)]
pub struct View<'a, T = f32> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> View<'a, T> {
    /// A matrix `[rows, cols]` whose element `(i, j)` is `data[i * row_stride + j * col_stride]`.
    ///
    /// # Panics
    /// If the last element lies outside `data`.
    pub fn new(data: &'a [T], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
        if rows > 0 && cols > 0 {
            assert!((rows - 1) * row_stride + (cols - 1) * col_stride < data.len(), "view outside its data");
        }
        Self { data, rows, cols, row_stride, col_stride }
    }

    /// The same matrix with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }
}

/// A raw mutable matrix shared by the tasks of one product; tasks write disjoint columns.
#[derive(Clone, Copy)]
struct Out<'a> {
    data: *mut f32,
    stride: usize,
    /// What the sum starts from; without it, zero.
    bias: Option<&'a [f32]>,
}
// SAFETY: `multiply` hands each task its own columns, so no element is written by two threads.
unsafe impl Send for Out<'_> {}
unsafe impl Sync for Out<'_> {}

impl Out<'_> {
    /// Some columns, all of which exist.
    fn columns(self, first: usize, last: usize) -> Self {
        Self { data: self.data.wrapping_add(first), bias: self.bias.map(|bias| &bias[first..last]), ..self }
    }
}

/// `b + x · w` as a new matrix `[rows, cols]`; x `[rows, k]` with contiguous columns, w `[k, cols]`, b `[cols]`.
///
/// Strips of columns are shared over rayon's pool; the bits do not depend on it.
///
/// # Panics
/// If the shapes do not agree.
pub fn affine<T: Number>(x: View, w: View<T>, bias: Option<&[f32]>) -> Vec<f32> {
    assert!(bias.is_none_or(|bias| bias.len() == w.cols), "shape of a bias");
    let len = x.rows * w.cols;
    let mut out = Vec::with_capacity(len);
    if x.cols == 0 {
        out.resize(len, 0.0);
        return out;
    }
    multiply(Out { data: out.as_mut_ptr(), stride: w.cols, bias }, x, w, true);
    // SAFETY: `multiply` wrote every one of the rows × cols elements.
    unsafe { out.set_len(len) };
    out
}

/// `out = x · w` on the calling thread, rows of `out` `stride` apart.
///
/// # Panics
/// If the shapes do not agree or `out` is too short.
pub fn product(out: &mut [f32], stride: usize, x: View, w: View) {
    assert!(x.rows == 0 || (stride >= w.cols && out.len() >= (x.rows - 1) * stride + w.cols), "output of a product");
    multiply(Out { data: out.as_mut_ptr(), stride, bias: None }, x, w, false);
}

/// Writes every element of `out`, which must have room for `x.rows` rows of `w.cols` columns.
fn multiply<T: Number>(out: Out, x: View, w: View<T>, threads: bool) {
    assert!(x.cols == w.rows && (x.col_stride == 1 || x.cols <= 1), "shapes of a product");
    if x.rows == 0 || w.cols == 0 {
        return;
    }
    match level() {
        #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
        // SAFETY: AVX-512 was detected; x, w and out were checked.
        Level::Avx512 => unsafe { tile::multiply::<__m512, T>(out, x, w, threads) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: AVX2, FMA and F16C were detected; x, w and out were checked.
        Level::Avx2 => unsafe { tile::multiply::<__m256, T>(out, x, w, threads) },
        _ => portable(out, x, w, threads),
    }
}

/// The product where no tile of ours is: weights in half precision are widened some columns at a time.
fn portable<T: Number>(out: Out, x: View, w: View<T>, threads: bool) {
    /// Columns that are widened together.
    const PART: usize = 128;
    if let Some(w) = T::plain(w) {
        return by_gemm(out, x, w, threads);
    }
    let parts = w.cols.div_ceil(PART);
    let part = |index: usize| {
        let (first, last) = (index * w.cols / parts, (index + 1) * w.cols / parts);
        // As the weights lie themselves: gemm's sums depend on that.
        let (rows, cols, turned) = (w.rows, last - first, w.col_stride != 1);
        let number = |row: usize, col: usize| w.data[row * w.row_stride + (first + col) * w.col_stride].wide();
        let wide: Vec<f32> = if turned {
            (0..cols).flat_map(|col| (0..rows).map(move |row| number(row, col))).collect()
        } else {
            (0..rows).flat_map(|row| (0..cols).map(move |col| number(row, col))).collect()
        };
        let wide = if turned {
            View::new(&wide, cols, rows, rows, 1).transposed()
        } else {
            View::new(&wide, rows, cols, cols, 1)
        };
        by_gemm(out.columns(first, last), x, wide, false);
    };
    if threads { (0..parts).into_par_iter().for_each(part) } else { (0..parts).for_each(part) }
}

/// The product by the `gemm` crate, one chunk of the contraction at a time so that its own blocking cannot show.
fn by_gemm(out: Out, x: View, w: View, threads: bool) {
    // A single row would take gemm's matrix-vector path and round differently: it is computed as two.
    if x.rows == 1 {
        let twice: Vec<f32> = [&x.data[..x.cols], &x.data[..x.cols]].concat();
        let mut both = vec![0.0; 2 * w.cols];
        let pair = Out { data: both.as_mut_ptr(), stride: w.cols, ..out };
        by_gemm(pair, View::new(&twice, 2, x.cols, x.cols, 1), w, threads);
        // SAFETY: `out` has room for one row of w.cols elements.
        unsafe { std::ptr::copy_nonoverlapping(both.as_ptr(), out.data, w.cols) };
        return;
    }
    for row in 0..x.rows {
        // SAFETY: row `row` of `out` has room for w.cols elements.
        unsafe {
            let row = out.data.add(row * out.stride);
            match out.bias {
                Some(bias) => std::ptr::copy_nonoverlapping(bias.as_ptr(), row, w.cols),
                None => std::ptr::write_bytes(row, 0, w.cols),
            }
        }
    }
    let parallelism = if threads { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    for k in (0..x.cols).step_by(CHUNK) {
        let depth = CHUNK.min(x.cols - k);
        // SAFETY: the views were checked against their slices, `out` by the caller; strides are those of the views.
        unsafe {
            gemm::gemm(
                x.rows,
                w.cols,
                depth,
                out.data,
                1,
                out.stride as isize,
                true,
                x.data.as_ptr().add(k),
                1,
                x.row_stride as isize,
                w.data.as_ptr().add(k * w.row_stride),
                w.col_stride as isize,
                w.row_stride as isize,
                1.0f32,
                1.0f32,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}
