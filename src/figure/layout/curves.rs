//! A small line chart.

use super::text::{Line, put_lines, wrap};
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface};
use crate::figure::{Colormap, Curves, Ink, Scale, ScaleKind, Series};

const TITLE: Style = Style::bold(12.0);
const AXIS: Style = Style::regular(11.0);
const TICK: Style = Style::regular(10.0);
const NAME: Style = Style::regular(11.0);
/// The width that a chart is drawn for when nobody asks for one, and its plot's height.
pub(super) const NATURAL: f32 = 420.0;
const HIGH: f32 = 220.0;
const LOWEST: f32 = 60.0;
const NARROWEST: f32 = 100.0;
/// A chart at least that wide has its legend on the right.
const WIDE: f32 = 560.0;
const KEY: f32 = 18.0;
/// As many curves have a colour of their own; later ones are dashed.
const COLOURS: usize = 7;
/// More points than this per curve cannot be seen.
const MOST_POINTS: usize = 4000;

pub(super) fn curves<'a>(chart: &'a Curves, face: &dyn Typeface, room: Room) -> Block<'a> {
    let width = room.w.unwrap_or(NATURAL);
    let mut block = Block::default();
    put_lines(&mut block, wrap(face, &chart.title, TITLE, width, 2), 0.0, Ink::Strong);
    let beside = width >= WIDE;
    let legend = legend(chart, face, if beside { width * 0.32 } else { width }, !beside);
    let note = wrap(face, &chart.note, TICK, width, 3);
    let (x, y) = axes(chart);

    let caption = Line::fit(face, &chart.y_axis, AXIS, width);
    put_lines(&mut block, vec![caption], 0.0, Ink::Soft);
    let top = block.h + if block.h > 0.0 { 6.0 } else { 8.0 };
    let under = TICK.line() + 6.0 + if chart.x_axis.is_empty() { 0.0 } else { AXIS.line() };
    let below = note.len() as f32 * TICK.line()
        + if note.is_empty() { 0.0 } else { 4.0 }
        + if beside || legend.h == 0.0 { 0.0 } else { legend.h + 10.0 };
    let spare = room.h.map_or(HIGH, |h| h - top - under - below);
    let high = spare.clamp(LOWEST, HIGH * 1.6).floor();

    let ticks: Vec<(f32, Line)> =
        y.ticks((high / 34.0) as usize).into_iter().map(|(t, text)| (t, Line::fit(face, &text, TICK, 60.0))).collect();
    let left = ticks.iter().map(|(_, line)| line.width).fold(0.0, f32::max).ceil() + 8.0;
    let right = if beside && legend.w > 0.0 { legend.w + 20.0 } else { 8.0 };
    let plot = Rect::new(left, top, (width - left - right).max(20.0).floor(), high);
    for (t, line) in ticks {
        let y = plot.y + plot.h * (1.0 - t);
        block.items.push(Item::Line([plot.x, y, plot.x + plot.w, y], Ink::Faint));
        block.items.push(Item::Label(line.at(left - 7.0, y + TICK.size * 0.36, Anchor::End, Ink::Soft)));
    }
    let base = plot.y + plot.h;
    // Between whole numbers (layers, positions, steps) there is nothing.
    let whole = chart.series.iter().flat_map(|series| &series.xs).all(|x| x.fract() == 0.0);
    for (t, text) in x.ticks((plot.w / 56.0) as usize) {
        if whole && text.contains('.') {
            continue;
        }
        let at = plot.x + plot.w * t;
        block.items.push(Item::Line([at, base, at, base + 4.0], Ink::Soft));
        let line = Line::fit(face, &text, TICK, 56.0);
        block.items.push(Item::Label(line.at(at, base + 6.0 + TICK.size, Anchor::Middle, Ink::Soft)));
    }
    block.items.push(Item::Line([plot.x, base, plot.x + plot.w, base], Ink::Soft));
    let caption = Line::fit(face, &chart.x_axis, AXIS, plot.w);
    let middle = plot.x + plot.w / 2.0;
    block.items.push(Item::Label(caption.at(middle, base + TICK.line() + 6.0 + AXIS.size, Anchor::Middle, Ink::Soft)));
    for (series, ink, dashed) in inks(chart).iter().rev() {
        let thick = if series.faint { 1.0 } else { 1.8 };
        for points in pieces(series, &x, &y, plot) {
            block.items.push(Item::Curve { points, ink: *ink, thick, dashed: *dashed });
        }
    }
    block.cut = spare < LOWEST || plot.w < NARROWEST;
    block.w = width;
    block.h = base + under;
    if beside {
        block.put(plot.x + plot.w + 20.0, plot.y, legend);
    } else if legend.h > 0.0 {
        let y = block.h + 10.0;
        block.put(0.0, y, legend);
    }
    block.h += if note.is_empty() { 0.0 } else { 4.0 };
    put_lines(&mut block, note, 0.0, Ink::Soft);
    block
}

/// Every line with its colour and whether it is dashed; the faint ones last, so that they lie under the others, and
/// dashed where they have another name than the first.
pub(crate) fn inks(chart: &Curves) -> Vec<(&Series, Ink, bool)> {
    let mut inks = Vec::new();
    let mut number = 0;
    let first_faint = chart.series.iter().find(|series| series.faint).map(|series| &series.name);
    for series in &chart.series {
        if series.faint {
            inks.push((series, Ink::Soft, !series.name.is_empty() && Some(&series.name) != first_faint));
        } else {
            inks.push((series, Ink::Curve((number % COLOURS) as u8), number / COLOURS % 2 == 1));
            number += 1;
        }
    }
    inks.sort_by_key(|(series, ..)| series.faint);
    inks
}

/// The numbers along x and along y.
pub(crate) fn axes(chart: &Curves) -> (Scale, Scale) {
    let all = |of: fn(&Series) -> &Vec<f32>| chart.series.iter().map(of);
    (axis(all(|s| &s.xs), chart.x_kind), axis(all(|s| &s.ys), ScaleKind::Linear))
}

/// Numbers along an axis: from 0 where that is near, and there is one.
fn axis<'a>(numbers: impl Iterator<Item = &'a Vec<f32>>, kind: ScaleKind) -> Scale {
    let finite = numbers.flatten().copied().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
    let min = if kind == ScaleKind::Linear && low >= 0.0 && low < high / 2.0 { 0.0 } else { low };
    Scale { kind, colormap: Colormap::Grey, min, max: high, ..Scale::default() }
}

/// A line's points on the plot, parted where one is missing.
fn pieces(series: &Series, x: &Scale, y: &Scale, plot: Rect) -> Vec<Vec<(f32, f32)>> {
    let points: Vec<Option<(f32, f32)>> = series
        .xs
        .iter()
        .zip(&series.ys)
        .step_by(series.xs.len().div_ceil(MOST_POINTS).max(1))
        .map(|(&at, &high)| {
            let (x, y) = (x.position(at)?, y.position(high).filter(|_| high.is_finite())?);
            Some((plot.x + plot.w * x, plot.y + plot.h * (1.0 - y)))
        })
        .collect();
    points
        .split(Option::is_none)
        .filter(|part| part.len() > 1)
        .map(|part| part.iter().flatten().copied().collect())
        .collect()
}

/// Names with the colours of their lines: one under the other, or beside one another as far as they fit.
fn legend<'a>(chart: &Curves, face: &dyn Typeface, limit: f32, flowing: bool) -> Block<'a> {
    let mut block = Block::default();
    let (mut x, mut y) = (0.0, 0.0);
    for (series, ink, dashed) in inks(chart) {
        let line = Line::fit(face, &series.name, NAME, limit - KEY - 6.0);
        if line.text.is_empty() {
            continue;
        }
        let w = KEY + 6.0 + line.width;
        if x > 0.0 && (!flowing || x + w > limit) {
            (x, y) = (0.0, y + NAME.line() + 2.0);
        }
        let middle = y + NAME.line() / 2.0;
        let thick = if series.faint { 1.0 } else { 2.4 };
        block.items.push(Item::Curve { points: vec![(x, middle), (x + KEY, middle)], ink, thick, dashed });
        block.items.push(Item::Label(line.at(x + KEY + 6.0, middle + NAME.size * 0.36, Anchor::Start, Ink::Normal)));
        block.w = block.w.max(x + w);
        block.h = y + NAME.line();
        x += w + 18.0;
    }
    block
}
