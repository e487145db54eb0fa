//! Cloze items: how high the model ranks the answers to a prompt.

mod filled;
mod shown;
mod suite;
mod template;

pub use filled::{Filled, Said, fill};
pub use shown::Cloze;
pub use suite::{Item, Suite};
pub use template::{Slot, Template};

use super::rows::{Bad, Sample, none_read};
use crate::analysis::scoring::{Beside, Text, score};
use crate::error::Result;
use crate::findings::reading::front;
use crate::findings::survey::{Survey, one};
use crate::findings::{Findings, Output, Style, Watch, refuse_parts};
use crate::record::{Identity, Input};
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The options of `probe cloze`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Begin each prompt with the model's own beginning-of-text token.
    pub bos: bool,
    /// Which rows are taken.
    pub sample: Sample,
    /// How the figure looks.
    pub style: Style,
}

impl Survey for Options {
    const COMMAND: &'static str = "cloze";
    type Items = Suite;
    type Answer<'a> = Found;

    fn style(&self) -> &Style {
        &self.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        Suite::read(one(files)?, self)
    }

    fn input(items: &mut Self::Items) -> Option<&mut Input> {
        Some(&mut items.input)
    }

    fn ask<'a>(&'a self, items: &'a Self::Items, session: &Session, watch: Watch) -> Result<Self::Answer<'a>> {
        find(self, items, session, watch)
    }

    fn shown<'a>(
        &'a self,
        items: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Cloze::new(self, items, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("probe cloze", outputs)?;
        self.sample.check_limit()?;
        self.style.check()
    }
}

/// What the model says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The logarithm of the probability of all its tokens after the prompt, in nats.
    pub log_p: f64,
    /// How many tokens it has.
    pub tokens: usize,
    /// The place of its first token in the whole vocabulary, from 1.
    pub place: u32,
}

/// What one model says of all items.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The model.
    pub model: Identity,
    /// Each item's candidates; none of an item that the model cannot read.
    pub items: Vec<Option<Vec<Candidate>>>,
    /// Whether its prompts begin with a token that is no part of them.
    pub begun: bool,
    /// Items that the model cannot read.
    pub bad: Vec<Bad>,
}

impl Found {
    /// The best rank of an item's answers, from 1: among its candidates, or without distractors in the whole vocabulary, by first
    /// tokens.
    pub fn rank(&self, item: &Item, at: usize) -> Option<usize> {
        let all = self.items[at].as_ref()?;
        let (answers, distractors) = all.split_at(item.answers);
        if !item.has_distractors() {
            return answers.iter().map(|answer| answer.place as usize).min();
        }
        let best = answers.iter().map(|answer| answer.log_p).fold(f64::NEG_INFINITY, f64::max);
        Some(1 + distractors.iter().filter(|other| other.log_p >= best).count())
    }
}

/// What follows a prompt is written after a space, unless one of the two has it.
fn following(prompt: &str, text: &str) -> String {
    let spaced = prompt.ends_with(char::is_whitespace) || text.starts_with(char::is_whitespace);
    if spaced { text.to_owned() } else { format!(" {text}") }
}

/// Ids of prompts.
struct Reader<'a> {
    session: &'a Session,
    /// What stands in front of each.
    front: Vec<u32>,
}

impl<'a> Reader<'a> {
    fn new(session: &'a Session, bos: bool) -> Result<Self> {
        session.has_next_tokens()?;
        if let Some(why) = session.tokenizer.missing() {
            return Err(why.clone());
        }
        Ok(Self { session, front: front(session, bos)? })
    }

    fn prompt(&self, text: &str) -> Result<Vec<u32>, String> {
        let own = self.session.tokenizer.encode(text).map_err(|error| error.message)?;
        let ids = [&self.front[..], &own].concat();
        let context = self.session.spec().context;
        match ids.len() {
            0 => Err("its prompt has no token".into()),
            length if length > context => {
                Err(format!("its prompt has {length} tokens, but the model's context holds {context}"))
            }
            _ => Ok(ids),
        }
    }

    /// The prompt with each candidate, and the prompt's length.
    fn item(&self, item: &Item) -> Result<(Vec<Vec<u32>>, usize), String> {
        let prompt = self.prompt(&item.prompt)?;
        let whole = |text: &String| {
            let own = self.session.tokenizer.encode(&following(&item.prompt, text)).map_err(|error| error.message)?;
            let context = self.session.spec().context;
            match own.len() {
                0 => Err(format!("{text:?} is no token")),
                count if prompt.len() + count > context + 1 => {
                    Err(format!("with {text:?} it is longer than the model's context"))
                }
                _ => Ok(prompt.iter().copied().chain(own).collect()),
            }
        };
        Ok((item.candidates.iter().map(whole).collect::<Result<_, _>>()?, prompt.len()))
    }
}

/// What one model says of all items.
///
/// # Errors
/// A model that cannot score; logits that are not finite; with `strict`, an item that it cannot read.
pub fn find(options: &Options, suite: &Suite, session: &Session, watch: Watch) -> Result<Found> {
    let reader = Reader::new(session, options.bos)?;
    let mut found = Found { model: session.identity(), begun: !reader.front.is_empty(), ..Found::default() };
    let mut read: Vec<Option<(Vec<Vec<u32>>, usize)>> = Vec::new();
    for item in &suite.items {
        let ids = reader.item(item);
        found.bad.extend(ids.as_ref().err().map(|why| Bad {
            file: item.file.clone(),
            line: item.line,
            why: why.clone(),
        }));
        read.push(ids.ok());
    }
    options.sample.check(&found.bad)?;
    let texts: Vec<Text> = read
        .iter()
        .flatten()
        .flat_map(|(all, from)| all.iter().map(|ids| Text { ids, from: *from, beyond: false }))
        .collect();
    if texts.is_empty() {
        return Err(none_read(&session.name, "item", &suite.input, &found.bad));
    }
    let scores = score(session.model(), &texts, Beside { set: None, above: true }, watch)?;
    let mut scores = scores.into_iter();
    for item in &read {
        let candidates = item.as_ref().map(|(all, _)| {
            let own = scores.by_ref().take(all.len());
            own.map(|scored| Candidate {
                log_p: scored.tokens.iter().sum(),
                tokens: scored.tokens.len(),
                place: 1 + scored.above.first().copied().unwrap_or_default(),
            })
            .collect()
        });
        found.items.push(candidates);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"file": "x"}"#);
    }

    #[test]
    fn an_answer_is_as_good_as_the_distractors_above_it_are_few() {
        let item = |answers, count: usize| Item {
            prompt: "a".into(),
            candidates: vec![String::new(); count],
            answers,
            file: String::new(),
            line: 1,
        };
        let candidate = |log_p, place| Candidate { log_p, tokens: 1, place };
        let all = vec![candidate(-5.0, 9), candidate(-2.0, 7), candidate(-1.0, 2), candidate(-3.0, 1)];
        let found = Found { items: vec![Some(all)], ..Found::default() };
        assert_eq!(found.rank(&item(2, 4), 0), Some(2), "the second answer is below one distractor");
        assert_eq!(found.rank(&item(4, 4), 0), Some(1), "without distractors places in the vocabulary count");
        assert_eq!(found.rank(&item(1, 4), 0), Some(4));
    }

    #[test]
    fn an_answer_is_a_word_of_its_own() {
        assert_eq!(
            [following("It is", "red"), following("It is ", "red"), following("It is", " red")],
            [" red", "red", " red"]
        );
    }
}
