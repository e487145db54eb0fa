//! `attnviz attention`: from text to heatmaps and their numbers.

pub mod found;
pub mod view;

use super::args::PromptArgs;
use super::findings::{Command, Findings, Groups, together};
use super::model::ModelArgs;
use super::output::{OutputArgs, Target};
use super::subject::{Subject, next_of_all};
use attnviz::analysis::{Attention, Pass, Prediction, Request, packed};
use attnviz::error::{Error, Result};
use attnviz::export::Array;
use attnviz::model::{Activation, Spec};
use attnviz::prompt::Word;
use attnviz::session::Session;
use candle_core::Tensor;
use clap::{Args, ValueEnum};
use found::Found;
use view::ViewArgs;

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

impl Command for AttentionArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn check(&self, targets: &[Target]) -> Result<()> {
        if self.view.received && !self.with.is_empty() {
            return Err(
                Error::usage("--with and --received do not go together").hint("ask for them one after the other")
            );
        }
        if !self.with.is_empty() && targets.iter().all(|t| t.format().is_picture() || t.format().is_table()) {
            return Err(
                Error::usage("--with needs a data file").hint("write a .safetensors, .npz or .json file with -o")
            );
        }
        self.view.check(targets)
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.view.selection.resolve(spec).map(drop)
    }

    fn find<'a>(&'a self, subject: Subject<'a>, targets: &[Target]) -> Result<Box<dyn Findings + 'a>> {
        self.find_all(vec![subject], targets).remove(0)
    }

    /// All prompts in one forward pass.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, targets: &[Target]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        let Some(Subject { session, .. }) = subjects.first() else { return Vec::new() };
        let rule = self.view.selection.word_rule();
        let words: Vec<_> = subjects.iter().map(|subject| subject.prompt.words(rule)).collect();
        let request = |(subject, words): (&Subject, &Vec<Word>)| self.request(subject, words, targets);
        let requests = subjects.iter().zip(&words).map(request).collect::<Result<Vec<_>>>();
        let found = requests.and_then(|requests| {
            let prompts: Vec<&[u32]> = subjects.iter().map(|subject| &subject.prompt.ids[..]).collect();
            let found = packed(&*session.model, &prompts, &requests)?.into_iter().collect::<Result<Vec<_>>>()?;
            let next = next_of_all(session, found.iter().map(|(_, pass)| &pass.resid))?;
            Ok(found.into_iter().zip(next).zip(words).collect())
        });
        let each = |subject, ((found, next), words): ((_, Vec<_>), _)| self.found(subject, words, found, &next);
        together(subjects, found, |subject| self.find(subject, targets), each)
    }
}

impl AttentionArgs {
    fn request(&self, subject: &Subject, words: &[Word], targets: &[Target]) -> Result<Request> {
        let selection = self.view.selection.resolve(subject.session.model.spec())?;
        let recorded = |extra: &Extra| match extra {
            Extra::Hidden => Some(Activation::ResidPre),
            Extra::Scores => Some(Activation::Scores),
            Extra::Logits => None,
        };
        let keep = self.with.iter().filter_map(recorded).collect();
        Ok(Request { keep, ..self.view.request(selection, words, subject.prompt.ids.len(), targets) })
    }

    fn found<'a>(
        &'a self,
        subject: Subject<'a>,
        words: Vec<Word>,
        (attention, pass): (Attention, Pass),
        next: &[Prediction],
    ) -> Result<Box<dyn Findings + 'a>> {
        let next = Some(subject.next_line(next));
        let extras = self.extras(subject.session, &attention, &pass)?;
        let Subject { about, .. } = subject;
        Ok(Box::new(Found { view: &self.view, about, words, by_word: false, attention, next, extras }))
    }

    /// The arrays that `--with` asked for.
    fn extras(&self, session: &Session, attention: &Attention, pass: &Pass) -> Result<Vec<Array>> {
        let model = &*session.model;
        let recorded = |at, layers: &[usize]| -> Result<Vec<Tensor>> {
            layers.iter().map(|layer| pass.trace.get(at, *layer, 0).cloned()).collect()
        };
        let mut arrays: Vec<Array> = Vec::new();
        for extra in [Extra::Logits, Extra::Hidden, Extra::Scores].into_iter().filter(|extra| self.with.contains(extra))
        {
            let (name, tensor) = match extra {
                Extra::Logits => ("logits", model.unembed(&model.final_norm(&pass.resid)?, None)?),
                Extra::Hidden => {
                    let mut all = recorded(Activation::ResidPre, &(0..model.spec().layers).collect::<Vec<_>>())?;
                    all.push(model.final_norm(&pass.resid)?);
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
