//! What the model is given: token ids, how each token is shown, and which tokens make a word.
mod foreign;
mod label;
mod parts;
mod quick;
mod tokenizer;
mod words;

pub use label::{decode_bpe, label_of};
pub use tokenizer::Tokenizer;
pub use words::{Word, WordRule};

use crate::error::{Error, Result};
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// One token of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    /// What it says, for data files: its text where its bytes are whole characters, otherwise its label.
    pub text: String,
    /// How a figure shows it: no control character, no blank, nothing that changes the direction of writing.
    pub label: String,
    /// Its bytes; none if the tokenizer does not know its id.
    pub bytes: Vec<u8>,
    /// Whether it is no part of the running text, such as `<|endoftext|>`: it is always a word of its own.
    pub special: bool,
}

impl Token {
    fn new(tokenizer: &Tokenizer, id: u32) -> Self {
        let Some(bytes) = tokenizer.bytes(id) else {
            let label = format!("[{id}]");
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
}

impl Prompt {
    /// The prompt of a text, with `bos` in front unless it is there already.
    ///
    /// # Errors
    /// A text that this tokenizer cannot encode.
    pub fn from_text(tokenizer: &Tokenizer, text: &str, bos: Option<u32>) -> Result<Self> {
        let ids = tokenizer.encode(text)?;
        Ok(Self { text: Some(text.to_owned()), ..Self::from_ids(tokenizer, ids, bos) })
    }

    /// The prompt of given ids, with `bos` in front unless it is there already.
    pub fn from_ids(tokenizer: &Tokenizer, mut ids: Vec<u32>, bos: Option<u32>) -> Self {
        if let Some(bos) = bos
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        let tokens = ids.iter().map(|&id| Token::new(tokenizer, id)).collect();
        Self { text: None, ids, tokens, bos: bos.is_some() }
    }

    /// The text that the model reads, without the beginning-of-sequence token that was asked for: as it was given, or what the
    /// bytes of all ids make together.
    pub fn written(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.joined())
    }

    fn joined(&self) -> String {
        let bytes =
            |token: &Token| if token.bytes.is_empty() { token.text.clone().into_bytes() } else { token.bytes.clone() };
        let bytes: Vec<u8> = self.tokens.iter().skip(self.bos.into()).flat_map(bytes).collect();
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
                let kept = usize::from(self.bos).min(context);
                kept..kept + excess
            }
            Truncate::Right => context..length,
        };
        self.ids.drain(dropped.clone());
        self.tokens.drain(dropped);
        if self.text.is_some() {
            self.text = Some(self.joined());
        }
        Ok(self)
    }
}
