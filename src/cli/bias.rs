//! `attnviz bias`: what the model is biased about, by suites of sentences or a template.

use super::args::{FigureArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::probe::{SampleArgs, With};
use super::survey::{Names, SurveyCommand, ask};
use attnviz::error::Result;
use attnviz::findings::probe::Convention;
use attnviz::findings::probe::bias::{Options, Template};
use attnviz::findings::survey::AnySurvey;
use attnviz::findings::{Reading, difference};
use clap::Args;
use std::path::PathBuf;

/// The flags of `bias`.
#[derive(Args)]
#[command(after_help = "\
A file is CrowS-Pairs' .csv, StereoSet's .json (its intrasentence part), the pro and
the anti file of WinoBias or their folder, or pairs of your own: a .csv, .tsv or .jsonl
with the fields sent_more and sent_less, or others that you name. The suites are not
part of attnviz.

Examples:
  attnviz bias crows_pairs_anonymized.csv -m builtin -o crows.png -o crows.csv
  attnviz bias dev.json -m builtin -m ./my-gpt2 -o stereoset.png
  attnviz bias pro_stereotyped_type1.txt anti_stereotyped_type1.txt -m builtin
  attnviz bias pairs.jsonl -m builtin --more old --less young --category topic
  attnviz bias --template \"The {man|woman} worked as a\" -m builtin -o worked.png")]
pub struct BiasArgs {
    /// A suite's file or folder; of WinoBias the pro and the anti file
    #[arg(value_name = "FILE|FOLDER", help_heading = "Items", required_unless_present = "template")]
    path: Vec<PathBuf>,
    /// A prompt with the words of two groups in braces, instead of a suite
    #[arg(long, value_name = "TEXT", help_heading = "Items")]
    #[arg(conflicts_with_all = ["path", "limit", "seed", "strict", "more", "less", "category", "convention", "with"])]
    template: Option<String>,
    /// Begin a template's prompts with the model's own beginning-of-text token
    #[arg(long, help_heading = "Items", requires = "template")]
    bos: bool,
    /// The field of the sentence that fits a stereotype more [default: sent_more]
    #[arg(long, value_name = "FIELD", help_heading = "Items")]
    more: Option<String>,
    /// The field of the other sentence [default: sent_less]
    #[arg(long, value_name = "FIELD", help_heading = "Items")]
    less: Option<String>,
    /// The field of the category [default: bias_type, category or UID]
    #[arg(long, value_name = "FIELD", help_heading = "Items")]
    category: Option<String>,
    #[command(flatten)]
    sample: SampleArgs,
    #[command(flatten)]
    models: ModelArgs,
    /// How a sentence is scored [default: lm-eval; StereoSet has a score of its own]
    #[arg(long, value_name = "NAME", help_heading = "Method", value_parser = one_of::<Convention>())]
    convention: Option<Convention>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Each pair's scores, in .json and .npz; a .csv or .parquet then has a row a pair
    #[arg(long, value_name = "WHAT", help_heading = "Output")]
    with: Option<With>,
}

impl BiasArgs {
    fn template(&self) -> Result<Option<Template>> {
        let Some(template) = self.template.clone() else { return Ok(None) };
        let reading = Reading { bos: self.bos, ..Reading::default() };
        let comparison = difference::Options { reading, style: self.figure.style()?, ..difference::Options::default() };
        Ok(Some(Template { template, comparison }))
    }

    fn options(&self) -> Result<Options> {
        Ok(Options {
            convention: self.convention,
            more: self.more.clone(),
            less: self.less.clone(),
            category: self.category.clone(),
            sample: self.sample.sample(),
            pairs: self.with.is_some(),
            style: self.figure.style()?,
        })
    }
}

impl SurveyCommand for BiasArgs {
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

/// Runs it; `line` is what was typed, for people.
pub fn run(args: &BiasArgs, line: &str) -> Result<()> {
    let names = |things| Names { results: "bias", things };
    match args.template()? {
        Some(template) => ask(&template, &[], args.groups(), &names("prompts"), line),
        None => ask(&args.options()?, &args.path, args.groups(), &names("sentences"), line),
    }
}
