//! Tokens as other programs write them. How they are written is decided over the whole list: by the text, where it is there and one
//! way of reading spells it, else by the marks that tokenizers leave.

mod writing;

use super::label::{label_of, label_of_bytes};
use super::{Prompt, Token};
use writing::Writing;

impl Prompt {
    /// The prompt of tokens as attnviz writes them: plain texts. There may be no ids.
    pub fn from_own_tokens(tokens: &[String], ids: Vec<u32>, text: Option<String>) -> Self {
        let bytes = tokens.iter().map(|token| token.clone().into_bytes()).collect();
        Self { text, ids, tokens: labelled(tokens, bytes, Writing::Plain), ..Self::default() }
    }

    /// The prompt of a list of tokens in any way of writing, and what is to be said where that is a guess: plain texts, with their
    /// spaces or without, or in the way of a tokenizer's own files, `Ġupon` (byte-level BPE), `▁upon` and `<0x0A>` (SentencePiece),
    /// `up` `##on` (WordPiece), `upon</w>`, or as Python prints them. `<…>` and `[…]` in capitals are special. There may be no ids.
    pub fn from_tokens(tokens: &[String], ids: Vec<u32>, text: Option<String>) -> (Self, Option<String>) {
        let (writing, sure) = Writing::evident(tokens);
        let said = text.as_deref().filter(|text| !text.trim().is_empty());
        let readings = said.into_iter().flat_map(|text| {
            let first = std::iter::once(writing).chain(Writing::ALL.into_iter().filter(move |other| *other != writing));
            first.filter_map(move |writing| Some((writing, spells(tokens, &writing.all(tokens)?, text))))
        });
        // The first of the best.
        let best = readings.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let (writing, sure, spelled) = match best {
            Some((best, spelled)) if spelled != Spelled::No => (best, true, spelled),
            _ => (writing, sure, Spelled::No),
        };
        let bytes = writing.all(tokens).unwrap_or_default();
        let bytes = match said {
            // Spaces that were lost are found in the text again.
            Some(text) if spelled == Spelled::ButForSpaces && writing.is_plain() => spaced(tokens, bytes, text),
            _ => bytes,
        };
        let guess = (!sure).then(|| match said {
            Some(_) => format!("{}: a guess, for none of them spells the prompt", writing.said()),
            None => format!("{}: a guess, for the file holds no prompt", writing.said()),
        });
        (Self { text, ids, tokens: labelled(tokens, bytes, writing), ..Self::default() }, guess)
    }
}

fn labelled(tokens: &[String], bytes: Vec<Vec<u8>>, writing: Writing) -> Vec<Token> {
    let token = |(token, bytes): (&String, Vec<u8>)| {
        let (label, text) = match std::str::from_utf8(&bytes) {
            // The space in these bytes is for finding words; WordPiece's own spelling tells the inside of one.
            _ if writing.adds_spaces() => (label_of(token), token.clone()),
            Ok(text) => (label_of_bytes(&bytes), text.to_owned()),
            Err(_) => (label_of_bytes(&bytes), label_of_bytes(&bytes)),
        };
        Token { text, label, bytes, special: writing.is_special(token) }
    };
    tokens.iter().zip(bytes).map(token).collect()
}

/// How well tokens spell a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Spelled {
    No,
    /// All of it but spaces and capitals.
    ButForSpaces,
    Whole,
}

fn spells(tokens: &[String], bytes: &[Vec<u8>], text: &str) -> Spelled {
    let joined = |special: bool| {
        let all = tokens.iter().zip(bytes).filter(|(token, _)| special || !writing::is_special(token));
        String::from_utf8(all.flat_map(|(_, bytes)| bytes).copied().collect()).unwrap_or_default()
    };
    let bare =
        |text: &str| text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect::<String>();
    let both = [joined(false), joined(true)];
    if both.iter().any(|joined| joined.trim() == text.trim()) {
        Spelled::Whole
    } else if both.iter().any(|joined| bare(joined) == bare(text)) {
        Spelled::ButForSpaces
    } else {
        Spelled::No
    }
}

/// Tokens with the spaces that stand before them in a text; all of them where it goes another way.
fn spaced(tokens: &[String], bytes: Vec<Vec<u8>>, text: &str) -> Vec<Vec<u8>> {
    let mut rest = text;
    let mut all = Vec::with_capacity(bytes.len());
    for (token, own) in tokens.iter().zip(&bytes) {
        let bare = rest.trim_start();
        match std::str::from_utf8(own).ok().and_then(|own| bare.strip_prefix(own.trim())) {
            Some(after) => {
                let spaces = &rest[..rest.len() - bare.len()];
                all.push([spaces.as_bytes(), own.trim_ascii()].concat());
                rest = after;
            }
            None if writing::is_special(token) => all.push(own.clone()),
            None => return bytes,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::WordRule;

    fn read(tokens: &[&str], text: Option<&str>) -> (Prompt, Option<String>) {
        let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        Prompt::from_tokens(&tokens, Vec::new(), text.map(str::to_owned))
    }

    #[track_caller]
    fn words(tokens: &[&str], text: Option<&str>) -> (Vec<String>, Vec<String>, bool) {
        let (prompt, guess) = read(tokens, text);
        let labels = prompt.tokens.iter().map(|token| token.label.clone()).collect();
        (labels, prompt.words(WordRule::Default).into_iter().map(|word| word.label).collect(), guess.is_some())
    }

    #[test]
    fn every_tokenizers_way_of_writing_gives_the_same_words() {
        let all = [
            (&["Once", " up", "on"][..], &["Once", "·up", "on"][..]),
            (&["Once", "Ġup", "on"], &["Once", "·up", "on"]),
            (&["▁Once", "▁up", "on"], &["·Once", "·up", "on"]),
            (&["Once", "up", "##on"], &["Once", "up", "##on"]),
            (&["Once</w>", "up", "on</w>"], &["Once·", "up", "on·"]),
            (&["'Once'", "' up'", "'on'"], &["Once", "·up", "on"]),
            (&["b'Once'", "b' up'", "b'on'"], &["Once", "·up", "on"]),
        ];
        for (tokens, wanted) in all {
            let (labels, found, _) = words(tokens, None);
            assert_eq!(labels, wanted);
            assert_eq!(found.iter().map(|word| word.trim_end_matches('·')).collect::<Vec<_>>(), ["Once", "upon"]);
        }
        let (labels, found, guessed) = words(&["[CLS]", "up", "##on", "[SEP]"], None);
        assert_eq!(labels, ["[CLS]", "up", "##on", "[SEP]"]);
        assert_eq!((&found[..], guessed), (&["[CLS]", "upon", "[SEP]"].map(String::from)[..], false));
        assert_eq!(words(&["<s>", "Ġa", "<", ">"], None).1, ["<s>", "a", "<>"]);
    }

    #[test]
    fn what_a_few_marks_say_is_a_guess_and_said() {
        for (tokens, wanted, guessed) in [
            (&["Once", "upon", "a", "."][..], &["Once", "upon", "a", "."][..], true), // the spaces are lost
            (&["a", "ĉ", "b"], &["a", "⇥b"], true),
            (&["a", ".Ċ", "b"], &["a", ".⏎", "b"], true),
            (&["na", "Ã¯", "ve"], &["naïve"], true),
            (&[" caf", "Ã", "©"], &["café"], true),
            (&["ĠcafÃ", "©", "Ġthe"], &["café", "the"], false),
            (&["Ġcafé", "Ġthe"], &["café", "the"], true),
            (&["Ġ世界", "Ġthe"], &["世界", "the"], true),
            (&["Hello", "Ġthere", "<speaker 1>", "Ġmy"], &["Hello", "there", "<speaker·1>", "my"], false),
            (&["<| end of text |>", "Ġa"], &["<|·end·of·text·|>", "a"], false),
            (&["<s>", "▁Hi", "▁", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"], &["<s>", "Hi", "😀"], false),
            (&["caf", "<0xC3>", "<0xA9>"], &["café"], true),
            // Plain Latin-1 stays plain, with its spaces or without.
            (&["café", " au", " lait"], &["café", "au", "lait"], false),
            (&["café", "au", "lait"], &["café", "au", "lait"], true),
            (&["Ã"], &["Ã"], false),
            (&["Žižek", " čte"], &["Žižek", "čte"], false),
            (&["a", "\t", "\n", " b"], &["a", "⇥⏎·b"], false),
            (&["#", "##", " x"], &["###", "x"], false),
        ] {
            let (_, found, is_guess) = words(tokens, None);
            assert_eq!(
                (&found.iter().map(String::as_str).collect::<Vec<_>>()[..], is_guess),
                (wanted, guessed),
                "{tokens:?}"
            );
        }
        assert!(read(&["Once", "upon"], None).1.unwrap().contains("lost their spaces"));
    }

    #[test]
    fn the_reading_that_spells_the_prompt_is_no_guess() {
        for (tokens, text, wanted) in [
            (&["Once", "up", "on"][..], "Once upon", &["Once", "upon"][..]), // spaces are found again
            (&["Ã©", "Ã"], "Ã©Ã", &["Ã©", "Ã"]),
            (&["Ã©", "t", "Ã©"], "été", &["été"]),
            (&["a", "ĉ", "b"], "a ĉ b", &["a", "ĉ", "b"]),
            (&["a", "ĉ", "b"], "a\tb", &["a", "⇥b"]),
            (&["[CLS]", "over", "##fit", "[SEP]"], "Overfit", &["[CLS]", "overfit", "[SEP]"]),
            (&["'a'", "' b'"], "'a'' b'", &["'a''·b'"]),
            (&["<s>", "▁a", "▁b"], "<s> a b", &["<s>", "a", "b"]),
        ] {
            let (_, found, guessed) = words(tokens, Some(text));
            assert_eq!(
                (&found.iter().map(String::as_str).collect::<Vec<_>>()[..], guessed),
                (wanted, false),
                "{tokens:?}"
            );
        }
        let (prompt, guess) = read(&["a", "ĉ"], Some("something else"));
        assert_eq!(prompt.text.as_deref(), Some("something else"));
        assert!(guess.unwrap().contains("none of them spells the prompt"));
    }

    #[test]
    fn any_list_of_tokens_keeps_its_length_and_shows_no_control_character() {
        for token in [
            "", "\0", "<0x", "<0xFF>", "▁", "Ġ", "##", "</w>", "''", "b'\\xff'", "<>", "[]", "\u{202e}", "Ã",
            "\u{feff}",
        ] {
            for other in ["", "a", "Ġa", "▁a", "##a", "'a'"] {
                let prompt = read(&[token, other, token], None).0;
                assert_eq!(prompt.tokens.len(), 3);
                assert!(
                    prompt
                        .tokens
                        .iter()
                        .all(|token| !token.label.contains(|c: char| c.is_control() || c == '\u{202e}'))
                );
            }
        }
    }
}
