//! A few maps with a name each.

use super::labels::{self, Rows};
use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface, legend, marks};
use crate::figure::matrix::block as pool_block;
use crate::figure::{Ink, Sheet, SheetMap};

const TITLE: Style = Style::bold(12.0);
const NAME: Style = Style::bold(11.0);
const NOTE: Style = Style::regular(10.0);
const AXIS: Style = Style::regular(11.0);
/// The width that a sheet is drawn for when nobody asks for one.
const NATURAL: f32 = 1000.0;
const LEAST: f32 = 150.0;
const LARGEST: f32 = 300.0;
const LARGEST_CELL: f32 = 40.0;
const GAP: f32 = 16.0;
/// Maps smaller than this have no labels, unless each of their cells has room for its own.
const LABELLED: f32 = 120.0;
const LABELLED_CELL: f32 = 9.0;
const WIDEST: f32 = 90.0;
/// A map that is smaller than this cannot be read.
const READABLE: f32 = 24.0;
/// A map of no more rows and columns is never pooled.
const MOST_UNPOOLED: usize = 60;

pub(super) fn sheet<'a>(sheet: &'a Sheet, face: &dyn Typeface, room: Room) -> Block<'a> {
    let mut block = Block::default();
    let rows = sheet.maps.iter().map(|map| map.values.rows).max().unwrap_or(0);
    let cols = sheet.maps.iter().map(|map| map.values.cols).max().unwrap_or(0);
    if rows == 0 || cols == 0 {
        return block;
    }
    let width = room.w.unwrap_or(NATURAL);
    put_lines(&mut block, wrap(face, &sheet.title, TITLE, width / labels::WIDER, 4), 0.0, Ink::Strong);
    block.h += if block.h > 0.0 { 6.0 } else { 0.0 };
    let beside = legend::is_beside(room.w);
    let caption = |text: &str| if text.is_empty() { 0.0 } else { AXIS.line() + 4.0 };
    let (axis_left, axis_below) = (caption(&sheet.row_axis), caption(&sheet.col_axis));
    let head = NAME.line() + 3.0;
    let right = if beside { legend::BESIDE } else { 2.0 };
    let widest = WIDEST.min(width * 0.16);
    let gutter = |labels: &[String], n: usize| labels::rough_gutter(face, labels, n, widest);
    let (left, below) = (gutter(&sheet.row_labels, rows), gutter(&sheet.col_labels, cols));

    // As many side by side as give the largest maps, or, with a width to spare, as stand well together.
    let count = sheet.maps.len();
    let most = if rows.max(cols) > MOST_UNPOOLED { 100 } else { 1 };
    let longest = sheet.scale.said(most, most);
    let values = || sheet.maps.iter().map(|map| &map.values);
    let longest = [longest, marks::unsigned(values(), &sheet.scale, 0.0)];
    let notes =
        marks::notes_height(face, &longest, &sheet.hatched, width) + if beside { 0.0 } else { legend::FLAT + 10.0 };
    let around = (axis_left + right, block.h + axis_below + notes);
    let fit = |across: usize, left: f32, below: f32| {
        let down = count.div_ceil(across) as f32;
        let wide = (width - around.0 - left + GAP) / across as f32 - GAP;
        let tall = room.h.map_or(f32::MAX, |h| (h - around.1 - below + GAP) / down - GAP - head);
        let cell = (wide / cols as f32).min(tall / rows as f32).min(LARGEST_CELL);
        cell.min(LARGEST / rows.max(cols) as f32)
    };
    let best = |left: f32, below: f32| {
        let most = if room.h.is_some() { count } else { ((width - around.0) / (LEAST + GAP)) as usize };
        let choices = 1..=most.clamp(1, count);
        if room.h.is_some() {
            return choices.max_by(|a, b| fit(*a, left, below).total_cmp(&fit(*b, left, below))).unwrap_or(1);
        }
        // The least rows, and these of even length.
        let down = count.div_ceil(choices.end().to_owned().min(4.max((width / LARGEST) as usize)));
        count.div_ceil(down.max(1))
    };
    let cell = fit(best(left, below), left, below);
    let labelled = cell >= LABELLED_CELL || cell * rows.max(cols) as f32 >= LABELLED;
    let (left, below) = if labelled { (left, below) } else { (0.0, 0.0) };
    let across = best(left, below);
    let cell = fit(across, left, below).max(2.0 / rows.max(cols) as f32);
    let cell = if cell >= 2.0 { cell.floor() } else { cell };
    let (w, h) = (cell * cols as f32, cell * rows as f32);
    // Names may be wider than small maps.
    let named =
        |map: &SheetMap| Line::fit(face, &map.name, NAME, LARGEST).width * labels::WIDER + note_width(map, face);
    let slot = (width - around.0 - left + GAP) / across as f32 - GAP;
    let slot = sheet.maps.iter().map(named).fold(w, f32::max).min(slot.max(w));

    let pooled = |n: usize, side: f32| pool_block(n, (side * room.detail).round() as usize);
    let blocks = (pooled(rows, h), pooled(cols, w));
    let scale = sheet.scale.drawn(values(), blocks, 1);
    block.cut |= w.min(h) < READABLE;
    let (x0, y0) = (axis_left + left, block.h + head);
    let (mut bottom, mut edge) = (y0, x0);
    for (i, map) in sheet.maps.iter().enumerate() {
        let (col, row) = (i % across, i / across);
        let (x, y) = (x0 + col as f32 * (slot + GAP), y0 + row as f32 * (h + GAP + head));
        let place = Rect::new(x, y, w, h);
        block.items.push(Item::Cells(place, &map.values, scale.clone()));
        marks::put(&mut block, place, &map.values, &scale);
        block.items.push(Item::Frame(place, Ink::Faint));
        let name = Line::fit(face, &map.name, NAME, slot);
        let at = x + name.width * labels::WIDER + 4.0;
        // A number that is cut would mislead.
        let whole = Line::fit(face, &map.note, NOTE, LARGEST);
        let note = if at + whole.width <= x + slot + 0.5 { whole } else { Line::fit(face, "", NOTE, 0.0) };
        edge = edge.max(x + w).max(at + note.width);
        block.items.push(Item::Label(name.at(x, y - 7.0, Anchor::Start, Ink::Normal)));
        block.items.push(Item::Label(note.at(at, y - 7.0, Anchor::Start, Ink::Soft)));
        block.h = block.h.max(y + h);
        if labelled && col == 0 {
            Rows::new(face, &sheet.row_labels, (0, rows), cell, widest).put(&mut block, x, y);
        }
        if labelled && i + across >= count {
            let deep = labels::put_cols(&mut block, face, &sheet.col_labels, (cols, cell), (x, y + h), widest);
            bottom = bottom.max(y + h + deep);
        }
        bottom = bottom.max(y + h);
    }
    block.h = block.h.max(bottom);
    block.w = block.w.max(edge);
    let wide = edge - x0;
    if axis_left > 0.0 {
        let line = Line::fit(face, &sheet.row_axis, AXIS, h.max(64.0));
        let label = line.at(AXIS.size, y0 + h / 2.0, Anchor::Middle, Ink::Soft).turned(-90.0);
        block.items.push(Item::Label(label));
    }
    if axis_below > 0.0 {
        let line = Line::fit(face, &sheet.col_axis, AXIS, wide.max(40.0));
        let base = block.h + 4.0 + AXIS.size;
        block.items.push(Item::Label(line.at(x0 + w / 2.0, base, Anchor::Middle, Ink::Soft)));
        block.h = base + AXIS.size * 0.3;
    }
    let notes = [scale.said(blocks.0, blocks.1), marks::unsigned(values(), &scale, cell)];
    if notes.iter().any(|note| !note.is_empty()) || !sheet.hatched.is_empty() {
        let y = block.h;
        marks::put_notes(&mut block, face, (x0, y), &notes, &sheet.hatched, width - x0);
    }
    if beside {
        let bar = legend::legend(&scale, face, h.max(80.0), legend::BESIDE - legend::GAP);
        block.put(edge + legend::GAP, y0, bar);
    } else {
        let y = block.h + 10.0;
        block.put(x0, y, legend::flat(&scale, face, width - x0));
    }
    block
}

/// How wide the remark after a name is, with the gap between them.
fn note_width(map: &SheetMap, face: &dyn Typeface) -> f32 {
    if map.note.is_empty() { 0.0 } else { 7.0 + Line::fit(face, &map.note, NOTE, LARGEST).width }
}
