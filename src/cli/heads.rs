//! `attnviz heads`: what each head does, by name.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::deliver::deliver;
use super::model::ModelArgs;
use super::output::{self, OutputArgs};
use super::progress::Progress;
use super::run::{Groups, PromptCommand};
use attnviz::analysis::heads::Score;
use attnviz::error::{Error, Result};
use attnviz::findings::heads::Options;
use attnviz::findings::heads::corpus::{self, OverCorpus};
use attnviz::findings::{Asked, Watch};
use clap::Args;
use clap::builder::PossibleValue;
use std::path::{Path, PathBuf};

/// The flags of `heads`.
#[derive(Args)]
#[command(after_help = "\
Without a TEXT, heads are measured on ten sequences of random tokens, each repeated once: what is found there is the model's,
not a prompt's.

Examples:
  attnviz heads                 an atlas of all heads, and the table behind it
  attnviz heads --sort induction -o heads.csv
  attnviz heads \"When Mary and John went out, John gave a drink to\"
  attnviz heads --weights       who copies, and which heads read what others write
  attnviz heads --corpus story.txt --head 4.3 -o examples.png")]
pub struct HeadsArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Look at the text of a file of any length instead, in sequences, with examples of what each head does
    #[arg(long, value_name = "FILE", help_heading = "Corpus")]
    #[arg(conflicts_with_all = ["text", "file", "ids", "truncate", "with", "weights"])]
    corpus: Option<PathBuf>,
    /// Tokens of a sequence [default: the model's context]
    #[arg(long, value_name = "TOKENS", help_heading = "Corpus", requires = "corpus")]
    length: Option<usize>,
    /// Look at so many sequences, drawn from all by --seed
    #[arg(long, value_name = "N", help_heading = "Corpus", requires = "corpus")]
    limit: Option<usize>,
    /// Show the examples of this head, such as 4.3 or L4H3
    #[arg(long, value_name = "HEAD", allow_hyphen_values = true, help_heading = "Corpus", requires = "corpus")]
    head: Option<String>,
    /// What the weights alone say: what heads copy, what they match, and which heads read what others write
    #[arg(long, help_heading = "Method")]
    weights: bool,
    /// Colour and rank the heads by this score
    #[arg(long, value_name = "SCORE", help_heading = "Method", value_parser = one_of::<Score>())]
    sort: Option<Score>,
    /// Seed of the random draws; not for a TEXT
    #[arg(long, value_name = "N", help_heading = "Method")]
    seed: Option<u64>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// One more array in a .safetensors, .npz or .json file: the random tokens; not for a TEXT
    #[arg(long, value_name = "draws", ignore_case = true, help_heading = "Output")]
    #[arg(value_parser = [PossibleValue::new("draws").help("The ids of the sequences")])]
    with: Option<String>,
}

impl HeadsArgs {
    /// What is asked of a corpus.
    fn options(&self) -> Result<corpus::Options> {
        let head =
            self.head.as_deref().map(|head| head.parse().map_err(|error: Error| error.of("head").option("head")));
        Ok(corpus::Options {
            reading: self.prompt.reading(),
            sort: self.sort,
            length: self.length,
            limit: self.limit,
            seed: self.seed.unwrap_or_default(),
            head: head.transpose()?,
            style: self.figure.style()?,
        })
    }

    /// The same of a text that is not held.
    fn run_corpus(&self, path: &Path, line: &str) -> Result<()> {
        let (quiet, laps) = (self.output.quiet, self.output.laps());
        let destinations = self.output.destinations("heads", self.model.named().as_deref(), line)?;
        let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
        let options = self.options()?;
        options.check(&outputs)?;
        let (session, note) = self.model.session(true, quiet, |spec| options.fits(spec))?;
        laps.lap("loaded");
        let things = if options.limit.is_some() { "sequences" } else { "KiB" };
        let find = |watch: Watch| OverCorpus::find(&options, path, &session, line, watch);
        let mut found = Progress::during(quiet, things, find).map_err(|error| session.explain(error))?;
        laps.lap("computed");
        found.note(note);
        found.remarks.iter().filter(|_| !quiet).for_each(output::say);
        deliver(&found, &destinations, &options.style.fonts()?, quiet)?;
        laps.lap("written");
        Ok(())
    }
}

impl PromptCommand for HeadsArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn otherwise(&self, line: &str) -> Option<Result<()>> {
        self.corpus.as_deref().map(|path| self.run_corpus(path, line))
    }

    fn asked(&self) -> Result<Asked> {
        if self.corpus.is_some() {
            return Err(Error::usage("--corpus is of one file, and this is of prompts")
                .hint("run attnviz heads --corpus FILE by itself"));
        }
        let of_chance =
            [("--weights", self.weights), ("--seed", self.seed.is_some()), ("--with draws", self.with.is_some())];
        if let Some((flag, _)) = of_chance.iter().find(|(_, given)| *given && self.prompt.is_given()) {
            let what = if self.weights { "needs no text" } else { "is for random tokens" };
            return Err(Error::usage(format!("{flag} {what}, but there is a prompt")).hint("leave one of the two out"));
        }
        let (reading, style) = (self.prompt.reading(), self.figure.style()?);
        let (draws, weights) = (self.with.is_some(), self.weights);
        Ok(Asked::Heads(Options { reading, sort: self.sort, seed: self.seed, draws, weights, style }))
    }
}
