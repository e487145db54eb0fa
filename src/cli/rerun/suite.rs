//! What `attnviz probe` and `attnviz bias` made: the model again, and the file of items, which is to be named.

use super::{Again, changed};
use crate::cli::output::remark_on;
use attnviz::error::{Error, Result};
use attnviz::findings::heads::corpus;
use attnviz::findings::patching::pairs as patched;
use attnviz::findings::probe::{bias, cloze, linear, pairs};
use attnviz::findings::{Analysis, surprisal};
use attnviz::record::Input;
use attnviz::session::Session;
use attnviz::text::shell_word;
use std::path::{Path, PathBuf};

impl Again<'_> {
    /// From a file of minimal pairs.
    pub(super) fn of_pairs(&self) -> Result<()> {
        let options: pairs::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items()?;
        let mut suite = pairs::Suite::read(path, &options)?;
        let change = other_items(input, &mut suite.input);
        let session = self.one_model()?;
        let found = pairs::find(&options, &suite, &session, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let pairs = pairs::Pairs::new(&options, &suite, vec![found], &self.record.line)?;
        self.finish(&pairs, &self.fonts(options.style.clone())?, change)
    }

    /// From a file of cloze items.
    pub(super) fn of_cloze(&self) -> Result<()> {
        let options: cloze::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items()?;
        let mut suite = cloze::Suite::read(path, &options)?;
        let change = other_items(input, &mut suite.input);
        let session = self.one_model()?;
        let found = cloze::find(&options, &suite, &session, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let cloze = cloze::Cloze::new(&options, &suite, vec![found], &self.record.line)?;
        self.finish(&cloze, &self.fonts(options.style.clone())?, change)
    }

    /// From a template, which needs no file.
    pub(super) fn of_template(&self) -> Result<()> {
        let template: cloze::Template = self.options()?;
        let outputs = self.outputs(&|outputs| template.check(outputs))?;
        template.check(&outputs).map_err(|e| self.named(e))?;
        let session = self.one_model()?;
        let said = cloze::fill(&template, &session, &|_, _| ())?;
        let filled = cloze::Filled::new(&template, vec![said], &self.record.line)?;
        self.finish(&filled, &self.fonts(template.style.clone())?, changed(&self.record.model, &session))
    }

    /// From a labelled task.
    pub(super) fn of_probes(&self) -> Result<()> {
        let options: linear::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items()?;
        let mut task = linear::Task::read(path, &options)?;
        let change = other_items(input, &mut task.input);
        options.fits(&task)?;
        let session = self.one_model()?;
        let features = linear::read(&options, &task, &session, None, &|_, _| ())?;
        let found = linear::find(&options, &task, &session, features, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let probes = linear::Probes::new(&options, &task, vec![found], &self.record.line)?;
        self.finish(&probes, &self.fonts(options.style.clone())?, change)
    }

    /// From a suite about bias.
    pub(super) fn of_bias(&self) -> Result<()> {
        let options: bias::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (paths, input) = self.all_items()?;
        let mut suite = bias::Suite::read(paths, &options)?;
        let change = other_items(input, &mut suite.input);
        let session = self.one_model()?;
        let found = bias::find(&options, &suite, &session, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let found = bias::Bias::new(&options, &suite, vec![found], &self.record.line)?;
        self.finish(&found, &self.fonts(options.style.clone())?, change)
    }

    /// From a template of two groups, which needs no file.
    pub(super) fn of_groups(&self) -> Result<()> {
        let template: bias::Template = self.options()?;
        let outputs = self.outputs(&|outputs| template.check(outputs))?;
        template.check(&outputs).map_err(|e| self.named(e))?;
        let session = self.one_model()?;
        let found = bias::compare(&template, &session)?;
        let compared = bias::Compared::new(&template, vec![found], &self.record.line)?;
        self.finish(&compared, &self.fonts(template.comparison.style.clone())?, changed(&self.record.model, &session))
    }

    /// From a file of pairs of prompts.
    pub(super) fn of_patched_pairs(&self) -> Result<()> {
        let options: patched::Options = self.options()?;
        let outputs = self.outputs(&|outputs| options.check(outputs))?;
        options.check(&outputs).map_err(|e| self.named(e))?;
        let (path, input) = self.items()?;
        let mut suite = patched::Suite::read(path, &options)?;
        let change = other_items(input, &mut suite.input);
        let session = self.one_model()?;
        let found = patched::find(&options, &suite, &session, &|_, _| ())?;
        let change = change.or_else(|| changed(&self.record.model, &session));
        let pairs = patched::Pairs::new(&options, &suite, found, &self.record.line)?;
        self.finish(&pairs, &self.fonts(options.style.clone())?, change)
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
