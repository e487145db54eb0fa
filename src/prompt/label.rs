//! How a token is shown: everything invisible is spelled out, so that no two tokens look alike by accident and no
//! token can write over its neighbours.
use std::fmt::Write;

use unicode_properties::{EmojiStatus, GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// The label of a text: spaces as `·`, newlines as `⏎`, tabs as `⇥`, other controls as their pictures (`␀`), and what
/// is invisible or changes the direction of writing as its code point (`U+202E`).
///
/// The joiners and variation selectors inside an emoji sequence stay.
pub fn label_of(text: &str) -> String {
    label_of_bytes(text.as_bytes())
}

/// The same of bytes: those that are no whole character are shown as `⟨E2⟩⟨80⟩`.
pub(super) fn label_of_bytes(bytes: &[u8]) -> String {
    let mut label = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_text(&mut label, chunk.valid());
        for &byte in chunk.invalid() {
            push_byte(&mut label, byte);
        }
    }
    label
}

/// Text without anything that a terminal would obey: names, paths and prompts are not ours. A newline becomes a space.
pub fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let shown = |c: char| match c {
        '\n' => " ".into(),
        c if acts(c) => label_of(&c.to_string()),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

fn push_text(label: &mut String, text: &str) {
    let mut chars = text.chars().peekable();
    // Whether what came last is a whole emoji, which a selector or joiner may follow.
    let mut emoji = false;
    while let Some(c) = chars.next() {
        let stays = emoji && (is_selector(c) || (c == ZERO_WIDTH_JOINER && chars.peek().is_some_and(|&c| is_emoji(c))));
        if stays {
            label.push(c);
        } else {
            push_char(label, c);
        }
        emoji = is_emoji(c) || (stays && is_selector(c));
    }
}

fn push_char(label: &mut String, c: char) {
    match c {
        ' ' => label.push('·'),
        '\n' => label.push('⏎'),
        '\t' => label.push('⇥'),
        '\0'..='\x1f' => label.extend(char::from_u32(0x2400 + c as u32)),
        '\x7f' => label.push('␡'),
        '\u{80}'..='\u{9f}' => push_byte(label, c as u8),
        c if is_invisible(c) => _ = write!(label, "U+{:04X}", c as u32),
        c => label.push(c),
    }
}

fn push_byte(label: &mut String, byte: u8) {
    _ = write!(label, "⟨{byte:02X}⟩");
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}')
}

/// Emoji, the digits of keycaps, and skin tones, but not the joiner and the selectors themselves.
fn is_emoji(c: char) -> bool {
    !matches!(c.emoji_status(), EmojiStatus::NonEmoji | EmojiStatus::NonEmojiButEmojiComponent)
}

/// Whether a character leaves no mark of its own, or has none that everyone agrees on.
fn is_invisible(c: char) -> bool {
    match c.general_category() {
        // Signs that enclose the number after them: formats by category, but drawn.
        GeneralCategory::Format => !matches!(
            c,
            '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{110bd}' | '\u{110cd}'
        ),
        GeneralCategory::SpaceSeparator
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse
        | GeneralCategory::Unassigned => true,
        // Default-ignorable letters and marks, and the empty Braille cell.
        _ => matches!(
            c,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
        ),
    }
}

/// The bytes of a token written in GPT-2's byte alphabet: `Ġupon` is ` upon`.
///
/// A token with a character outside that alphabet is taken as it is, as Hugging Face does.
pub fn decode_bpe(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<_>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

/// GPT-2 writes visible Latin-1 bytes as themselves and the other 68, in order, as the characters from U+0100.
fn byte_of(c: char) -> Option<u8> {
    let code = c as u32;
    let byte = match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 0x7f,
        0x143 => 0xad,
        _ => return None,
    };
    u8::try_from(byte).ok()
}
