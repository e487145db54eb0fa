//! Which tokens make a word.
use std::ops::Range;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::label::label_of_bytes;
use super::{Prompt, Token};
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// Where words begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WordRule {
    /// At whitespace, where letters or digits meet anything else, and at each CJK ideograph. `'s`, `'t`, `'re`, `'ve`,
    /// `'m`, `'ll` and `'d` belong to the word before them.
    #[default]
    Default,
    /// At whitespace only.
    Space,
}

impl Named for WordRule {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Default, "default", "Letters, punctuation and CJK characters apart"),
        (Self::Space, "space", "At whitespace only"),
    ];
}

/// A run of tokens that make a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The positions of its tokens.
    pub tokens: Range<usize>,
    /// Its tokens' labels in a row, without leading spaces.
    pub label: String,
}

const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    /// A letter, mark or digit.
    Letter,
    Other,
}

/// A token's first and last characters; a character that several tokens share belongs to each of them.
struct Ends {
    first: char,
    last: char,
    /// Whether it begins inside a character.
    inside: bool,
    /// Whether it has a character other than whitespace.
    visible: bool,
}

impl Prompt {
    /// The words of the prompt, in order; each token is in exactly one.
    ///
    /// Whitespace-only tokens belong to the next word, and a special token is a word of its own.
    pub fn words(&self, rule: WordRule) -> Vec<Word> {
        let ends = ends(&self.tokens);
        let mut starts: Vec<usize> = Vec::new();
        let mut blank = false; // whether the word so far is whitespace only
        for (at, token) in self.tokens.iter().enumerate() {
            if at == 0 || begins(&self.tokens[at - 1], token, &ends[at - 1], &ends[at], blank, rule) {
                starts.push(at);
                blank = true;
            }
            blank &= !ends[at].visible && !token.special;
        }
        let stops = starts.iter().skip(1).copied().chain([self.tokens.len()]);
        starts.iter().zip(stops).map(|(&start, stop)| self.word(start..stop)).collect()
    }

    fn word(&self, tokens: Range<usize>) -> Word {
        let bytes: Vec<u8> = self.tokens[tokens.clone()].iter().flat_map(|token| &token.bytes).copied().collect();
        let spaces = bytes.iter().take_while(|&&byte| byte == b' ').count();
        let label = match &bytes[spaces..] {
            // Spaces are all that is shown of a word of spaces; an unknown id has no bytes.
            [] => self.tokens[tokens.clone()].iter().map(|token| token.label.as_str()).collect(),
            // A character split over tokens is whole in its word.
            rest => label_of_bytes(rest),
        };
        Word { tokens, label }
    }
}

fn begins(before: &Token, token: &Token, last: &Ends, this: &Ends, blank: bool, rule: WordRule) -> bool {
    if before.special || token.special {
        return true;
    }
    if blank || this.inside {
        return false;
    }
    let (from, to) = (class(last.last), class(this.first));
    from == Class::Space
        || to == Class::Space
        || (rule == WordRule::Default
            && !CONTRACTIONS.contains(&token.text.as_str())
            && (from != to || is_ideograph(this.first)))
}

fn ends(tokens: &[Token]) -> Vec<Ends> {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| &token.bytes).copied().collect();
    // The character that each byte is part of, and whether it is its first byte; [byte]
    let mut chars: Vec<(char, bool)> = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            chars.extend((0..c.len_utf8()).map(|at| (c, at == 0)));
        }
        chars.extend(chunk.invalid().iter().map(|&byte| (char::REPLACEMENT_CHARACTER, byte & 0xc0 != 0x80)));
    }
    let mut from = 0;
    let ends = tokens.iter().map(|token| {
        let own = &chars[from..from + token.bytes.len()];
        from += own.len();
        let (first, starts) = own.first().copied().unwrap_or((char::REPLACEMENT_CHARACTER, true));
        let last = own.last().map_or(char::REPLACEMENT_CHARACTER, |&(c, _)| c);
        let visible = own.is_empty() || own.iter().any(|&(c, _)| class(c) != Class::Space);
        Ends { first, last, inside: !starts, visible }
    });
    ends.collect()
}

fn class(c: char) -> Class {
    if c.is_whitespace() {
        return Class::Space;
    }
    match c.general_category_group() {
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark | GeneralCategoryGroup::Number => Class::Letter,
        _ => Class::Other,
    }
}

/// The blocks of unified and compatibility ideographs, and the two signs written among them.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' | '〇' | '々')
}
