//! What the model is given: token ids, how each token is shown, and which tokens make a word.
mod chat;
mod class;
mod encoded;
mod files;
mod foreign;
mod label;
mod listed;
mod long;
mod parts;
mod pieces;
mod quick;
mod roles;
mod settings;
mod spelling;
mod tokenizer;
mod vocabulary;
mod words;

pub use chat::CHAT;
pub use files::{FILES, PIECES, Read};
pub use label::{decode_bpe, label_of};
pub use long::LongText;
pub use tokenizer::Tokenizer;
pub use words::{Word, WordRule};

use crate::error::{Error, Result};
use crate::named::Named;
use encoded::Encoded;
use serde::{Deserialize, Serialize};

/// One token of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// What it says, for data files: its text where its bytes are whole characters, otherwise its label.
    pub text: String,
    /// How a figure shows it: no control character, no blank, nothing that changes the direction of writing. Of a character whose bytes are
    /// cut over several tokens of a text each shows its part: `吾₁`.
    pub label: String,
    /// Its bytes; none if the tokenizer does not know its id.
    pub bytes: Vec<u8>,
    /// Whether it is no part of the running text, such as `<|endoftext|>`: it is always a word of its own.
    pub special: bool,
}

impl Token {
    /// A token by itself, as it stands in the middle of a text.
    pub(crate) fn new(tokenizer: &Tokenizer, id: u32) -> Self {
        Self::of(tokenizer, id, tokenizer.bytes(id))
    }

    fn of(tokenizer: &Tokenizer, id: u32, bytes: Option<Vec<u8>>) -> Self {
        let Some(bytes) = bytes else {
            let label = if tokenizer.missing().is_some() { id.to_string() } else { format!("[{id}]") };
            return Self { text: label.clone(), label, bytes: Vec::new(), special: true };
        };
        let label = label::label_of_bytes(&bytes);
        let text = std::str::from_utf8(&bytes).map_or_else(|_| label.clone(), str::to_owned);
        Self { text, label, bytes, special: tokenizer.is_special(id) }
    }
}

/// What to do with a prompt that is longer than the model's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truncate {
    /// Refuse it.
    #[default]
    No,
    /// Drop tokens at the start, after the beginning-of-sequence token if one was asked for.
    Left,
    /// Drop tokens at the end.
    Right,
}

impl Named for Truncate {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::No, "no", "Refuse it"),
        (Self::Left, "left", "Drop the beginning"),
        (Self::Right, "right", "Drop the end"),
    ];
}

/// A prompt as the model sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// The text, if it was given as text; what is left of it after truncation.
    pub text: Option<String>,
    /// The ids that the model is run on, `[token]`.
    pub ids: Vec<u32>,
    /// What each id stands for, `[token]`.
    pub tokens: Vec<Token>,
    /// Whether the first id is the beginning-of-sequence token that was asked for.
    pub bos: bool,
    /// How many tokens stand in front of the text: that one, and those of the tokenizer.
    pub front: usize,
    /// How many tokens the tokenizer put behind the text. What comes next is asked of the token before them.
    pub behind: usize,
    /// What people should know of how it was read, a line each.
    pub remarks: Vec<Remark>,
}

/// What people should know, in a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// The line.
    pub text: String,
    /// The option that would have it otherwise, by its name; the command line adds its flag.
    pub option: Option<&'static str>,
}

impl From<String> for Remark {
    fn from(text: String) -> Self {
        Self { text, option: None }
    }
}

impl Prompt {
    /// The prompt of a text, with what the tokenizer puts around it, and `bos` in front unless it is there already.
    ///
    /// # Errors
    /// A text that this tokenizer cannot encode.
    pub fn from_text(tokenizer: &Tokenizer, text: &str, bos: Option<u32>) -> Result<Self> {
        Self::encoded(tokenizer, text, bos, true)
    }

    /// The same without what the tokenizer puts around a text.
    ///
    /// # Errors
    /// As [`Self::from_text`].
    pub fn from_text_alone(tokenizer: &Tokenizer, text: &str, bos: Option<u32>) -> Result<Self> {
        Self::encoded(tokenizer, text, bos, false)
    }

    /// The text as a user's turn in the model's chat template, with what makes the model answer behind it.
    ///
    /// # Errors
    /// A model without a template, or one that cannot be used; a text that this tokenizer cannot encode.
    pub fn from_chat(tokenizer: &Tokenizer, text: &str, bos: Option<u32>) -> Result<Self> {
        let (encoded, turn) = tokenizer.chat(text)?;
        let mut prompt = Self::made(tokenizer, text, bos, encoded);
        if turn.asks_for_today {
            let today =
                "the chat template may ask for today's date, which it is not given: what it has instead stands there";
            prompt.remarks.push(today.to_owned().into());
        }
        Ok(prompt)
    }

    fn encoded(tokenizer: &Tokenizer, text: &str, bos: Option<u32>, special: bool) -> Result<Self> {
        Ok(Self::made(tokenizer, text, bos, tokenizer.encoded(text, special)?))
    }

    fn made(tokenizer: &Tokenizer, text: &str, bos: Option<u32>, encoded: Encoded) -> Self {
        let Encoded { ids, gaps, front, behind, lost, unknown } = encoded;
        let count = ids.len();
        let mut prompt = Self::of(tokenizer, ids, Some(gaps), bos);
        let inserted = prompt.ids.len() - count;
        (prompt.text, prompt.behind) = (Some(text.to_owned()), behind);
        prompt.front = prompt.front.max(inserted + front);
        prompt.remarks.extend(put(&prompt.tokens[inserted..], front, behind));
        prompt.remarks.extend((lost > 0).then(|| {
            let (characters, are) = if lost == 1 { ("character", "is") } else { ("characters", "are") };
            format!("{lost} {characters} of the text {are} in no token: the tokenizer has nothing for what it drops")
                .into()
        }));
        prompt.remarks.extend(unknown.and_then(|(count, id)| unknown_tokens(tokenizer, count, id)));
        prompt
    }

    /// The prompt of given ids, with `bos` in front unless it is there already.
    pub fn from_ids(tokenizer: &Tokenizer, ids: Vec<u32>, bos: Option<u32>) -> Self {
        Self::of(tokenizer, ids, None, bos)
    }

    fn of(tokenizer: &Tokenizer, mut ids: Vec<u32>, mut gaps: Option<Vec<bool>>, bos: Option<u32>) -> Self {
        let inserted = bos.filter(|bos| ids.first() != Some(bos));
        if let Some(bos) = inserted {
            ids.insert(0, bos);
            gaps.iter_mut().for_each(|gaps| gaps.insert(0, false));
        }
        let bytes = tokenizer.all_bytes(&ids, gaps.as_deref());
        let mut tokens: Vec<Token> =
            ids.iter().zip(bytes).map(|(id, bytes)| Token::of(tokenizer, *id, bytes)).collect();
        let parts = label::labels_of_parts(tokens.iter().map(|token| &token.bytes[..]));
        for (token, label) in tokens.iter_mut().zip(parts) {
            token.label = label.unwrap_or_else(|| std::mem::take(&mut token.label));
        }
        Self { ids, tokens, bos: bos.is_some(), front: bos.is_some().into(), ..Self::default() }
    }

    /// The last position of the text: what comes next is asked there.
    pub fn last(&self) -> usize {
        self.ids.len().saturating_sub(1 + self.behind)
    }

    /// The text that the model reads, without what was put around it: as it was given, or what the bytes of all ids make together.
    pub fn written(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.joined())
    }

    fn joined(&self) -> String {
        let bytes =
            |token: &Token| if token.bytes.is_empty() { token.text.clone().into_bytes() } else { token.bytes.clone() };
        let own = self.tokens.len().saturating_sub(self.behind);
        let bytes: Vec<u8> = self.tokens.iter().take(own).skip(self.front).flat_map(bytes).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The prompt, if a model with this context length and this number of token ids can be run on it.
    ///
    /// # Errors
    /// A prompt that is empty, has an id that the model has not, or is too long and may not be truncated.
    pub fn fit(mut self, context: usize, vocab: usize, truncate: Truncate) -> Result<Self> {
        let length = self.ids.len();
        if length == 0 {
            return Err(Error::usage("the prompt is empty: it has no tokens").hint("give a text or ids, or add a BOS"));
        }
        if let Some((at, &id)) = self.ids.iter().enumerate().find(|&(_, &id)| id as usize >= vocab) {
            let message = format!("token id {id} at position {at} is not in the model's vocabulary of {vocab}");
            return Err(match self.text {
                None => Error::usage(message).hint(format!("the model has the ids 0 to {}", vocab.saturating_sub(1))),
                Some(_) => Error::failed(message).hint("this tokenizer and this model do not belong together"),
            });
        }
        if length <= context {
            return Ok(self);
        }
        let excess = length - context;
        let dropped = match truncate {
            Truncate::No => {
                return Err(Error::usage(format!(
                    "the prompt has {length} tokens, but the model's context holds {context}"
                ))
                .hint("shorten it, or let it be truncated left or right")
                .option("truncate"));
            }
            Truncate::Left => {
                let kept = self.front.min(context);
                kept..kept + excess
            }
            Truncate::Right => {
                let end = length - self.behind.min(context);
                end - excess..end
            }
        };
        self.ids.drain(dropped.clone());
        self.tokens.drain(dropped);
        let left = self.ids.len();
        (self.front, self.behind) = (self.front.min(left), self.behind.min(left));
        if self.text.is_some() {
            self.text = Some(self.joined());
        }
        Ok(self)
    }

    /// The same without what the tokenizer put behind the text, for what goes on from there.
    pub fn without_end(mut self) -> Self {
        let own = self.ids.len() - self.behind;
        self.ids.truncate(own);
        self.tokens.truncate(own);
        self.behind = 0;
        self
    }
}

/// That so many tokens stand for what the tokenizer does not know, if any.
fn unknown_tokens(tokenizer: &Tokenizer, count: usize, id: u32) -> Option<Remark> {
    let (tokens, are) = if count == 1 { ("token", "is") } else { ("tokens", "are") };
    let label = tokenizer.label(id);
    let name = label.trim_start_matches('·');
    (count > 0).then(|| format!("{count} {tokens} {are} {name}: what the tokenizer does not know").into())
}

/// That the tokenizer put tokens around a text.
fn put(tokens: &[Token], front: usize, behind: usize) -> Option<Remark> {
    let labels = |tokens: &[Token]| tokens.iter().map(|token| token.label.as_str()).collect::<Vec<_>>().join(" ");
    let (before, after) = (labels(&tokens[..front]), labels(&tokens[tokens.len() - behind..]));
    let text = match (front, behind) {
        (0, 0) => return None,
        (_, 0) => format!("the tokenizer puts {before} in front of the text"),
        (0, _) => format!("the tokenizer puts {after} behind the text"),
        _ => format!("the tokenizer puts {before} in front of the text and {after} behind it"),
    };
    Some(Remark { text, option: Some("no_special") })
}
