//! `attnviz mix`: how much of each token reaches each position, by several methods.

use super::args::{FigureArgs, PromptArgs, method_names, methods, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use super::target::TargetArgs;
use attnviz::analysis::mixing::Method;
use attnviz::analysis::{Of, Sink};
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::mix::Options;
use clap::Args;

/// The flags of `mix`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz mix \"The king and his\"      seven methods, and whether they agree
  attnviz mix \"The king and his\" --method rollout,flow --sink renorm
  attnviz mix \"The king and his\" --target \" son\" --foil \" wife\" -o mix.csv
  attnviz mix \"The king and his\" --method value-zeroing --all-rows -o mix.npz")]
pub struct MixArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How mixing is measured.
#[derive(Args)]
#[command(next_help_heading = "Method")]
struct MethodArgs {
    /// Methods with commas, or all: raw, rollout, flow, norm, norm-residual, value-zeroing, attention-x-gradient
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "all")]
    #[arg(value_parser = method_names::<Method>(), hide_possible_values = true)]
    method: Vec<String>,
    /// The attention on the first token, for raw, rollout and flow
    #[arg(long, value_name = "POLICY", default_value = "keep", value_parser = one_of::<Sink>())]
    sink: Sink,
    /// The number whose gradient attention-x-gradient takes
    #[arg(long, value_name = "NUMBER", default_value = "logprob", value_parser = one_of::<Of>())]
    of: Of,
    /// Compute flow and value-zeroing at every position, not only at the target's
    #[arg(long)]
    all_rows: bool,
}

impl PromptCommand for MixArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        Ok(Asked::Mix(Options {
            reading: self.prompt.reading(),
            target: self.target.target(),
            method: methods(&self.method.method)?,
            sink: self.method.sink,
            of: self.method.of,
            all_rows: self.method.all_rows,
            style: self.figure.style()?,
        }))
    }
}
