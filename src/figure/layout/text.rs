use unicode_segmentation::UnicodeSegmentation;

use super::{Anchor, Block, Item, Label, Style, Typeface};
use crate::figure::Ink;

/// No label is read further than this many graphemes: a prompt may hold ten thousand characters without a space.
const LONGEST: usize = 400;
/// A longer text is in no line.
const MOST_BYTES: usize = 4000;

/// A text made ready to be put somewhere.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub text: String,
    pub style: Style,
    pub width: f32,
}

impl Line {
    /// Cut with an ellipsis where it is wider than `limit`; empty if not even the ellipsis fits.
    pub fn fit(face: &dyn Typeface, text: &str, style: Style, limit: f32) -> Self {
        let shown = face.shown(&head(text));
        let width = face.width(&shown, style);
        if width <= limit {
            return Self { text: shown, style, width };
        }
        let ends: Vec<usize> = shown.grapheme_indices(true).map(|(start, _)| start).collect();
        let cut = |graphemes: usize| format!("{}…", shown[..ends[graphemes]].trim_end());
        // The widest cut that fits; widths grow with the cut but for a little kerning.
        let fitting = (0..ends.len()).collect::<Vec<_>>().partition_point(|&n| face.width(&cut(n), style) <= limit);
        let text = if fitting == 0 { String::new() } else { cut(fitting - 1) };
        let width = face.width(&text, style);
        if width > limit {
            return Self { text: String::new(), style, width: 0.0 };
        }
        Self { text, style, width }
    }

    /// The same, cut in its middle: names often differ at their ends.
    pub fn fit_middle(face: &dyn Typeface, text: &str, style: Style, limit: f32) -> Self {
        let whole = face.shown(&head(text));
        if face.width(&whole, style) <= limit {
            return Self::fit(face, text, style, limit);
        }
        let letters: Vec<&str> = whole.graphemes(true).collect();
        let cut = |kept: usize| {
            let (before, behind) = (kept.div_ceil(2), letters.len() - kept / 2);
            format!("{}…{}", letters[..before].concat().trim_end(), letters[behind..].concat().trim_start())
        };
        let fits = |kept: &usize| face.width(&cut(*kept), style) <= limit;
        let kept = (0..letters.len()).collect::<Vec<_>>().partition_point(fits).saturating_sub(1);
        Self::fit(face, &cut(kept), style, limit)
    }

    pub fn at(self, x: f32, y: f32, anchor: Anchor, ink: Ink) -> Label {
        Label { text: self.text, x, y, style: self.style, ink, anchor, angle: 0.0, width: self.width }
    }
}

impl Label {
    pub(super) fn turned(mut self, angle: f32) -> Self {
        self.angle = angle;
        self
    }
}

/// Breaks a text at spaces into at most `lines` lines; what is left over is cut with an ellipsis. Where there is no end of lines nothing
/// is cut, and what is wider than a line is broken anywhere.
pub(super) fn wrap(face: &dyn Typeface, text: &str, style: Style, limit: f32, lines: usize) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let whole = lines == usize::MAX;
    let head = if whole { text.to_owned() } else { head(text) };
    let mut rest = head.trim();
    while !rest.is_empty() {
        let fits = |end: usize| face.width(&face.shown(&rest[..end]), style) <= limit;
        if out.len() + 1 >= lines || (rest.len() < MOST_BYTES && fits(rest.len())) {
            out.push(Line::fit(face, rest, style, limit));
            break;
        }
        let reach = rest.char_indices().nth(LONGEST).map_or(rest.len(), |(at, _)| at);
        let breaks: Vec<usize> =
            rest[..reach].match_indices(' ').map(|(i, _)| i).filter(|i| !rest[i + 1..].starts_with('%')).collect();
        let end = match breaks.partition_point(|&end| fits(end)) {
            0 if whole => {
                let ends: Vec<usize> = rest[..reach].grapheme_indices(true).map(|(at, part)| at + part.len()).collect();
                ends[ends.partition_point(|&end| fits(end)).max(1) - 1]
            }
            0 => breaks.first().copied().unwrap_or(rest.len()),
            n => breaks[n - 1],
        };
        out.push(Line::fit(face, &rest[..end], style, limit));
        rest = rest[end..].trim_start();
    }
    out.retain(|line| !line.text.is_empty());
    out
}

/// Puts lines of text under what is there already, and grows by them.
pub(super) fn put_lines(block: &mut Block, lines: Vec<Line>, x: f32, ink: Ink) {
    for line in lines {
        let (size, height) = (line.style.size, line.style.line());
        block.w = block.w.max(x + line.width);
        block.items.push(Item::Label(line.at(x, block.h + size, Anchor::Start, ink)));
        block.h += height;
    }
}

/// The text's first graphemes, with an ellipsis if there are more.
fn head(text: &str) -> String {
    match text.grapheme_indices(true).nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
