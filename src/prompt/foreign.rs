//! Tokens as other programs write them.

use super::label::{decode_bpe, label_of, label_of_bytes};
use super::{Prompt, Token};

/// How a tokenizer writes the beginning of a word.
#[derive(Clone, Copy, PartialEq)]
enum Writing {
    /// As it is.
    Plain,
    /// `Ġupon`, and every other byte in GPT-2's alphabet.
    ByteLevel,
    /// `▁upon`.
    SentencePiece,
    /// `up` `##on`: the inside is marked instead.
    WordPiece,
}

impl Writing {
    fn of(tokens: &[String]) -> Self {
        let begins = |mark: &str| tokens.iter().any(|token| token.starts_with(mark));
        let spaced = tokens.iter().any(|token| token.contains(' '));
        if !spaced && (begins("Ġ") || begins("Ċ")) {
            Writing::ByteLevel
        } else if !spaced && begins("▁") {
            Writing::SentencePiece
        } else if begins("##") {
            Writing::WordPiece
        } else {
            Writing::Plain
        }
    }

    fn bytes(self, token: &str) -> Vec<u8> {
        match self {
            Writing::ByteLevel => decode_bpe(token),
            Writing::SentencePiece => token.replace('▁', " ").into_bytes(),
            Writing::WordPiece => {
                token.strip_prefix("##").map_or_else(|| format!(" {token}"), str::to_owned).into_bytes()
            }
            Writing::Plain => token.as_bytes().to_vec(),
        }
    }
}

impl Prompt {
    /// The prompt of a list of tokens: plain texts, or in the way of a tokenizer's own files, `Ġupon` (byte-level BPE), `▁upon`
    /// (SentencePiece) or `up` `##on` (WordPiece). `<…>` and `[…]` in capitals are special. There may be no ids.
    pub fn from_tokens(tokens: &[String], ids: Vec<u32>, text: Option<String>) -> Self {
        let writing = Writing::of(tokens);
        let tokens = tokens.iter().map(|token| {
            let special = is_special(token);
            let bytes = if special { token.as_bytes().to_vec() } else { writing.bytes(token) };
            // WordPiece's own spelling tells the beginning of a word from its inside; the space in its bytes is for finding words.
            let (label, text) = match std::str::from_utf8(&bytes) {
                _ if writing == Writing::WordPiece => (label_of(token), token.clone()),
                Ok(text) => (label_of_bytes(&bytes), text.to_owned()),
                Err(_) => (label_of_bytes(&bytes), label_of_bytes(&bytes)),
            };
            Token { text, label, bytes, special }
        });
        Self { text, ids, tokens: tokens.collect(), ..Self::default() }
    }
}

fn is_special(token: &str) -> bool {
    let inside = |open: &str, close: &str| token.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let tag = inside("[", "]").is_some_and(|name| name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase()));
    tag || inside("<", ">").is_some_and(|name| !name.is_empty() && !name.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::WordRule;

    #[track_caller]
    fn words(tokens: &[&str]) -> (Vec<String>, Vec<String>) {
        let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        let prompt = Prompt::from_tokens(&tokens, Vec::new(), None);
        let labels = prompt.tokens.iter().map(|token| token.label.clone()).collect();
        (labels, prompt.words(WordRule::Default).into_iter().map(|word| word.label).collect())
    }

    #[test]
    fn every_tokenizers_way_of_writing_gives_the_same_words() {
        let all = [
            (&["Once", " up", "on"][..], &["Once", "·up", "on"][..]),
            (&["Once", "Ġup", "on"], &["Once", "·up", "on"]),
            (&["▁Once", "▁up", "on"], &["·Once", "·up", "on"]),
            (&["Once", "up", "##on"], &["Once", "up", "##on"]),
        ];
        for (tokens, labels) in all {
            assert_eq!(
                words(tokens),
                (labels.iter().map(|l| l.to_string()).collect(), vec!["Once".into(), "upon".into()])
            );
        }
        let (labels, found) = words(&["[CLS]", "up", "##on", "[SEP]"]);
        assert_eq!(labels, ["[CLS]", "up", "##on", "[SEP]"]);
        assert_eq!(found, ["[CLS]", "upon", "[SEP]"]);
        assert_eq!(words(&["<s>", "Ġa", "<", ">"]).1, ["<s>", "a", "<>"]);
    }
}
