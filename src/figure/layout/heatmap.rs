//! One large map with its labels.

use super::labels::{self, Rows};
use super::text::{Line, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface, columns, legend, marks};
use crate::figure::matrix::block as pool_block;
use crate::figure::{Heatmap, Ink, Scale};
use std::borrow::Cow;
use std::collections::HashSet;

const TITLE: Style = Style::bold(12.0);
const AXIS: Style = Style::regular(11.0);
/// The texts in cells: their size, and the width of a cell that is too narrow for any.
const LARGEST_CELL_TEXT: f32 = 11.5;
const SMALLEST_CELL_TEXT: f32 = 9.4;
pub(crate) const NARROWEST: f32 = 22.0;
const LOWEST: f32 = 11.0;
/// Where nobody asks for a size, a cell with a text is at least this wide and this high, and at most so wide.
const LEAST_CELL: (f32, f32) = (38.0, 25.0);
const WIDEST_CELL: f32 = 92.0;
/// A map of more cells has no texts in them.
const MOST_TEXTS: usize = 4000;
/// No label is wider than this where nobody asks for a size, nor than this share of a given one.
const WIDEST: f32 = 150.0;
const SHARE: f32 = 0.24;
/// The side that a map is drawn for when nobody asks for a size, and the largest that more tokens make it.
const NATURAL: f32 = 620.0;
const LARGEST: f32 = 1080.0;
/// The widest map with texts in its cells.
const WIDEST_TABLE: f32 = 1400.0;
/// So many different texts are names.
const NAMES: usize = 12;
/// A map that is smaller than this cannot be read.
const READABLE: f32 = 12.0;
/// A cell of fewer pixels is small; such cells make at least this much of the natural side.
const SMALL_CELL: f32 = 6.0;
const MUCH: f32 = 0.93;
/// A map of fewer rows and columns is never pooled.
const LEAST_POOLED: usize = 60;
const LARGEST_CELL: f32 = 56.0;
/// The largest cell in a given size: a map of two tokens should not fill the page.
const GIVEN_CELL: f32 = 120.0;

/// What stands beside the columns of a map with short names for its rows, its colour bar not included.
const BESIDE: f32 = 116.0;

/// How wide the columns of a map with texts are together on a page of that width, in units of `zoom` pixels where texts have a size of their
/// own; none where nobody asks for a width.
pub(crate) fn room_for_texts(width: Option<u32>, zoom: Option<f32>) -> Option<f32> {
    let zoom = zoom.unwrap_or_else(|| columns::zoom(width, None));
    let (_, inner, _) = columns::columns(width.map(|width| width as f32 / zoom), false);
    let bar = if legend::is_beside(inner) { legend::BESIDE } else { 0.0 };
    inner.map(|inner| inner - BESIDE - bar)
}

pub(super) fn heatmap<'a>(map: &'a Heatmap, face: &dyn Typeface, room: Room, alike: Alike) -> Block<'a> {
    let (rows, cols) = (map.values.rows, map.values.cols);
    let mut block = Block::default();
    if rows == 0 || cols == 0 {
        return block;
    }
    let beside = legend::is_beside(room.w);
    let widest = WIDEST.min(room.w.map_or(WIDEST, |w| w * SHARE)).min(room.h.map_or(WIDEST, |h| h * SHARE));

    // What stands around the map, as far as it is known before the cells are.
    let title_wide = room.w.unwrap_or(NATURAL);
    let title = wrap(face, &map.title, TITLE, title_wide, 2);
    let above = if title.is_empty() { 2.0 } else { title.len() as f32 * TITLE.line() + 6.0 };
    let axis = |text: &str| if text.is_empty() { 0.0 } else { AXIS.line() + 6.0 };
    let (axis_left, axis_below) = (axis(&map.row_axis), axis(&map.col_axis));
    let room_for_legend = room.w.map_or(150.0, |w| w * 0.3);
    let bar = |scale: &Cow<'a, Scale>, h: f32| legend::legend(scale, face, h, room_for_legend - legend::GAP);
    let right = |scale: &Cow<'a, Scale>| if beside { legend::GAP + bar(scale, 400.0).w } else { 2.0 };
    let notes_wide = room.w.unwrap_or(NATURAL);
    let most = if rows.max(cols) < LEAST_POOLED { 1 } else { 100 };
    let pooling = map.scale.said(most, most);
    let has_labels = map.cell_labels.iter().any(|text| !text.is_empty());
    // A map without texts continues none that has them, and has its own number of columns.
    let alike = if has_labels { alike } else { Alike::default() };
    let small = if has_labels { too_small(map, map.short_labels.is_empty()) } else { String::new() };
    let longest = [pooling, small, marks::unsigned([&map.values], &map.scale, 0.0)];
    let notes_below =
        marks::notes_height(face, &longest, &map.hatched, notes_wide) + if beside { 0.0 } else { legend::FLAT + 10.0 };
    let rough_left = labels::rough_gutter(face, &map.row_labels, rows, widest);
    let rough_below = labels::rough_gutter(face, &map.col_labels, cols, widest);

    let space_h = room.h.map(|h| h - above - axis_below - rough_below - notes_below);
    let pooled = |n: usize, side: f32| pool_block(n, (side * room.detail).round() as usize);
    let sized = |right: f32| {
        let space_w = room.w.map(|w| w - axis_left - rough_left - right);
        let (w, h) =
            roomy(map, alike, space_w, space_h).unwrap_or_else(|| extent(rows, cols, space_w, space_h, room.fill));
        ((w, h), map.scale.drawn([&map.values], (pooled(rows, h), pooled(cols, w)), 1))
    };
    // The numbers beside the colour bar depend on how many cells are pooled, which depends on the room that is left beside it.
    let rough = right(&Cow::Borrowed(&map.scale));
    let ((w, h), scale) = match sized(rough) {
        (_, scale) if right(&scale) > rough => sized(right(&scale)),
        enough => enough,
    };
    let (cw, ch) = (w / cols as f32, h / rows as f32);

    // Where there is no room for all labels they are numbered, rows that are the last of the columns as these are.
    let first_row =
        if map.col_labels.ends_with(&map.row_labels) { map.col_labels.len() - map.row_labels.len() } else { 0 };
    let row_labels = Rows::new(face, &map.row_labels, (first_row, rows), ch, widest);
    let left = axis_left + row_labels.gutter();
    block.put(
        left,
        above,
        Block {
            w,
            h,
            items: vec![Item::Cells(Rect::new(0.0, 0.0, w, h), &map.values, scale.clone())],
            cut: w.min(h) < READABLE,
        },
    );
    block.items.push(Item::Frame(Rect::new(left, above, w, h), Ink::Faint));
    row_labels.put(&mut block, left, above);
    let place = Rect::new(left, above, w, h);
    let mut texts = cell_texts(map, face, alike.text, place);
    let has_texts = !texts.is_empty();
    if !has_texts {
        texts = short_texts(map, face, place);
    }
    let lost = if has_labels && !has_texts { too_small(map, texts.is_empty()) } else { String::new() };
    let has_texts = !texts.is_empty();
    if !has_texts {
        marks::put(&mut block, Rect::new(left, above, w, h), &map.values, &map.scale);
    }
    block.items.extend(texts);

    let below = above + h;
    let deepest = labels::put_cols(&mut block, face, &map.col_labels, (cols, cw), (left, below), widest);

    if axis_below > 0.0 {
        let line = Line::fit(face, &map.col_axis, AXIS, w.max(60.0));
        let y = below + deepest + 6.0 + AXIS.size;
        block.items.push(Item::Label(line.at(left + w / 2.0, y, Anchor::Middle, Ink::Soft)));
        block.h = y + AXIS.size * 0.3;
    }
    if axis_left > 0.0 {
        let line = Line::fit(face, &map.row_axis, AXIS, h.max(60.0));
        let y = above + h / 2.0;
        block.items.push(Item::Label(line.at(AXIS.size, y, Anchor::Middle, Ink::Soft).turned(-90.0)));
    }
    // Above the map, or as far to the left as it needs.
    let widest_line = title.iter().map(|line| line.width).fold(0.0, f32::max);
    let title_left = left.min(title_wide - widest_line).max(0.0);
    for (line, text) in title.into_iter().enumerate() {
        block.w = block.w.max(title_left + text.width);
        let base = TITLE.size + line as f32 * TITLE.line();
        block.items.push(Item::Label(text.at(title_left, base, Anchor::Start, Ink::Strong)));
    }
    let unsigned = if has_texts { String::new() } else { marks::unsigned([&map.values], &scale, cw.min(ch)) };
    let notes = [scale.said(pooled(rows, h), pooled(cols, w)), lost, unsigned];
    let y = block.h.max(below + deepest);
    let x = if room.w.is_some_and(|width| width < left + 2.0 * WIDEST) { 0.0 } else { left };
    if notes.iter().any(|note| !note.is_empty()) || !map.hatched.is_empty() {
        marks::put_notes(&mut block, face, (x, y), &notes, &map.hatched, room.w.map_or(w.max(NATURAL), |w| w - x));
    }
    if beside {
        block.put(left + w + legend::GAP, above, bar(&scale, h));
    } else {
        let y = block.h + 10.0;
        block.put(x, y, legend::flat(&scale, face, room.w.map_or(NATURAL, |w| w - x)));
    }
    block
}

/// What the short texts of cells mean, or that none are drawn.
fn too_small(map: &Heatmap, are_empty: bool) -> String {
    if !are_empty {
        return map.short_said.clone();
    }
    format!("cells are too small for their {}", if map.whole_texts { "numbers" } else { "texts" })
}

/// What maps with texts in their cells have in common, where one continues another: how wide their texts are, and the columns of the
/// widest.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alike {
    text: f32,
    cols: usize,
}

impl Alike {
    /// Of all such maps of a figure.
    pub(super) fn of<'a>(maps: impl Iterator<Item = &'a Heatmap>, face: &dyn Typeface) -> Self {
        maps.map(|map| Self { text: text_width(map, face), cols: map.values.cols })
            .fold(Self::default(), |a, b| Self { text: a.text.max(b.text), cols: a.cols.max(b.cols) })
    }
}

/// How wide the texts in cells are in their largest size: all of them, or where that is too wide most of them, since a few long ones
/// may be cut.
fn text_width(map: &Heatmap, face: &dyn Typeface) -> f32 {
    let style = Style::regular(LARGEST_CELL_TEXT);
    let texts = map.cell_labels.iter().filter(|text| !text.is_empty()).take(MOST_TEXTS);
    let mut widths: Vec<f32> = texts.map(|text| Line::fit(face, text, style, WIDEST_CELL).width).collect();
    widths.sort_by(f32::total_cmp);
    let Some(widest) = widths.last().copied() else { return 0.0 };
    let kinds = map.cell_labels.iter().collect::<HashSet<_>>().len();
    // The words of a small vocabulary are names: none is cut.
    if kinds <= NAMES || (widest + 12.0) * map.values.cols as f32 <= LARGEST {
        widest
    } else {
        widths.get(widths.len() * 7 / 8).copied().unwrap_or(widest)
    }
}

/// Width and height of a map whose cells have texts in them; `None` if no text would fit.
fn roomy(
    map: &Heatmap,
    Alike { text, cols: most }: Alike,
    space_w: Option<f32>,
    space_h: Option<f32>,
) -> Option<(f32, f32)> {
    let (rows, cols) = (map.values.rows as f32, map.values.cols as f32);
    let cw = match space_w {
        None => (text + 12.0).clamp(LEAST_CELL.0, WIDEST_CELL).min(WIDEST_TABLE / most as f32),
        Some(w) => (w / most as f32).min(GIVEN_CELL),
    };
    let ch = space_h.map_or(LEAST_CELL.1, |h| (h / rows).min(LEAST_CELL.1 * 1.5));
    (text > 0.0 && cw >= NARROWEST && ch >= LOWEST).then(|| ((cols * cw).floor(), (rows * ch).floor()))
}

/// The short texts in the cells of a map that are too small for others; none where they are too small for these as well.
fn short_texts<'a>(map: &Heatmap, face: &dyn Typeface, place: Rect) -> Vec<Item<'a>> {
    let style = Style::regular(SMALLEST_CELL_TEXT);
    let widest = map.short_labels.iter().map(|text| face.width(text, style)).fold(0.0, f32::max);
    let (cw, ch) = (place.w / map.values.cols as f32, place.h / map.values.rows as f32);
    match widest > 0.0 && widest + 2.0 <= cw && SMALLEST_CELL_TEXT + 1.0 <= ch {
        true => texts(map, &map.short_labels, face, (SMALLEST_CELL_TEXT, cw), place),
        false => Vec::new(),
    }
}

/// The texts in the cells of a map: all of one size, none where cells are too small.
fn cell_texts<'a>(map: &Heatmap, face: &dyn Typeface, text: f32, place: Rect) -> Vec<Item<'a>> {
    let (rows, cols) = (map.values.rows, map.values.cols);
    let (cw, ch) = (place.w / cols as f32, place.h / rows as f32);
    if text <= 0.0 || cw < NARROWEST || ch < LOWEST || rows * cols > MOST_TEXTS {
        return Vec::new();
    }
    if map.whole_texts && text * SMALLEST_CELL_TEXT / LARGEST_CELL_TEXT > cw - 4.0 {
        return Vec::new();
    }
    let size = (LARGEST_CELL_TEXT * (cw - 6.0) / text).min(ch * 0.6).clamp(SMALLEST_CELL_TEXT, LARGEST_CELL_TEXT);
    texts(map, &map.cell_labels, face, (size, cw - 4.0), place)
}

/// One text per cell, of this size and at most so wide.
fn texts<'a>(
    map: &Heatmap,
    labels: &[String],
    face: &dyn Typeface,
    (size, most): (f32, f32),
    place: Rect,
) -> Vec<Item<'a>> {
    let (rows, cols) = (map.values.rows, map.values.cols);
    let (cw, ch) = (place.w / cols as f32, place.h / rows as f32);
    let label = |(i, text): (usize, &String)| {
        let (row, col) = (i / cols, i % cols);
        let line = Line::fit(face, text, Style::regular(size), most);
        let (x, y) = (place.x + (col as f32 + 0.5) * cw, place.y + (row as f32 + 0.5) * ch + size * 0.36);
        Item::Label(line.at(x, y, Anchor::Middle, Ink::over(map.values.at(row, col), &map.scale)))
    };
    labels.iter().enumerate().take(rows * cols).map(label).collect()
}

/// Width and height of the map: whole pixels per cell where there is a pixel for each, else whole cells per pixel.
fn extent(rows: usize, cols: usize, space_w: Option<f32>, space_h: Option<f32>, fill: bool) -> (f32, f32) {
    let given = space_w.is_some() || space_h.is_some();
    let natural = |n: usize| if n as f32 > NATURAL { (n as f32).min(LARGEST) } else { NATURAL };
    let most = if given { GIVEN_CELL } else { LARGEST_CELL };
    let cell = |n: usize, space: f32| (space.max(8.0) / n as f32).min(most);
    let (mut cw, mut ch) = match (space_w, space_h) {
        (None, None) => (cell(cols, natural(cols)), cell(rows, natural(rows))),
        (Some(w), None) => (cell(cols, w), cell(rows, w)),
        (None, Some(h)) => (cell(cols, h), cell(rows, h)),
        (Some(w), Some(h)) => (cell(cols, w), cell(rows, h)),
    };
    if rows == cols {
        cw = cw.min(ch);
        ch = cw;
    } else {
        // A strip of few rows and many columns keeps rows that one can see.
        (cw, ch) = (cw.min(ch.max(22.0)), ch.min(cw.max(22.0)));
    }
    let whole = |n: usize, cell: f32| match n as f32 * cell {
        side if fill && cell >= 1.0 => side,
        // Where small cells are rounded up instead, a map does not shrink as tokens grow.
        _ if cell >= 1.0 && !given && cell < SMALL_CELL => {
            n as f32 * (MUCH * NATURAL / n as f32).ceil().max(cell.floor())
        }
        _ if cell >= 1.0 && !given => n as f32 * cell.floor(),
        _ if cell >= 1.0 && cell.floor() > cell * 0.8 => n as f32 * cell.floor(),
        _ if cell >= 1.0 => (n as f32 * cell).floor(),
        side => n.div_ceil(pool_block(n, side as usize)) as f32,
    };
    (whole(cols, cw), whole(rows, ch))
}
