//! A text as coloured tokens, once for each row of scores.

use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface, legend, marks};
use crate::figure::{Ink, Scale, Strip, StripRow};
use crate::text;
use std::borrow::Cow;

const TITLE: Style = Style::bold(12.0);
const NAME: Style = Style::bold(11.0);
const NOTE: Style = Style::regular(10.0);
/// The width that a text is drawn for when nobody asks for one.
const NATURAL: f32 = 860.0;
/// Between the letters and the edge of their box, and between boxes.
const PAD: f32 = 5.0;
const GAP: f32 = 2.0;
/// Between lines of a text, between texts, and between a name and its text.
const LEADING: f32 = 4.0;
const BETWEEN: f32 = 14.0;
const GUTTER: f32 = 12.0;
/// A box is no narrower than this, however short its token, and no token is read further than that.
const NARROWEST: f32 = 16.0;
const WIDEST: f32 = 240.0;

/// How large tokens are written, and the scores under them; 0 for no scores.
#[derive(Clone, Copy)]
struct Size {
    token: f32,
    score: f32,
}

/// From few tokens to many. A given height may choose a later one.
const SIZES: [Size; 4] = [
    Size { token: 13.0, score: 9.4 },
    Size { token: 12.0, score: 0.0 },
    Size { token: 10.5, score: 0.0 },
    Size { token: 9.4, score: 0.0 },
];

impl Size {
    /// How high a box is.
    fn high(self) -> f32 {
        (self.token * 1.6 + if self.score > 0.0 { self.score * 1.25 } else { 0.0 }).ceil()
    }
}

/// Where the tokens' boxes stand, the same for every row of scores.
struct Flow {
    size: Size,
    tokens: Vec<Line>,
    /// Line, left edge and width of each box.
    boxes: Vec<(usize, f32, f32)>,
    lines: usize,
    /// The right end of the longest line.
    w: f32,
}

impl Flow {
    fn new(strip: &Strip, face: &dyn Typeface, size: Size, width: f32) -> Self {
        let limit = WIDEST.min(width - 2.0 * PAD).max(1.0);
        let tokens: Vec<Line> =
            strip.labels.iter().map(|label| Line::fit(face, label, Style::regular(size.token), limit)).collect();
        let score = |row: &StripRow, i: usize| {
            face.width(&score(row, row.scale.as_ref().unwrap_or(&strip.scale), i), Style::regular(size.score))
        };
        let mut flow = Self { size, tokens, boxes: Vec::new(), lines: 0, w: 0.0 };
        let mut x = 0.0;
        for (i, token) in flow.tokens.iter().enumerate() {
            // All rows give a token the same box, so that it stands under itself.
            let scores = strip.rows.iter().filter(|_| size.score > 0.0).map(|row| score(row, i));
            let w = (scores.fold(token.width, f32::max) + 2.0 * PAD).max(NARROWEST).ceil();
            if flow.lines == 0 || x + w > width {
                (flow.lines, x) = (flow.lines + 1, 0.0);
            }
            flow.boxes.push((flow.lines - 1, x, w));
            flow.w = flow.w.max(x + w);
            x += w + GAP;
        }
        flow
    }

    fn pitch(&self) -> f32 {
        self.size.high() + LEADING
    }

    fn h(&self) -> f32 {
        self.lines as f32 * self.pitch() - LEADING
    }

    /// The tokens of at most so many lines in the colours of a row.
    fn draw<'a>(&self, strip: &Strip, face: &dyn Typeface, row: &StripRow, lines: usize) -> Block<'a> {
        let scale = row.scale.as_ref().unwrap_or(&strip.scale);
        let mut block = Block { w: self.w, ..Block::default() };
        for (i, (&(line, x, w), token)) in self.boxes.iter().zip(&self.tokens).enumerate() {
            if line >= lines {
                break;
            }
            let value = row.values.get(i).copied().unwrap_or(f32::NAN);
            let place = Rect::new(x, line as f32 * self.pitch(), w, self.size.high());
            match Ink::of(value, scale) {
                Some(ink) => block.items.push(Item::Fill(place, ink)),
                None => block.items.push(Item::Frame(place, Ink::Faint)),
            }
            let (ink, middle) = (Ink::over(value, scale), x + w / 2.0);
            let base = place.y + self.size.token * 1.16;
            block.items.push(Item::Label(token.clone().at(middle, base, Anchor::Middle, ink)));
            if self.size.score == 0.0 {
                // Without numbers nothing else says the sign in grey print.
                block.items.extend(marks::minus(value, scale, (middle, place.y + place.h - 2.0), place.h));
            } else {
                let style = Style::regular(self.size.score);
                let line = Line::fit(face, &score(row, scale, i), style, w);
                let base = place.y + place.h - self.size.score * 0.5;
                block.items.push(Item::Label(line.at(middle, base, Anchor::Middle, ink)));
            }
        }
        block.h = lines.min(self.lines) as f32 * self.pitch() - LEADING;
        block
    }
}

fn score(row: &StripRow, scale: &Scale, i: usize) -> String {
    row.values.get(i).map_or(String::new(), |value| scale.short(*value))
}

pub(super) fn strip<'a>(strip: &'a Strip, face: &dyn Typeface, room: Room) -> Block<'a> {
    let mut block = Block::default();
    if strip.labels.is_empty() || strip.rows.is_empty() {
        return block;
    }
    let width = room.w.unwrap_or(NATURAL);
    let title = wrap(face, &strip.title, TITLE, width, 2);
    put_lines(&mut block, title, 0.0, Ink::Strong);
    block.h += if block.h > 0.0 { 6.0 } else { 0.0 };
    let shared = strip.rows.iter().any(|row| row.scale.is_none());
    let below = if shared { BETWEEN + legend::FLAT } else { 0.0 };
    let tall = room.h.map(|h| h - block.h - below + 0.5);

    let body = body(strip, face, width, tall);
    let y = block.h;
    block.put(0.0, y, body);
    if shared {
        let (y, bar) = (block.h + BETWEEN - 4.0, legend::flat(&Cow::Borrowed(&strip.scale), face, width));
        block.put(0.0, y, bar);
    }
    block
}

/// Names left of one-line texts, or above longer ones: in the largest size that fits.
fn body<'a>(strip: &'a Strip, face: &dyn Typeface, width: f32, tall: Option<f32>) -> Block<'a> {
    let tokens = strip.labels.len();
    // Under many tokens numbers are too small to read.
    let first = if tokens * strip.rows.len().min(3) <= 180 { 0 } else { usize::from(tokens > 400) + 1 };
    for (i, size) in SIZES.into_iter().enumerate() {
        if let Some(block) = beside(strip, face, size, width).filter(|block| tall.is_none_or(|h| block.h <= h)) {
            return block;
        }
        if i >= first {
            let flow = Flow::new(strip, face, size, width);
            if i + 1 == SIZES.len() || tall.is_none_or(|h| stacked_h(strip, &flow) <= h) {
                return stacked(strip, face, &flow, width, tall);
            }
        }
    }
    Block::default()
}

/// Names left of their texts, where every text is one line.
fn beside<'a>(strip: &'a Strip, face: &dyn Typeface, size: Size, width: f32) -> Option<Block<'a>> {
    let names: Vec<(Line, Line)> = strip
        .rows
        .iter()
        .map(|row| (Line::fit(face, &row.name, NAME, width * 0.3), Line::fit(face, &row.note, NOTE, width * 0.3)))
        .collect();
    let is_cut = |(row, (name, _)): (&StripRow, &(Line, Line))| name.text != face.shown(&row.name);
    if strip.rows.iter().zip(&names).any(is_cut) {
        return None; // there is more room for it above its text
    }
    let widest = names.iter().map(|(name, note)| name.width.max(note.width)).fold(0.0, f32::max);
    let left = if widest > 0.0 { (widest + GUTTER).ceil() } else { 0.0 };
    let mut bars: Vec<Block> = strip.rows.iter().map(|row| own_legend(row, face, width.min(200.0))).collect();
    let right = bars.iter().map(|bar| bar.w).fold(0.0, f32::max);
    let right = if right > 0.0 { right + GUTTER } else { 0.0 };
    let flow = Flow::new(strip, face, size, width - left - right);
    if flow.lines != 1 || flow.w > width - left - right || bars.iter().any(|bar| bar.cut) {
        return None;
    }
    let (high, noted) = (flow.size.high(), names.iter().any(|(_, note)| !note.text.is_empty()));
    let pitch = high.max(if noted { NAME.line() + NOTE.size } else { 0.0 }) + 6.0;
    let mut block = Block::default();
    for (i, (row, (name, note))) in strip.rows.iter().zip(names).enumerate() {
        let middle = i as f32 * pitch + high / 2.0;
        let base = if note.text.is_empty() { middle + NAME.size * 0.36 } else { middle - 3.0 };
        block.items.push(Item::Label(name.at(left - GUTTER, base, Anchor::End, Ink::Normal)));
        let base = if row.name.is_empty() { middle + NOTE.size * 0.36 } else { middle + NOTE.size };
        block.items.push(Item::Label(note.at(left - GUTTER, base, Anchor::End, Ink::Soft)));
        block.put(left, middle - high / 2.0, flow.draw(strip, face, row, 1));
        block.put(left + flow.w + GUTTER, middle - legend::FLAT / 2.0, std::mem::take(&mut bars[i]));
    }
    Some(block)
}

fn own_legend<'a>(row: &'a StripRow, face: &dyn Typeface, limit: f32) -> Block<'a> {
    row.scale.as_ref().map_or_else(Block::default, |scale| legend::flat(&Cow::Borrowed(scale), face, limit.min(200.0)))
}

/// How high all rows are with their names above them.
fn stacked_h(strip: &Strip, flow: &Flow) -> f32 {
    strip.rows.iter().map(|row| heading(row) + flow.h() + BETWEEN).sum::<f32>() - BETWEEN
}

fn heading(row: &StripRow) -> f32 {
    let any = !row.name.is_empty() || !row.note.is_empty() || row.scale.is_some();
    if any { NAME.line() + 3.0 } else { 0.0 }
}

/// Names above their texts. In a given height every text is cut after as many lines.
fn stacked<'a>(strip: &'a Strip, face: &dyn Typeface, flow: &Flow, width: f32, tall: Option<f32>) -> Block<'a> {
    let spare = tall.map_or(f32::MAX, |h| (h - (stacked_h(strip, flow) - strip.rows.len() as f32 * flow.h())).max(0.0));
    let fitting = (spare / strip.rows.len() as f32 + LEADING) / flow.pitch();
    let lines = (fitting as usize).clamp(1, flow.lines);
    let hidden = flow.boxes.iter().filter(|place| place.0 >= lines).count();
    let mut block = Block::default();
    for row in &strip.rows {
        let mut y = if block.h > 0.0 { block.h + BETWEEN } else { 0.0 };
        let head = heading(row);
        if tall.is_some_and(|h| y > 0.0 && y + head + flow.size.high() > h) {
            block.cut = true; // a page this low has no room for more rows
            break;
        }
        if head > 0.0 {
            let bar = own_legend(row, face, width * 0.5);
            let mut x = 0.0;
            let rest = width - bar.w - GUTTER;
            let more = if hidden > 0 { format!("… {}", text::count(hidden, "more token")) } else { String::new() };
            for (text, style, ink) in
                [(&row.name, NAME, Ink::Normal), (&row.note, NOTE, Ink::Soft), (&more, NOTE, Ink::Soft)]
            {
                let line = Line::fit(face, text, style, (rest - x).max(0.0));
                if !line.text.is_empty() {
                    let end = x + line.width;
                    block.items.push(Item::Label(line.at(x, y + NAME.size, Anchor::Start, ink)));
                    x = end + 8.0;
                }
            }
            block.w = block.w.max(x);
            let at = (flow.w - bar.w).max(x + GUTTER);
            block.put(at, y, bar);
            y += head;
        }
        block.put(0.0, y, flow.draw(strip, face, row, lines));
    }
    block
}
