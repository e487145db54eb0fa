//! Two columns of tokens with lines between them.

use super::labels::Rows;
use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Room, Style, Typeface};
use crate::figure::{Ink, Lines};

const AXIS: Style = Style::regular(11.0);
const NAME: Style = Style::regular(11.0);
const NOTE: Style = Style::regular(10.0);
/// Where nobody asks for a size: how wide all is, and how far apart tokens are, at least where there are many.
const NATURAL: f32 = 560.0;
const PITCH: f32 = 19.0;
const TALLEST: f32 = 2400.0;
/// The widest label, and the least room between both columns.
const WIDEST: f32 = 150.0;
const LEAST: f32 = 60.0;
/// How thick lines are, from hardly there to the strongest.
const THICK: (f32, f32) = (0.5, 2.6);
/// A line that is paler than this cannot be seen.
const PALEST: f32 = 0.06;
const SWATCH: f32 = 16.0;

pub(super) fn lines<'a>(chart: &Lines, face: &dyn Typeface, room: Room) -> Block<'a> {
    let mut block = Block::default();
    let (left, right) = (chart.left.len(), chart.right.len());
    if left == 0 || right == 0 {
        return block;
    }
    let width = room.w.unwrap_or(NATURAL);
    let note = wrap(face, &chart.note, NOTE, width, usize::MAX);
    put_names(&mut block, chart, face, width);
    let top = block.h + AXIS.line() + 4.0;
    let below = note.len() as f32 * NOTE.line() + 8.0;
    let most = left.max(right) as f32;
    let tall = match room.h {
        Some(h) => h - top - below,
        None => (most * PITCH).min(TALLEST.max(most * 2.0)),
    };
    let widest = WIDEST.min(width * 0.3);
    // Queries that are the last of the keys are numbered, and stand, as these are.
    let same = chart.right.ends_with(&chart.left);
    let first = if same { right - left } else { 0 };
    let pitch = tall / if same { right } else { left } as f32;
    let pitches = (pitch, tall / right as f32);
    let rows = Rows::new(face, &chart.left, (first, left), pitches.0, widest);
    let cols = Rows::new(face, &chart.right, (0, right), pitches.1, widest);
    let named = |text: &str| Line::fit(face, text, AXIS, widest.max(40.0)).width + 7.0;
    let (x0, x1) = (rows.gutter().max(named(&chart.left_axis)), width - cols.gutter().max(named(&chart.right_axis)));
    block.cut |= x1 - x0 < LEAST || tall < most;
    let y0 = top + if same { first as f32 * pitches.0 } else { 0.0 };
    for (text, x, anchor) in [(&chart.left_axis, x0, Anchor::End), (&chart.right_axis, x1, Anchor::Start)] {
        let gap = if anchor == Anchor::End { -7.0 } else { 7.0 };
        let line = Line::fit(face, text, AXIS, widest.max(40.0));
        block.items.push(Item::Label(line.at(x + gap, block.h + AXIS.size, anchor, Ink::Soft)));
    }
    rows.put(&mut block, x0, y0);
    cols.put_right(&mut block, x1, top);
    // Lines of several heads between the same tokens lie beside one another.
    let (many, low) = (chart.series.len() as f32, pitches.0.min(pitches.1));
    let lane = |series: usize| (series as f32 - (many - 1.0) / 2.0) * (THICK.1 + 0.5).min(low * 0.8 / many);
    let all = chart.series.iter().enumerate().flat_map(|(i, one)| one.links.iter().map(move |link| (i, link)));
    let mut all: Vec<_> = all.filter(|(_, link)| link.from < left && link.to < right).collect();
    // The strongest lie on top.
    all.sort_by(|a, b| a.1.weight.total_cmp(&b.1.weight));
    for (series, link) in all {
        let t = if chart.most > 0.0 { (link.weight / chart.most).clamp(0.0, 1.0) } else { 0.0 };
        if t < PALEST {
            continue;
        }
        let y = |from: f32, at: usize, pitch: f32| from + (at as f32 + 0.5) * pitch + lane(series);
        block.items.push(Item::Curve {
            points: vec![(x0, y(y0, link.from, pitches.0)), (x1, y(top, link.to, pitches.1))],
            ink: Ink::Faded(series as u8, (t * 255.0) as u8),
            thick: THICK.0 + (THICK.1 - THICK.0) * t,
            dashed: false,
        });
    }
    block.w = block.w.max(width);
    block.h = top + tall + 8.0;
    put_lines(&mut block, note, 0.0, Ink::Soft);
    block
}

/// The names of the heads in their colours, in as many lines as they take.
fn put_names(block: &mut Block, chart: &Lines, face: &dyn Typeface, width: f32) {
    let (mut x, mut y) = (0.0, 0.0);
    for (i, one) in chart.series.iter().enumerate() {
        let line = Line::fit(face, &one.name, NAME, width - SWATCH - 6.0);
        let wide = SWATCH + 6.0 + line.width + 18.0;
        if x > 0.0 && x + wide > width {
            (x, y) = (0.0, y + NAME.line() + 2.0);
        }
        let middle = y + NAME.line() / 2.0;
        block.items.push(Item::Curve {
            points: vec![(x, middle), (x + SWATCH, middle)],
            ink: Ink::Curve(i as u8),
            thick: THICK.1,
            dashed: false,
        });
        block.items.push(Item::Label(line.at(x + SWATCH + 6.0, middle + NAME.size * 0.36, Anchor::Start, Ink::Normal)));
        x += wide;
        block.h = y + NAME.line() + 8.0;
    }
}
