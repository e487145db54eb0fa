//! Columns of a matrix product, tile by tile in vector registers: one source for every width of vector.
#![allow(unsafe_code)] // raw tiles; each block says why it is sound

use super::number::Number;
use super::panels::{Panels, Scratch, tiles};
use super::register::Register;
use super::{CHUNK, Out, View};
use rayon::prelude::*;

/// How deep a strip is packed: its weights and a tile's rows of x stay in the first-level cache, and the result is
/// fetched once for several chunks.
pub const DEPTH: usize = 4 * CHUNK;
/// Strips packed together: memory streams longer runs of a row better.
const GROUP: usize = 4;
/// Up to so many rows a product waits for memory more than for the processor.
const FEW_ROWS: usize = 24;
/// Numbers in a line of the cache.
pub const LINE: usize = 16;
/// Terms of a sum that are added without looking whether it ends.
const TERMS: usize = 4;
/// Numbers in the largest packed tile of any width: 14 rows of two vectors of 16.
const WIDEST: usize = 14 * 32;

/// The product, strips of columns shared over rayon's pool.
///
/// # Safety
/// The processor has V's instructions, the matrices agree in shape and lie inside their memory.
pub unsafe fn multiply<V: Register, T: Number>(out: Out, x: View, w: View<T>, threads: bool) {
    let strip = 2 * V::LANES;
    let work = x.rows * x.cols * w.cols;
    // Below this a task costs more to hand over than to do. More tasks than threads even out what one of them does besides, but
    // the memory that few rows wait for is read fastest in long runs.
    let shares = x.rows.div_ceil(FEW_ROWS).min(4);
    let tasks = if threads { (work / 100_000).clamp(1, shares * rayon::current_num_threads()) } else { 1 };
    let width = w.cols.div_ceil(tasks).next_multiple_of(strip);
    let in_place = T::plain(w).filter(|w| w.col_stride == 1 && x.rows <= V::IN_PLACE);
    let panels = if in_place.is_some() && w.cols.is_multiple_of(strip) {
        None
    } else {
        Some(Panels::pack(x, V::ROWS, tasks > 1))
    };
    let run = |first: usize| {
        let last = (first + width).min(w.cols);
        let middle = if in_place.is_some() { last - (last - first) % strip } else { first };
        // SAFETY: the caller's promise; columns first..last belong to this task.
        unsafe {
            if let Some(w) = in_place.filter(|_| first < middle) {
                read_in_place::<V>(out, x, w, first, middle);
            }
            if let Some(x) = panels.as_ref().filter(|_| middle < last) {
                read_packed::<V, T>(out, x, w, middle, last);
            }
        }
    };
    match tasks {
        1 => run(0),
        _ => (0..w.cols.div_ceil(width)).into_par_iter().for_each(|task| run(task * width)),
    }
}

/// For few rows. The weights are read once, where they lie, `V::RUN` of their rows at a time; what has been summed of a chunk
/// waits in a buffer meanwhile.
unsafe fn read_in_place<V: Register>(out: Out, x: View, w: View, first: usize, last: usize) {
    let width = last - first;
    let chains = Scratch::new(x.rows * width);
    for k in (0..x.cols).step_by(V::RUN) {
        let depth = V::RUN.min(x.cols - k);
        let mut col = first;
        while col < last {
            let fits = |(rows, vectors): &&(usize, usize)| x.rows <= *rows && vectors * V::LANES <= last - col;
            let (most, vectors) = V::FEW.iter().find(fits).copied().unwrap_or((V::ROWS, 2));
            let strip = vectors * V::LANES;
            // As many weights as the first-level cache keeps until the next rows of x need them.
            let cols = (strip * CHUNK / V::RUN).min((last - col) / strip * strip);
            for (top, rows) in tiles(x.rows, most) {
                // SAFETY: these rows, columns and terms exist; `chains` holds x.rows × width.
                unsafe {
                    let tile = Tile {
                        depth,
                        cols,
                        x: x.data.as_ptr().add(top * x.row_stride + k),
                        xs: x.row_stride,
                        w: w.data.as_ptr().add(k * w.row_stride + col),
                        ws: w.row_stride,
                        ahead: if top == 0 { V::RUN * w.row_stride } else { 0 },
                        c: out.data.add(top * out.stride + col),
                        cs: out.stride,
                        from: From::at(out, k, col),
                        chains: chains.start.wrapping_add(top * width + col - first),
                        chain_stride: width,
                        begins: k.is_multiple_of(CHUNK),
                        ends: (k + depth).is_multiple_of(CHUNK) || k + depth == x.cols,
                    };
                    V::tile(&tile, rows, vectors);
                }
            }
            col += cols;
        }
    }
}

/// For many rows, or weights that lie the other way. Strips of weights are packed and stay in the cache while panels of x
/// pass by.
unsafe fn read_packed<V: Register, T: Number>(out: Out, x: &Panels, w: View<T>, first: usize, last: usize) {
    let strip = 2 * V::LANES;
    let weights = Scratch::new(GROUP * DEPTH.min(w.rows) * strip);
    for k in (0..w.rows).step_by(DEPTH) {
        let depth = DEPTH.min(w.rows - k);
        for block in x.tiles.chunks(V::BLOCK / V::ROWS) {
            for col in (first..last).step_by(strip) {
                let cols = strip.min(last - col);
                let index = (col - first) / strip % GROUP;
                // SAFETY: these rows, columns and terms exist; the buffers hold them.
                unsafe {
                    if index == 0 {
                        let from = w.data.as_ptr().add(k * w.row_stride + col * w.col_stride);
                        let cols = (GROUP * strip).min(last - col);
                        V::pack(weights.start, from, w.row_stride, w.col_stride, depth, cols);
                    }
                    for &(top, rows) in block {
                        let tile = Tile {
                            depth,
                            cols,
                            x: x.at(top, k, depth),
                            xs: 0,
                            w: weights.start.add(index * depth * strip),
                            ws: strip,
                            ahead: 0,
                            c: out.data.add(top * out.stride + col),
                            cs: out.stride,
                            from: From::at(out, k, col),
                            chains: std::ptr::null_mut(),
                            chain_stride: 0,
                            begins: true,
                            ends: true,
                        };
                        if cols == strip { V::packed_tile(&tile, rows) } else { tile.narrow::<V>(rows) }
                    }
                }
            }
        }
    }
}

/// A few rows by some columns of a product: `depth` terms, rows of x `xs` apart, rows of weights `ws` apart, rows of the
/// result `cs` apart.
#[derive(Clone, Copy)]
pub struct Tile {
    depth: usize,
    cols: usize,
    x: *const f32,
    xs: usize,
    w: *const f32,
    ws: usize,
    /// How far ahead weights are fetched; 0: they are in the cache.
    ahead: usize,
    c: *mut f32,
    cs: usize,
    from: From,
    /// Where chains wait that do not begin or end in this tile, rows `chain_stride` apart.
    chains: *mut f32,
    chain_stride: usize,
    begins: bool,
    ends: bool,
}

/// A statement for each number below `$count`, written out: where a compiler leaves a loop, as it does when it optimises the whole
/// program at once, sums lie in memory instead of registers.
macro_rules! each {
    ($count:ident, $at:ident => $do:expr) => {
        each!(@ $count, $at, $do, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $count:ident, $at:ident, $do:expr, $($number:literal)*) => {
        {$(if $number < $count {
            let $at: usize = $number;
            $do
        })*}
    };
}

/// What a chunk's sum is added to.
#[derive(Clone, Copy)]
enum From {
    Zero,
    Bias(*const f32),
    Sum,
}

impl From {
    fn at(out: Out, k: usize, col: usize) -> Self {
        match out.bias {
            _ if k >= CHUNK => From::Sum,
            // The pointer is used for columns that exist only.
            Some(bias) => From::Bias(bias.as_ptr().wrapping_add(col)),
            None => From::Zero,
        }
    }
}

impl Tile {
    /// `R` rows by `N` vectors in registers, one chunk and one strip after another. PACKED: both matrices lie in the buffers.
    ///
    /// # Safety
    /// The tile lies inside its matrices, its columns are whole strips, and the processor has V's instructions.
    #[inline(always)]
    pub unsafe fn run<V: Register, const R: usize, const N: usize, const PACKED: bool>(&self) {
        const { assert!(R <= 14 && N <= 14, "more than is written out") };
        // SAFETY: the caller's promise; a prefetch outside touches nothing.
        unsafe {
            for col in (0..self.cols).step_by(N * V::LANES) {
                let at =
                    |start: *mut f32, stride: usize, r: usize, v: usize| start.add(r * stride + col + v * V::LANES);
                if PACKED {
                    // The rows of the next tile.
                    (R..2 * R).for_each(|r| V::prefetch(self.c.wrapping_add(r * self.cs + col)));
                }
                for first in (0..self.depth).step_by(CHUNK) {
                    let mut sum = [[V::zero(); N]; R];
                    if !PACKED && !self.begins {
                        each!(R, r => each!(N, v => sum[r][v] = V::load(at(self.chains, self.chain_stride, r, v))));
                    }
                    let (mut k, end) = (first, (first + CHUNK).min(self.depth));
                    while k + TERMS <= end {
                        each!(TERMS, i => self.term::<V, R, N, PACKED>(&mut sum, col, k + i));
                        k += TERMS;
                    }
                    (k..end).for_each(|k| self.term::<V, R, N, PACKED>(&mut sum, col, k));
                    let from = if first > 0 { From::Sum } else { self.from };
                    if !PACKED && !self.ends {
                        each!(R, r => each!(N, v => sum[r][v].store(at(self.chains, self.chain_stride, r, v))));
                        continue;
                    }
                    each!(R, r => each!(N, v => {
                        let c = at(self.c, self.cs, r, v);
                        let before = match from {
                            From::Zero => V::zero(),
                            From::Bias(bias) => V::load(bias.add(col + v * V::LANES)),
                            From::Sum => V::load(c),
                        };
                        before.add(sum[r][v]).store(c);
                    }));
                }
            }
        }
    }

    /// Term `k` of every chain.
    #[inline(always)]
    unsafe fn term<V: Register, const R: usize, const N: usize, const PACKED: bool>(
        &self,
        sum: &mut [[V; N]; R],
        col: usize,
        k: usize,
    ) {
        // SAFETY: that of `run`.
        unsafe {
            let w = self.w.add(if PACKED { k * N * V::LANES } else { k * self.ws + col });
            let mut weight = [V::zero(); N];
            each!(N, v => {
                weight[v] = V::load(w.add(v * V::LANES));
                if !PACKED && self.ahead > 0 && (v * V::LANES).is_multiple_of(LINE) {
                    V::prefetch(w.wrapping_add(v * V::LANES + self.ahead));
                }
            });
            each!(R, r => {
                let x = V::splat(*self.x.add(if PACKED { k * R + r } else { r * self.xs + k }));
                each!(N, v => sum[r][v] = x.mul_add(weight[v], sum[r][v]));
            });
        }
    }

    /// A packed strip of which only `cols` columns exist, by way of a full one.
    unsafe fn narrow<V: Register>(self, rows: usize) {
        let strip = 2 * V::LANES;
        let mut full = [0.0f32; WIDEST];
        // SAFETY: the caller's rows and columns exist; a full tile of V fits into `full`.
        unsafe {
            for r in 0..rows {
                let full = full.as_mut_ptr().add(r * strip);
                match self.from {
                    From::Zero => {}
                    From::Bias(bias) => std::ptr::copy_nonoverlapping(bias, full, self.cols),
                    From::Sum => std::ptr::copy_nonoverlapping(self.c.add(r * self.cs), full, self.cols),
                }
            }
            let tile = Tile { cols: strip, c: full.as_mut_ptr(), cs: strip, from: From::Sum, ..self };
            V::packed_tile(&tile, rows);
            for r in 0..rows {
                std::ptr::copy_nonoverlapping(full.as_ptr().add(r * strip), self.c.add(r * self.cs), self.cols);
            }
        }
    }
}
