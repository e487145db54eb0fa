//! How a tokenizer, or whoever printed its tokens, writes them.

use super::super::label::byte_of;
use super::super::spelling::byte;
use crate::python::literal;

/// How tokens are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// As they are.
    Plain,
    /// Words and pieces of them without the spaces between.
    Apart,
    /// `Ġupon`, and every other byte in GPT-2's alphabet.
    ByteLevel,
    /// `Ġcafé`: the spaces alone in that alphabet.
    Marked,
    /// `▁upon`, and `<0xC3>` for a byte.
    SentencePiece,
    /// `up` `##on`: the inside is marked instead.
    WordPiece,
    /// `upon</w>`: the end is marked.
    EndOfWord,
    /// `'upon'` or `b' caf\xc3'`, as Python prints it.
    Quoted,
}

impl Writing {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Plain,
        Self::ByteLevel,
        Self::SentencePiece,
        Self::WordPiece,
        Self::EndOfWord,
        Self::Marked,
        Self::Quoted,
        Self::Apart,
    ];

    /// What the marks in a list say, and whether nothing else would leave them.
    pub(super) fn evident(tokens: &[String]) -> (Self, bool) {
        let words = || tokens.iter().filter(|token| !is_special(token) && !token.is_empty());
        let any = |is: &dyn Fn(&str) -> bool| words().any(|token| is(token));
        if words().count() > 0 && words().all(|token| unquoted(token).is_some()) {
            return (Self::Quoted, false);
        }
        if any(&|token| token.starts_with('▁')) {
            return (Self::SentencePiece, true);
        }
        if tokens.iter().any(|token| byte(token).is_some()) {
            return (Self::SentencePiece, false);
        }
        if any(&|token| token.len() > 4 && token.ends_with("</w>")) {
            return (Self::EndOfWord, true);
        }
        if let Some(found) = byte_level(tokens) {
            return found;
        }
        let spaced = any(&|token| token.contains(char::is_whitespace));
        if !spaced && any(&|token| token.len() > 2 && token.starts_with("##")) {
            return (Self::WordPiece, true);
        }
        let letters = |token: &&String| token.contains(char::is_alphanumeric);
        if !spaced && words().filter(letters).count() > 1 { (Self::Apart, false) } else { (Self::Plain, true) }
    }

    /// The bytes of all tokens; none where one of them is not written like this.
    pub(super) fn all(self, tokens: &[String]) -> Option<Vec<Vec<u8>>> {
        let mut begun = false;
        let of = |token: &String| {
            let bytes = if self.is_special(token) { Some(token.as_bytes().to_vec()) } else { self.bytes(token, begun) };
            begun |= !self.is_special(token);
            bytes
        };
        tokens.iter().map(of).collect()
    }

    /// The bytes of a token that is no special one; `begun` says whether such a one came before it.
    fn bytes(self, token: &str, begun: bool) -> Option<Vec<u8>> {
        let apart = |token: &str| if begun { format!(" {token}") } else { token.to_owned() };
        Some(match self {
            Self::Plain => token.as_bytes().to_vec(),
            Self::Apart => apart(token).into_bytes(),
            // An added token may have any characters; Hugging Face takes it as it is, too.
            Self::ByteLevel => decoded(token).unwrap_or_else(|| token.as_bytes().to_vec()),
            Self::Marked => token.replace('Ġ', " ").replace('Ċ', "\n").into_bytes(),
            Self::SentencePiece => byte(token).map_or_else(|| token.replace('▁', " ").into_bytes(), |byte| vec![byte]),
            Self::WordPiece => token.strip_prefix("##").map_or_else(|| apart(token), str::to_owned).into_bytes(),
            Self::EndOfWord => token.replace("</w>", " ").into_bytes(),
            Self::Quoted if token.is_empty() => Vec::new(),
            Self::Quoted => return unquoted(token),
        })
    }

    /// Whether a token is no part of the running text.
    pub(super) fn is_special(self, token: &str) -> bool {
        is_special(token) && !(self == Self::SentencePiece && byte(token).is_some())
    }

    /// Whether spaces that the tokens do not have are put before them.
    pub(super) fn adds_spaces(self) -> bool {
        matches!(self, Self::WordPiece | Self::Apart)
    }

    /// Whether nothing in them is written in another way than the text.
    pub(super) fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::Apart)
    }

    /// What is said where it is a guess.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Plain => "the tokens are read as they are",
            Self::Apart => "the tokens have lost their spaces, so that each counts as a word",
            Self::ByteLevel => "the tokens are read in GPT-2's byte alphabet (Ġ is a space, ĉ a tab, Ã© an é)",
            Self::Marked => "the tokens are read as text in which Ġ is a space",
            Self::SentencePiece => "the tokens are read as SentencePiece's (▁ is a space, <0x0A> a byte)",
            Self::WordPiece => "the tokens are read as WordPiece's (## goes on with a word)",
            Self::EndOfWord => "the tokens are read with </w> as the end of a word",
            Self::Quoted => "the tokens are read without the quotes that Python prints",
        }
    }
}

/// `<…>` without such signs inside, and `[…]` in capitals.
pub(super) fn is_special(token: &str) -> bool {
    let inside = |open: &str, close: &str| token.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let tag = inside("[", "]").is_some_and(|name| name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase()));
    let bare = |name: &str| !name.trim().is_empty() && !name.contains(['<', '>', '\n']);
    tag || inside("<", ">").is_some_and(bare)
}

/// The bytes of a text that Python printed with its quotes.
fn unquoted(token: &str) -> Option<Vec<u8>> {
    match token.strip_prefix('b') {
        Some(quoted) => literal(quoted)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        None => literal(token).map(String::into_bytes),
    }
}

/// The space that a character of GPT-2's alphabet stands for.
fn mark(c: char) -> Option<char> {
    Some(match c {
        'Ġ' => ' ',
        'Ċ' => '\n',
        'ĉ' => '\t',
        'č' => '\r',
        _ => return None,
    })
}

/// The bytes of a token in GPT-2's alphabet, in which somebody may have put the spaces back.
fn decoded(token: &str) -> Option<Vec<u8>> {
    token.chars().map(|c| if c == ' ' { Some(b' ') } else { byte_of(c) }).collect()
}

/// Whether a list is written in GPT-2's alphabet, or at least its spaces are, and whether that is sure.
fn byte_level(tokens: &[String]) -> Option<(Writing, bool)> {
    let words = || tokens.iter().filter(|token| !is_special(token));
    let begins = words().any(|token| token.starts_with('Ġ'));
    let mut bytes = Vec::new();
    for token in words() {
        match decoded(token) {
            Some(decoded) => bytes.extend(decoded),
            None if !begins => return None,
            None if token.contains('Ġ') => return Some((Writing::Marked, false)),
            None => bytes.extend(token.as_bytes()),
        }
    }
    let controls = bytes.iter().any(|byte| byte.is_ascii_control() && !b"\t\n\r".contains(byte));
    // A list may begin or end inside a character.
    let start = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let (mut whole, mut broken) = (0, 0);
    for chunk in bytes[start..].utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    let cut = std::str::from_utf8(&bytes[start..]).is_err_and(|error| error.error_len().is_none());
    let broken = broken - usize::from(cut && broken > 0);
    let blank = |token: &String| !token.is_empty() && token.chars().all(|c| mark(c).is_some());
    let ends_line = |token: &String| {
        token.strip_suffix('Ċ').is_some_and(|before| before.chars().all(|c| c == 'Ċ' || !c.is_alphanumeric()))
    };
    match () {
        () if controls => None,
        () if begins && broken > 0 && whole == 0 => Some((Writing::Marked, false)),
        () if begins => Some((Writing::ByteLevel, broken == 0)),
        () if broken > 0 => None,
        () if whole > 0 || words().any(|token| blank(token) || ends_line(token)) => Some((Writing::ByteLevel, false)),
        () => None,
    }
}
