//! Hugging Face tokenizers, loaded quickly where they have GPT-2's shape, and never a panic.
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tokenizers::models::bpe::Merges;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, DecoderWrapper, PreTokenizedString, PreTokenizer};

use super::label::decode_bpe;
use super::parts::assemble;
use super::{Token, quick};
use crate::error::{Error, Result};

/// Turns text into ids and ids into bytes.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    origin: String,
    /// Whether tokens are written in GPT-2's byte alphabet.
    byte_level: bool,
}

impl Tokenizer {
    /// The tokenizer of a `tokenizer.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// A file that is no tokenizer, or whose parts contradict each other.
    pub fn from_json(bytes: &[u8], origin: &str) -> Result<Self> {
        let read = || match quick::read(bytes) {
            Some(tokenizer) => Ok(tokenizer),
            None => tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| error.to_string()),
        };
        Self::build(origin, read)
    }

    /// GPT-2's tokenizer of a `vocab.json`, a `merges.txt` and an `added_tokens.json`; `origin` names them in errors.
    ///
    /// # Errors
    /// A file that cannot be read as what it is, or parts that contradict each other.
    pub fn from_vocab_merges(vocab: &[u8], merges: &[u8], added_tokens: Option<&[u8]>, origin: &str) -> Result<Self> {
        let read = || {
            let mut vocab = quick::vocab(vocab).map_err(|error| format!("vocabulary: {error}"))?;
            let mut added = quick::vocab(added_tokens.unwrap_or(b"{}"))
                .map_err(|error| format!("added tokens: {error}"))?
                .into_iter()
                .map(|(token, id)| (id, token))
                .collect::<Vec<_>>();
            added.sort();
            // In the vocabulary an added token keeps its id; on its own it would get the next free one.
            for (id, token) in &added {
                if vocab.insert(token.clone(), *id).is_some_and(|old| old != *id) {
                    return Err(format!("added token `{token}` has another id in the vocabulary"));
                }
            }
            let special = vocab.contains_key(END_OF_TEXT).then(|| AddedToken::from(END_OF_TEXT, true));
            let added = added.into_iter().map(|(_, token)| token).filter(|token| token != END_OF_TEXT);
            let added = added.map(|token| AddedToken::from(token, false).normalized(false)).chain(special).collect();
            let level = ByteLevel::default().add_prefix_space(false);
            assemble(vocab, read_merges(merges)?, added, level, level, Some(level))
        };
        Self::build(origin, read)
    }

    /// Compiles the pattern by which GPT-2's tokenizers split texts, which else the first text waits for.
    pub fn warm() {
        let _ = quietly(|| ByteLevel::default().pre_tokenize(&mut PreTokenizedString::from("a")).is_ok());
    }

    fn build(origin: &str, read: impl FnOnce() -> Result<tokenizers::Tokenizer, String>) -> Result<Self> {
        let broken = |error| {
            Error::failed(format!("{origin}: not a tokenizer that can be used: {error}"))
                .hint("download the model's tokenizer again")
        };
        let mut inner = quietly(read).and_then(|read| read).map_err(broken)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| broken(error.to_string()))?;
        let byte_level = match inner.get_decoder() {
            Some(DecoderWrapper::ByteLevel(_)) => true,
            Some(DecoderWrapper::Sequence(all)) => {
                all.get_decoders().iter().any(|decoder| matches!(decoder, DecoderWrapper::ByteLevel(_)))
            }
            _ => false,
        };
        Ok(Self { inner, origin: origin.to_owned(), byte_level })
    }

    /// The ids of a text, with the special tokens that the tokenizer adds by itself (GPT-2's adds none).
    ///
    /// # Errors
    /// A text that this tokenizer cannot encode, such as a character that its vocabulary lacks.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = quietly(|| self.inner.encode_fast(text, true).map_err(|error| error.to_string()));
        let encoded = encoded.and_then(|ids| ids);
        encoded.map(|encoding| encoding.get_ids().to_vec()).map_err(|error| {
            Error::failed(format!("{}: the text cannot be tokenized: {error}", self.origin))
                .hint("give the prompt as ids, or the model a tokenizer that suits it")
                .option("ids")
        })
    }

    /// How many tokens it knows, added ones included.
    pub fn size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of a token as the tokenizer's files write it (`Ġthe`, `<|endoftext|>`).
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The bytes that an id stands for; those of several ids may make one character.
    pub fn bytes(&self, id: u32) -> Option<Vec<u8>> {
        if let Some(added) = self.inner.get_added_vocabulary().get_added_tokens_decoder().get(&id) {
            return Some(added.content.clone().into_bytes());
        }
        let token = self.inner.id_to_token(id)?;
        Some(if self.byte_level { decode_bpe(&token) } else { token.replace('▁', " ").into_bytes() })
    }

    /// How a figure shows an id.
    pub fn label(&self, id: u32) -> String {
        Token::new(self, id).label
    }

    /// Whether an id is a special token, no part of the text, such as `<|endoftext|>`.
    pub fn is_special(&self, id: u32) -> bool {
        let added = self.inner.get_added_vocabulary().get_added_tokens_decoder();
        added.get(&id).is_some_and(|token| token.special)
    }
}

const END_OF_TEXT: &str = "<|endoftext|>";

fn read_merges(bytes: &[u8]) -> Result<Merges, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("merges: {error}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !(line.is_empty() || line.starts_with("#version")));
    let pairs = lines.map(|(at, line)| {
        quick::pair(line).ok_or_else(|| format!("merges: line {} is not two tokens with a space between", at + 1))
    });
    pairs.collect()
}

/// The result, or the message of a panic: the `tokenizers` crate indexes and unwraps where a file is inconsistent.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        format!("its parts contradict each other ({})", message.unwrap_or("no reason given"))
    })
}
