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
#[command(after_help = "\
Arrays that are read, in .npz or .safetensors:
  attention, attentions, arr_0        [layer, head, query, key],
                                      or [layer, item, head, query, key]
  attention_0 …, layer_0 …, arr_0 …,  of each layer: [head, query, key],
  blocks.0.attn.hook_pattern …        or [item, head, query, key]
  encoder_attention, decoder_attention, cross_attention: --kind says which
  token_ids, input_ids                [key], or [item, key]
  attention_mask                      the same; 1 is a token, 0 is padding
Texts, arrays of .npz or metadata of .safetensors (as JSON lists):
  tokens                              [key], or [item, key]
  key_tokens, source_tokens, encoder_tokens: the keys of cross-attention
  query_tokens, target_tokens, decoder_tokens: its queries
  prompt                              a text")]
pub struct RenderArgs {
    /// A .safetensors, .npz or .npy file with `attention` [layer, head, query, key], or an array for each layer; `tokens`, `token_ids`,
    /// `attention_mask` and `prompt` are optional
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What attends to what, where weights and names do not say
    #[arg(long, value_name = "KIND", value_parser = one_of::<AttentionKind>(), help_heading = "Selection")]
    kind: Option<AttentionKind>,
    /// Which text of a batch, counted from 0; -1 is the last
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Selection")]
    item: Option<i64>,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Draws or exports what the file holds; `line` is what was typed, for people.
pub fn run(args: &RenderArgs, line: &str) -> Result<()> {
    start_threads(None)?;
    let destinations = args.output.destinations("render", None, line)?;
    let outputs: Vec<_> = destinations.iter().map(Destination::output).collect();
    let options = Options { wanted: Wanted { kind: args.kind, item: args.item }, view: args.view.view()? };
    options.view.check(&outputs)?;
    let recorded = RecordedAttention::read(&args.file, options.wanted)?;
    if !args.output.quiet {
        recorded.assumed.iter().for_each(|assumed| remark(assumed));
    }
    let found = recorded.find(&options, line, &outputs)?;
    deliver(&found, &destinations, &options.view.style.fonts()?, args.output.quiet)
}
