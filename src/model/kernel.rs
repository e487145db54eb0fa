//! Matrix products and vector loops on plain slices: the one place that calls processor-specific instructions.
//!
//! `affine` and `product` compute `b + x · w` for a row-major `x` and a weight matrix of any strides, read where it lies (a
//! mapped file). Every element of the result is `b + Σ_chunk (fused multiply-add chain over the chunk)`, chunks of
//! [`CHUNK`] along the contraction, in order. That sum does not depend on how many rows there are, how the work is tiled or how
//! many threads share it, so a prompt's numbers are the same bits alone and in a batch.
//!
//! With AVX-512 the tiles are ours: few rows read the weights in place with a software prefetch (short prompts are bound by
//! memory), many rows pack each strip of columns once. Elsewhere the `gemm` crate multiplies, chunk by chunk.
#![allow(unsafe_code)] // raw tiles and target features; each block says why it is sound

use rayon::prelude::*;

/// How many terms are summed in one chain before they are added to the result.
pub const CHUNK: usize = 64;

/// A borrowed matrix `[rows, cols]` with strides counted in elements.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// A matrix `[rows, cols]` whose element `(i, j)` is `data[i * row_stride + j * col_stride]`.
    ///
    /// # Panics
    /// If the last element lies outside `data`.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
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

/// `b + x · w` as a new matrix `[rows, cols]`; x `[rows, k]` with contiguous columns, w `[k, cols]`, b `[cols]`.
///
/// Strips of columns are shared over rayon's pool; the bits do not depend on it.
///
/// # Panics
/// If the shapes do not agree.
pub fn affine(x: View, w: View, bias: Option<&[f32]>) -> Vec<f32> {
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
fn multiply(out: Out, x: View, w: View, threads: bool) {
    assert!(x.cols == w.rows && (x.col_stride == 1 || x.cols <= 1), "shapes of a product");
    if x.rows == 0 || w.cols == 0 {
        return;
    }
    #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
    if has_avx512() {
        let work = x.rows * x.cols * w.cols;
        // Below this a task costs more to hand over than to do.
        let tasks = if threads { (work / 100_000).clamp(1, 4 * rayon::current_num_threads()) } else { 1 };
        let width = w.cols.div_ceil(tasks).next_multiple_of(avx512::STRIP);
        let run = |first: usize| {
            let last = (first + width).min(w.cols);
            // SAFETY: AVX-512 was detected; x, w and out were checked; columns first..last belong to this task.
            unsafe { avx512::columns(out, x, w, first, last) }
        };
        match tasks {
            1 => run(0),
            _ => (0..w.cols.div_ceil(width)).into_par_iter().for_each(|task| run(task * width)),
        }
        return;
    }
    portable(out, x, w, threads);
}

/// A zeroed buffer whose large pages are asked for: a pattern of 1024 tokens is 50 MB, and touching it 4 KiB at a time
/// takes as long as computing it.
pub fn zeroed(len: usize) -> Vec<f32> {
    let out = vec![0.0f32; len];
    #[cfg(target_os = "linux")]
    if len >= 4 << 20 {
        const HUGE: usize = 2 << 20;
        let (start, end) = (out.as_ptr() as usize, out.as_ptr() as usize + 4 * len);
        let (start, end) = (start.next_multiple_of(HUGE), end / HUGE * HUGE);
        // SAFETY: the range lies inside the vector; the call is advice and changes no contents. Its failure is harmless.
        unsafe { libc::madvise(start as *mut _, end - start, libc::MADV_HUGEPAGE) };
    }
    out
}

/// Lets glibc keep freed memory for the next layer instead of returning and faulting it in again, for a whole program.
///
/// Elsewhere it does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both calls set a number inside the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}

/// The product by the `gemm` crate, one chunk of the contraction at a time so that its own blocking cannot show.
fn portable(out: Out, x: View, w: View, threads: bool) {
    // A single row would take gemm's matrix-vector path and round differently: it is computed as two.
    if x.rows == 1 {
        let twice: Vec<f32> = [&x.data[..x.cols], &x.data[..x.cols]].concat();
        let mut both = vec![0.0; 2 * w.cols];
        let pair = Out { data: both.as_mut_ptr(), stride: w.cols, ..out };
        portable(pair, View::new(&twice, 2, x.cols, x.cols, 1), w, threads);
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

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("fma")
}

#[cfg(all(target_arch = "x86_64", feature = "avx512"))]
mod avx512 {
    use super::{CHUNK, Out, View};
    use std::arch::x86_64::*;

    /// Columns of a packed strip: two vectors of sixteen.
    pub const STRIP: usize = 32;
    /// Rows of a tile: 12 × 2 accumulators, 2 weights and a broadcast fill the 32 registers.
    const TILE: usize = 12;
    /// Rows whose chunk of x stays in the second-level cache while the strips pass by.
    const BLOCK: usize = 384;
    /// How deep a strip is packed: its weights and a tile's rows of x stay in the first-level cache, and the result is
    /// fetched once for several chunks.
    const DEPTH: usize = 4 * CHUNK;
    /// Up to this many rows the weights are read where they lie; above, packing a strip pays.
    const IN_PLACE: usize = 48;

    /// Columns `first..last` of a product.
    ///
    /// # Safety
    /// AVX-512 is there, the matrices agree in shape and lie inside their memory, and nobody else writes these columns.
    #[target_feature(enable = "avx512f,avx512vl,fma")]
    pub unsafe fn columns(out: Out, x: View, w: View, first: usize, last: usize) {
        let mut packed = Packed([0.0; DEPTH * STRIP]);
        let in_place = w.col_stride == 1 && x.rows <= IN_PLACE;
        let deepest = if in_place { CHUNK } else { DEPTH };
        for k in (0..x.cols).step_by(deepest) {
            let depth = deepest.min(x.cols - k);
            for top in (0..x.rows).step_by(BLOCK) {
                let rows = BLOCK.min(x.rows - top);
                let mut col = first;
                while col < last {
                    // SAFETY: row top, column k and row k, column col exist; tiles stay inside rows × width × depth.
                    unsafe {
                        let x0 = x.data.as_ptr().add(top * x.row_stride + k);
                        let w0 = w.data.as_ptr().add(k * w.row_stride + col * w.col_stride);
                        let c0 = out.data.add(top * out.stride + col);
                        let bias = out.bias.map_or(std::ptr::null(), |bias| bias.as_ptr().add(col));
                        let from = if k > 0 {
                            From::Sum
                        } else if bias.is_null() {
                            From::Zero
                        } else {
                            From::Bias(bias)
                        };
                        if in_place && last - col >= STRIP {
                            let vectors = match x.rows {
                                1..=3 if last - col >= 128 => 8,
                                1..=6 if last - col >= 64 => 4,
                                _ => 2,
                            };
                            let tile = Tile {
                                depth,
                                x: x0,
                                xs: x.row_stride,
                                w: w0,
                                ws: w.row_stride,
                                c: c0,
                                cs: out.stride,
                                from,
                            };
                            match vectors {
                                8 => tile.rows::<8, true>(rows, 3),
                                4 => tile.rows::<4, true>(rows, 6),
                                _ => tile.rows::<2, true>(rows, TILE),
                            }
                            col += 16 * vectors;
                        } else {
                            let width = STRIP.min(last - col);
                            pack(&mut packed.0, w0, w.row_stride, w.col_stride, depth, width);
                            let tile = Tile {
                                depth,
                                x: x0,
                                xs: x.row_stride,
                                w: packed.0.as_ptr(),
                                ws: STRIP,
                                c: c0,
                                cs: out.stride,
                                from,
                            };
                            if width == STRIP {
                                tile.rows::<2, false>(rows, TILE);
                            } else {
                                tile.narrow(rows, width);
                            }
                            col += width;
                        }
                    }
                }
            }
        }
    }

    #[repr(align(64))]
    struct Packed([f32; DEPTH * STRIP]);

    /// Copies `depth × width` weights to rows of `STRIP`, the missing columns zero.
    #[target_feature(enable = "avx512f,avx512vl,fma")]
    unsafe fn pack(to: &mut [f32], w: *const f32, rs: usize, cs: usize, depth: usize, width: usize) {
        // SAFETY: the caller's strip lies inside the weights; `to` holds DEPTH × STRIP.
        unsafe {
            if cs == 1 && width == STRIP {
                for k in 0..depth {
                    let (from, to) = (w.add(k * rs), to.as_mut_ptr().add(k * STRIP));
                    _mm512_store_ps(to, _mm512_loadu_ps(from));
                    _mm512_store_ps(to.add(16), _mm512_loadu_ps(from.add(16)));
                }
                return;
            }
            if width < STRIP {
                to[..depth * STRIP].fill(0.0);
            }
            for j in 0..width {
                for k in 0..depth {
                    *to.get_unchecked_mut(k * STRIP + j) = *w.add(k * rs + j * cs);
                }
            }
        }
    }

    /// One strip: `depth` terms, rows of x `xs` apart, rows of weights `ws` apart, rows of the result `cs` apart.
    #[derive(Clone, Copy)]
    struct Tile {
        depth: usize,
        x: *const f32,
        xs: usize,
        w: *const f32,
        ws: usize,
        c: *mut f32,
        cs: usize,
        from: From,
    }

    /// What a tile's sum is added to.
    #[derive(Clone, Copy)]
    enum From {
        Zero,
        Bias(*const f32),
        Sum,
    }

    impl Tile {
        /// All `rows` of a strip of `16 V` columns, at most `most` at a time, as evenly as they divide.
        #[target_feature(enable = "avx512f,avx512vl,fma")]
        unsafe fn rows<const V: usize, const PREFETCH: bool>(self, rows: usize, most: usize) {
            let tiles = rows.div_ceil(most);
            for tile in 0..tiles {
                let (top, end) = (tile * rows / tiles, (tile + 1) * rows / tiles);
                // SAFETY: rows top..end exist in x and in the result.
                unsafe {
                    let at = Tile { x: self.x.add(top * self.xs), c: self.c.add(top * self.cs), ..self };
                    // Later tiles of the same strip find the weights in the cache.
                    let first = PREFETCH && tile == 0;
                    match (V, end - top) {
                        (_, 1) => at.run::<1, V>(first),
                        (_, 2) => at.run::<2, V>(first),
                        (_, 3) => at.run::<3, V>(first),
                        (2 | 4, 4) => at.run::<4, V>(first),
                        (2 | 4, 5) => at.run::<5, V>(first),
                        (2 | 4, 6) => at.run::<6, V>(first),
                        (2, 7) => at.run::<7, V>(first),
                        (2, 8) => at.run::<8, V>(first),
                        (2, 9) => at.run::<9, V>(first),
                        (2, 10) => at.run::<10, V>(first),
                        (2, 11) => at.run::<11, V>(first),
                        (2, 12) => at.run::<12, V>(first),
                        _ => unreachable!("a tile has at most `most` rows"),
                    }
                }
            }
        }

        /// `R` rows by `16 V` columns in registers, one chunk after another.
        #[inline]
        #[target_feature(enable = "avx512f,avx512vl,fma")]
        unsafe fn run<const R: usize, const V: usize>(self, prefetch: bool) {
            // SAFETY: the caller's tile lies inside the three matrices; prefetching past the end touches nothing.
            unsafe {
                let mut w = self.w;
                for first in (0..self.depth).step_by(CHUNK) {
                    let mut sum = [[_mm512_setzero_ps(); V]; R];
                    for k in first..(first + CHUNK).min(self.depth) {
                        let mut weight = [_mm512_setzero_ps(); V];
                        for v in 0..V {
                            weight[v] = _mm512_loadu_ps(w.add(16 * v));
                            if prefetch {
                                _mm_prefetch::<_MM_HINT_T0>(w.wrapping_add(16 * (V + v)).cast());
                            }
                        }
                        for (r, sum) in sum.iter_mut().enumerate() {
                            let x = _mm512_set1_ps(*self.x.add(r * self.xs + k));
                            for v in 0..V {
                                sum[v] = _mm512_fmadd_ps(x, weight[v], sum[v]);
                            }
                        }
                        w = w.wrapping_add(self.ws);
                    }
                    let from = if first > 0 { From::Sum } else { self.from };
                    for (r, sum) in sum.iter().enumerate() {
                        for (v, sum) in sum.iter().enumerate() {
                            let c = self.c.add(r * self.cs + 16 * v);
                            let before = match from {
                                From::Zero => _mm512_setzero_ps(),
                                From::Bias(bias) => _mm512_loadu_ps(bias.add(16 * v)),
                                From::Sum => _mm512_loadu_ps(c),
                            };
                            _mm512_storeu_ps(c, _mm512_add_ps(before, *sum));
                        }
                    }
                }
            }
        }

        /// A strip of fewer than `STRIP` columns, by way of a full one.
        #[target_feature(enable = "avx512f,avx512vl,fma")]
        unsafe fn narrow(self, rows: usize, width: usize) {
            for top in (0..rows).step_by(TILE) {
                let count = TILE.min(rows - top);
                let mut full = [0.0f32; TILE * STRIP];
                // SAFETY: rows top..top + count and `width` columns exist; so does a bias of `width`.
                unsafe {
                    let c = self.c.add(top * self.cs);
                    for r in 0..count {
                        let full = full.as_mut_ptr().add(r * STRIP);
                        match self.from {
                            From::Zero => {}
                            From::Bias(bias) => std::ptr::copy_nonoverlapping(bias, full, width),
                            From::Sum => std::ptr::copy_nonoverlapping(c.add(r * self.cs), full, width),
                        }
                    }
                    let x = self.x.add(top * self.xs);
                    let tile = Tile { x, c: full.as_mut_ptr(), cs: STRIP, from: From::Sum, ..self };
                    tile.rows::<2, false>(count, TILE);
                    for r in 0..count {
                        std::ptr::copy_nonoverlapping(full.as_ptr().add(r * STRIP), c.add(r * self.cs), width);
                    }
                }
            }
        }
    }
}

/// Generates a vector loop twice, for AVX-512 and for any processor, and a front that picks one at run time. The body sees
/// the constant `FUSED`: whether a fused multiply-add is one instruction here.
macro_rules! vectorised {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $type:ty),*) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub fn $name($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FUSED: bool>($($arg: $type),*) $(-> $ret)? $body
            #[cfg(all(target_arch = "x86_64", feature = "avx512"))]
            {
                #[target_feature(enable = "avx512f,avx512vl,fma")]
                fn wide($($arg: $type),*) $(-> $ret)? {
                    body::<true>($($arg),*)
                }
                if has_avx512() {
                    // SAFETY: the features were detected.
                    return unsafe { wide($($arg),*) };
                }
            }
            body::<{ cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
fn mul_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` within about one unit in the last place, 0 below the smallest normal number.
///
/// `x = n ln 2 + r`, a polynomial of degree 6 on `|r| ≤ ln 2 / 2` (Cephes' coefficients), then `n` added to the exponent.
#[inline(always)]
fn exp<const FUSED: bool>(x: f32) -> f32 {
    const TO_INTEGER: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to an integer in the low bits
    let clamped = x.clamp(-87.33, 88.72);
    let shifted = mul_add::<FUSED>(clamped, std::f32::consts::LOG2_E, TO_INTEGER);
    let n = shifted - TO_INTEGER;
    let r = mul_add::<FUSED>(n, -0.693_359_4, clamped);
    let r = mul_add::<FUSED>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = mul_add::<FUSED>(p, r, c);
    }
    let p = mul_add::<FUSED>(p * r, r, r) + 1.0;
    // Two halves, since 2^128 alone does not fit.
    let bits = shifted.to_bits().wrapping_sub(TO_INTEGER.to_bits()) as i32;
    let half = bits >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let value = p * power(half) * power(bits - half);
    if x < -87.33 { 0.0 } else { value }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FUSED>(-x))
}

/// The sum of a slice in sixteen interleaved lanes: vectorises, and is the same on every processor.
#[inline(always)]
fn sum(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (i, value) in values.enumerate() {
        lanes[i % 16] += value;
    }
    let mut width = 8;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

vectorised! {
    /// Softmax of `scale · row`, in place. A row without a finite maximum becomes NaN.
    pub fn softmax(row: &mut [f32], scale: f32) {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = row.as_chunks_mut::<16>();
        for chunk in chunks.iter_mut() {
            for (x, lane) in chunk.iter_mut().zip(&mut lanes) {
                *x *= scale;
                *lane = if *x > *lane { *x } else { *lane };
            }
        }
        for (x, lane) in rest.iter_mut().zip(&mut lanes) {
            *x *= scale;
            *lane = if *x > *lane { *x } else { *lane };
        }
        let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total = [0.0f32; 16];
        for chunk in chunks.iter_mut() {
            for (x, total) in chunk.iter_mut().zip(&mut total) {
                *x = exp::<FUSED>(*x - max);
                *total += *x;
            }
        }
        for (x, total) in rest.iter_mut().zip(&mut total) {
            *x = exp::<FUSED>(*x - max);
            *total += *x;
        }
        let inverse = 1.0 / sum(total.iter().copied());
        row.iter_mut().for_each(|x| *x *= inverse);
    }
}

vectorised! {
    /// `y = (x − mean) / √(variance + eps) · weight + bias`; returns the mean and `1 / √(variance + eps)`.
    pub fn layer_norm(y: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> (f32, f32) {
        let n = x.len() as f32;
        let mean = lane_sum(x, |x| x) / n;
        let variance = lane_sum(x, |x| (x - mean) * (x - mean)) / n;
        let scale = 1.0 / (variance + eps).sqrt();
        for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = mul_add::<FUSED>((x - mean) * scale, *w, *b);
        }
        (mean, scale)
    }
}

/// `Σ f(x)` in sixteen lanes.
#[inline(always)]
fn lane_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += f(*x);
    }
    sum(lanes.iter().copied())
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

vectorised! {
    /// `gelu_new`: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, in place, computed as `x · sigmoid(2u)`, which never cancels.
    pub fn gelu_new(x: &mut [f32]) {
        for x in x {
            let u = SQRT_2_OVER_PI * *x * (1.0 + CUBIC * *x * *x);
            *x *= sigmoid::<FUSED>(2.0 * u);
        }
    }
}

vectorised! {
    /// `x · sigmoid(slope · x)`, in place: silu at slope 1, quick_gelu at 1.702.
    pub fn swish(x: &mut [f32], slope: f32) {
        x.iter_mut().for_each(|x| *x *= sigmoid::<FUSED>(slope * *x));
    }
}

vectorised! {
    /// The derivative of [`gelu_new`] at each x, in place.
    pub fn gelu_new_slope(x: &mut [f32]) {
        for x in x {
            let s = sigmoid::<FUSED>(2.0 * SQRT_2_OVER_PI * *x * (1.0 + CUBIC * *x * *x));
            *x = s + *x * s * (1.0 - s) * 2.0 * SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * *x * *x);
        }
    }
}

vectorised! {
    /// The derivative of [`swish`] at each x, in place.
    pub fn swish_slope(x: &mut [f32], slope: f32) {
        for x in x {
            let s = sigmoid::<FUSED>(slope * *x);
            *x = s + *x * s * (1.0 - s) * slope;
        }
    }
}
