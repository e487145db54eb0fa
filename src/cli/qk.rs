//! `attnviz qk`: why a head looks where it looks.

use super::args::{FigureArgs, PromptArgs};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use attnviz::error::{Error, Result};
use attnviz::findings::Asked;
use attnviz::findings::qk::Options;
use clap::Args;

/// The flags of `qk`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz qk \"The fox met the crow. The fox\" --head 4.3
  attnviz qk \"The fox met the crow. The fox\" --head 4.3 --query -1 --key 2
  attnviz qk \"The king and his\" -o parts.csv   every part, of the sharpest head")]
pub struct QkArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// The head, by layer and number, such as 4.3 or L4H3
    /// [default: the one that looks hardest at one token]
    #[arg(long, value_name = "HEAD", allow_hyphen_values = true, help_heading = "Selection")]
    head: Option<String>,
    /// The position that looks; negative ones count from the end
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true, help_heading = "Selection")]
    query: i64,
    /// The position that it looks at, whose score is taken apart
    /// [default: the one that it attends to most]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Selection")]
    key: Option<i64>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl PromptCommand for QkArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        let head =
            self.head.as_deref().map(|head| head.parse().map_err(|error: Error| error.of("head").option("head")));
        Ok(Asked::Qk(Options {
            reading: self.prompt.reading(),
            head: head.transpose()?,
            query: self.query,
            key: self.key,
            style: self.figure.style()?,
        }))
    }
}
