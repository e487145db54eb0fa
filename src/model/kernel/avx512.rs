//! Tiles of a matrix product in AVX-512 registers.
#![allow(unsafe_code)] // raw tiles; each block says why it is sound

use super::{CHUNK, Out, View};
use std::arch::x86_64::*;

/// Columns of a packed strip: two vectors of sixteen.
pub const STRIP: usize = 32;
/// Rows of a tile: 14 × 2 accumulators, 2 weights and a broadcast take 31 of the 32 registers.
const TILE: usize = 14;
/// Rows whose chunk of x stays in the second-level cache while the strips pass by.
const BLOCK: usize = 392;
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
                    (2, 13) => at.run::<13, V>(first),
                    (2, 14) => at.run::<14, V>(first),
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
                    for (v, weight) in weight.iter_mut().enumerate() {
                        *weight = _mm512_loadu_ps(w.add(16 * v));
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
