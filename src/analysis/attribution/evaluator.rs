//! The objective and its gradient on any embeddings, many at a time: all that an attribution method needs of a model.

use super::embeddings::mean_and_deviation;
use crate::analysis::logits::{Softmax, ln_logistic, logistic, not_finite};
use crate::analysis::numbers::numbers;
use crate::analysis::objective::{Objective, Of};
use crate::error::{Error, Result};
use crate::model::{Model, NoTap, Odds, Segments, Tap};
use crate::text;
use candle_core::{Tensor, Var};
use std::ops::Range;

/// Bytes that a batch's activations may take while a gradient needs them.
const ACTIVATIONS: usize = 192 << 20;
/// Rows of a batch without a gradient.
pub(super) const ROWS: usize = 512;
/// Logits held at a time, as many as 32 rows of GPT-2's vocabulary.
const LOGITS: usize = 32 * 50_257;

/// What replaces the embedding of a token that is taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Baseline {
    /// The zero vector.
    #[default]
    Zero,
    /// The mean of all embeddings.
    Mean,
    /// The embedding of a token, such as `<|endoftext|>`.
    Token(u32),
}

/// Reports progress: how many more runs of the model are done, and how many more are planned.
pub type Watch<'a> = &'a dyn Fn(usize, usize);

/// Receives the number of an input, its y, and its gradient `[visible, d_model]`.
pub type Each<'a> = &'a mut dyn FnMut(usize, f64, &[f64]) -> Result<()>;

/// Evaluates an [`Objective`], y, of next tokens or of a model's classes, and its gradient for embeddings that a method puts in place of a prompt's own.
///
/// Only the tokens up to the objective's position are run: it cannot see the others.
pub struct Evaluator<'a> {
    model: &'a dyn Model,
    ids: &'a [u32],
    objective: Objective,
    /// What the model's logits mean together.
    odds: Odds,
    /// How many logits there are.
    answers: usize,
    embeddings: Tensor,
    baseline: Tensor,
    watch: Watch<'a>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator of `objective` on the prompt `ids`; `watch` is told of its progress.
    ///
    /// # Errors
    /// A position outside the prompt, an id outside the vocabulary, a class that there is not.
    pub fn new(
        model: &'a dyn Model,
        ids: &'a [u32],
        objective: Objective,
        baseline: Baseline,
        watch: Watch<'a>,
    ) -> Result<Self> {
        let (len, spec) = (objective.position + 1, model.spec());
        if len > ids.len() {
            return Err(Error::usage(format!(
                "position {} is outside the prompt of {}",
                len - 1,
                text::count(ids.len(), "token")
            )));
        }
        let embeddings = model.embed(&ids[..len])?; // [len, d]
        let (odds, answers) = match model.classes() {
            Some(classes) => (classes.odds, classes.labels.len()),
            None => (Odds::OneOf, spec.vocab),
        };
        // Both must exist.
        if let Some(none) = objective.foil.into_iter().chain([objective.target]).find(|id| *id as usize >= answers) {
            return Err(Error::usage(format!("answer {none} is outside the model's {answers}")));
        }
        let baseline = match baseline {
            Baseline::Zero => embeddings.zeros_like()?,
            Baseline::Mean => {
                let mean = Tensor::new(mean_and_deviation(model)?.0, embeddings.device())?;
                mean.to_dtype(embeddings.dtype())?.expand((len, spec.d_model))?.contiguous()?
            }
            Baseline::Token(id) => model.embed(&vec![id; len])?,
        };
        Ok(Self { model, ids, objective, odds, answers, embeddings, baseline, watch })
    }

    /// The same prompt, baseline and position with another objective.
    pub fn asking(&self, target: u32, foil: Option<u32>, of: Of) -> Self {
        let objective = Objective { position: self.objective.position, target, foil, of };
        Self { embeddings: self.embeddings.clone(), baseline: self.baseline.clone(), objective, ..*self }
    }

    /// The model.
    pub fn model(&self) -> &'a dyn Model {
        self.model
    }

    /// The whole prompt.
    pub fn ids(&self) -> &'a [u32] {
        self.ids
    }

    /// The objective.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// How many tokens can matter: those up to the objective's position.
    pub fn visible(&self) -> usize {
        self.objective.position + 1
    }

    /// Dimensions of an embedding.
    pub fn width(&self) -> usize {
        self.model.spec().d_model
    }

    /// Token embeddings of the visible tokens, `[visible, d_model]`.
    pub fn embeddings(&self) -> &Tensor {
        &self.embeddings
    }

    /// The baseline, which replaces them, `[visible, d_model]`.
    pub fn baseline(&self) -> &Tensor {
        &self.baseline
    }

    /// A tensor of the model's type from numbers of `[visible, d_model]`.
    ///
    /// # Errors
    /// A number of values that does not fit that shape.
    pub fn tensor(&self, values: &[f64]) -> Result<Tensor> {
        let tensor = Tensor::new(values, self.embeddings.device())?.to_dtype(self.embeddings.dtype())?;
        Ok(tensor.reshape(self.embeddings.shape())?)
    }

    /// y of `count` inputs; `input(i)` is `[visible, d_model]`.
    ///
    /// # Errors
    /// What `input` returns, an input of another shape, or logits that are not finite.
    pub fn values(&self, count: usize, input: &dyn Fn(usize) -> Result<Tensor>) -> Result<Vec<f64>> {
        let len = self.visible();
        let mut values = Vec::with_capacity(count);
        self.batches(count, ROWS / len, &mut |inputs| {
            let all = inputs.clone().map(input).collect::<Result<Vec<_>>>()?;
            let segments = Segments::packed(&vec![len; all.len()]);
            values.extend(self.values_of(&Tensor::cat(&all, 0)?, &segments, &mut NoTap)?);
            Ok(())
        })?;
        Ok(values)
    }

    /// y at the last row of each segment.
    pub(super) fn values_of(&self, embeddings: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Vec<f64>> {
        let ends = self.ends(embeddings, segments, tap)?;
        let (count, most) = (segments.len(), self.most_logits());
        let mut values = Vec::with_capacity(count);
        for first in (0..count).step_by(most) {
            let logits = self.answered(&ends.narrow(0, first, most.min(count - first))?)?;
            values.extend(self.measure(&logits)?.0);
        }
        Ok(values)
    }

    /// y and ∂y/∂e of `count` inputs, handed to `each` one after the other; `input(i)` is `[visible, d_model]`.
    ///
    /// # Errors
    /// What `input` or `each` returns, an input of another shape, logits that are not finite, or a gradient that is cut off.
    pub fn gradients(&self, count: usize, input: &dyn Fn(usize) -> Result<Tensor>, each: Each<'_>) -> Result<()> {
        let (len, spec) = (self.visible(), self.model.spec());
        // What the tape keeps of a row: three residuals, two norms, q, k, v, z, two outputs, and the MLP twice.
        let row = spec.layers * (12 * spec.d_model + 2 * spec.d_mlp) * self.embeddings.dtype().size_in_bytes();
        let most = (ACTIVATIONS / (row * len).max(1)).min(self.most_logits());
        self.batches(count, most, &mut |inputs| {
            let all = inputs.clone().map(input).collect::<Result<Vec<_>>>()?;
            let leaf = Var::from_tensor(&Tensor::cat(&all, 0)?)?; // [inputs · len, d]
            let segments = Segments::packed(&vec![len; all.len()]);
            let logits = self.logits(leaf.as_tensor(), &segments, &mut NoTap)?;
            let (values, objective) = self.objective_of(&logits)?;
            let gradient = numbers(&objective.backward()?.remove(&leaf).ok_or_else(cut)?)?;
            let rows = gradient.chunks(len * spec.d_model);
            inputs.zip(values).zip(rows).try_for_each(|((i, value), gradient)| each(i, value, gradient))
        })
    }

    /// Calls `run` with ranges that together are `0..count`, of one size.
    pub(super) fn batches(
        &self,
        count: usize,
        most: usize,
        run: &mut dyn FnMut(Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let most = most.max(1);
        let size = count.div_ceil(count.div_ceil(most).max(1)).max(1);
        self.batches_of(count, &|inputs| inputs.len() <= size, run)
    }

    /// The same with ranges that are as long as they fit.
    pub(super) fn batches_of(
        &self,
        count: usize,
        fits: &dyn Fn(&Range<usize>) -> bool,
        run: &mut dyn FnMut(Range<usize>) -> Result<()>,
    ) -> Result<()> {
        (self.watch)(0, count);
        let mut first = 0;
        while first < count {
            let longer = |end: &usize| *end < count && fits(&(first..end + 1));
            let end = (first + 1..).find(|end| !longer(end)).unwrap_or(count);
            run(first..end)?;
            (self.watch)(end - first, 0);
            first = end;
        }
        Ok(())
    }

    /// Inputs whose logits are held at a time.
    fn most_logits(&self) -> usize {
        if self.asks_for().is_some() { usize::MAX } else { (LOGITS / self.answers.max(1)).max(1) }
    }

    /// Logits that y depends on, at the last row of each segment: `[segments, answers]`, or only those of target and foil.
    pub(super) fn logits(&self, embeddings: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        self.answered(&self.ends(embeddings, segments, tap)?)
    }

    /// The residual stream after the last block, at the last row of each segment: `[segments, d_model]`.
    fn ends(&self, embeddings: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let model = self.model;
        let resid = model.blocks(model.start(embeddings, segments)?, segments, tap)?;
        let last: Vec<u32> = segments.iter().map(|s| (s.start + s.len - 1) as u32).collect();
        Ok(resid.index_select(&Tensor::new(last, resid.device())?, 0)?)
    }

    /// Logits that y depends on, of each row.
    pub(super) fn answered(&self, resid: &Tensor) -> Result<Tensor> {
        self.model.answer(&self.model.final_norm(resid)?, self.asks_for().as_deref())
    }

    /// The only ids whose logits y depends on; `None` where the softmax's normaliser needs all.
    fn asks_for(&self) -> Option<Vec<u32>> {
        let Objective { target, foil, of, .. } = self.objective;
        let needs_all = self.odds == Odds::OneOf && matches!((of, foil), (Of::LogProb, None) | (Of::Probability, _));
        (!needs_all).then(|| std::iter::once(target).chain(foil).collect())
    }

    /// The values, and a scalar on the tape whose gradient is that of their sum.
    pub(super) fn objective_of(&self, logits: &Tensor) -> Result<(Vec<f64>, Tensor)> {
        let (values, slopes) = self.measure(logits)?;
        let slopes = Tensor::new(slopes, logits.device())?.to_dtype(logits.dtype())?.reshape(logits.shape())?;
        Ok((values, (logits * slopes)?.sum_all()?))
    }

    /// y of each row of logits and ∂y/∂logits, in double precision.
    pub(super) fn measure(&self, logits: &Tensor) -> Result<(Vec<f64>, Vec<f64>)> {
        let (rows, width) = logits.dims2()?;
        let logits = numbers(logits)?;
        let (mut values, mut slopes) = (Vec::with_capacity(rows), Vec::with_capacity(rows * width));
        for row in logits.chunks(width) {
            values.push(self.value(row, &mut slopes)?);
        }
        Ok((values, slopes))
    }

    /// y of one row of logits; appends its slopes.
    fn value(&self, logits: &[f64], slopes: &mut Vec<f64>) -> Result<f64> {
        let Objective { target, foil, of, .. } = self.objective;
        if self.asks_for().is_some() {
            let mut value = 0.0;
            for (logit, sign) in logits.iter().zip([1.0, -1.0]) {
                let (own, slope) = match (self.odds, of) {
                    (Odds::Each, Of::LogProb) => (ln_logistic(*logit), logistic(-logit)),
                    (Odds::Each, Of::Probability) => (logistic(*logit), logistic(*logit) * logistic(-logit)),
                    _ => (*logit, 1.0),
                };
                value += sign * own;
                slopes.push(sign * slope);
            }
            return if value.is_finite() { Ok(value) } else { Err(not_finite()) };
        }
        let softmax = Softmax::new(logits)?;
        let (target, first) = (target as usize, slopes.len());
        let p = |i: usize| softmax.probability(logits[i]);
        let of_foil = foil.map_or(0.0, |foil| p(foil as usize));
        let (value, weight, own) = match of {
            Of::Probability => (p(target) - of_foil, p(target) - of_foil, p(target)),
            _ => (softmax.log_probability(logits[target]), 1.0, 1.0),
        };
        slopes.extend((0..logits.len()).map(|i| -weight * p(i)));
        slopes[first + target] += own;
        if let Some(foil) = foil {
            slopes[first + foil as usize] -= of_foil;
        }
        Ok(value)
    }
}

/// The error for a gradient that an operation has cut off: zeros in its place would look plausible.
pub(in crate::analysis) fn cut() -> Error {
    Error::failed("the gradient does not reach the model's input")
}
