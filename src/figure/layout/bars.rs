//! Labels ranked by a number.

use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface};
use crate::figure::number::number;
use crate::figure::{Bars, Ink};

const TITLE: Style = Style::bold(12.0);
const LABEL: Style = Style::regular(11.0);
const SMALL: Style = Style::regular(10.0);
const ROW: f32 = 19.0;
const THICK: f32 = 9.0;
/// The most bars drawn.
const MOST: usize = 24;
/// With fewer than so many, where there are more, they say nothing.
const FEWEST: usize = 3;

pub(super) fn bars<'a>(bars: &'a Bars, face: &dyn Typeface, width: f32, room: Room) -> Block<'a> {
    let mut block = Block { w: width, ..Block::default() };
    put_lines(&mut block, wrap(face, &bars.title, TITLE, width, 2), 0.0, Ink::Strong);
    put_lines(&mut block, wrap(face, &bars.unit, SMALL, width, 1), 0.0, Ink::Soft);
    let mut y = block.h + if block.h > 0.0 { 6.0 } else { 0.0 };
    let note = wrap(face, &bars.note, SMALL, width, 4);
    let below = note.len() as f32 * SMALL.line() + if note.is_empty() { 0.0 } else { 6.0 };

    let there = bars.labels.len().min(bars.values.len());
    let count = there + bars.more;
    let fitting = room.h.map_or(MOST, |h| ((h - y - below + 0.5) / ROW).max(0.0) as usize).min(MOST);
    // One row is given up to say how many more there are.
    let drawn = if count > fitting.min(there) { there.min(fitting.saturating_sub(1)) } else { count };
    let finite = |v: f32| if v.is_finite() { v } else { 0.0 };
    // All bars, drawn or not, so that a shorter list keeps its lengths.
    let (low, high) = bars.values.iter().fold((0.0f32, 0.0f32), |(a, b), v| (a.min(finite(*v)), b.max(finite(*v))));
    let span = (high - low).max(f32::MIN_POSITIVE);
    let numbers: Vec<Line> =
        bars.values[..drawn].iter().map(|v| Line::fit(face, &number(*v), SMALL, width * 0.3)).collect();
    let labels: Vec<Line> = bars.labels[..drawn].iter().map(|l| Line::fit(face, l, LABEL, width * 0.42)).collect();
    let widest = |lines: &[Line]| lines.iter().map(|line| line.width).fold(0.0, f32::max);
    let left = widest(&labels).ceil() + 8.0;
    // Numbers stand at the ends of their bars, those of negative ones on the left.
    let before = if low < 0.0 { widest(&numbers) + 6.0 } else { 0.0 };
    let length = (width - left - before - widest(&numbers) - 6.0).max(1.0);
    let zero = (left + before + length * (-low / span)).round();
    let from = y;
    for ((label, number), &value) in labels.into_iter().zip(numbers).zip(&bars.values) {
        let middle = y + ROW / 2.0;
        let bar = (finite(value).abs() / span * length).max(if finite(value) == 0.0 { 0.0 } else { 1.0 });
        let (start, end, anchor, ink) = match value < 0.0 {
            true => (zero - bar, zero - bar - 6.0, Anchor::End, Ink::Negative),
            false => (zero, zero + bar + 6.0, Anchor::Start, Ink::Bar),
        };
        block.items.push(Item::Label(label.at(left - 8.0, middle + 4.0, Anchor::End, Ink::Normal)));
        block.items.push(Item::Fill(Rect::new(start, (middle - THICK / 2.0).floor(), bar, THICK), ink));
        block.items.push(Item::Label(number.at(end, middle + 3.6, anchor, Ink::Soft)));
        y += ROW;
    }
    if drawn > 0 {
        block.items.push(Item::Line([zero - 0.5, from, zero - 0.5, y], Ink::Faint));
    }
    if drawn < count && fitting > 0 {
        let more = Line::fit(face, &format!("… {} more", count - drawn), SMALL, width - left.min(width));
        block.items.push(Item::Label(more.at(left, y + ROW / 2.0 + 3.6, Anchor::Start, Ink::Soft)));
        y += ROW;
    }
    block.h = y;
    block.cut = drawn < count.min(FEWEST) || room.h.is_some_and(|h| y + below > h + 1.0);
    if !note.is_empty() {
        block.h += 6.0;
        put_lines(&mut block, note, 0.0, Ink::Soft);
    }
    block
}
