//! Two runs: two prompts, or two models on one.

use super::DiffArgs;
use super::found::Found;
use super::look::Look;
use crate::cli::recipe::Recipe;
use crate::cli::subject::{About, NEXT, next_line};
use attnviz::analysis::{Attention, Pass, Request, attention, next_tokens, packed};
use attnviz::error::{Error, Kind, Result};
use attnviz::prompt::{Prompt, Word};
use attnviz::session::Session;

/// A model and what it reads.
pub struct Run<'s> {
    pub session: &'s Session,
    pub prompt: Prompt,
}

/// Who reads what.
pub fn pair<'s>(sessions: [&'s Session; 2], prompts: [Prompt; 2]) -> [Run<'s>; 2] {
    let [a, b] = prompts;
    [Run { session: sessions[0], prompt: a }, Run { session: sessions[1], prompt: b }]
}

impl DiffArgs {
    /// Runs both, and compares them.
    pub fn of_runs<'a>(&'a self, runs: [Run; 2], recipe: &'a Recipe) -> Result<Found<'a>> {
        let words = runs.each_ref().map(|run| run.prompt.words(self.selection.word_rule()));
        let request = |run: &Run, words: &[Word]| -> Result<Request> {
            Ok(self.request(self.selection.resolve(run.session.model.spec())?, words))
        };
        let requests = [request(&runs[0], &words[0])?, request(&runs[1], &words[1])?];
        let [(a, a_pass), (b, b_pass)] = both(&runs, &requests)?;
        let mut about = about(&runs[0], recipe);
        let [first, second] = runs;
        let looks = [self.look(first, &words[0], a, &a_pass)?, self.look(second, &words[1], b, &b_pass)?];
        about.other = Some(looks[1].other());
        Found::of_attention(self, about, looks)
    }

    fn look(&self, Run { session, prompt }: Run, words: &[Word], attention: Attention, pass: &Pass) -> Result<Look> {
        let next = next_tokens(&session.next_logits(&[&pass.resid])?, NEXT)?;
        let axis = match self.selection.words {
            Some(_) => words.iter().map(|word| (word.label.clone(), word.label.clone())).collect(),
            None => prompt.tokens.iter().map(|token| (token.text.clone(), token.label.clone())).collect(),
        };
        Ok(Look {
            model: session.name.clone(),
            revision: session.revision.clone(),
            hash: session.hash.clone(),
            input: None,
            prompt,
            by_word: self.selection.words.is_some(),
            axis,
            attention: Some(attention),
            next: Some(next_line(session, &next)),
        })
    }
}

/// Two prompts of one model go through it together.
fn both(runs: &[Run; 2], requests: &[Request; 2]) -> Result<[(Attention, Pass); 2]> {
    let [a, b] = runs;
    let explain =
        |session: &Session, error: Error| if error.kind == Kind::Failed { session.explain(error) } else { error };
    if std::ptr::eq(a.session, b.session) {
        let found = packed(&*a.session.model, &[&a.prompt.ids, &b.prompt.ids], requests);
        let mut found = found.map_err(|error| explain(a.session, error))?;
        let mut take = || found.remove(0).map_err(|error| explain(a.session, error));
        return Ok([take()?, take()?]);
    }
    let one = |run: &Run, request| {
        attention(&*run.session.model, &run.prompt.ids, request).map_err(|error| explain(run.session, error))
    };
    Ok([one(a, &requests[0])?, one(b, &requests[1])?])
}

fn about<'a>(Run { session, prompt }: &Run, recipe: &'a Recipe) -> About<'a> {
    About {
        model: session.name.clone(),
        revision: session.revision.clone(),
        hash: session.hash.clone(),
        input: None,
        other: None,
        prompt: prompt.clone(),
        note: None,
        recipe,
        index: 0,
    }
}
