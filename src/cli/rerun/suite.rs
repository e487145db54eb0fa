//! What `attnviz probe` made: the model again, and the file of items, which is to be named.

use super::{Again, changed};
use crate::cli::output::remark_on;
use attnviz::error::{Error, Result};
use attnviz::findings::probe::linear::{self, Probes, Task};
use attnviz::findings::probe::pairs::{self, Options, Pairs, Suite};
use attnviz::record::Input;
use attnviz::session::Session;
use attnviz::text::shell_word;
use std::path::Path;

impl Again<'_> {
    /// From a file of minimal pairs.
    pub(super) fn of_pairs(&self) -> Result<()> {
        let options: Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items("pairs")?;
        let mut suite = Suite::read(path, &options)?;
        let change = other("pairs", input, &suite.input);
        suite.input.name.clone_from(&input.name); // a file keeps what it holds under any name
        let session = self.session()?;
        let found = pairs::find(&options, &suite, &session, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let pairs = Pairs::new(&options, &suite, vec![found], &self.record.line)?;
        self.finish(&pairs, &options.style.fonts()?, change)
    }

    /// From a labelled task.
    pub(super) fn of_probes(&self) -> Result<()> {
        let options: linear::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items("labels")?;
        let mut task = Task::read(path, &options)?;
        let change = other("labels", input, &task.input);
        task.input.name.clone_from(&input.name);
        options.fits(&task)?;
        let session = self.session()?;
        let features = linear::read(&options, &task, &session, &|_, _| ())?;
        let found = linear::find(&options, &task, &session, features, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let probes = Probes::new(&options, &task, vec![found], &self.record.line)?;
        self.finish(&probes, &options.style.fonts()?, change)
    }

    /// The file of items that was named, and what the record says of it.
    fn items(&self, what: &str) -> Result<(&Path, &Input)> {
        let Some(input) = &self.record.input else {
            return Err(self.silent(&format!("which file of {what} it is of")));
        };
        if self.record.others > 0 {
            return Err(self
                .named(Error::failed(format!("it compares {} models", self.record.others + 1)))
                .hint("only results of one model can be made again: run the command again"));
        }
        let [path] = &self.args.input[..] else {
            return Err(self.named(Error::failed(format!("it is of a file {:?}", input.name))).hint(format!(
                "give that file: attnviz rerun {} --input {}",
                shell_word(self.name),
                shell_word(&input.name)
            )));
        };
        Ok((path, input))
    }

    fn session(&self) -> Result<Session> {
        let session = Session::new(self.model()?.open(false, self.args.output.quiet)?.checkpoint)?;
        remark_on(&session, self.args.output.quiet);
        Ok(session)
    }
}

/// That another file was read, where it was.
fn other(what: &str, was: &Input, is: &Input) -> Option<String> {
    (is.hash != was.hash).then(|| format!("the file of {what} had the hash {}, {} has {}", was.hash, is.name, is.hash))
}
