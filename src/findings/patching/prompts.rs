//! The two prompts of a patch: as many tokens, and not all the same.

use super::Options;
use crate::analysis::alignment::{Slot, align};
use crate::error::{Error, Result};
use crate::findings::Words;
use crate::findings::subject::Subject;
use crate::prompt::Prompt;

/// Tokens around a difference that an error shows.
const AROUND: usize = 2;

/// The corrupt prompt, read as the clean one was.
///
/// # Errors
/// A prompt that is the clean one, or of another number of tokens.
pub(in crate::findings) fn corrupt(options: &Options, subject: &Subject) -> Result<Prompt> {
    let session = subject.session;
    let words = Words::Text(options.corrupt.clone());
    let corrupt = options.reading.read(words, &session.tokenizer, session.spec())?;
    let clean = &subject.prompt;
    if clean.ids == corrupt.ids {
        return Err(Error::usage("the clean and the corrupt prompt are the same tokens")
            .hint("change a word on which the answer depends"));
    }
    if clean.ids.len() != corrupt.ids.len() {
        return Err(Error::usage(format!(
            "the clean prompt is {} tokens, the corrupt one {}: {}",
            clean.ids.len(),
            corrupt.ids.len(),
            side_by_side(clean, &corrupt)?
        ))
        .hint("choose words of as many tokens, so that each position stands for the same in both"));
    }
    Ok(corrupt)
}

/// Both tokenizations, token by token, where they differ and just around.
fn side_by_side(clean: &Prompt, corrupt: &Prompt) -> Result<String> {
    let slots = align(&clean.ids, &corrupt.ids)?.slots;
    let near = |at: usize| slots[at.saturating_sub(AROUND)..(at + AROUND + 1).min(slots.len())].iter().any(|s| !s.same);
    let name = |prompt: &Prompt, at: Option<usize>| at.map_or("–".into(), |at| prompt.tokens[at].label.clone());
    let show = |slot: &Slot| match slot.same {
        true => name(clean, slot.a),
        false => format!("[{}/{}]", name(clean, slot.a), name(corrupt, slot.b)),
    };
    let mut said = String::new();
    for (at, slot) in slots.iter().enumerate() {
        let text = if near(at) { show(slot) } else { "…".into() };
        if text != "…" || !said.ends_with('…') {
            said = if said.is_empty() { text } else { format!("{said} {text}") };
        }
    }
    Ok(said)
}
