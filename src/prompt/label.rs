//! How a token is shown: everything invisible is spelled out, so that no two tokens look alike by accident and no
//! token can write over its neighbours.
use crate::text::{Class, classes, spell, spell_byte};

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
            spell_byte(&mut label, byte);
        }
    }
    label
}

fn push_text(label: &mut String, text: &str) {
    for (c, class) in classes(text) {
        match class {
            _ if c == ' ' => label.push('·'),
            Class::Seen => label.push(c),
            _ => spell(label, c),
        }
    }
}

/// The bytes of a token written in GPT-2's byte alphabet: `Ġupon` is ` upon`.
///
/// A token with a character outside that alphabet is taken as it is, as Hugging Face does.
pub fn decode_bpe(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<_>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

/// GPT-2 writes visible Latin-1 bytes as themselves and the other 68, in order, as the characters from U+0100.
pub(super) fn byte_of(c: char) -> Option<u8> {
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
