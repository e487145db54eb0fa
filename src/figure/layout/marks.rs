//! What stands on cells beside their colours, and what is said of them under a map.

use super::text::{Line, wrap};
use super::{Anchor, Block, Item, Rect, Style, Typeface};
use crate::figure::{Ink, Matrix, Scale};

const NOTE: Style = Style::regular(10.0);
const SWATCH: f32 = 14.0;
/// A cell at least this large has a minus where its number is negative: in grey print both signs look alike.
const SIGNED: f32 = 8.0;
/// A minus is not set on colours as pale as this, nor where there would be more of them.
const PALE: f32 = 0.06;
const MOST: usize = 4000;
/// Cells smaller than this are not hatched.
const HATCHED: f32 = 1.0;

/// Hatches what is not shown of a map, and signs its negative cells.
pub(super) fn put(block: &mut Block, place: Rect, map: &Matrix, scale: &Scale) {
    if map.rows == 0 || map.cols == 0 {
        return;
    }
    let (cw, ch) = (place.w / map.cols as f32, place.h / map.rows as f32);
    if cw.min(ch) >= HATCHED {
        for (row, col, rows, cols) in hidden(map) {
            let (x, y) = (place.x + col as f32 * cw, place.y + row as f32 * ch);
            block.items.push(Item::Hatch(Rect::new(x, y, cols as f32 * cw, rows as f32 * ch), Ink::Soft));
        }
    }
    if scale.colormap.is_diverging() && cw.min(ch) >= SIGNED && map.rows * map.cols <= MOST {
        for (row, col) in (0..map.rows).flat_map(|row| (0..map.cols).map(move |col| (row, col))) {
            let (x, y) = (place.x + (col as f32 + 0.5) * cw, place.y + (row as f32 + 0.5) * ch);
            block.items.extend(minus(map.at(row, col), scale, (x, y), cw.min(ch)));
        }
    }
}

/// That signs cannot be told apart without colours, where cells of both signs are too small for a minus.
pub(super) fn unsigned<'m>(maps: impl IntoIterator<Item = &'m Matrix>, scale: &Scale, side: f32) -> String {
    let (mut below, mut above, mut many) = (false, false, false);
    for map in maps.into_iter().filter(|_| scale.colormap.is_diverging()) {
        many |= map.rows * map.cols > MOST;
        for at in map.data.iter().filter_map(|value| scale.position(*value)) {
            (below, above) = (below || at < 0.5 - PALE, above || at > 0.5 + PALE);
        }
    }
    if below && above && (many || side < SIGNED) {
        return "orange is below 0, blue above: in grey print both look alike, for cells are too small for a minus"
            .into();
    }
    String::new()
}

/// A minus in the middle of a negative cell.
pub(super) fn minus<'a>(value: f32, scale: &Scale, (x, y): (f32, f32), side: f32) -> Option<Item<'a>> {
    let strong = value < 0.0 && scale.colormap.is_diverging() && scale.position(value)? < 0.5 - PALE;
    let half = (side * 0.22).min(4.0);
    strong.then(|| Item::Line([x - half, y, x + half, y], Ink::over(value, scale)))
}

/// Rectangles of hidden cells: row, column, rows, columns.
fn hidden(map: &Matrix) -> Vec<(usize, usize, usize, usize)> {
    let mut found: Vec<(usize, usize, usize, usize)> = Vec::new();
    for (row, values) in map.data.chunks(map.cols).take(map.rows).enumerate() {
        let mut col = 0;
        for run in values.chunk_by(|a, b| Matrix::is_hidden(*a) == Matrix::is_hidden(*b)) {
            if Matrix::is_hidden(run[0]) {
                let above =
                    found.iter_mut().rev().take(map.cols).find(|f| f.0 + f.2 == row && f.1 == col && f.3 == run.len());
                match above {
                    Some(above) => above.2 += 1,
                    None => found.push((row, col, 1, run.len())),
                }
            }
            col += run.len();
        }
    }
    found
}

fn lines(face: &dyn Typeface, notes: &[String], width: f32) -> Vec<Line> {
    let said: Vec<&str> = notes.iter().map(String::as_str).filter(|note| !note.is_empty()).collect();
    wrap(face, &said.join("; "), NOTE, width, usize::MAX)
}

/// How high the notes under a map are.
pub(super) fn notes_height(face: &dyn Typeface, notes: &[String], hatched: &str, width: f32) -> f32 {
    let count = lines(face, notes, width).len() + usize::from(!hatched.is_empty()) * 2;
    if count > 0 { 8.0 + count as f32 * NOTE.line() } else { 0.0 }
}

/// Puts notes under a map, and what hatched cells are.
pub(super) fn put_notes(
    block: &mut Block,
    face: &dyn Typeface,
    (x, mut y): (f32, f32),
    notes: &[String],
    hatched: &str,
    width: f32,
) {
    y += 8.0;
    let mut write = |block: &mut Block, line: Line, left: f32| {
        block.w = block.w.max(x + left + line.width);
        block.items.push(Item::Label(line.at(x + left, y + NOTE.size, Anchor::Start, Ink::Soft)));
        y += NOTE.line();
        block.h = block.h.max(y);
        y - NOTE.line()
    };
    for line in lines(face, notes, width) {
        write(block, line, 0.0);
    }
    for (i, line) in wrap(face, hatched, NOTE, width - SWATCH - 6.0, usize::MAX).into_iter().enumerate() {
        let top = write(block, line, SWATCH + 6.0);
        if i == 0 {
            let swatch = Rect::new(x, top + 1.5, SWATCH, 9.0);
            block.items.extend([Item::Hatch(swatch, Ink::Soft), Item::Frame(swatch, Ink::Faint)]);
        }
    }
}
