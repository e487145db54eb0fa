//! `attnviz lens`: what each layer would have answered, and who wrote the answer.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use super::target::TargetArgs;
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::lens::{Colour, Options};
use clap::Args;

/// The flags of `lens`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz lens \"The king and his\"            what each layer would say next
  attnviz lens \"The king and his\" --target \" son\" --colour rank
  attnviz lens \"The king and his\" --direct   which heads and MLPs wrote the answer
  attnviz lens \"The king and his\" --direct --target \" son\" --foil \" wife\"
  attnviz lens \"The king and his\" --norms    massive activations and the attention sink")]
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
    /// How large the residual grows, in which dimensions, and how much attention rests on the first token
    #[arg(long, help_heading = "Method", conflicts_with_all = ["direct", "target", "foil", "position", "top", "colour"])]
    norms: bool,
    /// Keep so many of each layer's most probable tokens in data files
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Method", conflicts_with = "direct")]
    top: u16,
    /// What the colours show; unset, the probability, or the difference to a foil
    #[arg(long, value_name = "WHAT", alias = "color", help_heading = "Figure", conflicts_with = "direct")]
    #[arg(value_parser = one_of::<Colour>())]
    colour: Option<Colour>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl PromptCommand for LensArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        Ok(Asked::Lens(Options {
            reading: self.prompt.reading(),
            target: self.target.target(),
            direct: self.direct,
            norms: self.norms,
            top: self.top,
            colour: self.colour,
            style: self.figure.style()?,
        }))
    }
}
