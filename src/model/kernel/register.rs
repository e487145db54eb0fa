//! Vector registers, and what depends on how many there are and how wide they are: the shapes of tiles.
#![allow(unsafe_code)] // intrinsics; each block says why it is sound

use super::number::Number;
use super::tile::{LINE, Tile};
use half::{bf16, f16};
use std::arch::x86_64::*;

/// A vector of `f32`.
///
/// # Safety
/// Every unsafe function needs the instructions of its type, and pointers to as many numbers as it reads or writes.
pub trait Register: Copy {
    /// Its numbers.
    const LANES: usize;
    /// Rows of a tile of two vectors: accumulators, two weights and a broadcast fill the registers.
    const ROWS: usize;
    /// Rows whose panels stay in the second-level cache while the strips pass by.
    const BLOCK: usize;
    /// Up to this many rows the weights are read where they lie; above, packing pays.
    const IN_PLACE: usize;
    /// Rows of weights that are read in place together, a divisor of CHUNK.
    const RUN: usize;
    /// How many vectors wide a tile of at most so many rows is; two where none is named.
    const FEW: &'static [(usize, usize)];

    /// Zeros.
    unsafe fn zero() -> Self;
    /// The numbers there.
    unsafe fn load(from: *const f32) -> Self;
    /// The same of numbers in half precision.
    unsafe fn load_f16(from: *const f16) -> Self;
    /// The same of upper halves.
    unsafe fn load_bf16(from: *const bf16) -> Self;
    /// Writes the numbers there.
    unsafe fn store(self, to: *mut f32);
    /// The same number in every lane.
    unsafe fn splat(x: f32) -> Self;
    /// `self + b`.
    unsafe fn add(self, b: Self) -> Self;
    /// `self · b + c`, rounded once.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// Brings a line into the cache.
    unsafe fn prefetch<T>(at: *const T);
    /// A tile of weights in place.
    unsafe fn tile(tile: &Tile, rows: usize, vectors: usize);
    /// A tile of two vectors, packed.
    unsafe fn packed_tile(tile: &Tile, rows: usize);
    /// Copies `depth × cols` weights as f32, strip after strip of two vectors, missing columns zero.
    unsafe fn pack<T: Number>(to: *mut f32, w: *const T, rs: usize, cs: usize, depth: usize, cols: usize);
}

macro_rules! register {
    (
        $name:ident: $lanes:literal lanes, $most:literal rows, blocks of $block:literal, in place to $in_place:literal by $run:expr,
        $features:literal, $zero:ident $load:ident $load_f16:ident $load_bf16:ident $store:ident $splat:ident $add:ident $mul_add:ident,
        few $few:expr, tiles $($vectors:literal: $($rows:literal)*;)* packed $($packed:literal)*
    ) => {
        impl Register for $name {
            const LANES: usize = $lanes;
            const ROWS: usize = $most;
            const BLOCK: usize = $block;
            const IN_PLACE: usize = $in_place;
            const RUN: usize = $run;
            const FEW: &'static [(usize, usize)] = &$few;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the trait's promise, here and below.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn load_f16(from: *const f16) -> Self {
                unsafe { $load_f16(from) }
            }
            #[inline(always)]
            unsafe fn load_bf16(from: *const bf16) -> Self {
                unsafe { $load_bf16(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                unsafe { $add(self, b) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                unsafe { $mul_add(self, b, c) }
            }
            #[inline(always)]
            unsafe fn prefetch<T>(at: *const T) {
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[target_feature(enable = $features)]
            unsafe fn tile(tile: &Tile, rows: usize, vectors: usize) {
                unsafe {
                    match (vectors, rows) {
                        $($(($vectors, $rows) => tile.run::<Self, $rows, $vectors, false>(),)*)*
                        _ => unreachable!("no tile of {rows} rows and {vectors} vectors"),
                    }
                }
            }
            #[target_feature(enable = $features)]
            unsafe fn packed_tile(tile: &Tile, rows: usize) {
                unsafe {
                    match rows {
                        $($packed => tile.run::<Self, $packed, 2, true>(),)*
                        _ => unreachable!("no packed tile of {rows} rows"),
                    }
                }
            }
            #[target_feature(enable = $features)]
            unsafe fn pack<T: Number>(to: *mut f32, w: *const T, rs: usize, cs: usize, depth: usize, cols: usize) {
                unsafe { pack::<Self, T>(to, w, rs, cs, depth, cols) }
            }
        }
    };
}

register! {
    __m256: 8 lanes, 6 rows, blocks of 384, in place to 24 by 8,
    "avx2,fma,f16c", _mm256_setzero_ps _mm256_loadu_ps eight_of_f16 eight_of_bf16 _mm256_storeu_ps _mm256_set1_ps _mm256_add_ps _mm256_fmadd_ps,
    few [(1, 8), (3, 4)],
    tiles 8: 1; 4: 1 2 3; 2: 1 2 3 4 5 6;
    packed 1 2 3 4 5 6
}

#[cfg(feature = "avx512")]
register! {
    __m512: 16 lanes, 14 rows, blocks of 392, in place to 48 by 16,
    "avx512f,avx512vl,fma,f16c",
    _mm512_setzero_ps _mm512_loadu_ps sixteen_of_f16 sixteen_of_bf16 _mm512_storeu_ps _mm512_set1_ps _mm512_add_ps _mm512_fmadd_ps,
    few [(3, 8), (6, 4)],
    tiles 8: 1 2 3; 4: 1 2 3 4 5 6; 2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    packed 1 2 3 4 5 6 7 8 9 10 11 12 13 14
}

/// [`Register::load_f16`] and [`Register::load_bf16`]: widening is exact.
#[inline(always)]
unsafe fn eight_of_f16(from: *const f16) -> __m256 {
    // SAFETY: the caller's promise, here and below.
    unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
}

#[inline(always)]
unsafe fn eight_of_bf16(from: *const bf16) -> __m256 {
    unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast())))) }
}

#[cfg(feature = "avx512")]
#[inline(always)]
unsafe fn sixteen_of_f16(from: *const f16) -> __m512 {
    unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
}

#[cfg(feature = "avx512")]
#[inline(always)]
unsafe fn sixteen_of_bf16(from: *const bf16) -> __m512 {
    unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())))) }
}

/// [`Register::pack`], inlined where V's instructions are enabled.
#[inline(always)]
unsafe fn pack<V: Register, T: Number>(to: *mut f32, w: *const T, rs: usize, cs: usize, depth: usize, cols: usize) {
    /// Rows between a load and the prefetch for a later one.
    const AHEAD: usize = 8;
    let strip = 2 * V::LANES;
    let whole = cols / strip * strip;
    // SAFETY: the caller's weights exist; `to` holds depth × the columns, rounded up to strips.
    unsafe {
        if cs == 1 {
            for k in 0..depth {
                for col in (0..whole).step_by(strip) {
                    let (from, to) = (w.add(k * rs + col), to.add(col * depth + k * strip));
                    V::prefetch(from.wrapping_add(AHEAD * rs));
                    T::load::<V>(from).store(to);
                    T::load::<V>(from.add(V::LANES)).store(to.add(V::LANES));
                }
            }
        }
        for col in (if cs == 1 { whole } else { 0 }..cols).step_by(strip) {
            let (from, to) = (w.add(col * cs), to.add(col * depth));
            let width = strip.min(cols - col);
            if width < strip {
                std::ptr::write_bytes(to, 0, depth * strip);
            }
            // Weights that lie the other way, such as the embedding as a matrix of logits, are turned in squares.
            let (squares, deep) = if rs == 1 { (width / SQUARE * SQUARE, depth / SQUARE * SQUARE) } else { (0, 0) };
            for j in (0..squares).step_by(SQUARE) {
                for k in (0..deep).step_by(SQUARE) {
                    if k % LINE == 0 {
                        // The next square's rows, each on a page of its own, which no processor fetches by itself.
                        (SQUARE..2 * SQUARE).for_each(|i| V::prefetch(from.wrapping_add(k + (j + i) * cs)));
                    }
                    turn(to.add(k * strip + j), strip, from.add(k + j * cs), cs);
                }
            }
            for j in 0..width {
                for k in if j < squares { deep } else { 0 }..depth {
                    *to.add(k * strip + j) = (*from.add(k * rs + j * cs)).wide();
                }
            }
        }
    }
}

/// Rows and columns of a square that is turned in registers: AVX-512 has the instructions of AVX2 as well.
const SQUARE: usize = 8;

/// Writes the transpose of a square, rows `fs` and `ts` apart.
///
/// # Safety
/// The processor has AVX2 and F16C, and both squares exist.
#[inline(always)]
unsafe fn turn<T: Number>(to: *mut f32, ts: usize, from: *const T, fs: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let row = |i: usize| T::load::<__m256>(from.add(i * fs));
        // Pairs of rows, then fours, then all eight.
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (low_2, high_2) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let top = [
            _mm256_shuffle_ps::<0x44>(low, low_2),
            _mm256_shuffle_ps::<0xee>(low, low_2),
            _mm256_shuffle_ps::<0x44>(high, high_2),
            _mm256_shuffle_ps::<0xee>(high, high_2),
        ];
        let (a, b, c, d) = (row(4), row(5), row(6), row(7));
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (low_2, high_2) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let bottom = [
            _mm256_shuffle_ps::<0x44>(low, low_2),
            _mm256_shuffle_ps::<0xee>(low, low_2),
            _mm256_shuffle_ps::<0x44>(high, high_2),
            _mm256_shuffle_ps::<0xee>(high, high_2),
        ];
        for i in 0..4 {
            _mm256_storeu_ps(to.add(i * ts), _mm256_permute2f128_ps::<0x20>(top[i], bottom[i]));
            _mm256_storeu_ps(to.add((i + 4) * ts), _mm256_permute2f128_ps::<0x31>(top[i], bottom[i]));
        }
    }
}
