use std::ops::Range;

use super::Page;
use super::text::{columns, fit, pad};
use crate::figure::{Ink, Scale, Strip, StripRow};

/// The most columns of a token.
const WIDEST: usize = 24;
/// The most lines of a text.
const MOST_LINES: usize = 16;
/// A longer text has no numbers under its tokens, if colours say enough.
const MOST_NUMBERED: usize = 60;

impl Page {
    pub(super) fn strip(&mut self, strip: &Strip) {
        if strip.labels.is_empty() {
            return;
        }
        self.lines(&strip.title, Ink::Strong);
        let tokens: Vec<String> = strip.labels.iter().map(|label| fit(label, WIDEST.min(self.width))).collect();
        let numbered = strip.labels.len() <= MOST_NUMBERED || !self.pen.many();
        let scale = |row: &'_ StripRow| row.scale.clone().unwrap_or_else(|| strip.scale.clone());
        let scales: Vec<Scale> = strip.rows.iter().map(scale).collect();
        let score =
            |row: usize, i: usize| strip.rows[row].values.get(i).map_or(String::new(), |v| scales[row].short(*v));
        // All rows give a token as many columns, so that it stands under itself.
        let wide = |i: usize| {
            let scores = (0..if numbered { scales.len() } else { 0 }).map(|row| columns(&score(row, i)));
            scores.fold(columns(&tokens[i]), usize::max)
        };
        let wide: Vec<usize> = (0..tokens.len()).map(wide).collect();
        let lines = self.break_lines(&wide);
        for (row, scores) in strip.rows.iter().enumerate() {
            if row > 0 {
                self.pen.end();
            }
            let name = fit(&scores.name, self.width);
            let note = fit(&scores.note, self.width.saturating_sub(columns(&name) + 2));
            if !name.is_empty() || !note.is_empty() {
                self.write(&name, Ink::Normal);
                self.write(&format!("  {note}"), Ink::Soft);
                self.pen.end();
            }
            for line in lines.iter().take(MOST_LINES) {
                for i in line.clone() {
                    let cell = self.tone(scores.values.get(i).copied().unwrap_or(f32::NAN), &scales[row]);
                    self.pen.on(cell, &pad(&tokens[i], wide[i], false));
                    self.pen.plain(if i + 1 < line.end { " " } else { "" });
                }
                self.pen.end();
                if numbered {
                    let scores: Vec<String> = line.clone().map(|i| pad(&score(row, i), wide[i], false)).collect();
                    self.write(&scores.join(" "), Ink::Soft);
                    self.pen.end();
                }
            }
            if let Some(rest) = lines.get(MOST_LINES) {
                self.lines(&format!("… {} more", tokens.len() - rest.start), Ink::Soft);
            }
            if scores.scale.is_some() {
                self.legend(&scales[row], 0, "");
            }
        }
        if strip.rows.iter().any(|row| row.scale.is_none()) {
            self.legend(&strip.scale, 0, "");
        }
    }

    /// Which tokens stand in which line, one column between them.
    fn break_lines(&self, wide: &[usize]) -> Vec<Range<usize>> {
        let mut lines: Vec<Range<usize>> = Vec::new();
        let mut used = 0;
        for (i, wide) in wide.iter().enumerate() {
            match lines.last_mut() {
                Some(line) if used + 1 + wide <= self.width => {
                    line.end = i + 1;
                    used += 1 + wide;
                }
                _ => {
                    lines.push(i..i + 1);
                    used = *wide;
                }
            }
        }
        lines
    }
}
