//! Labels along the edges of a map.

use super::text::Line;
use super::{Anchor, Block, Item, Label, Style, Typeface};
use crate::figure::Ink;

pub(super) const LARGEST: f32 = 12.0;
const SMALLEST: f32 = 9.4;
/// Labels that are measured for a first guess.
const MOST_MEASURED: usize = 4096;
/// A flat label takes more room than this beside its letters.
const BESIDE: f32 = 6.0;
/// Where a viewer lacks the font, another's letters are up to so many times as wide.
pub(super) const WIDER: f32 = 1.14;
/// From a map to its labels.
const PAD: f32 = 7.0;

/// How the labels under the columns stand.
#[derive(Clone, Copy, PartialEq)]
enum Slant {
    Flat,
    Diagonal,
    Upright,
}

/// The labels left of a map's rows.
pub(super) struct Rows {
    lines: Vec<(usize, Line)>,
    every: usize,
    size: f32,
    pitch: f32,
}

impl Rows {
    /// Labels for `n` rows of that height, none wider than `widest`; they are numbered from `first`.
    pub fn new(face: &dyn Typeface, labels: &[String], (first, n): (usize, usize), pitch: f32, widest: f32) -> Self {
        let size = (pitch * 0.62).clamp(SMALLEST, LARGEST);
        let every = thin(size, pitch);
        Self { lines: fit_all(face, labels, (first, n), every, size, widest), every, size, pitch }
    }

    /// The room that they take, the gap to the map included.
    pub fn gutter(&self) -> f32 {
        gutter(&self.lines)
    }

    /// Puts them left of a map whose upper left corner is there.
    pub fn put(self, block: &mut Block, left: f32, top: f32) {
        for (i, line) in self.lines {
            let y = top + (i as f32 + 0.5) * self.pitch;
            if self.every > 1 {
                block.items.push(Item::Line([left - 4.0, y, left, y], Ink::Faint));
            }
            block.items.push(Item::Label(line.at(left - PAD, y + self.size * 0.36, Anchor::End, Ink::Normal)));
        }
    }
}

impl Rows {
    /// Puts them right of something whose upper right corner is there.
    pub fn put_right(self, block: &mut Block, right: f32, top: f32) {
        for (i, line) in self.lines {
            let y = top + (i as f32 + 0.5) * self.pitch;
            if self.every > 1 {
                block.items.push(Item::Line([right, y, right + 4.0, y], Ink::Faint));
            }
            block.items.push(Item::Label(line.at(right + PAD, y + self.size * 0.36, Anchor::Start, Ink::Normal)));
        }
    }
}

/// About as much room as labels of the largest size take.
pub(super) fn rough_gutter(face: &dyn Typeface, labels: &[String], n: usize, widest: f32) -> f32 {
    gutter(&fit_all(face, labels, (0, n.min(MOST_MEASURED)), 1, LARGEST, widest))
}

/// Puts labels under `cols` columns of width `cw`, below a map whose lower left corner is at `left`, `below`. Returns how deep they reach.
pub(super) fn put_cols(
    block: &mut Block,
    face: &dyn Typeface,
    labels: &[String],
    (cols, cw): (usize, f32),
    (left, below): (f32, f32),
    widest: f32,
) -> f32 {
    let mut deepest: f32 = 0.0;
    for (label, tick) in col_labels(labels, face, cols, cw, left, widest) {
        if tick {
            let x = left + label.x;
            block.items.push(Item::Line([x, below, x, below + 4.0], Ink::Faint));
        }
        let label = Label { x: left + label.x + label.nudge(), y: below + label.y, ..label };
        deepest = label.corners().iter().fold(deepest, |deep, corner| deep.max(corner.1 - below));
        block.items.push(Item::Label(label));
    }
    block.h = block.h.max(below + deepest);
    deepest
}

/// Every so many-th label, cut to a width; where some are left out, those that stay say which they are, counted from `first`.
fn fit_all(
    face: &dyn Typeface,
    labels: &[String],
    (first, n): (usize, usize),
    every: usize,
    size: f32,
    limit: f32,
) -> Vec<(usize, Line)> {
    let style = Style::regular(size);
    // Where all labels are such numbers, they say so themselves.
    let named = every > 1 && labels.iter().take(n).enumerate().any(|(i, label)| *label != (first + i).to_string());
    let numbered = |i: usize| if named { format!("{} {}", first + i, labels[i]) } else { labels[i].clone() };
    (0..n.min(labels.len())).step_by(every).map(|i| (i, Line::fit(face, &numbered(i), style, limit))).collect()
}

fn gutter(labels: &[(usize, Line)]) -> f32 {
    let widest = labels.iter().map(|(_, line)| line.width).fold(0.0, f32::max);
    if widest > 0.0 { (widest + PAD).ceil() } else { 0.0 }
}

/// Labels for the columns, relative to the map's lower left corner, and whether each needs a tick.
fn col_labels(
    labels: &[String],
    face: &dyn Typeface,
    cols: usize,
    cw: f32,
    left: f32,
    widest: f32,
) -> Vec<(Label, bool)> {
    let flat = if cw > BESIDE { fit_all(face, labels, (0, cols), 1, LARGEST, widest) } else { Vec::new() };
    let broadest = flat.iter().map(|(_, line)| line.width).fold(0.0, f32::max);
    let need = (broadest + BESIDE).max(broadest * WIDER);
    let slant = match cw {
        _ if cw > BESIDE && need <= cw => Slant::Flat,
        _ if cw >= 17.0 => Slant::Diagonal,
        _ => Slant::Upright,
    };
    let size = match slant {
        Slant::Flat => LARGEST,
        Slant::Diagonal => (cw * 0.55).clamp(SMALLEST, LARGEST),
        Slant::Upright => (cw * 0.7).clamp(SMALLEST, LARGEST),
    };
    let every = if slant == Slant::Upright { thin(size, cw) } else { 1 };
    // A diagonal label of the first column may reach as far to the left as the row labels do.
    let limit =
        if slant == Slant::Diagonal { widest.min((left + cw / 2.0 - 2.0) / 0.75).max(size * 2.0) } else { widest };
    let lines = if slant == Slant::Flat { flat } else { fit_all(face, labels, (0, cols), every, size, limit) };
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

/// The step between drawn labels, so that none touches the next: 1 if all just fit, else with room between them.
fn thin(size: f32, pitch: f32) -> usize {
    if pitch >= size * 1.25 {
        return 1;
    }
    let steps = (0..7).flat_map(|e| [1, 2, 5].map(|s| s * 10usize.pow(e)));
    steps.skip(1).find(|n| *n as f32 * pitch >= size * 1.7).unwrap_or(1)
}
