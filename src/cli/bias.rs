//! `attnviz bias`: what the model is biased about, by suites of sentences or a template.

use super::args::{FigureArgs, one_of};
use super::deliver::deliver;
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::probe::{SampleArgs, With};
use super::progress::Progress;
use attnviz::error::Result;
use attnviz::findings::probe::Convention;
use attnviz::findings::probe::bias::{Bias, Compared, Options, Suite, Template, compare, find};
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

/// Runs it; `line` is what was typed, for people.
pub fn run(args: &BiasArgs, line: &str) -> Result<()> {
    let destinations = args.output.destinations("bias", None, line)?;
    let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
    let (quiet, style) = (args.output.quiet, args.figure.style()?);
    if let Some(template) = &args.template {
        let reading = Reading { bos: args.bos, ..Reading::default() };
        let comparison = difference::Options { reading, style, ..difference::Options::default() };
        let template = Template { template: template.clone(), comparison };
        template.check(&outputs)?;
        let found = args.models.each(quiet, |session| compare(&template, session))?;
        let compared = Compared::new(&template, found, line)?;
        return deliver(&compared, &destinations, &template.comparison.style.fonts()?, quiet);
    }
    let options = Options {
        convention: args.convention,
        more: args.more.clone(),
        less: args.less.clone(),
        category: args.category.clone(),
        sample: args.sample.sample(),
        pairs: args.with.is_some(),
        style,
    };
    options.check(&outputs)?;
    let suite = Suite::read(&args.path, &options)?;
    let found = args
        .models
        .each(quiet, |session| Progress::during(quiet, "sentences", |watch| find(&options, &suite, session, watch)))?;
    let bias = Bias::new(&options, &suite, found, line)?;
    deliver(&bias, &destinations, &options.style.fonts()?, quiet)
}
