//! `attnviz heads`: what each head does, by name.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use attnviz::analysis::heads::Score;
use attnviz::error::{Error, Result};
use attnviz::findings::Asked;
use attnviz::findings::heads::Options;
use clap::Args;
use clap::builder::PossibleValue;

/// The flags of `heads`.
#[derive(Args)]
#[command(after_help = "\
Without a TEXT, heads are measured on ten sequences of random tokens, each repeated once: what is found there is the model's,
not a prompt's.

Examples:
  attnviz heads                 an atlas of all heads, and the table behind it
  attnviz heads --sort induction -o heads.csv
  attnviz heads \"When Mary and John went out, John gave a drink to\"")]
pub struct HeadsArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
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

impl PromptCommand for HeadsArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        let of_chance = [("--seed", self.seed.is_some()), ("--with draws", self.with.is_some())];
        if let Some((flag, _)) = of_chance.iter().find(|(_, given)| *given && self.prompt.is_given()) {
            return Err(Error::usage(format!("{flag} is for random tokens, but there is a prompt"))
                .hint("leave one of the two out"));
        }
        let (reading, style) = (self.prompt.reading(), self.figure.style()?);
        Ok(Asked::Heads(Options { reading, sort: self.sort, seed: self.seed, draws: self.with.is_some(), style }))
    }
}
