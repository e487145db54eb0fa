//! How attention patterns are looked at, whether a model has just made them or a file holds them.

use crate::cli::args::{FigureArgs, Selection, SelectionArgs};
use crate::cli::output::{Format, Target};
use attnviz::analysis::{Reduction, Request};
use attnviz::error::{Error, Result};
use attnviz::figure::panel_pixels;
use attnviz::prompt::Word;
use clap::Args;

/// The flags of every command that shows attention patterns.
#[derive(Args)]
pub struct ViewArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    pub figure: FigureArgs,
    /// Only the words ranked by the attention they receive, as bars or as a table
    #[arg(long, help_heading = "Output")]
    pub received: bool,
}

/// Up to this many maps are kept whole even for a picture: each may be drawn large.
const WHOLE: usize = 4;

impl ViewArgs {
    /// What cannot be meant.
    pub fn check(&self, targets: &[Target]) -> Result<()> {
        if self.received && targets.iter().any(|t| matches!(t.format(), Format::Npz | Format::Safetensors)) {
            return Err(Error::usage("--received is a table of words").hint("write it as .csv, .json or a picture"));
        }
        if self.received && targets.iter().any(Target::splits) {
            return Err(
                Error::usage("--received has no file for each layer or head").hint("leave {layer} and {head} out")
            );
        }
        self.selection.reductions().map(drop)
    }

    /// What to gather of a prompt's patterns, as little of it as the targets allow.
    pub fn request(&self, selection: Selection, words: &[Word], tokens: usize, targets: &[Target]) -> Request {
        let maps = |reduced: Option<Reduction>, all: &[usize]| if reduced.is_some() { 1 } else { all.len() };
        let cols = maps(selection.heads_to, &selection.heads);
        let count = cols * maps(selection.layers_to, &selection.layers);
        let by_word = self.selection.words.is_some();
        let side = if by_word { words.len() } else { tokens };
        let only_sheets = targets.iter().all(|t| t.format().is_picture() && !t.splits());
        let pixels =
            panel_pixels(cols, side, self.figure.width, true).max(1) as f32 * (self.figure.dpi / 96.0).max(1.0);
        Request {
            layers: selection.layers,
            heads: selection.heads,
            sink: self.selection.sink.into(),
            words: by_word.then(|| words.iter().map(|word| word.tokens.clone()).collect()),
            heads_to: selection.heads_to,
            layers_to: selection.layers_to,
            keep: Vec::new(),
            pool: (only_sheets && count > WHOLE).then_some(pixels.ceil() as usize),
        }
    }
}
