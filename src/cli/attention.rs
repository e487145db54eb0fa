//! `attnviz attention`: from text to heatmaps and their numbers.

mod found;

use super::args::{FigureArgs, PromptArgs, SelectionArgs};
use super::findings::{Command, Findings, Groups};
use super::model::ModelArgs;
use super::output::{Format, OutputArgs, Target};
use super::subject::Subject;
use attnviz::analysis::{Attention, Reduction, Request, attention};
use attnviz::error::{Error, Result};
use attnviz::export::Array;
use attnviz::figure::panel_pixels;
use attnviz::model::{Model, Spec};
use attnviz::prompt::WordRule;
use attnviz::session::Session;
use attnviz::trace::Activation;
use candle_core::Tensor;
use clap::{Args, ValueEnum};
use found::Found;

/// The flags of `attention`.
#[derive(Args)]
pub struct AttentionArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only the words ranked by the attention they receive, as bars or as a table
    #[arg(long, help_heading = "Output")]
    received: bool,
    /// More arrays in a .safetensors, .npz or .json file
    #[arg(long, value_name = "logits,hidden,scores", value_delimiter = ',', help_heading = "Output")]
    with: Vec<Extra>,
}

/// `--with`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extra {
    /// Logits at every position
    Logits,
    /// Hidden states before every layer and after the last
    Hidden,
    /// Scaled scores before the mask
    Scores,
}

/// Up to this many maps are kept whole even for a picture: each may be drawn large.
const WHOLE: usize = 4;

impl Command for AttentionArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn check(&self, targets: &[Target]) -> Result<()> {
        let pictures = targets.iter().any(|t| t.format().is_picture());
        if self.received && !self.with.is_empty() {
            return Err(
                Error::usage("--with and --received do not go together").hint("ask for them one after the other")
            );
        }
        if !self.with.is_empty() && targets.iter().all(|t| t.format().is_picture() || t.format() == Format::Csv) {
            return Err(
                Error::usage("--with needs a data file").hint("write a .safetensors, .npz or .json file with -o")
            );
        }
        if self.received && targets.iter().any(|t| matches!(t.format(), Format::Npz | Format::Safetensors)) {
            return Err(Error::usage("--received is a table of words").hint("write it as .csv, .json or a picture"));
        }
        if self.received && targets.iter().any(Target::splits) {
            return Err(
                Error::usage("--received has no file for each layer or head").hint("leave {layer} and {head} out")
            );
        }
        if pictures {
            self.figure.check()?;
        }
        self.selection.reductions().map(drop)
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.selection.resolve(spec).map(drop)
    }

    fn find<'a>(&'a self, subject: Subject<'a>, targets: &[Target]) -> Result<Box<dyn Findings + 'a>> {
        let model = &subject.session.model;
        let selection = self.selection.resolve(model.spec())?;
        let words = subject.prompt.words(self.selection.words.map_or(WordRule::Default, WordRule::from));
        let maps = |reduced: Option<Reduction>, all: &[usize]| if reduced.is_some() { 1 } else { all.len() };
        let cols = maps(selection.heads_to, &selection.heads);
        let count = cols * maps(selection.layers_to, &selection.layers);
        let tokens = if self.selection.words.is_some() { words.len() } else { subject.prompt.ids.len() };
        let only_sheets = targets.iter().all(|t| t.format().is_picture() && !t.splits());
        let pixels =
            panel_pixels(cols, tokens, self.figure.width, true).max(1) as f32 * (self.figure.dpi / 96.0).max(1.0);
        let request = Request {
            layers: selection.layers,
            heads: selection.heads,
            sink: self.selection.sink.into(),
            words: self.selection.words.map(|_| words.iter().map(|word| word.tokens.clone()).collect()),
            heads_to: selection.heads_to,
            layers_to: selection.layers_to,
            keep: self
                .with
                .iter()
                .filter_map(|extra| match extra {
                    Extra::Hidden => Some(Activation::ResidPre),
                    Extra::Scores => Some(Activation::Scores),
                    Extra::Logits => None,
                })
                .collect(),
            pool: (only_sheets && count > WHOLE).then_some(pixels.ceil() as usize),
        };
        let attention = attention(model, &subject.prompt.ids, &request)?;
        let next = subject.next(&attention.resid)?;
        let extras = self.extras(subject.session, &attention)?;
        Ok(Box::new(Found { args: self, subject, words, attention, next, extras }))
    }
}

impl AttentionArgs {
    /// The arrays that `--with` asked for.
    fn extras(&self, session: &Session, attention: &Attention) -> Result<Vec<Array>> {
        let model = &session.model;
        let recorded = |at, layers: &[usize]| -> Result<Vec<Tensor>> {
            layers.iter().map(|layer| attention.trace.get(at, *layer, 0).cloned()).collect()
        };
        let mut arrays: Vec<Array> = Vec::new();
        for extra in [Extra::Logits, Extra::Hidden, Extra::Scores].into_iter().filter(|extra| self.with.contains(extra))
        {
            let (name, tensor) = match extra {
                Extra::Logits => ("logits", model.unembed(&model.final_norm(&attention.resid)?, None)?),
                Extra::Hidden => {
                    let mut all = recorded(Activation::ResidPre, &(0..model.spec().layers).collect::<Vec<_>>())?;
                    all.push(model.final_norm(&attention.resid)?);
                    ("hidden", Tensor::stack(&all, 0)?)
                }
                Extra::Scores => {
                    let heads: Vec<u32> = attention.heads.iter().map(|head| *head as u32).collect();
                    let all = Tensor::stack(&recorded(Activation::Scores, &attention.layers)?, 0)?;
                    ("scores", all.index_select(&Tensor::new(heads, all.device())?, 1)?)
                }
            };
            let shape = tensor.dims().to_vec();
            let mut values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
            if extra == Extra::Scores {
                let n = attention.received.len();
                for (row, scores) in values.chunks_mut(n).enumerate() {
                    scores[row % n + 1..].fill(f32::NEG_INFINITY);
                }
            }
            arrays.push(Array { name: name.into(), shape, values });
        }
        Ok(arrays)
    }
}
