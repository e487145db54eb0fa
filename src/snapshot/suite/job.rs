//! What cases share: a model, the formats, and what is asked, of a prompt each or of files of items.

use crate::error::{Error, Result};
use crate::export::slug;
use crate::findings::survey::{AnySurvey, WithItems};
use crate::findings::{Asked, Output, Style};
use crate::format::Format;
use crate::record::Input;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What a command asks.
#[allow(clippy::large_enum_variant)] // there are few
pub enum Asks {
    /// Of a prompt, or of nothing but the model.
    OfPrompt(Asked),
    /// Of files of items, which are still to be read.
    OfItems(Box<dyn AnySurvey>),
}

/// What is asked, a model and the formats, for any number of cases.
pub struct Job {
    /// The model as the suite names it.
    pub model: String,
    /// The command with its options.
    pub question: Question,
    /// The command and its args as people read them.
    pub line: String,
    /// The files of each case.
    pub formats: Vec<Format>,
}

/// What is asked, with what it is asked of but for prompts.
#[allow(clippy::large_enum_variant)] // there are few
pub enum Question {
    /// Of a prompt, or of nothing but the model.
    OfPrompt(Asked),
    /// Of these items, with what a lock file says of their files.
    OfItems(Box<dyn WithItems>, Option<Input>),
}

impl Question {
    /// Checks what is asked, and reads the files.
    ///
    /// # Errors
    /// What cannot be meant; files that cannot be read, or where none is read.
    pub fn new(asks: Asks, files: &[PathBuf], outputs: &[Output]) -> Result<Self> {
        match asks {
            Asks::OfPrompt(asked) if files.is_empty() => {
                asked.analysis().check(outputs)?;
                Ok(Self::OfPrompt(asked))
            }
            Asks::OfPrompt(_) => {
                Err(Error::usage("its command reads no files").hint("give prompt, prompts or ids instead"))
            }
            Asks::OfItems(survey) => {
                survey.check(outputs)?;
                let mut items = survey.read(files)?;
                let input = items.input().cloned();
                Ok(Self::OfItems(items, input))
            }
        }
    }

    /// The command and its options, as the lock file has them.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn parts(&self) -> Result<(String, Map<String, Value>)> {
        match self {
            Self::OfPrompt(asked) => asked.parts(),
            Self::OfItems(items, _) => items.parts(),
        }
    }

    /// What a case without a name is called: after its command, and the file that it reads.
    pub fn stem(&self, command: String) -> String {
        match self {
            Self::OfItems(_, Some(input)) => format!("{command}-{}", slug(&input.name)),
            _ => command,
        }
    }

    /// How figures look.
    pub fn style(&self) -> Style {
        match self {
            Self::OfPrompt(asked) => asked.analysis().style(),
            Self::OfItems(items, _) => items.style().clone(),
        }
    }
}

impl Job {
    /// What its results are wanted for.
    pub fn outputs(&self) -> Vec<Output> {
        outputs(&self.formats)
    }
}

/// What results are wanted for.
pub fn outputs(formats: &[Format]) -> Vec<Output> {
    formats.iter().map(|format| Output::whole(*format)).collect()
}
