//! `attnviz lens`: what each layer would have answered, and who wrote the answer.

mod answers;
mod written;

use super::args::{FigureArgs, PromptArgs};
use super::findings::{Command, Findings, Groups};
use super::model::ModelArgs;
use super::output::{OutputArgs, Target};
use super::subject::Subject;
use super::target::TargetArgs;
use answers::Answers;
use attnviz::error::{Error, Result};
use attnviz::model::Spec;
use clap::{Args, ValueEnum};
use written::Written;

/// The flags of `lens`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz lens \"The king and his\"            what each layer would say next
  attnviz lens \"The king and his\" --target \" son\" --colour rank
  attnviz lens \"The king and his\" --direct   which heads and MLPs wrote the answer
  attnviz lens \"The king and his\" --direct --target \" son\" --foil \" wife\"")]
pub struct LensArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    /// Attribute one answer to the heads, MLPs and embeddings that wrote it (direct logit attribution)
    #[arg(long, help_heading = "Method")]
    direct: bool,
    /// Keep so many of each layer's most probable tokens in data files
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Method", conflicts_with = "direct")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=100))]
    top: u16,
    /// What the colours show [default: probability, or difference with a --foil]
    #[arg(long, value_name = "WHAT", alias = "color", help_heading = "Figure", conflicts_with = "direct")]
    colour: Option<Colour>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// `--colour`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// The probability of the final answer, or of the target
    Probability,
    /// How undecided the layer is, in bits
    Entropy,
    /// The rank of the final answer, or of the target: 1 is the layer's own answer
    Rank,
    /// What the layer does not yet know of the final answer: KL(final ‖ layer), in bits
    Kl,
    /// The logit of the target minus that of the foil
    Difference,
}

impl LensArgs {
    fn colour(&self) -> Colour {
        self.colour.unwrap_or(if self.target.foil.is_some() { Colour::Difference } else { Colour::Probability })
    }
}

impl Command for LensArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn check(&self, targets: &[Target]) -> Result<()> {
        if targets.iter().any(Target::splits) {
            return Err(Error::usage("lens has no file for each layer or head").hint("leave {layer} and {head} out"));
        }
        if self.target.position.is_some() && !self.direct {
            return Err(Error::usage("--position chooses one answer, but the lens shows all positions")
                .hint("add --direct, or leave --position out"));
        }
        if self.colour == Some(Colour::Difference) && self.target.foil.is_none() {
            return Err(Error::usage("--colour difference needs a --foil").hint("name the token to compare with"));
        }
        Ok(())
    }

    fn fits(&self, _: &Spec) -> Result<()> {
        Ok(())
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Target]) -> Result<Box<dyn Findings + 'a>> {
        Ok(if self.direct { Box::new(Written::find(self, subject)?) } else { Box::new(Answers::find(self, subject)?) })
    }
}
