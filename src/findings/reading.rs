//! From what a prompt is given as to what the model reads.

use crate::error::{Error, Result};
use crate::model::Spec;
use crate::prompt::{Prompt, Tokenizer, Truncate};
use crate::session::Session;
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
    /// Leave out what the tokenizer would put in front of a text and behind it.
    #[serde(skip_serializing_if = "is_off")]
    pub no_special: bool,
    /// Take a text as a user's turn in the model's chat template. Ids stand for themselves.
    #[serde(skip_serializing_if = "is_off")]
    pub chat: bool,
    /// Take a text of any length, where the analysis reads it by parts; never in a file.
    #[serde(skip)]
    pub any_length: bool,
}

fn is_off(flag: &bool) -> bool {
    !flag
}

impl Reading {
    /// The prompt as the model will see it.
    ///
    /// # Errors
    /// A model without the token that is to begin the text; a prompt that is empty, too long, or has ids that the model does not.
    pub fn read(&self, words: Words, tokenizer: &Tokenizer, spec: &Spec) -> Result<Prompt> {
        if self.chat && self.truncate != Truncate::No {
            return Err(Error::usage("a chat's turn is read whole: nothing of it can be dropped")
                .hint("shorten the text")
                .option("truncate"));
        }
        let (bos, remark) = if self.bos { begin(tokenizer, spec)? } else { (None, None) };
        let mut prompt = match (words, tokenizer.missing()) {
            (Words::Text(text), _) if self.chat => Prompt::from_chat(tokenizer, &text, bos)?,
            (Words::Text(text), _) if self.no_special => Prompt::from_text_alone(tokenizer, &text, bos)?,
            (Words::Text(text), _) => Prompt::from_text(tokenizer, &text, bos)?,
            (Words::Ids(ids), None) => Prompt::from_ids(tokenizer, ids, bos),
            (Words::Ids(ids), Some(why)) => {
                let mut prompt = Prompt::from_ids(tokenizer, ids, bos);
                prompt.remarks.push(format!("tokens are shown by their ids: {}", why.message).into());
                prompt
            }
        };
        prompt.remarks.extend(remark.map(Into::into));
        let whole = self.any_length && self.truncate == Truncate::No;
        prompt.fit(if whole { usize::MAX } else { spec.context }, spec.vocab, self.truncate)
    }

    /// Fails where a whole file, which is read by its parts, is to be one turn of a chat.
    ///
    /// # Errors
    /// A chat.
    pub(super) fn by_parts(&self) -> Result<()> {
        if !self.chat {
            return Ok(());
        }
        Err(Error::usage("a file that is read by its parts is no turn of a chat").hint("leave this out").option("chat"))
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

/// What stands in front of a text that is read for itself: the token that begins texts where that is asked for, else what the tokenizer puts
/// in front of every text (Gemma's and Llama's do).
///
/// # Errors
/// A model without the token that is asked for.
pub(super) fn front(session: &Session, bos: bool) -> Result<Vec<u32>> {
    match bos {
        true => Ok(begin(&session.tokenizer, session.spec())?.0.into_iter().collect()),
        false => session.tokenizer.front(),
    }
}

/// How figures say it, of several models.
pub(super) fn said_of_front(bos: bool, begun: impl Iterator<Item = bool> + Clone) -> &'static str {
    match (bos, begun.clone().any(|begun| begun), begun.clone().all(|begun| begun)) {
        (true, ..) => "after BOS",
        (_, true, true) => "after the tokenizer's BOS",
        (_, true, false) => "after BOS where the tokenizer has one of its own",
        (_, false, _) => "no BOS",
    }
}

/// The token that is to begin the text, and what is to be said of the choice. The config's own counts where it is a special token, or
/// nobody knows; else the tokenizer's.
pub(super) fn begin(tokenizer: &Tokenizer, spec: &Spec) -> Result<(Option<u32>, Option<String>)> {
    let own = tokenizer.bos().filter(|bos| (*bos as usize) < spec.vocab);
    let label = |id: u32| format!("{} ({id})", tokenizer.label(id));
    let why = match (spec.bos, own) {
        (None, None) => {
            return Err(Error::usage("neither the model's config nor its tokenizer has a token that begins texts")
                .hint("leave bos out, or add bos_token_id to config.json")
                .option("bos"));
        }
        (Some(bos), _) if tokenizer.missing().is_some() || tokenizer.is_special(bos) => {
            let other = own.filter(|own| *own != bos);
            let remark = other.map(|own| {
                format!(
                    "the text begins with the config's bos_token_id, {}; the tokenizer's own is {}",
                    label(bos),
                    label(own)
                )
            });
            return Ok((Some(bos), remark));
        }
        (Some(bos), None) => {
            return Ok((Some(bos), Some(format!("the config's bos_token_id, {}, is no special token", label(bos)))));
        }
        (Some(bos), Some(_)) => format!("the config's bos_token_id, {}, is no special token", label(bos)),
        (None, Some(_)) => "the config names no bos_token_id that the model has".to_owned(),
    };
    Ok((own, own.map(|own| format!("{why}; the text begins with the tokenizer's own, {}", label(own)))))
}
