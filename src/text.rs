//! What is invisible or dangerous in a text: one table for labels, pictures, terminals, messages and XML.
//!
//! Each of them shows such characters in its own way, and all ask [`Class`] which they are.
use std::fmt::{Display, Write};

use unicode_properties::{EmojiStatus, GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// What a character is to somebody who looks at a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A letter, mark, sign or the ordinary space.
    Seen,
    /// A space of another width, the empty Braille cell.
    Blank,
    /// Private or unassigned: everyone sees something else.
    Unknown,
    /// Leaves no mark: zero-width spaces, joiners, variation selectors, tags and other format characters.
    Hidden,
    /// Changes the direction of the text around it.
    Bidi,
    /// Ends a line: U+2028 and U+2029.
    Break,
    /// A control character, the newline among them.
    Control,
    /// A code point that never becomes a character; XML forbids some.
    Noncharacter,
}

impl Class {
    /// The class of one character by itself.
    pub fn of(c: char) -> Self {
        match c {
            ' '..='~' => Self::Seen,
            '\0'..='\u{9f}' => Self::Control,
            '\u{2028}' | '\u{2029}' => Self::Break,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Self::Bidi,
            '\u{fdd0}'..='\u{fdef}' => Self::Noncharacter,
            _ if u32::from(c) & 0xfffe == 0xfffe => Self::Noncharacter,
            _ if is_ignorable(c) => Self::Hidden,
            '\u{2800}' => Self::Blank,
            _ => match c.general_category() {
                GeneralCategory::SpaceSeparator => Self::Blank,
                GeneralCategory::PrivateUse | GeneralCategory::Unassigned => Self::Unknown,
                GeneralCategory::Format if !encloses_numbers(c) => Self::Hidden,
                _ => Self::Seen,
            },
        }
    }

    /// Whether it acts on the text around it, on a terminal, or on a reader of XML: it is never written as it is.
    pub fn acts(self) -> bool {
        matches!(self, Self::Bidi | Self::Break | Self::Control | Self::Noncharacter)
    }
}

/// The characters of a text, each with its class; the joiners and variation selectors of an emoji sequence are seen.
pub fn classes(text: &str) -> impl Iterator<Item = (char, Class)> {
    /// What the character before was.
    #[derive(PartialEq)]
    enum Before {
        Emoji,
        Selected, // an emoji with its selector
        Keycap,   // what is an emoji only with a selector and U+20E3 after it
        Other,
    }
    let mut before = Before::Other;
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        let c = chars.next()?;
        let next = chars.peek().copied();
        let selects = match c {
            '\u{fe0e}' | '\u{fe0f}' => {
                before == Before::Emoji || (before == Before::Keycap && next == Some('\u{20e3}'))
            }
            _ => false,
        };
        let joins =
            c == ZERO_WIDTH_JOINER && matches!(before, Before::Emoji | Before::Selected) && next.is_some_and(is_emoji);
        before = match c {
            _ if selects => Before::Selected,
            _ if is_emoji(c) => Before::Emoji,
            '0'..='9' | '#' | '*' => Before::Keycap,
            _ => Before::Other,
        };
        Some((c, if selects || joins { Class::Seen } else { Class::of(c) }))
    })
}

/// A text on one line in which nothing can act or hide, for terminals and messages: names, paths and prompts are not ours.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (c, class) in classes(text) {
        match class {
            Class::Seen | Class::Blank | Class::Unknown => out.push(c),
            Class::Control if c == '\n' => out.push(' '),
            _ => spell(&mut out, c),
        }
    }
    out
}

/// At most so many characters of a text, [`printable`], and `…` for the rest.
pub fn excerpt(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => printable(&text[..end]) + "…",
        None => printable(text),
    }
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    let mib = count as f64 / f64::from(1 << 20);
    if mib >= 1000.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
}

/// A text as one word of a shell, for commands that somebody pastes: in quotes unless it is plain. What acts on a terminal is spelled
/// out by whoever prints it.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._/-+:@%=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text as one segment of an address' path (RFC 3986): what is reserved there, and all that is not ASCII, in hexadecimal.
pub fn path_segment(text: &str) -> String {
    let shown = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(shown).collect()
}

/// A text for an element of XML or an attribute in quotes. Lines are kept; what acts becomes a replacement character.
pub fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push_str("&#10;"),
            c if Class::of(c).acts() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

/// A number of things: `1 token`, `2 tokens`, `3 queries`, `4 classes`.
pub fn count<N: Display + PartialEq + From<u8>>(number: N, thing: &str) -> String {
    match thing.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if number == N::from(1) => format!("1 {thing}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {thing}{}", if thing.ends_with('s') { "es" } else { "s" }),
    }
}

/// Writes a character that must not stand for itself: `⏎`, `⇥`, `␛`, `⟨85⟩`, `U+202E`.
pub fn spell(out: &mut String, c: char) {
    match c {
        '\n' => out.push('⏎'),
        '\t' => out.push('⇥'),
        '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + u32::from(c))),
        '\x7f' => out.push('␡'),
        '\u{80}'..='\u{9f}' => spell_byte(out, c as u8),
        c => _ = write!(out, "U+{:04X}", u32::from(c)),
    }
}

/// Writes a byte that is no whole character: `⟨E2⟩`.
pub fn spell_byte(out: &mut String, byte: u8) {
    _ = write!(out, "⟨{byte:02X}⟩");
}

/// Emoji and skin tones, but not the digits of keycaps, the joiner and the selectors.
fn is_emoji(c: char) -> bool {
    !c.is_ascii() && !matches!(c.emoji_status(), EmojiStatus::NonEmoji | EmojiStatus::NonEmojiButEmojiComponent)
}

/// Signs that enclose the number after them: format characters by category, but drawn.
fn encloses_numbers(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}'
    )
}

/// Unicode's Default_Ignorable_Code_Point without the bidi controls.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down again, from the standards, so that a hole in the table shows.
    fn never(c: char) -> bool {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    }

    #[test]
    fn one_thing_is_no_plural() {
        let said = [(1, "token"), (2, "token"), (0, "query"), (1, "query"), (3, "class"), (2, "key")]
            .map(|(n, what)| count(n, what));
        assert_eq!(said, ["1 token", "2 tokens", "0 queries", "1 query", "3 classes", "2 keys"]);
    }

    #[test]
    fn no_character_that_acts_gets_through_anywhere() {
        for c in '\0'..=char::MAX {
            assert!(!never(c) || Class::of(c).acts(), "{c:?}");
            for text in [c.to_string(), format!("a{c}b"), format!("👩{c}💻"), format!("1{c}\u{20e3}")] {
                for out in [printable(&text), excerpt(&text, 2), xml(&text)] {
                    assert!(!out.is_empty() && !out.contains(never), "{c:?} as {out:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_in_a_message_is_hidden_but_the_joints_of_an_emoji() {
        for c in ('\0'..=char::MAX).filter(|c| Class::of(*c) == Class::Hidden) {
            assert_eq!(printable(&format!("a{c}b")), format!("aU+{:04X}b", u32::from(c)));
        }
        let emoji = "👩\u{200d}👩\u{200d}👧❤\u{fe0f}👍🏽🇫🇷1\u{fe0f}\u{20e3}🏳\u{fe0f}\u{200d}🌈";
        assert_eq!(printable(emoji), emoji);
        assert_eq!(printable("👩\u{200d}x❤\u{fe0f}\u{fe0f}"), "👩U+200Dx❤\u{fe0f}U+FE0F");
        assert_eq!(printable("1\u{200d}2 1\u{fe0f}2"), "1U+200D2 1U+FE0F2");
    }

    #[test]
    fn a_message_is_one_short_line_and_names_what_acts() {
        assert_eq!(printable("a\nb\r\t\u{1b}[31m\u{7f}\u{85}"), "a b␍⇥␛[31m␡⟨85⟩");
        assert_eq!(printable("x\u{202e}y\u{2028}\u{feff}"), "xU+202EyU+2028U+FEFF");
        assert_eq!(printable("e\u{301}\u{3000}中\u{a0}\u{e000}"), "e\u{301}\u{3000}中\u{a0}\u{e000}");
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("a\u{1b}bc", 3), "a␛b…");
    }

    #[test]
    fn a_word_of_a_shell_is_one_word() {
        for (text, word) in [
            ("a/b-1.npz", "a/b-1.npz"),
            ("org/name@main", "org/name@main"),
            ("", "''"),
            ("-o", "'-o'"),
            ("a.npz; curl x|sh #", "'a.npz; curl x|sh #'"),
            ("it's $HOME `x`", "'it'\\''s $HOME `x`'"),
            ("~", "'~'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn xml_is_escaped_and_keeps_its_lines() {
        assert_eq!(xml("<a b='1'>&\"\n"), "&lt;a b=&#39;1&#39;&gt;&amp;&quot;&#10;");
        assert_eq!(xml("\0\t\u{85}\u{202e}\u{ffff}中"), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}中");
    }
}
