//! x of a product as tiles read it, and the memory that packed numbers lie in.
#![allow(unsafe_code)] // raw memory; each block says why it is sound

use super::View;
use super::tile::{DEPTH, LINE};
use rayon::prelude::*;

/// `rows` divided into tiles of at most `most`, as evenly as they divide: the first row and the height of each.
pub(super) fn tiles(rows: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(most);
    (0..count).map(move |tile| (tile * rows / count, (tile + 1) * rows / count - tile * rows / count))
}

/// x as tiles read it: for each tile a panel, which holds the first term of all its rows, then the second, and so on; panels of
/// DEPTH terms of all rows, then of the next DEPTH.
pub(super) struct Panels {
    numbers: Scratch,
    rows: usize,
    /// First row and height.
    pub tiles: Vec<(usize, usize)>,
}

impl Panels {
    /// Of tiles of at most so many rows.
    pub fn pack(x: View, most: usize, threads: bool) -> Self {
        let panels =
            Self { numbers: Scratch::new(x.rows * x.cols), rows: x.rows, tiles: tiles(x.rows, most).collect() };
        let pack = |&(top, rows): &(usize, usize)| {
            for k in (0..x.cols).step_by(DEPTH) {
                let depth = DEPTH.min(x.cols - k);
                // SAFETY: the buffer holds these terms of these rows, and nobody else writes them.
                unsafe {
                    let (to, from) = (panels.at(top, k, depth), x.data.as_ptr().add(top * x.row_stride + k));
                    for k in 0..depth {
                        for row in 0..rows {
                            *to.add(k * rows + row) = *from.add(row * x.row_stride + k);
                        }
                    }
                }
            }
        };
        if threads {
            panels.tiles.par_iter().with_min_len(8).for_each(pack);
        } else {
            panels.tiles.iter().for_each(pack);
        }
        panels
    }

    /// The panel from row `top` of terms `k..k + depth`.
    pub fn at(&self, top: usize, k: usize, depth: usize) -> *mut f32 {
        self.numbers.start.wrapping_add(k * self.rows + top * depth)
    }
}

/// Memory to be written before it is read, on a line of the cache.
pub(super) struct Scratch {
    pub start: *mut f32,
    _lines: Vec<Line>,
}
// SAFETY: tasks write parts that do not overlap, and what several read nobody writes any more.
unsafe impl Send for Scratch {}
unsafe impl Sync for Scratch {}

#[repr(align(64))]
struct Line {
    _numbers: [f32; LINE],
}

impl Scratch {
    /// Of so many numbers.
    pub fn new(len: usize) -> Self {
        let mut lines = Vec::<Line>::with_capacity(len.div_ceil(LINE));
        Self { start: lines.as_mut_ptr().cast(), _lines: lines }
    }
}
