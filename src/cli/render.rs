//! `attnviz render`: attention that some program saved, as `attention` shows a model's own.

use super::args::one_of;
use super::attention::ViewArgs;
use super::deliver::deliver;
use super::model::start_threads;
use super::output::{Destination, OutputArgs, remark};
use attnviz::error::Result;
use attnviz::export::read::{AttentionKind, Wanted};
use attnviz::findings::recorded::{Options, RecordedAttention};
use clap::Args;
use std::path::PathBuf;

/// The flags of `render`.
#[derive(Args)]
pub struct RenderArgs {
    /// A .safetensors, .npz or .npy file with `attention` [layer, head, query, key], or an array for each layer; `tokens`, `token_ids`,
    /// `attention_mask` and `prompt` are optional
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What attends to what, where weights and names do not say
    #[arg(long, value_name = "KIND", value_parser = one_of::<AttentionKind>(), help_heading = "Input")]
    kind: Option<AttentionKind>,
    /// Which text of a batch, counted from 0; -1 is the last
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Input")]
    item: Option<i64>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Draws or exports what the file holds; `line` is what was typed, for people.
pub fn run(args: &RenderArgs, line: &str) -> Result<()> {
    start_threads(None)?;
    let destinations = args.output.destinations("render")?;
    let outputs: Vec<_> = destinations.iter().map(Destination::output).collect();
    let options = Options { wanted: Wanted { kind: args.kind, item: args.item }, view: args.view.view()? };
    options.view.check(&outputs)?;
    let recorded = RecordedAttention::read(&args.file, options.wanted)?;
    if !args.output.quiet {
        recorded.assumed.iter().for_each(|assumed| remark(assumed));
    }
    let found = recorded.find(&options, line, &outputs)?;
    deliver(&found, &destinations, &options.view.style.fonts(), args.output.quiet)
}
