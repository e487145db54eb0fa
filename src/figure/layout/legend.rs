//! The colour bar with its ticks and unit.

use super::text::{Line, wrap};
use super::{Anchor, Block, Item, Rect, Style, Typeface};
use crate::figure::number::number;
use crate::figure::{Ink, Scale};
use std::borrow::Cow;

const BAR: f32 = 9.0;
const TICK: f32 = 4.0;
/// From a map to its colour bar.
pub(super) const GAP: f32 = 22.0;
/// Room for a colour bar beside maps that leave it no more, the gap included.
pub(super) const BESIDE: f32 = 78.0;
const TEXT: Style = Style::regular(10.0);

/// A page narrower than this has its colour bars under the maps.
const NARROW: f32 = 420.0;

/// Whether a map has its colour bar beside it, on so much width.
pub(super) fn is_beside(width: Option<f32>) -> bool {
    width.is_none_or(|w| w >= NARROW)
}

/// A colour bar for a map of this height, no wider than `limit`; nothing if that is too narrow.
pub(super) fn legend<'a>(scale: &Cow<'a, Scale>, face: &dyn Typeface, map: f32, limit: f32) -> Block<'a> {
    let unit = wrap(face, &scale.unit, TEXT, limit, 2);
    let head = if unit.is_empty() { 0.0 } else { unit.len() as f32 * TEXT.line() + 4.0 };
    let length = (map - head).clamp(56.0, 190.0).floor();
    let ticks: Vec<(f32, Line)> = scale
        .ticks((length / 34.0) as usize + 1)
        .into_iter()
        .map(|(position, text)| (position, Line::fit(face, &text, TEXT, 60.0)))
        .collect();
    let labels = ticks.iter().map(|(_, line)| line.width).fold(0.0, f32::max);
    let width = unit.iter().map(|line| line.width).fold(BAR + TICK + 4.0 + labels, f32::max).ceil();
    if width > limit {
        return Block { cut: true, ..Block::default() };
    }
    let mut items = vec![Item::Ramp(Rect::new(0.0, head, BAR, length), scale.clone())];
    items.push(Item::Frame(Rect::new(0.0, head, BAR, length), Ink::Faint));
    for (i, line) in unit.into_iter().enumerate() {
        items.push(Item::Label(line.at(0.0, TEXT.size + i as f32 * TEXT.line(), Anchor::Start, Ink::Soft)));
    }
    for (position, line) in ticks {
        let y = head + length * (1.0 - position);
        items.push(Item::Line([BAR, y, BAR + TICK, y], Ink::Soft));
        items.push(Item::Label(line.at(BAR + TICK + 4.0, y + TEXT.size * 0.36, Anchor::Start, Ink::Soft)));
    }
    Block { w: width, h: head + length + TEXT.size * 0.5, items, cut: false }
}

/// A colour bar in one line: lowest number, colours, highest number, unit; one number is enough where 0 is in the middle.
/// Without the unit where that is too wide, or nothing.
pub(super) fn flat<'a>(scale: &Cow<'a, Scale>, face: &dyn Typeface, limit: f32) -> Block<'a> {
    let (low, high) = scale.bounds();
    let (low, high) = match scale.colormap.is_diverging() {
        true => (String::new(), format!("±{}", number(high))),
        false => (number(low), number(high)),
    };
    let [low, high] = [low, high].map(|text| Line::fit(face, &text, TEXT, 60.0));
    let ramp = (limit * 0.25).clamp(36.0, 96.0).floor();
    let mut block = Block { h: FLAT, ..Block::default() };
    if low.width + 5.0 + ramp + 5.0 + high.width > limit {
        block.cut = true;
        return block;
    }
    let base = FLAT / 2.0 + TEXT.size * 0.36;
    let text = |block: &mut Block<'a>, line: Line, gap: f32| {
        if !line.text.is_empty() {
            let width = line.width;
            block.items.push(Item::Label(line.at(block.w, base, Anchor::Start, Ink::Soft)));
            block.w += width + gap;
        }
    };
    text(&mut block, low, 5.0);
    let place = Rect::new(block.w.ceil(), (FLAT - BAR) / 2.0, ramp, BAR);
    block.items.extend([Item::Ramp(place, scale.clone()), Item::Frame(place, Ink::Faint)]);
    block.w = place.x + ramp + 5.0;
    text(&mut block, high, 5.0);
    let unit = Line::fit(face, &scale.unit, TEXT, limit - block.w);
    text(&mut block, unit, 0.0);
    block
}

/// How high a colour bar in one line is.
pub(super) const FLAT: f32 = 15.0;
