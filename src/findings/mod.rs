//! From plain options to what was found: one file an analysis, each with its numbers as a figure, as data and as a table.
//!
//! ```text
//! options ─► Asked ─► Subject{session, prompt} ─► numbers ─► Findings ─► figure │ data │ table ─► bytes (Ready)
//! ```
//!
//! The same options come from a command line, a record in a file, a case of a suite, a line of a batch or a program. They are data
//! (serde) with their defaults documented at each field; [`Analysis::check`] says what cannot be meant, before anything is loaded.
//!
//! ```
//! use attnviz::findings::{Asked, Output, Ready, Reading, Subject, Words, find, mix};
//! use attnviz::{checkpoint::{Checkpoint, Source}, format::Format, render::Fonts, session::Session};
//!
//! let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
//! let asked = Asked::Mix(mix::Options::default());
//! let outputs = [Output::whole(Format::Png), Output::whole(Format::Json)];
//! let prompt = Reading::default().read(Words::Text("Once upon a time".into()), &session.tokenizer, session.spec())?;
//! let found = find(asked.analysis(), Subject::new(&session, prompt, &asked)?, &outputs)?;
//! let ready = Ready::new(&*found);
//! let png = ready.bytes(Format::Png, None, &Fonts::bundled())?;
//! let json = ready.bytes(Format::Json, None, &Fonts::bundled())?;
//! # assert!(png.starts_with(b"\x89PNG") && json.starts_with(b"{"));
//! # Ok::<(), attnviz::Error>(())
//! ```

pub mod ablation;
mod answers;
pub mod attention;
mod checks;
pub mod circuit;
mod cost;
pub mod difference;
mod direct;
pub mod edges;
pub mod explain;
mod faithfulness;
mod font;
mod found;
mod generated;
mod group;
pub mod heads;
mod length;
pub mod lens;
pub mod mix;
mod page;
pub mod patching;
mod picks;
pub mod probe;
pub mod qk;
mod reading;
mod ready;
pub mod recorded;
mod residuals;
pub mod saliency;
mod selection;
mod style;
mod subject;
pub mod surprisal;
pub mod survey;
mod target;
mod texts;

pub use checks::refuse_graph;
pub use cost::Cost;
pub use font::FontFile;
pub use found::{Advice, Findings, Section, Sentence};
pub use group::Group;
pub use length::Length;
pub(crate) use page::{SIGN as PAGE_SIGN, head as page_head};
pub use picks::Picks;
pub use reading::{Reading, Words};
pub use ready::{Ready, rows};
pub use selection::{Indices, Reduce, Selected, Selection};
pub use style::Style;
pub use subject::{About, NEXT, Subject, Watch, next_line, next_of_all};
pub use target::{Target, Token};
pub use texts::TextsFile;

use crate::error::{Error, Kind, Result};
use crate::format::Format;
use crate::model::Spec;
use crate::record::Record;
use crate::session::Session;
#[cfg(test)]
use checks::check_json;
use checks::{each_once, need_arrays, position, refuse_parts, within};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is asked about one prompt: a command with its options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", content = "options", rename_all = "kebab-case")]
pub enum Asked {
    /// What each head attends to.
    Attention(attention::Options),
    /// Which tokens moved a prediction.
    Saliency(saliency::Options),
    /// What each layer would have answered, or who wrote the answer.
    Lens(lens::Options),
    /// What each head does, by name.
    Heads(heads::Options),
    /// How much of each token reaches each position.
    Mix(mix::Options),
    /// How surprised the model is by each token.
    Surprisal(surprisal::Options),
    /// Why a head looks where it looks.
    Qk(qk::Options),
    /// Which parts make the difference between two prompts.
    Patch(patching::Options),
    /// One prediction by several methods at once.
    Explain(explain::Options),
    /// What becomes of the answer without some of the parts.
    Ablate(ablation::Options),
    /// Which edges between parts make that difference.
    Edges(edges::Options),
    /// Whether a model has a circuit that is known of it.
    #[serde(rename = "circuit-check")]
    Circuit(circuit::Options),
}

impl Asked {
    /// The analysis that answers.
    pub fn analysis(&self) -> &dyn Analysis {
        match self {
            Self::Attention(options) => options,
            Self::Saliency(options) => options,
            Self::Lens(options) => options,
            Self::Heads(options) => options,
            Self::Mix(options) => options,
            Self::Surprisal(options) => options,
            Self::Qk(options) => options,
            Self::Patch(options) => options,
            Self::Explain(options) => options,
            Self::Ablate(options) => options,
            Self::Edges(options) => options,
            Self::Circuit(options) => options,
        }
    }

    /// Which prediction is looked at, where one is.
    pub fn target(&self) -> Option<&Target> {
        match self {
            Self::Saliency(options) => Some(&options.target),
            Self::Lens(options) => Some(&options.target),
            Self::Mix(options) => Some(&options.target),
            Self::Explain(options) => Some(&options.target),
            Self::Attention(_)
            | Self::Heads(_)
            | Self::Surprisal(_)
            | Self::Qk(_)
            | Self::Patch(_)
            | Self::Ablate(_)
            | Self::Edges(_)
            | Self::Circuit(_) => None,
        }
    }

    /// That a token was typed without the space that makes it likely.
    ///
    /// # Errors
    /// A position that there is not; a model whose logits are not finite.
    pub fn doubts(&self, subject: &Subject) -> Result<Vec<Advice>> {
        match self {
            Self::Patch(options) => options.doubts(subject),
            Self::Ablate(options) => options.doubts(subject),
            Self::Edges(options) => options.pair().doubts(subject),
            _ => self.target().map_or_else(|| Ok(Vec::new()), |target| target.advice(subject)),
        }
    }

    /// The file of texts that it is asked with, where there is one.
    pub fn texts(&mut self) -> Option<&mut TextsFile> {
        match self {
            Self::Ablate(options) => options.reference.as_mut(),
            _ => None,
        }
    }

    /// The command's name and its options, as records hold them.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn parts(&self) -> Result<(String, Map<String, Value>)> {
        #[derive(Deserialize)]
        struct Parts {
            command: String,
            options: Map<String, Value>,
        }
        let parts = serde_json::to_value(self).and_then(serde_json::from_value);
        let Parts { command, options } =
            parts.map_err(|error| Error::failed(format!("the options are no JSON: {error}")))?;
        Ok((command, options))
    }

    /// What a record asks. It is not trusted: its options are checked as anybody's are.
    ///
    /// # Errors
    /// A command that looks at no prompt, or options that this version does not have.
    pub fn of(record: &Record) -> Result<Self> {
        options(json!({ "command": record.command, "options": record.options }))
    }
}

/// Options out of a record.
///
/// # Errors
/// Options that this version does not have.
pub fn options<T: serde::de::DeserializeOwned>(recorded: Value) -> Result<T> {
    serde_json::from_value(recorded).map_err(|error| {
        Error::failed(format!("what it was made with is not understood: {error}"))
            .hint("it was made by another version, or was changed; make the file again by hand")
    })
}

/// What a result is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// Whether there is a file for each layer or head.
    pub by_part: bool,
}

impl Output {
    /// One file of a format.
    pub fn whole(format: Format) -> Self {
        Self { format, by_part: false }
    }
}

/// An analysis of one prompt, with its options.
pub trait Analysis: Sync {
    /// How the prompt is read.
    fn reading(&self) -> Reading;
    /// How its figures look.
    fn style(&self) -> Style {
        Style::default()
    }
    /// Whether there is nothing to look at without a prompt. Where there is, the subject's prompt is empty.
    fn needs_prompt(&self) -> bool {
        true
    }
    /// Fails where the options cannot be meant, before anything is loaded.
    ///
    /// # Errors
    /// What cannot be meant, or not for these outputs.
    fn check(&self, outputs: &[Output]) -> Result<()>;
    /// Fails where the options cannot be meant for a prompt, of an analysis that may do without one.
    ///
    /// # Errors
    /// What is only for a run without a prompt.
    fn check_prompt(&self) -> Result<()> {
        Ok(())
    }
    /// Fails where the model lacks what is asked for, before its weights are read.
    ///
    /// # Errors
    /// What this model does not have.
    fn fits(&self, _: &Spec) -> Result<()> {
        Ok(())
    }
    /// What it will take for a prompt of so many tokens.
    fn cost(&self, _: &Spec, _tokens: usize, _: &[Output]) -> Cost {
        Cost::default()
    }
    /// Does the work. `outputs` say what it is for.
    ///
    /// # Errors
    /// What the prompt does not have; a model whose numbers are not finite.
    fn find<'a>(&'a self, subject: Subject<'a>, outputs: &[Output]) -> Result<Box<dyn Findings + 'a>>;
    /// The same for several prompts; no prompt's numbers depend on the others.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, outputs: &[Output]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        subjects.into_par_iter().map(|subject| self.find(subject, outputs)).collect()
    }
}

/// Looks at one prompt; where that fails for a broken weight, says which.
///
/// # Errors
/// As [`Analysis::check`] and [`Analysis::find`].
pub fn find<'a>(
    analysis: &'a dyn Analysis,
    subject: Subject<'a>,
    outputs: &[Output],
) -> Result<Box<dyn Findings + 'a>> {
    let session = subject.session;
    analysis.check(outputs)?;
    let subject = with_prompt(analysis, subject)?;
    analysis.find(subject, outputs).map_err(|error| explained(session, error))
}

/// Looks at several prompts of one model, as far as they could be read; each has an answer of its own.
pub fn find_all<'a>(
    analysis: &'a dyn Analysis,
    session: &Session,
    subjects: Vec<Result<Subject<'a>>>,
    outputs: &[Output],
) -> Vec<Result<Box<dyn Findings + 'a>>> {
    let mut ready = Vec::new();
    let unread: Vec<Option<Error>> = subjects
        .into_iter()
        .map(|subject| {
            subject.and_then(|subject| with_prompt(analysis, subject)).map(|subject| ready.push(subject)).err()
        })
        .collect();
    let mut found = analysis.find_all(ready, outputs).into_iter();
    let lost = || Err(Error::failed("the command gave no answer for this prompt"));
    let answer = |unread: Option<Error>| match unread {
        Some(error) => Err(error),
        None => found.next().unwrap_or_else(lost).map_err(|error| explained(session, error)),
    };
    unread.into_iter().map(answer).collect()
}

/// A subject with the prompt that the analysis needs, and without options that are not for one.
fn with_prompt<'a>(analysis: &dyn Analysis, subject: Subject<'a>) -> Result<Subject<'a>> {
    match subject.has_prompt() {
        true => analysis.check_prompt().map(|()| subject),
        false if analysis.needs_prompt() => {
            Err(Error::usage("there is no prompt, or one without tokens").hint("give a text of one token or more"))
        }
        false => Ok(subject),
    }
}

/// A failure that a broken weight may explain.
fn explained(session: &Session, error: Error) -> Error {
    if error.kind == Kind::Failed { session.explain(error) } else { error }
}

/// The findings of prompts that went through the model together. What is broken for one is broken for all: then each goes alone, and
/// says so itself.
fn together<'a, T: Send>(
    subjects: Vec<Subject<'a>>,
    found: Result<Vec<T>>,
    alone: impl Fn(Subject<'a>) -> Result<Box<dyn Findings + 'a>>,
    each: impl Fn(Subject<'a>, T) -> Result<Box<dyn Findings + 'a>> + Sync,
) -> Vec<Result<Box<dyn Findings + 'a>>> {
    match found {
        Ok(found) => subjects.into_par_iter().zip(found).map(|(subject, found)| each(subject, found)).collect(),
        Err(error) if subjects.len() == 1 => vec![Err(error)],
        Err(_) => subjects.into_iter().map(alone).collect(),
    }
}
