//! `attnviz explain`: one prediction by several methods at once, on one page.

use super::args::{FigureArgs, PromptArgs};
use super::model::ModelArgs;
use super::output::{Destination, OutputArgs};
use super::run::{Groups, PromptCommand};
use super::target::TargetArgs;
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::explain::Options;
use attnviz::format::Format;
use clap::Args;

/// The flags of `explain`.
#[derive(Args)]
#[command(after_help = "\
Without -o, a page for a browser is written. Its sentences are made of what was measured, and each
leads to the figure that it is taken from.

Examples:
  attnviz explain \"The king and his\" -m builtin
  attnviz explain \"The king and his\" --evaluate -o king.html -o king.json
  attnviz explain \"The king and his\" --target \" son\" --foil \" wife\"")]
pub struct ExplainArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Remove tokens in the order of each method's scores, and see which method can be trusted here
    #[arg(long, help_heading = "Method")]
    evaluate: bool,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl PromptCommand for ExplainArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn destinations(&self, command: &str, line: &str) -> Result<Vec<Destination>> {
        self.output.destinations_or(Format::Html, command, self.model.named().as_deref(), line)
    }

    fn asked(&self) -> Result<Asked> {
        Ok(Asked::Explain(Options {
            reading: self.prompt.reading(),
            target: self.target.target(),
            evaluate: self.evaluate,
            style: self.figure.style()?,
        }))
    }
}
