//! Texts in columns.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::figure::number::number;
use crate::render::visible;

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A text made visible and cut to so many columns.
pub(super) fn fit(text: &str, limit: usize) -> String {
    // A grapheme takes at least one column, or none at all: no need to read further.
    let head: String = text.graphemes(true).take(limit + 1).collect();
    let text = visible(&head);
    if columns(&text) <= limit {
        return text;
    }
    let mut out = String::new();
    for grapheme in text.graphemes(true) {
        if columns(&out) + columns(grapheme) + 1 > limit {
            break;
        }
        out.push_str(grapheme);
    }
    if limit > 0 {
        out.push('…');
    }
    out
}

/// A text with blanks after it, or before, up to so many columns.
pub(super) fn pad(text: &str, to: usize, right: bool) -> String {
    let blanks = " ".repeat(to.saturating_sub(columns(text)));
    if right { blanks + text } else { text.to_owned() + &blanks }
}

/// The most lines of a text that nobody wants whole.
pub(super) const MOST_LINES: usize = 3;

/// A text in lines of so many columns, and at most so many lines.
pub(super) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let text: String = text.graphemes(true).take(width.saturating_mul(most)).collect();
    let text = visible(&text);
    for word in text.split(' ') {
        let (count, last) = (lines.len(), lines.last_mut());
        match last {
            Some(line) if line.is_empty() => *line = word.to_owned(),
            Some(line) if columns(line) + 1 + columns(word) <= width || count == most => {
                *line = format!("{line} {word}")
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.retain(|line| !line.is_empty());
    if most < usize::MAX {
        return lines.iter().map(|line| fit(line, width)).collect();
    }
    // Where nothing is cut, a word that is too wide is broken.
    lines.iter().flat_map(|line| broken(line, width)).collect()
}

fn broken(line: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for grapheme in line.graphemes(true) {
        match parts.last_mut() {
            Some(part) if columns(part) + columns(grapheme) <= width => part.push_str(grapheme),
            _ => parts.push(grapheme.to_owned()),
        }
    }
    parts
}

/// A number in few columns: `.42`, `−.07`.
pub(super) fn short(value: f32) -> String {
    let text = format!("{:.2}", value.abs());
    let digits = if text == "1.00" { Some("1") } else { text.strip_prefix('0') };
    match digits {
        Some(".00") => ".00".to_owned(),
        Some(digits) if value < 0.0 => format!("−{digits}"),
        Some(digits) => digits.to_owned(),
        None => number(value),
    }
}

/// What a terminal without Unicode gets instead, as wide as before.
pub(super) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        match grapheme {
            "·" => out.push('.'),
            "−" | "–" | "—" => out.push('-'),
            "×" => out.push('x'),
            "…" => out.push('~'),
            "“" | "”" => out.push('"'),
            "‘" | "’" => out.push('\''),
            "⏎" => out.push('$'),
            "⟨" => out.push('<'),
            "⟩" => out.push('>'),
            "₁" => out.push('1'),
            "₂" => out.push('2'),
            "₃" => out.push('3'),
            "₄" => out.push('4'),
            _ if grapheme.is_ascii() => out.push_str(grapheme),
            _ => {
                let letter = grapheme.chars().next().filter(char::is_ascii).unwrap_or('?'); // without its accents
                out.extend(std::iter::repeat_n(letter, columns(grapheme)));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_four_columns_where_they_can() {
        let shown = [0.42, -0.07, 0.0, -0.001, 0.999, -1.0, f32::NAN, 12.5].map(short);
        assert_eq!(shown, [".42", "−.07", ".00", ".00", "1", "−1", "–", "12.5"]);
    }
}
