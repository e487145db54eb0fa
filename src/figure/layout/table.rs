//! Rows and columns of text and numbers.

use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface, share_out};
use crate::figure::{Column, Ink, Table};

const TITLE: Style = Style::bold(12.0);
const HEAD: Style = Style::bold(10.5);
const CELL: Style = Style::regular(11.0);
const SMALL: Style = Style::regular(10.0);
const ROW: f32 = 19.0;
const GAP: f32 = 18.0;
/// Around the number in a coloured cell.
const PAD: f32 = 7.0;
/// The widest table where nobody asks for a width, and the widest column.
const NATURAL: f32 = 860.0;
const WIDEST: f32 = 320.0;
/// The least width of a text that is cut, and of a cut head of numbers.
const LEAST: f32 = 40.0;
const NARROW_HEAD: f32 = 60.0;
/// The most rows drawn.
const MOST: usize = 40;
/// With fewer than so many, where there are more, it says nothing.
const FEWEST: usize = 3;

pub(super) fn table<'a>(table: &'a Table, face: &dyn Typeface, room: Room) -> Block<'a> {
    let width = room.w.unwrap_or(NATURAL);
    let mut block = Block::default();
    put_lines(&mut block, wrap(face, &table.title, TITLE, width, 2), 0.0, Ink::Strong);
    block.h += if block.h > 0.0 { 4.0 } else { 0.0 };
    let note = wrap(face, &table.note, SMALL, width, 4);
    let below = note.len() as f32 * SMALL.line() + if note.is_empty() { 0.0 } else { 6.0 };

    let count = table.columns.iter().map(|column| column.cells.len()).max().unwrap_or(0);
    let fitting = room.h.map_or(MOST, |h| ((h - block.h - ROW - below + 0.5) / ROW).max(0.0) as usize).min(MOST);
    let drawn = if count > fitting { fitting.saturating_sub(1) } else { count };
    let gap = GAP.min(width * 0.03);
    let widths = widths(table, face, drawn, width, gap);
    let all: Vec<Wide> = table.columns.iter().zip(widths).collect();
    let (first, mut left_out) = fitting_columns(&all, width, gap);
    let mut names = Vec::new();
    if !all.is_empty() {
        put_columns(&mut block, face, &first, drawn, gap);
    }
    while !left_out.is_empty() {
        // What does not fit beside them stands below, after the column that says what each row is.
        let named: Vec<_> = all.iter().take(1).chain(&left_out).copied().collect();
        let (below, more) = fitting_columns(&named, width, gap);
        if room.h.is_some() || below.len() < 2 {
            names = left_out.iter().map(|(column, _)| column.head.as_str()).collect();
            break;
        }
        block.h += ROW / 2.0;
        put_columns(&mut block, face, &below, drawn, gap);
        left_out = more;
    }
    block.cut = drawn < count.min(FEWEST);
    let rows = (count > drawn).then(|| format!("… {} more", count - drawn));
    let columns = (!names.is_empty()).then(|| format!("not shown: {}", names.join(", ")));
    let hidden: Vec<String> = rows.into_iter().chain(columns).collect();
    for line in wrap(face, &hidden.join("; "), SMALL, width, 3) {
        let base = block.h + ROW / 2.0 + SMALL.size * 0.36;
        block.items.push(Item::Label(line.at(0.0, base, Anchor::Start, Ink::Soft)));
        block.h += ROW;
    }
    block.h += if note.is_empty() { 0.0 } else { 6.0 };
    put_lines(&mut block, note, 0.0, Ink::Soft);
    block
}

/// A column and how wide it is.
type Wide<'a> = (&'a Column, f32);

/// The columns that fit beside one another, and those that do not.
fn fitting_columns<'a>(all: &[Wide<'a>], width: f32, gap: f32) -> (Vec<Wide<'a>>, Vec<Wide<'a>>) {
    let mut x = 0.0;
    all.iter().partition(|(_, w)| {
        let fits = x + w <= width + 0.5;
        x += if fits { w + gap } else { 0.0 };
        fits
    })
}

/// Columns, each as wide as it says, below what is there.
fn put_columns(block: &mut Block, face: &dyn Typeface, columns: &[Wide], drawn: usize, gap: f32) {
    let (mut x, top) = (0.0, block.h);
    for &(column, w) in columns {
        let inner = if column.shades.is_empty() { (x, w) } else { (x + PAD, w - 2.0 * PAD) };
        let put = |block: &mut Block, text: &str, style: Style, base: f32, ink: Ink| {
            let line = Line::fit(face, text, style, inner.1);
            let (at, anchor) = if column.right { (inner.0 + inner.1, Anchor::End) } else { (inner.0, Anchor::Start) };
            block.items.push(Item::Label(line.at(at, base, anchor, ink)));
        };
        put(block, &column.head, HEAD, top + HEAD.size + 1.0, Ink::Soft);
        for (i, cell) in column.cells.iter().enumerate().take(drawn) {
            let y = top + ROW * (i + 1) as f32;
            let shade = column.shades.get(i).copied().unwrap_or(f32::NAN);
            let fill = Ink::of(shade, &column.scale);
            block.items.extend(fill.map(|ink| Item::Fill(Rect::new(x, y + 1.0, w, ROW - 1.0), ink)));
            let ink = if fill.is_some() { Ink::over(shade, &column.scale) } else { Ink::Normal };
            put(block, cell, CELL, y + ROW / 2.0 + CELL.size * 0.38, ink);
        }
        x += w + gap;
    }
    let wide = (x - gap).max(0.0);
    block.w = block.w.max(wide);
    let y = top + ROW - 1.0;
    block.items.push(Item::Line([0.0, y, wide, y], Ink::Faint));
    block.h = top + ROW * (drawn + 1) as f32;
}

/// As wide as what is in them; where that is too much together, texts are cut, widest first. Numbers never are.
fn widths(table: &Table, face: &dyn Typeface, drawn: usize, width: f32, gap: f32) -> Vec<f32> {
    let widest = |column: &Column, longest_head: f32| {
        let cells = column.cells.iter().take(drawn).map(|cell| Line::fit(face, cell, CELL, WIDEST).width);
        let head = Line::fit(face, &column.head, HEAD, WIDEST).width;
        let head = if column.right { head.min(longest_head) } else { head };
        let pad = if column.shades.is_empty() { 0.0 } else { 2.0 * PAD };
        (cells.fold(head, f32::max) + pad).ceil()
    };
    let gaps = gap * table.columns.len().saturating_sub(1) as f32;
    let mut all: Vec<f32> = table.columns.iter().map(|column| widest(column, WIDEST)).collect();
    if all.iter().sum::<f32>() + gaps > width {
        // A head is cut before numbers are pushed off the page.
        all = table.columns.iter().map(|column| widest(column, NARROW_HEAD)).collect();
    }
    let numbers: f32 = table.columns.iter().zip(&all).filter(|(column, _)| column.right).map(|(_, w)| w).sum();
    let texts: Vec<f32> = table.columns.iter().zip(&all).filter(|(column, _)| !column.right).map(|(_, w)| *w).collect();
    let room = width - gaps - numbers;
    let mut texts = share_out(&texts, room.max(LEAST * texts.len() as f32)).into_iter();
    let given = |(column, w): (&Column, f32)| if column.right { w } else { texts.next().unwrap_or(w).floor() };
    table.columns.iter().zip(all).map(given).collect()
}
