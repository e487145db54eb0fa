//! `attnviz explain`: one prediction by several methods at once, on one page.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::model::ModelArgs;
use super::output::{Destination, OutputArgs};
use super::run::{Groups, PromptCommand};
use super::target::TargetArgs;
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::explain::{Options, Part};
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
  attnviz explain \"The king and his\" --target \" son\" --foil \" wife\"
  attnviz explain \"The king and his\" --versus \"The queen and her\" --panels lens,direct -o king.md")]
pub struct ExplainArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    /// Another prompt: what becomes of the answer there, and of prompts of as many tokens where they part
    #[arg(long, value_name = "TEXT", help_heading = "Prompt")]
    versus: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Remove tokens in the order of each method's scores, and see which method can be trusted here
    #[arg(long, help_heading = "Method")]
    evaluate: bool,
    /// The sections [default: each of them by a few methods]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = one_of::<Part>(), help_heading = "Method")]
    panels: Vec<Part>,
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
            versus: self.versus.clone(),
            panels: self.panels.clone(),
            evaluate: self.evaluate,
            style: self.figure.style()?,
        }))
    }
}
