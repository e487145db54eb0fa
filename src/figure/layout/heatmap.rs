//! One large map with its labels.

use super::text::Line;
use super::{Anchor, Block, Item, Label, Rect, Room, Style, Typeface, legend};
use crate::figure::matrix::block as pool_block;
use crate::figure::{Heatmap, Ink};

const TITLE: Style = Style::bold(12.0);
const AXIS: Style = Style::regular(11.0);
const LARGEST_TEXT: f32 = 12.0;
const SMALLEST_TEXT: f32 = 8.5;
/// From a map to its labels.
const PAD: f32 = 7.0;
/// No label is wider than this where nobody asks for a size, nor than this share of a given one.
const WIDEST: f32 = 150.0;
const SHARE: f32 = 0.24;
/// The side that a map is drawn for when nobody asks for a size, and the largest that more tokens make it.
const NATURAL: f32 = 620.0;
const LARGEST: f32 = 1080.0;
const LARGEST_CELL: f32 = 56.0;
/// In a given size cells may grow beyond that, but a map of two tokens shall not look like a flag.
const GIVEN_CELL: f32 = 120.0;

/// How the labels under the columns stand.
#[derive(Clone, Copy, PartialEq)]
enum Slant {
    Flat,
    Diagonal,
    Upright,
}

pub(super) fn heatmap<'a>(map: &'a Heatmap, face: &dyn Typeface, room: Room) -> Block<'a> {
    let (rows, cols) = (map.values.rows, map.values.cols);
    let mut block = Block::default();
    if rows == 0 || cols == 0 {
        return block;
    }
    let small = room.w.is_some_and(|w| w < 240.0) || room.h.is_some_and(|h| h < 180.0);
    let widest = WIDEST.min(room.w.map_or(WIDEST, |w| w * SHARE)).min(room.h.map_or(WIDEST, |h| h * SHARE));

    // What stands around the map, as far as it is known before the cells are.
    let above = if map.title.is_empty() { 2.0 } else { TITLE.line() + 6.0 };
    let axis = |text: &str| if small || text.is_empty() { 0.0 } else { AXIS.line() + 6.0 };
    let (axis_left, axis_below) = (axis(&map.row_axis), axis(&map.col_axis));
    let room_for_legend = if small { 0.0 } else { room.w.map_or(150.0, |w| w * 0.3) };
    let rough = legend::legend(&map.scale, face, 400.0, room_for_legend - legend::GAP);
    let right = if rough.w > 0.0 { legend::GAP + rough.w } else { 2.0 };
    let rough_left = gutter(&fit_all(face, &map.row_labels, rows, 1, LARGEST_TEXT, widest));
    let rough_below = gutter(&fit_all(face, &map.col_labels, cols, 1, LARGEST_TEXT, widest));

    let space_w = room.w.map(|w| w - axis_left - rough_left - right);
    let space_h = room.h.map(|h| h - above - axis_below - rough_below);
    let (w, h) = extent(rows, cols, space_w, space_h);
    let (cw, ch) = (w / cols as f32, h / rows as f32);

    let size = (ch * 0.62).clamp(SMALLEST_TEXT, LARGEST_TEXT);
    let every = thin(size, ch);
    let row_labels = fit_all(face, &map.row_labels, rows, every, size, widest);
    let left = axis_left + gutter(&row_labels);
    block.put(
        left,
        above,
        Block { w, h, items: vec![Item::Cells(Rect::new(0.0, 0.0, w, h), &map.values, &map.scale)] },
    );
    block.items.push(Item::Frame(Rect::new(left, above, w, h), Ink::Faint));
    for (i, line) in row_labels {
        let y = above + (i as f32 + 0.5) * ch;
        if every > 1 {
            block.items.push(Item::Line([left - 4.0, y, left, y], Ink::Faint));
        }
        block.items.push(Item::Label(line.at(left - PAD, y + size * 0.36, Anchor::End, Ink::Normal)));
    }

    let below = above + h;
    let mut deepest: f32 = 0.0;
    for (label, tick) in col_labels(map, face, cols, cw, left, widest) {
        if tick {
            let x = left + label.x;
            block.items.push(Item::Line([x, below, x, below + 4.0], Ink::Faint));
        }
        let label = Label { x: left + label.x + label.nudge(), y: below + label.y, ..label };
        deepest = label.corners().iter().fold(deepest, |deep, corner| deep.max(corner.1 - below));
        block.items.push(Item::Label(label));
    }
    block.h = block.h.max(below + deepest);

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
    if !map.title.is_empty() {
        let title = Line::fit(face, &map.title, TITLE, room.w.unwrap_or(NATURAL) - left);
        block.w = block.w.max(left + title.width);
        block.items.push(Item::Label(title.at(left, TITLE.size, Anchor::Start, Ink::Strong)));
    }
    if rough.w > 0.0 {
        block.put(left + w + legend::GAP, above, legend::legend(&map.scale, face, h, room_for_legend - legend::GAP));
    }
    block
}

/// Width and height of the map: whole pixels per cell where there is a pixel for each, else whole cells per pixel.
fn extent(rows: usize, cols: usize, space_w: Option<f32>, space_h: Option<f32>) -> (f32, f32) {
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
        _ if cell >= 1.0 && (cell.floor() > cell * 0.8 || !given) => n as f32 * cell.floor(),
        _ if cell >= 1.0 => (n as f32 * cell).floor(),
        side => n.div_ceil(pool_block(n, side as usize)) as f32,
    };
    (whole(cols, cw), whole(rows, ch))
}

/// Every so many-th label, cut to a width; where some are left out, those that stay say which they are.
fn fit_all(
    face: &dyn Typeface,
    labels: &[String],
    n: usize,
    every: usize,
    size: f32,
    limit: f32,
) -> Vec<(usize, Line)> {
    let style = Style::regular(size);
    let numbered = |i: usize| if every > 1 { format!("{i} {}", labels[i]) } else { labels[i].clone() };
    (0..n.min(labels.len())).step_by(every).map(|i| (i, Line::fit(face, &numbered(i), style, limit))).collect()
}

fn gutter(labels: &[(usize, Line)]) -> f32 {
    let widest = labels.iter().map(|(_, line)| line.width).fold(0.0, f32::max);
    if widest > 0.0 { (widest + PAD).ceil() } else { 0.0 }
}

/// Labels for the columns, relative to the map's lower left corner, and whether each needs a tick.
fn col_labels(map: &Heatmap, face: &dyn Typeface, cols: usize, cw: f32, left: f32, widest: f32) -> Vec<(Label, bool)> {
    let flat = fit_all(face, &map.col_labels, cols, 1, LARGEST_TEXT, widest);
    let need = flat.iter().map(|(_, line)| line.width).fold(0.0, f32::max) + 6.0;
    let slant = match cw {
        _ if need <= cw => Slant::Flat,
        _ if cw >= 17.0 => Slant::Diagonal,
        _ => Slant::Upright,
    };
    let size = match slant {
        Slant::Flat => LARGEST_TEXT,
        Slant::Diagonal => (cw * 0.55).clamp(SMALLEST_TEXT, LARGEST_TEXT),
        Slant::Upright => (cw * 0.7).clamp(SMALLEST_TEXT, LARGEST_TEXT),
    };
    let every = if slant == Slant::Upright { thin(size, cw) } else { 1 };
    // A diagonal label of the first column may reach as far to the left as the row labels do.
    let limit =
        if slant == Slant::Diagonal { widest.min((left + cw / 2.0 - 2.0) / 0.75).max(size * 2.0) } else { widest };
    let lines = if slant == Slant::Flat { flat } else { fit_all(face, &map.col_labels, cols, every, size, limit) };
    let place = |(i, line): (usize, Line)| {
        let x = (i as f32 + 0.5) * cw;
        let label = match slant {
            Slant::Flat => line.at(x, PAD + size * 0.8, Anchor::Middle, Ink::Normal),
            Slant::Diagonal => line.at(x, PAD + 2.0, Anchor::End, Ink::Normal).turned(-45.0),
            Slant::Upright => line.at(x, PAD, Anchor::End, Ink::Normal).turned(-90.0),
        };
        (label, every > 1)
    };
    lines.into_iter().map(place).collect()
}

impl Label {
    /// How far a turned label moves to the right so that the middle of its letters, not their baseline, points at its column.
    fn nudge(&self) -> f32 {
        let sin = (-self.angle).to_radians().sin();
        self.style.size * 0.36 * sin
    }
}

/// Every how many-th label is drawn, so that none touches the next: all if they just fit, else with air between them.
fn thin(size: f32, pitch: f32) -> usize {
    if pitch >= size * 1.25 {
        return 1;
    }
    let steps = (0..7).flat_map(|e| [1, 2, 5].map(|s| s * 10usize.pow(e)));
    steps.skip(1).find(|n| *n as f32 * pitch >= size * 1.7).unwrap_or(1)
}
