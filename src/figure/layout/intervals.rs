//! Estimates with their intervals, one row each.

use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface};
use crate::figure::{Ink, IntervalRow, Intervals, Scale};
use crate::text;

const TITLE: Style = Style::bold(12.0);
const LABEL: Style = Style::regular(11.0);
const STRONG: Style = Style::bold(11.0);
const SMALL: Style = Style::regular(10.0);
/// The width where nobody asks for one.
const NATURAL: f32 = 860.0;
/// A row, and what each further series adds to it.
const ROW: f32 = 18.0;
const MORE: f32 = 7.0;
const DOT: f32 = 6.0;
/// Between a number under a row and the next row.
const GAP: f32 = 5.0;
/// The most rows drawn.
const MOST: usize = 120;
/// Pixels of a tick with its number.
const TICK: f32 = 48.0;
const MOST_TICKS: usize = 6;
/// A plot is at least this wide where there are remarks beside it.
const LEAST: f32 = 60.0;

pub(super) fn intervals<'a>(chart: &'a Intervals, face: &dyn Typeface, room: Room) -> Block<'a> {
    let width = room.w.unwrap_or(NATURAL);
    let mut block = Block { w: width, ..Block::default() };
    put_lines(&mut block, wrap(face, &chart.title, TITLE, width, 2), 0.0, Ink::Strong);
    put_lines(&mut block, wrap(face, &chart.unit, SMALL, width, 4), 0.0, Ink::Soft);
    let legend = if chart.series.len() > 1 { legend(&chart.series, face, width) } else { Block::default() };
    let (y, legend_h) = (block.h + 4.0, legend.h);
    if legend_h > 0.0 {
        block.put(0.0, y, legend);
        block.h += 4.0;
    }
    let note = wrap(face, &chart.note, SMALL, width, 4);
    let below = SMALL.line() + 6.0 + note.len() as f32 * SMALL.line();
    let style = |row: &IntervalRow| if row.strong { STRONG } else { LABEL };
    let label = |row: &IntervalRow| Line::fit_middle(face, &row.label, style(row), width * 0.42);
    let widest = |lines: &[Line]| lines.iter().map(|line| line.width).fold(0.0, f32::max).ceil();
    // A number that is cut would mislead: where one does not fit beside the plot, all stand under their rows.
    let beside = (width * 0.34).max(width - widest(&chart.rows.iter().map(label).collect::<Vec<_>>()) - 20.0 - LEAST);
    let under = chart.rows.iter().any(|row| face.width(&face.shown(&row.remark), SMALL) > beside);
    let (line, gap) = if under { (SMALL.line(), GAP) } else { (0.0, 0.0) };
    let pitch = ROW + MORE * chart.series.len().saturating_sub(1) as f32 + line + gap;
    let top = block.h + 6.0;
    let count = chart.rows.len();
    let fitting = room.h.map_or(MOST, |h| ((h - top - below) / pitch).max(1.0) as usize).min(MOST);
    let drawn = if count > fitting { fitting - 1 } else { count };
    let rows = &chart.rows[..drawn];

    let labels: Vec<Line> = rows.iter().map(label).collect();
    let remark = |row: &IntervalRow| Line::fit(face, &row.remark, SMALL, if under { width } else { beside });
    let remarks: Vec<Line> = rows.iter().map(remark).collect();
    let (left, right) = (widest(&labels) + 10.0, if under { 10.0 } else { widest(&remarks) + 10.0 });
    let plot = Rect::new(left, top, (width - left - right).max(40.0).floor(), drawn as f32 * pitch);
    let [low, high] = chart.bounds;
    let across = |x: f32| plot.x + plot.w * ((x - low) / (high - low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
    // Through no number under a row.
    let bands: Vec<[f32; 2]> = match under {
        true => (0..drawn).map(|row| plot.y + row as f32 * pitch).map(|y| [y, y + pitch - line - gap]).collect(),
        false => vec![[plot.y, plot.y + plot.h]],
    };
    ticks(&mut block, face, plot, chart.bounds, &bands);
    for [from, to] in bands.iter().filter(|_| chart.reference.is_some()) {
        let at = chart.reference.map_or(0.0, across);
        let points = vec![(at, *from), (at, *to)];
        block.items.push(Item::Curve { points, ink: Ink::Soft, thick: 1.0, dashed: true });
    }
    for (i, ((row, label), remark)) in rows.iter().zip(labels).zip(remarks).enumerate() {
        let middle = plot.y + i as f32 * pitch + (pitch - line - gap) / 2.0;
        let ink = if row.strong { Ink::Strong } else { Ink::Normal };
        block.items.push(Item::Label(label.at(left - 10.0, middle + 4.0, Anchor::End, ink)));
        let place = if under {
            (0.0, plot.y + (i + 1) as f32 * pitch - gap - 4.0)
        } else {
            (plot.x + plot.w + 10.0, middle + 3.6)
        };
        block.items.push(Item::Label(remark.at(place.0, place.1, Anchor::Start, Ink::Soft)));
        for (series, [value, from, to]) in row.estimates.iter().enumerate() {
            let y = middle + (series as f32 - (row.estimates.len() as f32 - 1.0) / 2.0) * MORE;
            let ink = Ink::Curve((series % 7) as u8);
            if from.is_finite() && to.is_finite() {
                let points = vec![(across(*from), y), (across(*to).max(across(*from) + 0.5), y)];
                block.items.push(Item::Curve { points, ink, thick: if row.strong { 2.4 } else { 1.6 }, dashed: false });
            }
            if value.is_finite() {
                block.items.push(Item::Fill(Rect::new(across(*value) - DOT / 2.0, y - DOT / 2.0, DOT, DOT), ink));
            }
        }
    }
    block.h = plot.y + plot.h + SMALL.line() + 6.0;
    if drawn < count {
        let more = Line::fit(face, &format!("… {}", text::count(count - drawn, "more row")), SMALL, width);
        block.items.push(Item::Label(more.at(0.0, block.h + SMALL.size, Anchor::Start, Ink::Soft)));
        block.h += SMALL.line();
    }
    put_lines(&mut block, note, 0.0, Ink::Soft);
    block
}

/// Hairlines through all rows, with their numbers under them.
fn ticks(block: &mut Block, face: &dyn Typeface, plot: Rect, [low, high]: [f32; 2], bands: &[[f32; 2]]) {
    let base = plot.y + plot.h;
    let scale = Scale { min: low, max: high, ..Scale::default() };
    let room = ((plot.w / TICK) as usize).min(MOST_TICKS);
    for (t, text) in scale.ticks(room) {
        let x = plot.x + plot.w * t;
        block.items.extend(bands.iter().map(|[from, to]| Item::Line([x, *from, x, *to], Ink::Faint)));
        let line = Line::fit(face, &text, SMALL, 60.0);
        block.items.push(Item::Label(line.at(x, base + 4.0 + SMALL.size, Anchor::Middle, Ink::Soft)));
    }
}

/// The series' names with their colours, beside one another as far as they fit.
fn legend<'a>(series: &[String], face: &dyn Typeface, width: f32) -> Block<'a> {
    let mut block = Block::default();
    let (mut x, mut y) = (0.0, 0.0);
    for (i, name) in series.iter().enumerate() {
        let line = Line::fit(face, name, LABEL, width - DOT - 8.0);
        let w = DOT + 6.0 + line.width;
        if x > 0.0 && x + w > width {
            (x, y) = (0.0, y + LABEL.line());
        }
        let middle = y + LABEL.line() / 2.0;
        block.items.push(Item::Fill(Rect::new(x, middle - DOT / 2.0, DOT, DOT), Ink::Curve((i % 7) as u8)));
        block.items.push(Item::Label(line.at(x + DOT + 6.0, middle + 4.0, Anchor::Start, Ink::Normal)));
        x += w + 18.0;
    }
    (block.w, block.h) = (width, y + LABEL.line());
    block
}
