//! `attnviz surprisal`: how surprised the model is by each token.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::deliver::deliver;
use super::model::ModelArgs;
use super::output::{self, OutputArgs};
use super::progress::Progress;
use super::run::{Groups, PromptCommand};
use attnviz::error::{Error, Result};
use attnviz::findings::surprisal::{self, Base, Long, Options, Several};
use attnviz::findings::{Analysis, Asked};
use attnviz::prompt::WordRule;
use clap::Args;
use std::path::Path;

/// The flags of `surprisal`.
#[derive(Args)]
#[command(after_help = "\
A text longer than the model's context is scored by windows that slide along it; every token is scored once.
A file larger than 4 MiB is read by parts, so that it may be of any length.

Examples:
  attnviz surprisal \"The old man the boats\"
  attnviz surprisal \"The old man the boats\" --bos --words -o words.csv
  attnviz surprisal --file story.txt --stride 256 -o story.parquet
  attnviz surprisal \"The old man the boats\" -m builtin -m ./my-gpt2 -o both.png")]
pub struct SurprisalArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// The base of the logarithm
    #[arg(long, value_name = "BASE", default_value = "2", help_heading = "Method", value_parser = one_of::<Base>())]
    base: Base,
    /// Sum tokens to words; `--words=space` splits at whitespace only
    #[arg(long, value_name = "RULE", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    #[arg(help_heading = "Method", value_parser = one_of::<WordRule>())]
    words: Option<WordRule>,
    /// Correct words at spaces for the space that their tokens begin with
    #[arg(long, help_heading = "Method")]
    bow_correction: bool,
    /// Tokens of a window [default: the model's context]
    #[arg(long, value_name = "TOKENS", help_heading = "Method")]
    window: Option<usize>,
    /// Tokens that a window moves by [default: half a window]
    #[arg(long, value_name = "TOKENS", help_heading = "Method")]
    stride: Option<usize>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl SurprisalArgs {
    fn options(&self) -> Result<Options> {
        Ok(Options {
            reading: self.prompt.reading(),
            base: self.base,
            words: self.words,
            bow_correction: self.bow_correction,
            window: self.window,
            stride: self.stride,
            style: self.figure.style()?,
        })
    }

    /// The same of a file that is not held.
    fn run_long(&self, path: &Path, line: &str) -> Result<()> {
        let (quiet, laps) = (self.output.quiet, self.output.laps());
        let destinations = self.output.destinations("surprisal", self.model.named().as_deref(), line)?;
        let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
        let options = self.options()?;
        options.check(&outputs)?;
        let (session, note) = self.model.session(true, quiet, |spec| options.fits(spec))?;
        laps.lap("loaded");
        let mut long = Progress::during(quiet, "parts", |watch| Long::find(&options, path, &session, line, watch))?;
        laps.lap("computed");
        long.note(note);
        long.remarks.iter().filter(|_| !quiet).for_each(output::say);
        deliver(&long, &destinations, &options.style.fonts()?, quiet)?;
        laps.lap("written");
        Ok(())
    }

    /// The same of several models.
    fn run_several(&self, long: Option<&Path>, line: &str) -> Result<()> {
        if long.is_some() {
            return Err(Error::usage("a file larger than 4 MiB is read for one model at a time").hint("name one -m"));
        }
        let quiet = self.output.quiet;
        let destinations = self.output.destinations("surprisal", None, line)?;
        let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
        let options = self.options()?;
        options.check(&outputs)?;
        let words = self.prompt.words()?;
        let found = self.model.each(quiet, |session| {
            let prompt = options.reading().read(words.clone(), &session.tokenizer, session.spec())?;
            output::remark_on_prompt(&prompt, quiet);
            Progress::during(quiet, "parts", |watch| surprisal::find(&options, prompt, session, watch))
        })?;
        let several = Several::new(&options, found, line)?;
        deliver(&several, &destinations, &options.style.fonts()?, quiet)
    }
}

impl PromptCommand for SurprisalArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        self.options().map(Asked::Surprisal)
    }

    fn otherwise(&self, line: &str) -> Option<Result<()>> {
        let long = self.prompt.long_file();
        if self.model.model.len() > 1 {
            return Some(self.run_several(long, line));
        }
        long.map(|path| self.run_long(path, line))
    }
}
