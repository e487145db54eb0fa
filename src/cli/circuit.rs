//! `attnviz circuit`: circuits that are known.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::model::ModelArgs;
use super::output::{Destination, OutputArgs};
use super::run::{Groups, PromptCommand, run as look};
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::circuit::{Known, Options};
use attnviz::format::Format;
use clap::{Args, Subcommand};

/// The flags of `circuit`.
#[derive(Args)]
pub struct CircuitArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measure whether a model has a circuit that is known, and fail where it has not
    Check(CheckArgs),
}

/// The flags of `circuit check`.
#[derive(Args)]
#[command(after_help = "\
Without -o the table is printed. The exit code is 3 where a quantity is not what is
known. ioi and greater-than are known of OpenAI's GPT-2 small.

Examples:
  attnviz circuit check induction -m builtin --count 2
  attnviz circuit check induction -m builtin --count 1 --seed 7 -o seven.json")]
pub struct CheckArgs {
    #[arg(skip)]
    prompt: PromptArgs,
    /// The circuit
    #[arg(value_name = "NAME", help_heading = "Circuit", value_parser = one_of::<Known>())]
    circuit: Known,
    /// Seed of the prompts
    #[arg(long, value_name = "N", help_heading = "Circuit", default_value_t = 0)]
    seed: u64,
    /// How many prompts [default: 50; of induction 10]
    #[arg(long, value_name = "N", help_heading = "Circuit")]
    count: Option<usize>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl PromptCommand for CheckArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        let (circuit, seed, count, style) = (self.circuit, Some(self.seed), self.count, self.figure.style()?);
        Ok(Asked::Circuit(Options { circuit, seed, count, style }))
    }

    fn destinations(&self, command: &str, line: &str) -> Result<Vec<Destination>> {
        if self.output.output.is_empty() && self.output.format.is_none() {
            return Ok(vec![Destination::Stdout(Format::Txt)]);
        }
        self.output.destinations(command, None, line)
    }
}

impl CircuitArgs {
    /// The command that was named.
    pub fn boxed(self) -> Box<dyn PromptCommand> {
        match self.what {
            What::Check(args) => Box::new(args),
        }
    }
}

/// Runs it; `line` is what was typed, for people.
pub fn run(args: &CircuitArgs, line: &str) -> Result<()> {
    match &args.what {
        What::Check(args) => look(args, "circuit-check", line),
    }
}
