//! A map as rectangles, where it has few cells, or as a small indexed image.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::figure::layout::Rect;
use crate::figure::matrix::block;
use crate::figure::{Ink, Matrix, Scale, Theme, colormap};

/// The level of cells that are not drawn.
const NOTHING: u8 = colormap::LEVELS as u8;

/// The colours of a map's cells, as levels of its colour map.
pub(super) struct Cells {
    pub rows: usize,
    pub cols: usize,
    levels: Vec<u8>,
}

impl Cells {
    /// `most` is how many cells can be seen, high and wide; a map of more is pooled.
    pub fn new(matrix: &Matrix, scale: &Scale, most: (usize, usize)) -> Self {
        let pooled = match matrix.rows > most.0 || matrix.cols > most.1 {
            true => {
                let blocks = (block(matrix.rows, most.0), block(matrix.cols, most.1));
                Cow::Owned(matrix.pool_blocks(blocks, scale.pooling()))
            }
            false => Cow::Borrowed(matrix),
        };
        let (rows, cols) = (pooled.rows, pooled.cols);
        let level = |value: &f32| scale.position(*value).map_or(NOTHING, |t| colormap::level(t) as u8);
        let mut levels: Vec<u8> = pooled.data.iter().take(rows * cols).map(level).collect();
        levels.resize(rows * cols, NOTHING);
        Self { rows, cols, levels }
    }

    /// What may lie under all others: the commonest level, and the corners around all cells that are drawn, in cells; where these are a run
    /// in each of adjacent rows, and each run meets the next. Programs that soften edges show a seam between shapes that meet, and what is
    /// under them.
    pub fn ground(&self) -> Option<(usize, Vec<(usize, usize)>)> {
        let mut counts = [0usize; colormap::LEVELS];
        let mut rows: Vec<(usize, usize, usize)> = Vec::new(); // row, first column, end
        for (level, row, col, len) in self.runs().filter(|(level, ..)| *level != usize::from(NOTHING)) {
            counts[level] += len;
            match rows.last_mut() {
                Some(last) if last.0 == row && last.2 == col => last.2 += len,
                Some(last) if last.0 == row || last.0 + 1 != row => return None,
                _ => rows.push((row, col, col + len)),
            }
        }
        let meet =
            |(above, below): (&(usize, usize, usize), &(usize, usize, usize))| above.1 < below.2 && below.1 < above.2;
        if rows.is_empty() || !rows.iter().zip(&rows[1..]).all(meet) {
            return None;
        }
        let right = rows.iter().flat_map(|(row, _, end)| [(*end, *row), (*end, row + 1)]);
        let left = rows.iter().rev().flat_map(|(row, first, _)| [(*first, row + 1), (*first, *row)]);
        let mut corners: Vec<(usize, usize)> = Vec::new();
        for corner in right.chain(left) {
            let straight = |of: fn(&(usize, usize)) -> usize| {
                corners.iter().rev().take(2).filter(|c| of(c) == of(&corner)).count() == 2
            };
            if straight(|c| c.0) || straight(|c| c.1) {
                corners.pop();
            }
            corners.push(corner);
        }
        let level = (0..counts.len()).max_by_key(|level| counts[*level])?;
        Some((level, corners))
    }

    /// Rectangles of one colour each, as wide as they can be, but for those of the level that lies under them.
    pub fn rects(&self, place: Rect, palette: &[[u8; 3]], ground: Option<usize>) -> Vec<(Rect, [u8; 3])> {
        let (cw, ch) = (place.w / self.cols.max(1) as f32, place.h / self.rows.max(1) as f32);
        let mut rects = Vec::new();
        for (level, row, col, len) in self.runs().filter(|(level, ..)| Some(*level) != ground) {
            if let Some(colour) = palette.get(level) {
                let (x, y) = (place.x + col as f32 * cw, place.y + row as f32 * ch);
                rects.push((Rect { x, y, w: len as f32 * cw, h: ch }, *colour));
            }
        }
        rects
    }

    /// Runs of equal cells in a row: their level, their row, their first column and how many they are.
    pub fn runs(&self) -> impl Iterator<Item = (usize, usize, usize, usize)> {
        self.levels.chunks(self.cols.max(1)).enumerate().flat_map(|(row, levels)| {
            let mut next = 0;
            levels.chunk_by(|a, b| a == b).map(move |run| {
                let col = next;
                next += run.len();
                (usize::from(run[0]), row, col, run.len())
            })
        })
    }

    /// Whether a cell is drawn.
    pub fn is_drawn(&self, row: usize, col: usize) -> bool {
        col < self.cols && self.levels.get(row * self.cols + col).is_some_and(|level| *level != NOTHING)
    }

    /// Each cell's place in a palette of the colours that occur, and that palette; the first place is that of cells that are not drawn.
    pub fn indexed(&self, scale: &Scale, theme: Theme) -> (Vec<u8>, Vec<u8>) {
        let (mut entries, mut colours) = ([0u8; 256], theme.ink(Ink::Paper).to_vec());
        let mut seen = [false; 256];
        self.levels.iter().for_each(|level| seen[*level as usize] = true);
        for (level, colour) in scale.colormap.palette(theme).iter().enumerate().filter(|(level, _)| seen[*level]) {
            entries[level] = (colours.len() / 3) as u8;
            colours.extend(colour);
        }
        (self.levels.iter().map(|level| entries[usize::from(*level)]).collect(), colours)
    }

    /// A PNG with so many pixels per cell and side, deflated with so much effort, and a palette of the colours that occur; cells that
    /// are not drawn are transparent.
    pub fn png(&self, scale: &Scale, theme: Theme, side: u32, effort: u8) -> Result<Vec<u8>> {
        let failed = |error: png::EncodingError| Error::failed(format!("cannot encode the map: {error}"));
        // The transparent entry comes first, since all entries up to it must say how opaque they are.
        let (cells, colours) = self.indexed(scale, theme);
        let side = side.max(1) as usize;
        let mut pixels = Vec::with_capacity(cells.len() * side * side);
        for row in cells.chunks(self.cols.max(1)) {
            let row: Vec<u8> = row.iter().flat_map(|entry| std::iter::repeat_n(*entry, side)).collect();
            (0..side).for_each(|_| pixels.extend(&row));
        }

        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, (self.cols * side) as u32, (self.rows * side) as u32);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_deflate_compression(png::DeflateCompression::Level(effort));
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_palette(colours);
        encoder.set_trns(&[0][..]);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_under_a_map_covers_its_cells_and_nothing_else() {
        let of = |rows: usize, cols: usize, data: Vec<f32>| {
            let cells = Cells::new(&Matrix::new(rows, cols, data), &Scale::default(), (rows, cols));
            let drawn = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
            let count = drawn.filter(|(row, col)| cells.is_drawn(*row, *col)).count();
            (cells.ground(), count)
        };
        // Twice the area within corners.
        let area = |corners: &[(usize, usize)]| {
            let next = corners.iter().cycle().skip(1);
            corners.iter().zip(next).map(|(a, b)| (a.0 * b.1) as i64 - (b.0 * a.1) as i64).sum::<i64>().abs()
        };
        let causal = |n: usize| (0..n * n).map(|at| if at % n > at / n { f32::NAN } else { 0.1 }).collect::<Vec<_>>();
        for (rows, cols, data, corners) in [
            (1, 1, vec![0.0], 4),
            (3, 4, vec![0.5; 12], 4),
            (5, 5, causal(5), 12),
            (2, 3, vec![f32::NAN, 0.2, 0.2, 0.2, 0.2, f32::NAN], 8),
            (3, 1, vec![f32::NAN, 0.2, 0.4], 4),
        ] {
            let (ground, count) = of(rows, cols, data);
            let (_, found) = ground.unwrap();
            assert_eq!((area(&found), found.len()), (2 * count as i64, corners), "{rows} × {cols}: {found:?}");
        }
        let hole = vec![0.1, f32::NAN, 0.1];
        let apart = vec![0.1, f32::NAN, f32::NAN, 0.1];
        let gap = vec![0.1, f32::NAN, 0.1];
        for (rows, cols, data) in [(1, 3, hole), (2, 2, apart), (3, 1, gap), (1, 1, vec![f32::NAN]), (0, 0, vec![])] {
            assert_eq!(of(rows, cols, data).0, None, "{rows} × {cols}");
        }
        let (ground, _) = of(1, 4, vec![1.0, 0.0, 1.0, 1.0]);
        assert_eq!(ground.unwrap().0, colormap::level(1.0));
    }
}
