//! The two prompts of a patch: as many tokens, and not all the same.

use super::Options;
use crate::analysis::alignment::{Slot, align};
use crate::error::{Error, Result};
use crate::findings::Words;
use crate::findings::subject::Subject;
use crate::prompt::Prompt;

/// Tokens around a difference that an error shows.
const AROUND: usize = 2;

/// Characters that two headlines may have in common before they differ, and how many of more are kept.
const LONGEST: usize = 48;
const KEPT: usize = 24;

/// The corrupt prompt, read as the clean one was.
///
/// # Errors
/// A prompt that is the clean one, or of another number of tokens.
pub(in crate::findings) fn corrupt(options: &Options, subject: &Subject) -> Result<Prompt> {
    let session = subject.session;
    let words = Words::Text(options.corrupt.clone());
    let corrupt = options.reading.read(words, &session.tokenizer, session.spec())?;
    can_be_patched(&subject.prompt, &corrupt)?;
    Ok(corrupt)
}

/// Fails unless two prompts can be patched into one another.
///
/// # Errors
/// The same prompt twice, or prompts of other numbers of tokens.
pub(super) fn can_be_patched(clean: &Prompt, corrupt: &Prompt) -> Result<()> {
    if clean.ids == corrupt.ids {
        return Err(Error::usage("the clean and the corrupt prompt are the same tokens")
            .hint("change a word on which the answer depends"));
    }
    as_long(["clean prompt", "corrupt one"], clean, corrupt)
}

/// Fails unless two prompts have as many tokens; `names` say what they are.
///
/// # Errors
/// Other numbers of tokens, shown side by side.
pub(in crate::findings) fn as_long(names: [&str; 2], a: &Prompt, b: &Prompt) -> Result<()> {
    let (many, others) = (a.ids.len(), b.ids.len());
    if many == others {
        return Ok(());
    }
    let ([a_name, b_name], both) = (names, side_by_side(a, b)?);
    Err(Error::usage(format!("the {a_name} is {many} tokens, the {b_name} {others}: {both}"))
        .hint("choose words of as many tokens, so that each position stands for the same in both"))
}

/// The first position at which two prompts differ: before it their runs are the same.
pub(super) fn first_difference(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Two texts in a line each, without most of what both begin with.
pub(super) fn headlines(texts: [String; 2]) -> [String; 2] {
    let lines = texts.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let [a, b] = lines.each_ref().map(|line| line.char_indices());
    let alike: Vec<(usize, char)> = a.zip(b).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    if alike.len() <= LONGEST {
        return lines;
    }
    let last = &alike[alike.len() - KEPT..];
    let at = last.iter().find(|(_, c)| *c == ' ').map_or(last[0].0, |(at, _)| at + 1);
    lines.map(|line| format!("… {}", &line[at..]))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headlines_show_what_differs() {
        let long = "Once upon a time there was a king who had a daughter and";
        let of = |a: &str, b: &str| headlines([a.to_owned(), b.to_owned()]);
        assert_eq!(of("The  old king\n", "The new king"), ["The old king", "The new king"]);
        let [a, b] = of(&format!("{long} an old crown"), &format!("{long} a new crown"));
        assert_eq!((&*a, &*b), ("… had a daughter and an old crown", "… had a daughter and a new crown"));
        // Without a space to cut at, and where one ends before the other.
        let [a, b] = of(&"é".repeat(60), &"é".repeat(61));
        assert_eq!((a, b), (format!("… {}", "é".repeat(24)), format!("… {}", "é".repeat(25))));
    }
}
