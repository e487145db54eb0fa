//! `attnviz render`: attention that some program saved, as `attention` shows a model's own.

use super::attention::ViewArgs;
use super::deliver::deliver;
use super::output::{Destination, OutputArgs};
use attnviz::error::Result;
use attnviz::findings::recorded::RecordedAttention;
use clap::Args;
use std::path::PathBuf;

/// The flags of `render`.
#[derive(Args)]
pub struct RenderArgs {
    /// A .safetensors or .npz file with `attention` [layer, head, query, key]; `tokens`, `token_ids` and `prompt` are optional
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Draws or exports what the file holds; `line` is what was typed, for people.
pub fn run(args: &RenderArgs, line: &str) -> Result<()> {
    let destinations = args.output.destinations("render")?;
    let outputs: Vec<_> = destinations.iter().map(Destination::output).collect();
    let view = args.view.view()?;
    view.check(&outputs)?;
    let found = RecordedAttention::read(&args.file)?.find(&view, line, &outputs)?;
    deliver(&found, &destinations, &view.style.fonts(), args.output.quiet)
}
