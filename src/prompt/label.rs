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

/// The labels of the tokens of a text where a character's bytes are cut over several: each shows the character with its part's number,
/// `吾₁` and `吾₂`. None where a token has whole characters only, or none.
pub(super) fn labels_of_parts<'a>(tokens: impl Iterator<Item = &'a [u8]>) -> Vec<Option<String>> {
    let tokens: Vec<&[u8]> = tokens.collect();
    let mut labels = Vec::with_capacity(tokens.len());
    // An id that nobody knows parts what is before it from what is after it.
    for run in tokens.chunk_by(|a, b| !a.is_empty() && !b.is_empty()) {
        let owners: Vec<usize> = run.iter().enumerate().flat_map(|(at, bytes)| vec![at; bytes.len()]).collect();
        // For each token its text so far: what is whole, and the parts.
        let mut said: Vec<(String, String, bool)> = vec![Default::default(); run.len()];
        let flush = |(label, whole, _): &mut (String, String, bool)| push_text(label, &std::mem::take(whole));
        let (bytes, mut at) = (run.concat(), 0);
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let mut own: Vec<usize> = owners[at..at + c.len_utf8()].to_vec();
                own.dedup();
                at += c.len_utf8();
                if let [one] = own[..] {
                    said[one].1.push(c);
                    continue;
                }
                for (part, token) in own.into_iter().enumerate() {
                    flush(&mut said[token]);
                    push_text(&mut said[token].0, c.encode_utf8(&mut [0; 4]));
                    said[token].0.extend(char::from_u32(0x2081 + part as u32));
                    said[token].2 = true;
                }
            }
            for byte in chunk.invalid() {
                flush(&mut said[owners[at]]);
                spell_byte(&mut said[owners[at]].0, *byte);
                at += 1;
            }
        }
        said.iter_mut().for_each(flush);
        labels.extend(said.into_iter().map(|(label, _, cut)| cut.then_some(label)));
    }
    labels
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_over_tokens_is_shown_in_each_with_its_part() {
        let labels = |tokens: &[&[u8]]| labels_of_parts(tokens.iter().copied());
        let said = |tokens: &[&[u8]]| labels(tokens).into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>();
        assert_eq!(said(&[b"a ", b" \xe5\x90", b"\xbe!", b"b"]), ["", "·吾₁", "吾₂!", ""]);
        assert_eq!(said(&[b"\xf0", b"\x9f", b"\x99\x82\xe2", b"\x82", b"\xac"]), ["🙂₁", "🙂₂", "🙂₃€₁", "€₂", "€₃"]);
        // A control stays one, and what never becomes a character stays bytes.
        assert_eq!(said(&[b"\xe2\x80", b"\xae"]), ["U+202E₁", "U+202E₂"]);
        assert_eq!(labels(&[b"\xe5\x90", b"x"]), [None, None]);
        assert_eq!(labels(&[b"\xe5\x90", b"", b"\xbe"]), [None, None, None]);
        assert_eq!(said(&[b"\xe5\x90", b"\xe5\x90", b"\xbe"]), ["", "吾₁", "吾₂"]);
    }
}
