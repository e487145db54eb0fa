//! `attnviz probe linear`: does a layer know it?

use super::SampleArgs;
use crate::cli::args::{FigureArgs, one_of};
use crate::cli::deliver::deliver;
use crate::cli::model::ModelArgs;
use crate::cli::output::{self, OutputArgs};
use crate::cli::progress::Progress;
use crate::cli::survey::SurveyCommand;
use attnviz::analysis::linear::Pool;
use attnviz::checkpoint::known;
use attnviz::error::Result;
use attnviz::findings::probe::linear::{self, Kept, Options, Probes};
use attnviz::findings::survey::{AnySurvey, Survey};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The flags of `probe linear`.
#[derive(Args)]
#[command(after_help = "\
A file is .conllu; .jsonl with text and label, or with lists of words and labels; or a
.csv or .tsv with the columns text and label, or with item, word and label, a word a row.
Residuals are kept in a folder for the next run with the same texts and model, 4 GiB at most.

Examples:
  attnviz probe linear en_ewt-ud-dev.conllu -m builtin --limit 500
  attnviz probe linear en_ewt-ud-dev.conllu --label FEATS.Number -m gpt2
  attnviz probe linear reviews.tsv --pool mean --seeds 10 -o reviews.png")]
pub struct LinearArgs {
    /// A file of labelled words or texts
    #[arg(value_name = "FILE", help_heading = "Items")]
    path: PathBuf,
    /// The column of .conllu (UPOS, XPOS, DEPREL, FEATS.Number …), or the field of the label
    /// [default: UPOS, or label]
    #[arg(long, value_name = "NAME", help_heading = "Items")]
    label: Option<String>,
    /// The field of the text or of the list of words [default: text, sentence, words or tokens]
    #[arg(long, value_name = "FIELD", help_heading = "Items")]
    text: Option<String>,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    models: ModelArgs,
    /// What stands for a word, or for a text
    #[arg(long, value_name = "NAME", default_value = "last", help_heading = "Method", value_parser = one_of::<Pool>())]
    pool: Pool,
    /// Begin each text with the model's beginning-of-text token
    #[arg(long, help_heading = "Method")]
    bos: bool,
    /// How many splits and control tasks are drawn, from --seed on
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Method")]
    seeds: usize,
    /// Where residuals are kept for the next run, or `none` [default: attnviz in the user's cache folder]
    #[arg(long, value_name = "DIR|none", help_heading = "Method")]
    cache: Option<PathBuf>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The residuals with their labels and splits, in .json, .npz and .safetensors
    #[arg(long, value_name = "WHAT", help_heading = "Output")]
    with: Option<With>,
}

/// What is added to data files.
#[derive(Clone, Copy, ValueEnum)]
enum With {
    /// The residuals with their labels and splits
    Features,
}

impl LinearArgs {
    fn options(&self) -> Result<Options> {
        Ok(Options {
            label: self.label.clone(),
            text: self.text.clone(),
            pool: self.pool,
            bos: self.bos,
            seeds: self.seeds,
            sample: self.sample.sample(),
            features: self.with.is_some(),
            style: self.figure.style()?,
        })
    }

    /// Where residuals are kept; nowhere for a user without a folder.
    fn kept(&self) -> Option<Kept> {
        let folder = match &self.cache {
            Some(folder) if folder.as_os_str() == "none" => return None,
            Some(folder) => folder.clone(),
            None => known::folder()?,
        };
        Some(Kept::new(folder))
    }

    /// Runs it; unlike other surveys it keeps what it reads.
    pub fn run(&self, line: &str) -> Result<()> {
        let laps = self.output.laps();
        let destinations = self.output.destinations("probe-linear", None, line)?;
        let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
        let options = self.options()?;
        Survey::check(&options, &outputs)?;
        let task = Survey::read(&options, std::slice::from_ref(&self.path))?;
        let (quiet, kept) = (self.output.quiet, self.kept());
        let found = self.models.each(quiet, |session| {
            let features =
                Progress::during(quiet, "texts", |watch| linear::read(&options, &task, session, kept.as_ref(), watch))?;
            features.remark.iter().filter(|_| !quiet).for_each(|remark| output::remark(remark));
            Progress::during(quiet, "probes", |watch| linear::find(&options, &task, session, features, watch))
        })?;
        laps.lap("computed");
        let probes = Probes::new(&options, &task, found, line)?;
        deliver(&probes, &destinations, &options.style.fonts()?, quiet)?;
        laps.lap("written");
        Ok(())
    }
}

impl SurveyCommand for LinearArgs {
    fn groups(&self) -> (&ModelArgs, &OutputArgs) {
        (&self.models, &self.output)
    }

    fn survey(&self) -> Result<Box<dyn AnySurvey>> {
        Ok(Box::new(self.options()?))
    }

    fn place(&self) -> Option<&'static str> {
        self.cache.is_some().then_some("where residuals are kept")
    }
}
