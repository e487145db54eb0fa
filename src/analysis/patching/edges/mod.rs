//! Which edges between the parts of a model make the difference between two prompts: edge attribution patching with integrated gradients
//! (EAP-IG, Hanna et al. 2024), and circuits of edges that are run by themselves.
//!
//! The residual stream is a sum, so that what each reader sees of each writer can be replaced by itself.

mod circuit;
mod score;
mod wiring;

pub use wiring::{Node, Reader, Wiring};

use super::{Metric, Question, Where, run::differ};
use crate::analysis::logits::Softmax;
use crate::analysis::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Segments};
use crate::trace::{Recorder, Trace};
use candle_core::{DType, Tensor};

/// An edge, by the numbers that a [`Wiring`] gives to its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Who writes.
    pub writer: usize,
    /// Who reads.
    pub reader: usize,
    /// By how much the metric would change, to first order, if the reader saw what the writer writes in the corrupt run.
    pub score: f64,
}

/// Two runs of as many tokens whose edges can be scored and cut.
pub struct Edges<'a> {
    model: &'a dyn Model,
    question: Question,
    /// Which edges there are.
    pub wiring: Wiring,
    clean: Run,
    corrupt: Run,
    /// The clean run's log-probabilities, where the metric needs them.
    known: Vec<f64>,
    /// What each writer writes in the clean run, less what it writes in the corrupt one, `[writers, positions · d]`.
    moved: Tensor,
}

/// One of the two runs.
struct Run {
    embeddings: Tensor,
    trace: Trace,
    /// The last `resid_post` at the position that predicts, `[1, d]`.
    last: Tensor,
    value: f64,
}

impl<'a> Edges<'a> {
    /// Runs both prompts, up to the position that predicts.
    ///
    /// # Errors
    /// Prompts of unequal length; two runs whose answers hardly differ; a model whose heads share keys and values, whose heads'
    /// outputs are normed together, or whose MLPs do not read what attention adds.
    pub fn new(model: &'a dyn Model, [clean, corrupt]: [&[u32]; 2], question: Question) -> Result<Self> {
        let (spec, len) = (model.spec(), question.position + 1);
        if clean.len() != corrupt.len() || len > clean.len() {
            return Err(Error::usage(format!("{} and {} tokens cannot be patched", clean.len(), corrupt.len())));
        }
        if spec.kv_heads != spec.heads {
            return Err(Error::usage(
                "the heads of this model share keys and values, so that edges into them are no head's own",
            )
            .hint("patch its activations instead"));
        }
        Where::ResidMid
            .within(model)
            .map_err(|error| Error::usage(error.message).hint("patch its activations instead"))?;
        if !model.adds_by_head() {
            return Err(Error::usage(
                "this model norms what its heads add together, so that no edge out of one is its own",
            )
            .hint("patch its activations instead"));
        }
        let mut edges = Self {
            model,
            question,
            wiring: Wiring::of(spec),
            clean: run(model, &clean[..len])?,
            corrupt: run(model, &corrupt[..len])?,
            known: Vec::new(),
            moved: Tensor::zeros(0, DType::F32, &candle_core::Device::Cpu)?,
        };
        if question.metric == Metric::Kl {
            let logits = edges.logits(&edges.clean.last)?;
            let softmax = Softmax::new(&logits)?;
            edges.known = logits.iter().map(|x| softmax.log_probability(*x)).collect();
        }
        edges.clean.value = edges.measured(&edges.clean.last)?;
        edges.corrupt.value = edges.measured(&edges.corrupt.last)?;
        differ([edges.corrupt.value, edges.clean.value])?;
        edges.moved = edges.moves()?;
        Ok(edges)
    }

    /// What is measured of the clean run and of the corrupt one.
    pub fn values(&self) -> [f64; 2] {
        [self.clean.value, self.corrupt.value]
    }

    fn logits(&self, last: &Tensor) -> Result<Vec<f64>> {
        numbers(&self.model.unembed(&self.model.final_norm(last)?, self.question.ids().as_deref())?)
    }

    fn measured(&self, last: &Tensor) -> Result<f64> {
        Ok(self.question.measure(&self.logits(last)?, &self.known)?.0)
    }

    fn moves(&self) -> Result<Tensor> {
        let change = |at, layer| -> Result<Tensor> {
            Ok((self.clean.trace.get(at, layer, 0)? - self.corrupt.trace.get(at, layer, 0)?)?)
        };
        let mut moves = vec![(&self.clean.embeddings - &self.corrupt.embeddings)?.flatten_all()?.unsqueeze(0)?];
        for layer in 0..self.wiring.layers {
            moves.push(self.model.head_out(layer, &change(Activation::Z, layer)?)?.flatten_from(1)?);
            moves.push(change(Activation::MlpOut, layer)?.flatten_all()?.unsqueeze(0)?);
        }
        Ok(Tensor::cat(&moves, 0)?)
    }
}

fn run(model: &dyn Model, ids: &[u32]) -> Result<Run> {
    let kept = [
        Activation::ResidPre,
        Activation::Scores,
        Activation::V,
        Activation::Z,
        Activation::ResidMid,
        Activation::MlpOut,
    ];
    let mut recorder = kept.into_iter().fold(Recorder::new(), Recorder::keep);
    let (embeddings, segments) = (model.embed(ids)?, Segments::packed(&[ids.len()]));
    let resid = model.blocks(model.start(&embeddings, &segments)?, &segments, &mut recorder)?;
    let last = resid.narrow(0, ids.len() - 1, 1)?;
    Ok(Run { embeddings, trace: recorder.trace(), last, value: f64::NAN })
}

/// Edges by the size of their scores, the largest first; of equal ones, the earlier.
pub fn ranked(mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    edges
}
