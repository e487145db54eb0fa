//! `attnviz attention`: from text to heatmaps and their numbers.

use super::args::{FigureArgs, PromptArgs, SelectionArgs, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use attnviz::analysis::attention::Extra;
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::attention::{Options, View};
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
    /// No such ranking beside the maps
    #[arg(long, help_heading = "Figure", conflicts_with = "received")]
    no_received: bool,
}

impl ViewArgs {
    /// What is meant.
    pub fn view(&self) -> Result<View> {
        let (selection, style) = (self.selection.selection()?, self.figure.style()?);
        Ok(View { selection, style, received: self.received, no_received: self.no_received })
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
