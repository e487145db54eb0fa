//! A map in pixels. As shapes or as an image of the SVG that the rest is drawn from, maps would take longer than all the rest.

use super::cells::Cells;
use crate::figure::layout::Rect;
use std::ops::Range;

/// A map that is painted, not drawn.
pub(super) struct Painted {
    /// Where it is, in pixels of a screen.
    pub place: Rect,
    pub cells: Cells,
    pub palette: &'static [[u8; 3]],
}

impl Painted {
    /// Paints what lies in some rows of a picture, `detail` pixels for each of a screen. A pixel has the colour of the cell that its middle
    /// lies in; cells that are not drawn leave it as it is.
    pub fn paint(&self, picture: &mut [u8], width: usize, rows: Range<usize>, detail: f32) {
        let Rect { x, y, w, h } = self.place;
        let across = pixels(x * detail, w * detail, self.cells.cols, &(0..width));
        let down = pixels(y * detail, h * detail, self.cells.rows, &rows);
        let (left, mut before) = (4 * across.start, None);
        for (at, row) in (down.start..).zip(&down.cells) {
            let start = (at - rows.start) * 4 * width + left;
            let (above, here) = picture.split_at_mut(start);
            let here = &mut here[..4 * across.cells.len()];
            if before == Some(row) {
                here.copy_from_slice(&above[start - 4 * width..][..here.len()]);
                continue;
            }
            for (pixel, col) in here.chunks_exact_mut(4).zip(&across.cells) {
                if let Some(colour) = self.palette.get(self.cells.level(*row, *col)) {
                    pixel[..3].copy_from_slice(colour);
                }
            }
            before = Some(row);
        }
    }
}

/// The pixels along one side of a map: the first, and which cell each belongs to.
struct Side {
    start: usize,
    cells: Vec<usize>,
}

fn pixels(start: f32, length: f32, count: usize, within: &Range<usize>) -> Side {
    // As resvg draws a rectangle: a middle within a 64th of an edge is not beyond it.
    let first = |cell: usize| {
        let edge = start + length * cell as f32 / count.max(1) as f32;
        (((edge * 64.0).round() / 64.0 + 0.5).floor().max(0.0) as usize).clamp(within.start, within.end)
    };
    let cells = (0..count).flat_map(|cell| std::iter::repeat_n(cell, first(cell + 1) - first(cell))).collect();
    Side { start: first(0), cells }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Matrix, Scale, Theme};

    #[test]
    fn a_painted_map_is_the_same_whole_and_in_bands_and_leaves_what_it_does_not_cover() {
        let values = (0..35).map(|at| if at % 7 > at / 7 + 2 { f32::NAN } else { at as f32 / 35.0 }).collect();
        let (scale, place) = (Scale::default(), Rect { x: 2.3, y: 1.63, w: 16.0, h: 11.47 });
        let palette = scale.colormap.palette(Theme::Light);
        let cells = Cells::new(&Matrix::new(5, 7, values), &scale, (5, 7));
        let map = Painted { place, cells, palette };
        for detail in [0.7, 1.0, 2.0, 3.3] {
            let side = (22.0 * detail) as usize;
            let mut whole = vec![7; 4 * side * side];
            map.paint(&mut whole, side, 0..side, detail);
            let mut bands = vec![7; 4 * side * side];
            for (i, band) in bands.chunks_mut(4 * side * 5).enumerate() {
                map.paint(band, side, i * 5..(i * 5 + 5).min(side), detail);
            }
            assert!(whole == bands, "{detail}");
            for (at, pixel) in whole.chunks(4).enumerate() {
                let middle = |at: usize| (at as f32 + 0.5) / detail;
                let (col, row) = ((middle(at % side) - 2.3) / 16.0 * 7.0, (middle(at / side) - 1.63) / 11.47 * 5.0);
                let inside = (0.0..7.0).contains(&col) && (0.0..5.0).contains(&row);
                let colour = inside.then(|| palette.get(map.cells.level(row as usize, col as usize))).flatten();
                assert_eq!(pixel[..3], *colour.unwrap_or(&[7; 3]), "{detail}: {at}");
            }
        }
    }
}
