//! The contact sheet: layers × heads.

use super::text::Line;
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface, columns, legend};
use crate::figure::matrix::block as pool_block;
use crate::figure::{Grid, Ink};

const CAPTION: Style = Style::regular(11.0);
const TITLE: Style = Style::regular(10.0);
/// Room for the row titles and their caption, and for those of the columns.
const LEFT: f32 = 40.0;
const TOP: f32 = 36.0;
/// Room for the colour bar, its gap included.
const LEGEND: f32 = 78.0;
/// The width that a grid of many columns is drawn for when nobody asks for one.
const NATURAL: f32 = 1290.0;
const SMALLEST: f32 = 40.0;
const LARGEST: f32 = 420.0;
const LARGEST_CELL: f32 = 48.0;
/// Where nobody asks for a size, panels grow by this much before tokens are pooled.
const ROOMIER: f32 = 1.4;

/// How many pixels wide and high the maps of a grid are, at 96 dpi, on a page of that width (`None`: as wide as looks good),
/// with bars or without. For more tokens than pixels it is the size that [`Matrix::pool`](crate::figure::Matrix::pool) pools
/// them to, so that maps may be pooled before they are drawn. Multiply by `dpi / 96` for a finer picture.
pub fn panel_pixels(cols: usize, tokens: usize, width: Option<u32>, bars: bool) -> usize {
    let zoom = columns::zoom(width, None);
    let room = Room { w: columns::columns(width.map(|w| w as f32 / zoom), bars).1, h: None };
    let (slot, _) = slot(1, cols, room, LEFT, TOP, LEGEND);
    let pixels = (slot * zoom * if width.is_none() { ROOMIER } else { 1.0 }) as usize;
    if tokens <= pixels { pixels } else { tokens.div_ceil(pool_block(tokens, (slot * zoom) as usize)) }
}

/// The largest side that a panel may have, and the gap between panels.
fn slot(rows: usize, cols: usize, room: Room, left: f32, top: f32, right: f32) -> (f32, f32) {
    let share = |space: f32, n: usize| space / n.max(1) as f32;
    let wide = share(room.w.unwrap_or(NATURAL) - left - right, cols);
    let tall = room.h.map_or(f32::MAX, |h| share(h - top, rows));
    let pitch = wide.min(tall);
    let gap = (pitch * 0.09).clamp(1.0, 14.0).floor();
    let side = (pitch - gap).floor();
    let side = match room.w {
        None => side.clamp(SMALLEST.min(tall.floor()), LARGEST),
        Some(_) => side,
    };
    (side.max(2.0), gap)
}

/// The side that a map of `n` tokens is drawn with in a slot: whole pixels per token, or whole tokens per pixel.
fn side(n: usize, slot: f32, natural: bool) -> f32 {
    let n = n.max(1) as f32;
    if natural && n > slot && n <= slot * ROOMIER {
        return n;
    }
    if n > slot {
        return n / (n / slot).ceil(); // on a large page, or at a high resolution, that is a whole number of pixels
    }
    let cell = (slot / n).floor().min(LARGEST_CELL);
    if natural && cell < LARGEST_CELL {
        // The multiple that is nearest in proportion, so that 64 tokens do not shrink a panel of 104 pixels to 64.
        let (below, above) = (cell * n, (cell + 1.0) * n);
        return if slot / below > above / slot { above } else { below };
    }
    // In a given width a panel rather fills its room, with cells of unequal pixels, than leaves a fifth of it empty.
    if cell * n < slot * 0.8 && cell < LARGEST_CELL { slot } else { cell * n }
}

pub(super) fn grid<'a>(grid: &'a Grid, face: &dyn Typeface, room: Room) -> Block<'a> {
    let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
    let mut block = Block::default();
    if rows == 0 || cols == 0 {
        return block;
    }
    let small = room.w.is_some_and(|w| w < 260.0) || room.h.is_some_and(|h| h < 200.0);
    let (left, top, right) = if small { (4.0, 4.0, 0.0) } else { (LEFT, TOP, LEGEND) };
    let (slot, gap) = slot(rows, cols, room, left, top, right);
    let tokens = grid.cells.iter().map(|m| m.rows.max(m.cols)).max().unwrap_or(1);
    let side = side(tokens, slot, room.w.is_none() && room.h.is_none());
    let pitch = side + gap;
    let (w, h) = (cols as f32 * pitch - gap, rows as f32 * pitch - gap);

    for (i, matrix) in grid.cells.iter().take(rows * cols).enumerate() {
        let rect = Rect::new(left + (i % cols) as f32 * pitch, top + (i / cols) as f32 * pitch, side, side);
        block.items.push(Item::Cells(rect, matrix, &grid.scale));
        block.items.push(Item::Frame(rect, Ink::Faint));
    }
    if !small {
        let (caption, titles) = common(&grid.col_titles);
        let limit = if titles.len() == 1 { w } else { pitch - 2.0 };
        let every = thin(titles.iter().map(|t| face.width(&face.shown(t), TITLE)).fold(0.0, f32::max) + 4.0, pitch);
        for (i, title) in titles.iter().enumerate().step_by(every) {
            let line = Line::fit(face, title, TITLE, limit * every as f32);
            let x = if titles.len() == 1 { left } else { left + i as f32 * pitch + side / 2.0 };
            let anchor = if titles.len() == 1 { Anchor::Start } else { Anchor::Middle };
            block.items.push(Item::Label(line.at(x, top - 7.0, anchor, Ink::Soft)));
        }
        let caption = Line::fit(face, caption, CAPTION, w);
        block.items.push(Item::Label(caption.at(left, CAPTION.size, Anchor::Start, Ink::Normal)));

        let (caption, titles) = common(&grid.row_titles);
        let every = thin(TITLE.line(), pitch);
        if titles.len() == 1 {
            // A single row's title is read along the row.
            let line = Line::fit(face, titles[0], CAPTION, h.max(60.0));
            block
                .items
                .push(Item::Label(line.at(left - 10.0, top + h / 2.0, Anchor::Middle, Ink::Normal).turned(-90.0)));
        } else {
            for (i, title) in titles.iter().enumerate().step_by(every) {
                let y = top + i as f32 * pitch + side / 2.0 + TITLE.size * 0.36;
                let line = Line::fit(face, title, TITLE, LEFT - 22.0);
                block.items.push(Item::Label(line.at(left - 7.0, y, Anchor::End, Ink::Soft)));
            }
            let caption = Line::fit(face, caption, CAPTION, h.max(20.0));
            let label = caption.at(CAPTION.size, top, Anchor::End, Ink::Normal).turned(-90.0);
            block.items.push(Item::Label(label));
        }
        let bar = legend::legend(&grid.scale, face, h, if room.w.is_some() { LEGEND - legend::GAP } else { 100.0 });
        block.put(left + w + legend::GAP, top, bar);
    }
    block.w = block.w.max(left + w);
    block.h = block.h.max(top + h);
    block
}

/// What all titles begin with, such as `layer`, and the rest of each. A single title is all rest.
fn common(titles: &[String]) -> (&str, Vec<&str>) {
    let word = titles.first().and_then(|t| t.rsplit_once(' ')).map_or("", |(word, _)| word);
    let rest = |t: &'_ String| t.strip_prefix(word).is_some_and(|r| r.starts_with(' '));
    if titles.len() < 2 || word.is_empty() || !titles.iter().all(rest) {
        return ("", titles.iter().map(String::as_str).collect());
    }
    (word, titles.iter().map(|t| t[word.len() + 1..].trim_start()).collect())
}

/// The step between drawn titles, so that none touches the next.
fn thin(need: f32, pitch: f32) -> usize {
    [1, 2, 5, 10, 20, 50, 100].into_iter().find(|n| *n as f32 * pitch >= need).unwrap_or(100)
}
