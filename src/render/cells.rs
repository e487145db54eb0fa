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

    /// What lies under all cells: the commonest level, and the runs of all cells that are drawn: their row, their first column, how many they
    /// are, and how many rows high they are drawn. Programs that soften edges show what is under the seams between shapes: so each run
    /// reaches under the next row, where that covers it.
    pub fn ground(&self) -> Option<(usize, Vec<[usize; 4]>)> {
        let (mut counts, mut runs) = ([0usize; colormap::LEVELS], Vec::<[usize; 4]>::new());
        for (level, row, col, len) in self.runs().filter(|(level, ..)| *level != usize::from(NOTHING)) {
            counts[level] += len;
            match runs.last_mut() {
                Some([of, first, many, _]) if *of == row && *first + *many == col => *many += len,
                _ => runs.push([row, col, len, 1]),
            }
        }
        for [row, col, len, high] in &mut runs {
            *high += usize::from(self.covers(*row + 1, *col, *len));
        }
        let level = (0..counts.len()).rev().max_by_key(|level| counts[*level]).filter(|_| !runs.is_empty())?;
        Some((level, runs))
    }

    /// Rectangles of one colour each, as wide as they can be. For programs that soften edges the [ground](Self::ground) lies under them, and
    /// each reaches under the next row, which covers it.
    pub fn rects(&self, place: Rect, palette: &[[u8; 3]]) -> Vec<(Rect, [u8; 3])> {
        let (cw, ch) = (place.w / self.cols.max(1) as f32, place.h / self.rows.max(1) as f32);
        let rect = |[row, col, len, high]: [usize; 4]| {
            let (x, y) = (place.x + col as f32 * cw, place.y + row as f32 * ch);
            Rect { x, y, w: len as f32 * cw, h: high as f32 * ch }
        };
        let ground = self.ground().into_iter().flat_map(|(level, runs)| runs.into_iter().map(move |run| (level, run)));
        let high = |row, col, len| 1 + usize::from(self.covers(row + 1, col, len));
        let runs = self.runs().map(|(level, row, col, len)| (level, [row, col, len, high(row, col, len)]));
        ground.chain(runs).filter_map(|(level, run)| Some((rect(run), *palette.get(level)?))).collect()
    }

    /// Whether all these cells of a row are drawn.
    fn covers(&self, row: usize, col: usize, len: usize) -> bool {
        (col..col + len).all(|col| self.is_drawn(row, col))
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

    /// The level of a cell; that of one that is not drawn is in no palette.
    pub fn level(&self, row: usize, col: usize) -> usize {
        usize::from(self.levels[row * self.cols + col])
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
    fn what_lies_under_a_map_is_where_its_cells_are_and_nowhere_else() {
        const NAN: f32 = f32::NAN;
        let causal: Vec<f32> = (0..25).map(|at| if at % 5 > at / 5 { NAN } else { 0.1 }).collect();
        let band = vec![NAN, 0.2, 0.2, 0.2, 0.2, NAN];
        let hole = vec![0.1, NAN, 0.1, 0.1, 0.1, NAN, NAN, 0.1, 0.1];
        for (rows, cols, data) in [(1, 1, vec![0.0]), (3, 4, vec![0.5; 12]), (5, 5, causal), (2, 3, band), (3, 3, hole)]
        {
            let cells = Cells::new(&Matrix::new(rows, cols, data), &Scale::default(), (rows, cols));
            let (mut covered, mut own) = (vec![false; rows * cols], vec![false; rows * cols]);
            for [row, col, len, high] in cells.ground().unwrap().1 {
                own[row * cols + col..][..len].fill(true);
                (row..row + high).for_each(|row| covered[row * cols + col..][..len].fill(true));
            }
            let drawn: Vec<bool> = (0..rows * cols).map(|at| cells.is_drawn(at / cols, at % cols)).collect();
            assert_eq!((&covered, &own), (&drawn, &drawn), "{rows} × {cols}");
        }
        let of = |data: Vec<f32>| Cells::new(&Matrix::new(1, data.len(), data), &Scale::default(), (1, 9));
        assert_eq!(of(vec![1.0, 0.0, 1.0, 1.0]).ground(), Some((colormap::level(1.0), vec![[0, 0, 4, 1]])));
        assert_eq!((of(vec![NAN]).ground(), of(vec![]).ground()), (None, None));
    }
}
