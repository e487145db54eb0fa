//! What `attnviz probe` and `attnviz bias` made: the model again, and the file of items, which is to be named.

use super::{Again, changed};
use crate::cli::output::remark_on;
use attnviz::error::{Error, Result};
use attnviz::findings::heads::corpus;
use attnviz::findings::survey::AnySurvey;
use attnviz::findings::{Analysis, surprisal};
use attnviz::record::Input;
use attnviz::session::Session;
use attnviz::text::shell_word;
use std::path::{Path, PathBuf};

impl Again<'_> {
    /// From files of items, or from a template.
    pub(super) fn of_items(&self, survey: Box<dyn AnySurvey>) -> Result<()> {
        let outputs = self.outputs(&|outputs| survey.check(outputs))?;
        survey.check(&outputs).map_err(|e| self.named(e))?;
        let mut items = match &self.record.input {
            Some(_) => survey.read(self.all_items()?.0)?,
            None => survey.read(&[]).map_err(|_| self.silent("which file it is of"))?,
        };
        let both = self.record.input.as_ref().zip(items.input());
        let change = both.and_then(|(then, now)| other_items(then, now));
        let session = self.one_model()?;
        let found = items.find(&session, &self.record.line, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        self.finish(&*found, &self.fonts(items.style().clone())?, change)
    }

    /// From a text that was too long to be a prompt.
    pub(super) fn of_long_text(&self) -> Result<()> {
        let options: surprisal::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items()?;
        let session = self.one_model()?;
        let mut long = surprisal::Long::find(&options, path, &session, &self.record.line, &|_, _| ())?;
        let change = other_items(input, long.input()).or_else(|| changed(&self.record.model, &session));
        long.note(self.record.note.clone());
        self.finish(&long, &self.fonts(options.style.clone())?, change)
    }

    /// From a text over which heads were looked at.
    pub(super) fn of_corpus(&self) -> Result<()> {
        let options: corpus::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items()?;
        let session = self.one_model()?;
        let mut found = corpus::OverCorpus::find(&options, path, &session, &self.record.line, &|_, _| ())?;
        let change = other_items(input, found.input()).or_else(|| changed(&self.record.model, &session));
        found.note(self.record.note.clone());
        self.finish(&found, &self.fonts(options.style.clone())?, change)
    }

    /// The file of items that was named, and what the record says of the one that was read.
    fn items(&self) -> Result<(&Path, &Input)> {
        match self.all_items()? {
            ([path], input) => Ok((path, input)),
            (_, input) => Err(self.unnamed(input)),
        }
    }

    /// The same of a suite that may be in several files.
    fn all_items(&self) -> Result<(&[PathBuf], &Input)> {
        let Some(input) = &self.record.input else { return Err(self.silent("which file it is of")) };
        if self.args.input.is_empty() { Err(self.unnamed(input)) } else { Ok((&self.args.input, input)) }
    }

    /// That the items are to be named.
    pub(super) fn unnamed(&self, input: &Input) -> Error {
        let names: String = input.name.split(" + ").map(|name| format!(" --input {}", shell_word(name))).collect();
        self.named(Error::failed(format!("it is of a file {:?}", input.name)))
            .hint(format!("give that file: attnviz rerun {}{names}", shell_word(self.name)))
    }

    fn one_model(&self) -> Result<Session> {
        let session = Session::new(self.model()?.open(false, self.args.output.quiet)?.checkpoint)?;
        remark_on(&session, self.args.output.quiet);
        Ok(session)
    }
}

/// What is said where the items are not those that they were.
fn other_items(then: &Input, now: &mut Input) -> Option<String> {
    let change =
        (now.hash != then.hash).then(|| format!("the file had the hash {}, {} has {}", then.hash, now.name, now.hash));
    now.name.clone_from(&then.name); // a file keeps what it holds under any name
    change
}
