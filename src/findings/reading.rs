//! From what a prompt is given as to what the model reads.

use crate::error::{Error, Result};
use crate::model::Spec;
use crate::prompt::{Prompt, Tokenizer, Truncate};
use serde::{Deserialize, Serialize};

/// What a prompt is, before there is a tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// A text, not empty.
    Text(String),
    /// Token ids.
    Ids(Vec<u32>),
}

/// How a prompt is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reading {
    /// Begin with the model's own beginning-of-text token.
    pub bos: bool,
    /// What is dropped of a prompt that is longer than the model's context: nothing, which refuses it, unless a side is named.
    pub truncate: Truncate,
}

impl Reading {
    /// The prompt as the model will see it.
    ///
    /// # Errors
    /// A model without the token that is to begin the text; a prompt that is empty, too long, or has ids that the model does not.
    pub fn read(&self, words: Words, tokenizer: &Tokenizer, spec: &Spec) -> Result<Prompt> {
        let bos = match (self.bos, spec.bos) {
            (true, None) => {
                return Err(Error::usage("the model's config names no bos_token_id")
                    .hint("leave bos out, or add bos_token_id to config.json")
                    .option("bos"));
            }
            (asked, bos) => bos.filter(|_| asked),
        };
        let prompt = match words {
            Words::Text(text) => Prompt::from_text(tokenizer, &text, bos)?,
            Words::Ids(ids) => Prompt::from_ids(tokenizer, ids, bos),
        };
        prompt.fit(spec.context, spec.vocab, self.truncate)
    }

    /// A prompt as it was read when a file was made. The ids are what the model read; the text only says it better, where it still
    /// means the same.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_again(&self, text: &str, ids: &[u32], tokenizer: &Tokenizer, spec: &Spec) -> Result<Prompt> {
        let prompt = self.read(Words::Text(text.to_owned()), tokenizer, spec);
        match prompt.ok().filter(|prompt| prompt.ids == ids) {
            Some(prompt) => Ok(prompt),
            None => self.read(Words::Ids(ids.to_vec()), tokenizer, spec),
        }
    }
}
