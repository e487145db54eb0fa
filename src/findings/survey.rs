//! What is asked of files of items instead of one prompt: minimal pairs, cloze items, labelled texts, suites about bias, pairs to patch.
//! The same questions come from a command line, of several models, and from a record or a case of a suite, of one.
//!
//! ```
//! use attnviz::findings::{Ready, probe::bias, survey::Survey};
//! use attnviz::{checkpoint::{Checkpoint, Source}, format::Format, render::Fonts, session::Session};
//!
//! let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
//! let options = bias::Options::default();
//! let suite = options.read(&["tests/fixtures/bias/crows.csv".into()])?;
//! let answers = vec![options.ask(&suite, &session, &|_, _| ())?]; // one a model
//! let found = options.shown(&suite, answers, "")?;
//! let json = Ready::new(&*found).bytes(Format::Json, None, &Fonts::bundled())?;
//! # assert!(json.starts_with(b"{"));
//! # Ok::<(), attnviz::Error>(())
//! ```

use super::patching::pairs as patched;
use super::probe::{bias, cloze, linear, pairs};
use super::{Findings, Output, Style, Watch, options};
use crate::error::{Error, Result};
use crate::record::Input;
use crate::session::Session;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A question about items, with its options.
pub trait Survey: Serialize + Send + Sync {
    /// What records call it.
    const COMMAND: &'static str;
    /// What is read from its files.
    type Items: Send + Sync;
    /// What one model says of them.
    type Answer<'a>
    where
        Self: 'a;

    /// How its figures look.
    fn style(&self) -> &Style;
    /// Fails where the options cannot be meant, before anything is read.
    ///
    /// # Errors
    /// What cannot be meant, or not for these outputs.
    fn check(&self, outputs: &[Output]) -> Result<()>;
    /// Reads the items, before a model is loaded.
    ///
    /// # Errors
    /// Files that hold none, or cannot be read.
    fn read(&self, files: &[PathBuf]) -> Result<Self::Items>;
    /// What was read; nothing of a question that needs no file.
    fn input(items: &mut Self::Items) -> Option<&mut Input>;
    /// Asks one model.
    ///
    /// # Errors
    /// A model that cannot answer; numbers that are not finite; with `strict`, an item that it cannot read.
    fn ask<'a>(&'a self, items: &'a Self::Items, session: &Session, watch: Watch) -> Result<Self::Answer<'a>>;
    /// What models said. `line` is what was typed, for people.
    ///
    /// # Errors
    /// No model, or more of them than go together.
    fn shown<'a>(
        &'a self,
        items: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>>;
}

/// A [`Survey`] of whatever kind, whose items are still to be read.
pub trait AnySurvey {
    /// How its figures look.
    fn style(&self) -> &Style;
    /// As [`Survey::check`].
    ///
    /// # Errors
    /// What cannot be meant.
    fn check(&self, outputs: &[Output]) -> Result<()>;
    /// As [`Survey::read`].
    ///
    /// # Errors
    /// Files that hold no items.
    fn read(self: Box<Self>, files: &[PathBuf]) -> Result<Box<dyn WithItems>>;
}

/// A [`Survey`] of whatever kind, with its items.
pub trait WithItems: Send + Sync {
    /// How its figures look.
    fn style(&self) -> &Style;
    /// As [`Survey::check`].
    ///
    /// # Errors
    /// What cannot be meant.
    fn check(&self, outputs: &[Output]) -> Result<()>;
    /// As [`Survey::input`].
    fn input(&mut self) -> Option<&mut Input>;
    /// The command and its options, as records hold them.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    fn parts(&self) -> Result<(String, Map<String, Value>)>;
    /// Asks one model, and says what it said.
    ///
    /// # Errors
    /// As [`Survey::ask`] and [`Survey::shown`].
    fn find(&self, session: &Session, line: &str, watch: Watch) -> Result<Box<dyn Findings + '_>>;
}

struct Read<S: Survey> {
    survey: S,
    items: S::Items,
}

impl<S: Survey + 'static> AnySurvey for S {
    fn style(&self) -> &Style {
        Survey::style(self)
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        Survey::check(self, outputs)
    }

    fn read(self: Box<Self>, files: &[PathBuf]) -> Result<Box<dyn WithItems>> {
        let items = Survey::read(&*self, files)?;
        Ok(Box::new(Read { survey: *self, items }))
    }
}

impl<S: Survey> WithItems for Read<S> {
    fn style(&self) -> &Style {
        self.survey.style()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        self.survey.check(outputs)
    }

    fn input(&mut self) -> Option<&mut Input> {
        S::input(&mut self.items)
    }

    fn parts(&self) -> Result<(String, Map<String, Value>)> {
        let lost = |error| Error::failed(format!("the options are no JSON: {error}"));
        let options = serde_json::to_value(&self.survey).and_then(serde_json::from_value).map_err(lost)?;
        Ok((S::COMMAND.to_owned(), options))
    }

    fn find(&self, session: &Session, line: &str, watch: Watch) -> Result<Box<dyn Findings + '_>> {
        let answer = self.survey.ask(&self.items, session, watch)?;
        self.survey.shown(&self.items, vec![answer], line)
    }
}

/// The survey that a record names; none where it names something else. It is not trusted: its options are checked as anybody's are.
///
/// # Errors
/// Options that this version does not have.
pub fn recorded(command: &str, recorded: &Map<String, Value>) -> Result<Option<Box<dyn AnySurvey>>> {
    let recorded = || recorded.clone().into();
    Ok(Some(match command {
        pairs::Options::COMMAND => Box::new(options::<pairs::Options>(recorded())?),
        cloze::Options::COMMAND => Box::new(options::<cloze::Options>(recorded())?),
        cloze::Template::COMMAND => Box::new(options::<cloze::Template>(recorded())?),
        linear::Options::COMMAND => Box::new(options::<linear::Options>(recorded())?),
        bias::Options::COMMAND => Box::new(options::<bias::Options>(recorded())?),
        bias::Template::COMMAND => Box::new(options::<bias::Template>(recorded())?),
        patched::Options::COMMAND => Box::new(options::<patched::Options>(recorded())?),
        _ => return Ok(None),
    }))
}

/// The one file of a survey that takes no more.
///
/// # Errors
/// None, or several.
pub(super) fn one(files: &[PathBuf]) -> Result<&Path> {
    match files {
        [file] => Ok(file),
        [] => Err(Error::usage("there is no file of items").hint("name a file, or a folder of such files")),
        _ => Err(Error::usage(format!("{} files are named, this takes one", files.len()))
            .hint("name one file, or a folder that holds all")),
    }
}

/// That a template takes no file.
///
/// # Errors
/// A file.
pub(super) fn none(files: &[PathBuf]) -> Result<()> {
    match files {
        [] => Ok(()),
        _ => Err(Error::usage("a template needs no file").hint("leave the files out, or the template")),
    }
}
