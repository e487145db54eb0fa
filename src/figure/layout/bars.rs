//! Labels ranked by a number.

use super::text::{Line, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface};
use crate::figure::scale::number;
use crate::figure::{Bars, Ink};

const TITLE: Style = Style::bold(12.0);
const LABEL: Style = Style::regular(11.0);
const SMALL: Style = Style::regular(10.0);
const ROW: f32 = 19.0;
const THICK: f32 = 9.0;
/// More bars than this say nothing.
const MOST: usize = 24;

pub(super) fn bars<'a>(bars: &'a Bars, face: &dyn Typeface, width: f32, room: Room) -> Block<'a> {
    let mut block = Block { w: width, ..Block::default() };
    let mut y = 0.0;
    let text = |block: &mut Block<'a>, y: &mut f32, lines: Vec<Line>, ink: Ink| {
        for line in lines {
            let (size, height) = (line.style.size, line.style.line());
            block.items.push(Item::Label(line.at(0.0, *y + size, Anchor::Start, ink)));
            *y += height;
        }
    };
    text(&mut block, &mut y, wrap(face, &bars.title, TITLE, width, 2), Ink::Strong);
    text(&mut block, &mut y, wrap(face, &bars.unit, SMALL, width, 1), Ink::Soft);
    if y > 0.0 {
        y += 6.0;
    }
    let note = wrap(face, &bars.note, SMALL, width, 4);
    let below = note.len() as f32 * SMALL.line() + 6.0;

    let count = bars.labels.len().min(bars.values.len());
    let fitting = room.h.map_or(MOST, |h| ((h - y - below) / ROW).max(0.0) as usize).min(MOST);
    // One row is given up to say how many more there are.
    let drawn = if count > fitting { fitting.saturating_sub(1) } else { count };
    let finite = |v: f32| if v.is_finite() { v } else { 0.0 };
    let largest = bars.values.iter().map(|v| finite(*v).abs()).fold(0.0, f32::max).max(f32::MIN_POSITIVE);
    let numbers: Vec<Line> =
        bars.values[..drawn].iter().map(|v| Line::fit(face, &number(*v), SMALL, width * 0.3)).collect();
    let labels: Vec<Line> = bars.labels[..drawn].iter().map(|l| Line::fit(face, l, LABEL, width * 0.42)).collect();
    let widest = |lines: &[Line]| lines.iter().map(|line| line.width).fold(0.0, f32::max);
    let left = widest(&labels).ceil() + 8.0;
    let length = (width - left - widest(&numbers) - 6.0).max(1.0);
    for ((label, number), &value) in labels.into_iter().zip(numbers).zip(&bars.values) {
        let middle = y + ROW / 2.0;
        let bar = (finite(value).abs() / largest * length).max(if finite(value) == 0.0 { 0.0 } else { 1.0 });
        let ink = if value < 0.0 { Ink::Negative } else { Ink::Bar };
        block.items.push(Item::Label(label.at(left - 8.0, middle + 4.0, Anchor::End, Ink::Normal)));
        block.items.push(Item::Fill(Rect::new(left, (middle - THICK / 2.0).floor(), bar, THICK), ink));
        block.items.push(Item::Label(number.at(left + bar + 6.0, middle + 3.6, Anchor::Start, Ink::Soft)));
        y += ROW;
    }
    if drawn > 0 {
        let from = y - drawn as f32 * ROW;
        block.items.push(Item::Line([left - 0.5, from, left - 0.5, y], Ink::Faint));
    }
    if drawn < count && fitting > 0 {
        let more = Line::fit(face, &format!("and {} more", count - drawn), SMALL, width - left.min(width));
        block.items.push(Item::Label(more.at(left, y + ROW / 2.0 + 3.6, Anchor::Start, Ink::Soft)));
        y += ROW;
    }
    if !note.is_empty() && room.h.is_none_or(|h| y + below <= h + 1.0) {
        y += 6.0;
        text(&mut block, &mut y, note, Ink::Soft);
    }
    block.h = y;
    block
}
