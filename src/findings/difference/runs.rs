//! Two runs: two prompts, or two models on one.

use super::side::{Key, Side};
use super::{Comparison, Options};
use crate::analysis::{Attention, Pass, Request, attention, packed};
use crate::error::{Error, Result};
use crate::findings::attention::request;
use crate::findings::{Reading, Words, explained, next_line, next_of_all};
use crate::model::Spec;
use crate::prompt::{Prompt, Word};
use crate::session::Session;
use crate::text;

/// A model and what it reads.
pub struct Run<'s> {
    /// The model.
    pub session: &'s Session,
    /// What it reads.
    pub prompt: Prompt,
}

impl<'s> Run<'s> {
    /// A prompt, as the model reads it.
    ///
    /// # Errors
    /// As [`Reading::read`].
    pub fn new(session: &'s Session, reading: Reading, words: Words) -> Result<Self> {
        Ok(Self { session, prompt: reading.read(words, &session.tokenizer, session.spec())? })
    }
}

/// Runs both, and compares their attention. The options are ones that [`Options::check`] lets through.
///
/// # Errors
/// Models of other sizes; a layer or head that they do not have; prompts that have no query in common; attention that is not finite.
pub fn of_runs<'a>(options: &'a Options, runs: [Run; 2]) -> Result<Comparison<'a>> {
    let words = runs.each_ref().map(|run| run.prompt.words(options.selection.word_rule()));
    let asked = |run: &Run, words: &[Word]| -> Result<Request> {
        Ok(request(&options.selection, options.selection.within(run.session.spec())?, words))
    };
    let requests = [asked(&runs[0], &words[0])?, asked(&runs[1], &words[1])?];
    let [(a, a_pass), (b, b_pass)] = both(&runs, &requests)?;
    let [first, second] = runs;
    let sides = [side(options, first, &words[0], &a_pass)?, side(options, second, &words[1], &b_pass)?];
    Comparison::of_attention(options, sides, [a, b])
}

/// Fails unless two models, each with its name, can be compared head by head.
///
/// # Errors
/// That they have other sizes.
pub fn alike([a, b]: [(&str, &Spec); 2]) -> Result<()> {
    let ((a, a_spec), (b, b_spec)) = (a, b);
    let size = |of: &Spec| (of.layers, of.heads);
    if size(a_spec) == size(b_spec) {
        return Ok(());
    }
    let ((a_layers, a_heads), (b_layers, b_heads)) = (size(a_spec), size(b_spec));
    Err(Error::usage(format!(
        "{a} has {} of {}, {b} has {b_layers} of {b_heads}",
        text::count(a_layers, "layer"),
        text::count(a_heads, "head")
    ))
    .hint("compare models of one architecture, such as a fine-tune with its base"))
}

fn side(options: &Options, Run { session, prompt }: Run, words: &[Word], pass: &Pass) -> Result<Side> {
    let by_word = options.selection.words.is_some();
    let axis = if by_word { Key::words(words) } else { Key::tokens(&prompt) };
    let next = next_line(session, &next_of_all(session, [(&prompt, &pass.resid)].into_iter())?.concat());
    Ok(Side { model: session.identity(), input: None, prompt, by_word, axis, next })
}

/// Two prompts of one model go through it together.
fn both(runs: &[Run; 2], requests: &[Request; 2]) -> Result<[(Attention, Pass); 2]> {
    let [a, b] = runs;
    if std::ptr::eq(a.session, b.session) {
        let found = packed(a.session.model(), &[&a.prompt.ids, &b.prompt.ids], requests);
        let mut found = found.map_err(|error| explained(a.session, error))?;
        let mut take = || found.remove(0).map_err(|error| explained(a.session, error));
        return Ok([take()?, take()?]);
    }
    let one = |run: &Run, request| {
        attention(run.session.model(), &run.prompt.ids, request).map_err(|error| explained(run.session, error))
    };
    Ok([one(a, &requests[0])?, one(b, &requests[1])?])
}
