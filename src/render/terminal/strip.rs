use super::Page;
use super::text::{columns, fit, pad};
use crate::figure::{Ink, Strip};

/// No token takes more columns.
const WIDEST: usize = 24;
/// A text is cut after so many lines.
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
        for (i, row) in strip.rows.iter().enumerate() {
            if i > 0 {
                self.pen.end();
            }
            let name = fit(&row.name, self.width);
            let note = fit(&row.note, self.width.saturating_sub(columns(&name) + 2));
            if !name.is_empty() || !note.is_empty() {
                self.write(&name, Ink::Normal);
                self.write(&format!("  {note}"), Ink::Soft);
                self.pen.end();
            }
            let scale = row.scale.as_ref().unwrap_or(&strip.scale);
            let score = |i: usize| row.values.get(i).map_or(String::new(), |value| scale.short(*value));
            let wide = |i: usize| columns(&tokens[i]).max(if numbered { columns(&score(i)) } else { 0 });
            let (mut start, mut lines) = (0, 0);
            while start < tokens.len() {
                if lines == MOST_LINES {
                    self.lines(&format!("… {} more", tokens.len() - start), Ink::Soft);
                    break;
                }
                lines += 1;
                let (mut end, mut used) = (start, 0);
                while end < tokens.len() && (end == start || used + wide(end) <= self.width) {
                    used += wide(end) + 1;
                    end += 1;
                }
                for i in start..end {
                    let value = row.values.get(i).copied().unwrap_or(f32::NAN);
                    let cell = self.tone(value, scale);
                    self.pen.on(cell, &pad(&tokens[i], wide(i), false));
                    self.pen.plain(if i + 1 < end { " " } else { "" });
                }
                self.pen.end();
                if numbered {
                    for i in start..end {
                        let text = pad(&score(i), wide(i) + usize::from(i + 1 < end), false);
                        self.write(&text, Ink::Soft);
                    }
                    self.pen.end();
                }
                start = end;
            }
            if row.scale.is_some() {
                self.legend(scale, 0, "");
            }
        }
        if strip.rows.iter().any(|row| row.scale.is_none()) {
            self.legend(&strip.scale, 0, "");
        }
    }
}
