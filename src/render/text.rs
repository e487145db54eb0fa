use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

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
        let joins = |c: char| is_ignorable(c) && !is_bidi_control(c);
        let shows = grapheme.chars().any(|c| !is_ignorable(c) && !c.is_control());
        for (i, c) in grapheme.chars().take(LONGEST_GRAPHEME).enumerate() {
            match c {
                '\n' => out.push('⏎'),
                '\r' if grapheme == "\r\n" => {}
                '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␦')),
                '\u{7f}' => out.push('␡'),
                _ if joins(c) && shows && i > 0 => out.push(c),
                _ if c.is_control() || is_ignorable(c) || is_forbidden(c) => out.push_code(c),
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

/// Characters that neither text in XML nor a terminal should carry.
fn is_forbidden(c: char) -> bool {
    let code = u32::from(c);
    code & 0xfffe == 0xfffe
        || (0xfdd0..=0xfdef).contains(&code)
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
}

/// Characters that turn the direction of those around them.
pub(super) fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that are not drawn (Unicode's Default_Ignorable_Code_Point).
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
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
}
