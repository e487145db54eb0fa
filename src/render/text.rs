//! Texts as pictures and previews show them.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use crate::text::Class;

/// A grapheme keeps this many of its characters: the longest emoji sequences have ten, a pile of accents has no end.
const LONGEST_GRAPHEME: usize = 12;

/// A text with nothing in it that could act instead of being read: control characters become pictures; characters that
/// reorder their neighbours, that XML forbids, or that show nothing by themselves become their code points.
pub fn visible(text: &str) -> String {
    if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
        return text.to_owned();
    }
    let mut out = Spaced::default();
    for grapheme in text.graphemes(true) {
        let shows = grapheme.chars().any(|c| !is_hidden(c) && !Class::of(c).acts());
        for (i, c) in grapheme.chars().take(LONGEST_GRAPHEME).enumerate() {
            let class = Class::of(c);
            match c {
                '\n' => out.push('⏎'),
                '\r' if grapheme == "\r\n" => {}
                '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␦')),
                '\u{7f}' => out.push('␡'),
                _ if class == Class::Hidden && shows && i > 0 => out.push(c),
                _ if class == Class::Hidden || class.acts() => out.push_code(c),
                _ if i == 0 && !c.is_alphanumeric() && c.width() == Some(0) => {
                    out.push('◌'); // a mark without a letter
                    out.push(c);
                }
                _ => out.push(c),
            }
        }
    }
    out.text
}

/// A text in which code points, such as `U+4E2D`, stand apart from letters and digits around them.
#[derive(Default)]
pub(super) struct Spaced {
    pub text: String,
    after_code: bool,
}

impl Spaced {
    pub fn push(&mut self, c: char) {
        if self.after_code && c != ' ' {
            self.text.push(' ');
        }
        self.text.push(c);
        self.after_code = false;
    }

    pub fn push_code(&mut self, c: char) {
        if self.text.ends_with(|c: char| c != ' ') {
            self.text.push(' ');
        }
        self.text.push_str(&format!("U+{:04X}", u32::from(c)));
        self.after_code = true;
    }
}

/// Whether a character is not drawn.
pub(super) fn is_hidden(c: char) -> bool {
    Class::of(c) == Class::Hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_act_is_shown_instead() {
        assert_eq!(visible("a\nb\0\u{1b}[31m\u{7f}"), "a⏎b␀␛[31m␡");
        assert_eq!(visible("x\u{202e}y"), "x U+202E y");
        assert_eq!(visible("\u{ffff}"), "U+FFFF");
        assert_eq!(visible("\u{200b}"), "U+200B");
        assert_eq!(visible("\u{301}"), "◌\u{301}");
        assert_eq!(visible("👩\u{200d}💻 e\u{301}"), "👩\u{200d}💻 e\u{301}");
        assert_eq!(visible("\u{85}"), "U+0085");
    }

    #[test]
    fn no_character_that_acts_gets_through() {
        for c in '\0'..=char::MAX {
            for text in [c.to_string(), format!("a{c}b"), format!("👩{c}💻")] {
                let shown = visible(&text);
                assert!(!shown.chars().any(|c| Class::of(c).acts()), "{c:?} as {shown:?}");
            }
        }
    }
}
