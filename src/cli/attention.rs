//! `attnviz attention`: from text to heatmaps and their numbers.

use super::args::{FigureArgs, PromptArgs, SelectionArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use attnviz::analysis::attention::Extra;
use attnviz::error::{Error, Result};
use attnviz::findings::Asked;
use attnviz::findings::attention::{Options, Shape, View};
use clap::Args;

/// The flags of `attention`.
#[derive(Args)]
pub struct AttentionArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// More arrays in a .safetensors, .npz or .json file
    #[arg(long, value_name = "logits,hidden,scores", value_delimiter = ',', help_heading = "Output")]
    #[arg(value_parser = one_of::<Extra>())]
    with: Vec<Extra>,
}

/// The flags of every command that shows attention patterns.
#[derive(Args)]
pub struct ViewArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    figure: FigureArgs,
    /// Only the words ranked by the attention they receive, as bars or as a table
    #[arg(long, help_heading = "Output")]
    received: bool,
    /// How patterns are drawn
    #[arg(long, value_name = "SHAPE", help_heading = "Figure", default_value = "map", value_parser = one_of::<Shape>())]
    view: Shape,
    /// With --view lines: so many of each query, the strongest [default: 5]
    #[arg(long, value_name = "N", help_heading = "Figure")]
    top: Option<usize>,
    /// With --view text: the query, counted from 0, or from -1 at the end [default: the last]
    #[arg(long, value_name = "N", help_heading = "Figure", allow_negative_numbers = true)]
    query: Option<i64>,
    /// The numbers in the cells of one head, where they fit
    #[arg(long, help_heading = "Figure")]
    numbers: bool,
    /// Frame cells, counted as --query counts
    #[arg(
        long,
        value_name = "QUERY:KEY,…",
        help_heading = "Figure",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    mark: Vec<String>,
    /// No such ranking beside the maps
    #[arg(long, help_heading = "Figure", conflicts_with = "received")]
    no_received: bool,
}

impl ViewArgs {
    /// What is meant.
    pub fn view(&self) -> Result<View> {
        let (selection, style) = (self.selection.selection()?, self.figure.style()?);
        let mark = self.mark.iter().map(|typed| typed.parse().map_err(|error: Error| error.option("mark")));
        let Self { received, no_received, top, query, numbers, .. } = *self;
        let mark = mark.collect::<Result<_>>()?;
        Ok(View { selection, style, received, shape: self.view, top, query, numbers, mark, no_received })
    }
}

impl PromptCommand for AttentionArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        let (reading, view) = (self.prompt.reading(), self.view.view()?);
        Ok(Asked::Attention(Options { reading, view, with: self.with.clone() }))
    }
}
