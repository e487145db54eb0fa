//! The correction of words for tokenizers that put the space in front of them.

use super::Base;
use crate::error::{Error, Result};
use crate::findings::Subject;
use crate::prompt::Word;
use crate::session::Session;

/// The vocabulary's word-initial tokens: those that begin with whitespace.
pub(super) fn beginnings(session: &Session) -> Result<Vec<u32>> {
    let tokenizer = &session.tokenizer;
    let begins = |id: &u32| {
        let bytes = tokenizer.bytes(*id).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        !tokenizer.is_special(*id) && text.starts_with(char::is_whitespace)
    };
    let set: Vec<u32> = (0..session.spec().vocab as u32).filter(begins).collect();
    if set.is_empty() {
        return Err(Error::usage(
            "the correction is for tokenizers that put the space in front of a word, which this one does not",
        )
        .hint("leave the correction out")
        .option("bow_correction"));
    }
    Ok(set)
}

/// Words' numbers `+ log P(a word begins | before it) − log P(a word begins | after it)`; `begins` is the logarithm of that
/// probability at each position from 1 on. A text's first word begins for certain.
pub(super) fn corrected(base: Base, subject: &Subject, words: &[Word], values: &[f64], begins: &[f64]) -> Vec<f64> {
    let prompt = &subject.prompt;
    let at = |position: usize| begins.get(position.wrapping_sub(1)).copied().unwrap_or(f64::NAN);
    let one = |(word, value): (&Word, &f64)| {
        let first = &prompt.tokens[word.tokens.start];
        let spaced = String::from_utf8_lossy(&first.bytes).starts_with(char::is_whitespace);
        let before = if spaced { at(word.tokens.start) } else { 0.0 };
        value + base.of_nats(before - at(word.tokens.end))
    };
    words.iter().zip(values).map(one).collect()
}
