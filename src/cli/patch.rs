//! `attnviz patch`: which parts make the difference between two prompts, and what becomes of one without them.

mod ablate;
mod edges;
mod pairs;

use super::args::{FigureArgs, PromptArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use super::target::token;
use ablate::AblateArgs;
use attnviz::analysis::patching::{By, Direction, Metric, Rule};
use attnviz::error::Result;
use attnviz::findings::patching::{self, Sites};
use attnviz::findings::{Asked, ablation, edges as edge};
use clap::Args;
use edges::EdgesArgs;
use pairs::PairsArgs;

/// The flags of `patch`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz patch \"The king and his\" \"The queen and her\" -m builtin
  attnviz patch \"A king and his\" \"A fox and his\" --answer \" son\" --foil \" tail\"
  attnviz patch \"The king and his\" \"The queen and her\" --site z    heads
  attnviz patch \"The king and his\" \"The queen and her\" --attribution --site all
  attnviz patch \"The king and his\" --ablate 4.3,mlp2
  attnviz patch \"The king and his\" --ablate each --with mean -o parts.csv
  attnviz patch --pairs pairs.jsonl --site z -m builtin -o mean.png
  attnviz patch \"The king and his\" \"The queen and her\" --edges --circuit 20")]
pub struct PatchArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    /// The corrupt prompt: as many tokens, another answer
    #[arg(value_name = "CORRUPT", help_heading = "Prompt")]
    corrupt: Option<String>,
    /// The same, where there is no second word for it, as in batch and snapshot; with --ablate the prompt whose values are taken
    #[arg(long, value_name = "TEXT", help_heading = "Prompt", conflicts_with = "corrupt")]
    other: Option<String>,
    #[command(flatten)]
    pairs: PairsArgs,
    #[command(flatten)]
    ablate: AblateArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// The answer to the clean prompt: its text, such as " Mary", or its id
    /// [default: what the model says to it]
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true, help_heading = "Target")]
    answer: Option<String>,
    /// What the answer is compared with [default: what the model says to the corrupt prompt]
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true, help_heading = "Target")]
    foil: Option<String>,
    /// The position whose next token is meant; negative ones count from the end [default: the last]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Target")]
    position: Option<i64>,
    /// What is measured [default: logit-difference; of an ablation without a foil logprob]
    #[arg(long, value_name = "METRIC", value_parser = one_of::<Metric>(), help_heading = "Target")]
    metric: Option<Metric>,
    /// What is replaced; of one pair all sites can be estimated at once
    #[arg(long, value_name = "SITE", default_value = "resid_pre", value_parser = one_of::<Sites>())]
    #[arg(help_heading = "Method")]
    site: Sites,
    /// What is replaced at a time, in a layer [default: a head where the site has heads]
    #[arg(long, value_name = "WHAT", value_parser = one_of::<By>(), help_heading = "Method")]
    by: Option<By>,
    /// Which run is given the other's activation
    #[arg(long, value_name = "WAY", default_value = "denoising", value_parser = one_of::<Direction>())]
    #[arg(help_heading = "Method")]
    direction: Direction,
    /// Estimate all from two forward passes and one backward, and patch only the ten largest
    #[arg(long, help_heading = "Method")]
    attribution: bool,
    /// How an estimate's backward pass goes
    #[arg(long, value_name = "RULE", default_value = "gradient", value_parser = one_of::<Rule>())]
    #[arg(help_heading = "Method")]
    rule: Rule,
    #[command(flatten)]
    edges: EdgesArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl PatchArgs {
    /// The other prompt.
    fn other(&self) -> Option<&str> {
        self.corrupt.as_deref().or(self.other.as_deref())
    }
}

impl PromptCommand for PatchArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn otherwise(&self, line: &str) -> Option<Result<()>> {
        self.pairs.path().map(|path| self.run_pairs(path, line))
    }

    fn asked(&self) -> Result<Asked> {
        self.pairs.refuse()?;
        let (answer, foil) = (self.answer.as_deref().map(token), self.foil.as_deref().map(token));
        if let Some(options) = self.edges.options() {
            return Ok(Asked::Edges(edge::Options {
                reading: self.prompt.reading(),
                corrupt: self.other().unwrap_or_default().to_owned(),
                answer,
                foil,
                position: self.position,
                metric: self.metric.unwrap_or_default(),
                style: self.figure.style()?,
                ..options
            }));
        }
        if self.ablate.is_meant() {
            return Ok(Asked::Ablate(ablation::Options {
                reading: self.prompt.reading(),
                answer,
                foil,
                position: self.position,
                metric: self.metric,
                style: self.figure.style()?,
                ..self.ablate.options(self.other())?
            }));
        }
        Ok(Asked::Patch(patching::Options {
            reading: self.prompt.reading(),
            corrupt: self.other().unwrap_or_default().to_owned(),
            answer,
            foil,
            position: self.position,
            site: self.site,
            by: self.by,
            metric: self.metric.unwrap_or_default(),
            direction: self.direction,
            attribution: self.attribution,
            rule: self.rule,
            style: self.figure.style()?,
        }))
    }
}
