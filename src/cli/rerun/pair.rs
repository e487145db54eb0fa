//! What `attnviz diff` made: two of everything.

use super::{Again, changed};
use crate::cli::diff::{open, open_both};
use crate::cli::output::remark_on;
use attnviz::error::{Error, Result};
use attnviz::findings::difference::{Comparison, Options, Run, of_files, of_runs};
use attnviz::record::{Input, Other};
use attnviz::session::Session;
use attnviz::text::shell_word;

impl Again<'_> {
    /// From two files, two prompts, or two models.
    pub(super) fn of_pair(&self) -> Result<()> {
        let options: Options = self.options()?;
        options.check().map_err(|e| self.named(e))?;
        let Some(other) = &self.record.other else { return Err(self.silent("what it was compared with")) };
        match (&self.record.input, &other.input) {
            (Some(a), Some(b)) => self.of_files(&options, [a, b]),
            _ => self.of_runs(&options, other),
        }
    }

    fn of_files(&self, options: &Options, [a, b]: [&Input; 2]) -> Result<()> {
        let [first, second] = &self.args.input[..] else {
            return Err(self
                .named(Error::failed(format!("it compares two files {:?} and {:?}", a.name, b.name)))
                .hint(format!(
                    "give both: attnviz rerun {} --input {} --input {}",
                    shell_word(self.name),
                    shell_word(&a.name),
                    shell_word(&b.name)
                )));
        };
        let mut found = of_files(options, [first, second])?;
        let changed = found.hashes() != [Some(&a.hash[..]), Some(&b.hash[..])];
        found.rename([&a.name, &b.name]); // a file keeps what it holds under any name
        self.done(found, options, changed.then(|| "the files that it compares have changed".into()))
    }

    fn of_runs(&self, options: &Options, other: &Other) -> Result<()> {
        let Self { args, record, .. } = self;
        let (first, quiet) = (self.model()?, args.output.quiet);
        let one_model = (&other.model.name, &other.model.hash) == (&record.model.name, &record.model.hash);
        let sessions = if one_model {
            let session = Session::new(open(&first, options, quiet).map_err(|e| self.unfetched(e))?)?;
            remark_on(&session, quiet);
            [session].into()
        } else {
            let second = self.model_of(args.against.as_deref(), &other.model, "--against")?;
            Vec::from(open_both([&first, &second], options, quiet).map_err(|e| self.unfetched(e))?)
        };
        let (a, b) = (&sessions[0], &sessions[sessions.len() - 1]);
        let prompt = |session: &Session, text: &str, ids: &[u32]| {
            options.reading.read_again(text, ids, &session.tokenizer, session.spec())
        };
        let runs = [
            Run { session: a, prompt: prompt(a, &record.prompt, &record.token_ids)? },
            Run { session: b, prompt: prompt(b, &other.prompt, &other.token_ids)? },
        ];
        let change = changed(&record.model, a).or_else(|| changed(&other.model, b));
        self.done(of_runs(options, runs)?, options, change)
    }

    fn done(&self, mut found: Comparison, options: &Options, change: Option<String>) -> Result<()> {
        found.about.record.line.clone_from(&self.record.line);
        self.finish(&found, &self.fonts(options.style.clone())?, change)
    }
}
