//! `attnviz probe`: what the model knows, by crafted inputs out of files.

mod linear;

use super::args::{FigureArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::survey::{Names, SurveyCommand, ask};
use attnviz::error::{Error, Result};
use attnviz::export::read_at_most;
use attnviz::findings::probe::cloze::{self, Slot, Template};
use attnviz::findings::probe::pairs::Options;
use attnviz::findings::probe::{Convention, Sample};
use attnviz::findings::survey::AnySurvey;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// The flags of `probe`.
#[derive(Args)]
pub struct ProbeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // there is only ever one
enum What {
    /// Minimal pairs: which of two sentences is more probable?
    Pairs(PairsArgs),
    /// Cloze: how high does it rank the answers to a prompt?
    Cloze(ClozeArgs),
    /// Linear probes: at which layer can a label be read off, and is it more than memorised?
    Linear(linear::LinearArgs),
}

/// Which rows of the files are taken.
#[derive(Args)]
#[command(next_help_heading = "Items")]
pub struct SampleArgs {
    /// At most so many rows of each file, drawn at random
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of what is drawn at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Stop at a row that cannot be used, instead of counting it apart
    #[arg(long)]
    strict: bool,
}

impl SampleArgs {
    /// What is meant.
    pub fn sample(&self) -> Sample {
        Sample { limit: self.limit, seed: self.seed, strict: self.strict }
    }
}

/// The flags of `probe pairs`.
#[derive(Args)]
#[command(after_help = "\
A file is .jsonl as BLiMP has it (sentence_good, sentence_bad), or a .csv or .tsv
with the columns good and bad; a folder is all such files in it.

Examples:
  attnviz probe pairs anaphor_number_agreement.jsonl -m builtin
  attnviz probe pairs blimp/ -m gpt2 -m distilgpt2 -o blimp.png -o blimp.csv
  attnviz probe pairs pairs.csv -m builtin --explain 3 --with pairs -o out.json")]
pub struct PairsArgs {
    /// A file of pairs, or a folder of such files
    #[arg(value_name = "FILE|FOLDER", help_heading = "Items")]
    path: PathBuf,
    /// The field of the good sentence [default: sentence_good, or good]
    #[arg(long, value_name = "FIELD", help_heading = "Items")]
    good: Option<String>,
    /// The field of the bad sentence [default: sentence_bad, or bad]
    #[arg(long, value_name = "FIELD", help_heading = "Items")]
    bad: Option<String>,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    models: ModelArgs,
    /// How a sentence is scored
    #[arg(long, value_name = "NAME", default_value = "lm-eval", help_heading = "Method", value_parser = one_of::<Convention>())]
    convention: Convention,
    /// Look into the K pairs that the first model gets most wrong: the token, who writes the gap, what those heads attend to
    #[arg(long, value_name = "K", default_value_t = 0, help_heading = "Method")]
    explain: usize,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Each pair's scores, in .json and .npz; a .csv or .parquet then has a row a pair
    #[arg(long, value_name = "WHAT", help_heading = "Output")]
    with: Option<With>,
}

/// What is added to data files.
#[derive(Clone, Copy, ValueEnum)]
pub enum With {
    /// Each pair's scores
    Pairs,
}

impl ProbeArgs {
    /// The probe that was named.
    pub fn boxed(self) -> Box<dyn SurveyCommand> {
        match self.what {
            What::Pairs(args) => Box::new(args),
            What::Cloze(args) => Box::new(args),
            What::Linear(args) => Box::new(args),
        }
    }
}

/// Runs a probe; `line` is what was typed, for people.
pub fn run(args: &ProbeArgs, line: &str) -> Result<()> {
    match &args.what {
        What::Pairs(args) => args.run(line),
        What::Cloze(args) => args.run(line),
        What::Linear(args) => args.run(line),
    }
}

impl PairsArgs {
    fn options(&self) -> Result<Options> {
        Ok(Options {
            convention: self.convention,
            good: self.good.clone(),
            bad: self.bad.clone(),
            sample: self.sample.sample(),
            pairs: self.with.is_some(),
            explain: self.explain,
            style: self.figure.style()?,
        })
    }

    fn run(&self, line: &str) -> Result<()> {
        let names = Names { results: "probe-pairs", things: "sentences" };
        ask(&self.options()?, std::slice::from_ref(&self.path), self.groups(), &names, line)
    }
}

impl SurveyCommand for PairsArgs {
    fn groups(&self) -> (&ModelArgs, &OutputArgs) {
        (&self.models, &self.output)
    }

    fn survey(&self) -> Result<Box<dyn AnySurvey>> {
        Ok(Box::new(self.options()?))
    }
}

/// The flags of `probe cloze`.
#[derive(Args)]
#[command(after_help = "\
A row of the file is {\"prompt\": \"…\", \"answers\": [\"…\"], \"distractors\": [\"…\"]}; an
answer follows its prompt after a space. With distractors an answer is ranked
among them, without in the whole vocabulary, by its first token.

Examples:
  attnviz probe cloze capitals.jsonl -m builtin -o capitals.png -o capitals.csv
  attnviz probe cloze --template \"The {adj} {noun} is\" -m builtin \\
    --fill adj=old,young --fill noun=king,queen")]
pub struct ClozeArgs {
    /// A file of items, or a folder of such files
    #[arg(value_name = "FILE|FOLDER", help_heading = "Items", required_unless_present = "template")]
    path: Option<PathBuf>,
    /// A prompt with slots in braces, instead of a file
    #[arg(long, value_name = "TEXT", help_heading = "Items", conflicts_with_all = ["path", "limit", "strict"])]
    template: Option<String>,
    /// What goes into a slot: a list with commas, or a file with a text a line
    #[arg(long, value_name = "SLOT=LIST|FILE", help_heading = "Items", requires = "template")]
    fill: Vec<String>,
    /// Begin each prompt with the model's own beginning-of-text token
    #[arg(long, help_heading = "Items")]
    bos: bool,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    models: ModelArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl ClozeArgs {
    fn template(&self) -> Result<Option<Template>> {
        let Some(template) = self.template.clone() else { return Ok(None) };
        let fill = self.fill.iter().map(|typed| slot(typed)).collect::<Result<_>>()?;
        Ok(Some(Template { template, fill, bos: self.bos, style: self.figure.style()? }))
    }

    fn options(&self) -> Result<cloze::Options> {
        Ok(cloze::Options { bos: self.bos, sample: self.sample.sample(), style: self.figure.style()? })
    }

    fn run(&self, line: &str) -> Result<()> {
        let names = |things| Names { results: "probe-cloze", things };
        match self.template()? {
            Some(template) => ask(&template, &[], self.groups(), &names("prompts"), line),
            None => ask(&self.options()?, self.path.as_slice(), self.groups(), &names("texts"), line),
        }
    }
}

impl SurveyCommand for ClozeArgs {
    fn groups(&self) -> (&ModelArgs, &OutputArgs) {
        (&self.models, &self.output)
    }

    fn survey(&self) -> Result<Box<dyn AnySurvey>> {
        Ok(match self.template()? {
            Some(template) => Box::new(template),
            None => Box::new(self.options()?),
        })
    }
}

/// `name=one,two`, or the lines of a file.
fn slot(typed: &str) -> Result<Slot> {
    let (name, values) = typed.split_once('=').ok_or_else(|| {
        Error::usage(format!("--fill {typed:?} names no slot")).hint("write --fill slot=one,two, or --fill slot=FILE")
    })?;
    let path = PathBuf::from(values);
    let list = |text: &str| text.split(',').map(|value| value.trim().to_owned()).collect();
    let values: Vec<String> = if path.is_file() {
        let failed = |e: std::io::Error| {
            Error::failed(format!("cannot read {values}: {e}")).hint("give a text file").option("fill")
        };
        let file = std::fs::File::open(&path).and_then(|file| read_at_most(file, LARGEST_LIST)).map_err(failed)?;
        let text = String::from_utf8(file)
            .map_err(|_| Error::failed(format!("{values} is not UTF-8")).hint("convert it").option("fill"))?;
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    } else {
        list(values)
    };
    Ok(Slot { name: name.to_owned(), values })
}

/// A list of fillings is no larger, in bytes.
const LARGEST_LIST: u64 = 1 << 20;
