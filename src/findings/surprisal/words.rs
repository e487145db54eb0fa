//! The tokens that begin words, for tokenizers that put the space in front of them.

use crate::error::{Error, Result};
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
