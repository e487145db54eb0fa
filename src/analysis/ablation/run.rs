//! Runs without parts: each starts at the first layer that is changed, and many go through the model together.

use super::{Cut, Means, Part, Totals};
use crate::analysis::logits::Softmax;
use crate::analysis::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Segments, Site, Tap};
use crate::trace::{Recorder, Trace, forward};
use candle_core::Tensor;
use std::sync::Arc;

/// Rows that go through the model together, and rows whose logits are made together.
const ROWS: usize = 512;
const LOGITS: usize = 64;

/// What takes the place of the parts.
pub enum Values {
    /// Zero.
    Zero,
    /// Their means over the prompt's own positions.
    OwnMean,
    /// Their means over other positions.
    Mean(Arc<Means>),
    /// What they are in a run of another prompt of as many tokens.
    Other(Vec<u32>),
}

/// A run, and what takes the place of parts of it.
pub struct Ablation<'a> {
    model: &'a dyn Model,
    /// What enters each layer.
    entering: Trace,
    /// The last `resid_post`.
    resid: Tensor,
    with: Replacement,
    ids: Vec<u32>,
    len: usize,
}

enum Replacement {
    Zero,
    Mean(Arc<Means>),
    Run(Trace),
}

impl<'a> Ablation<'a> {
    /// Runs a prompt as it is.
    ///
    /// # Errors
    /// Another prompt of other length; what the model refuses.
    pub fn new(model: &'a dyn Model, ids: &[u32], values: Values) -> Result<Self> {
        let parts = |recorder: Recorder<'static>| recorder.keep(Activation::Z).keep(Activation::MlpOut);
        let recorder = Recorder::new().keep(Activation::ResidPre);
        let mut recorder = if matches!(values, Values::OwnMean) { parts(recorder) } else { recorder };
        let resid = forward(model, &[ids], &mut recorder)?;
        let entering = recorder.trace();
        let with = match values {
            Values::Zero => Replacement::Zero,
            Values::Mean(means) => Replacement::Mean(means),
            Values::OwnMean => {
                let totals = Totals::of_trace(&entering, model.spec().layers)?;
                Replacement::Mean(Arc::new(totals.means(model)?))
            }
            Values::Other(other) if other.len() != ids.len() => {
                return Err(Error::usage(format!("{} tokens cannot take the place of {}", other.len(), ids.len())));
            }
            Values::Other(other) => {
                let mut recorder = parts(Recorder::new());
                forward(model, &[&other], &mut recorder)?;
                Replacement::Run(recorder.trace())
            }
        };
        Ok(Self { model, entering, resid, with, ids: ids.to_vec(), len: ids.len() })
    }

    /// The last `resid_post` of the run as it is, `[len, d_model]`.
    pub fn plain(&self) -> &Tensor {
        &self.resid
    }

    /// The same without all of these.
    ///
    /// # Errors
    /// A part or a position that there is not.
    pub fn without(&self, cuts: &[Cut]) -> Result<Tensor> {
        self.together(&[cuts], self.len)
    }

    /// The logits at a position without each of these parts of one layer, one at a time, as `take` is given them.
    ///
    /// # Errors
    /// A part that there is not; what `take` returns.
    pub fn each(&self, parts: &[Part], position: usize, take: &mut dyn FnMut(&[f64]) -> Result<()>) -> Result<()> {
        let len = position + 1;
        let cuts: Vec<[Cut; 1]> = parts.iter().map(|part| [Cut { part: *part, position: None }]).collect();
        for cuts in cuts.chunks((ROWS / len).clamp(1, LOGITS)) {
            let resid = self.together(&cuts.iter().map(|cut| &cut[..]).collect::<Vec<_>>(), len)?;
            let last: Vec<u32> = (0..cuts.len()).map(|run| ((run + 1) * len - 1) as u32).collect();
            let last = resid.index_select(&Tensor::new(last, resid.device())?, 0)?;
            self.rows(&last, &mut |_, row| take(row))?;
        }
        Ok(())
    }

    /// The logits at a position, from the last `resid_post`.
    ///
    /// # Errors
    /// A position that there is not.
    pub fn logits(&self, resid: &Tensor, position: usize) -> Result<Vec<f64>> {
        let mut logits = Vec::new();
        self.rows(&resid.narrow(0, position, 1)?, &mut |_, row| {
            logits = row.to_vec();
            Ok(())
        })?;
        Ok(logits)
    }

    /// The surprisal of every token in bits, from the last `resid_post`; NaN of the first.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn surprisal(&self, resid: &Tensor) -> Result<Vec<f64>> {
        let mut bits = vec![f64::NAN];
        if self.len > 1 {
            self.rows(&resid.narrow(0, 0, self.len - 1)?, &mut |at, row| {
                let own = row[self.ids[at + 1] as usize];
                bits.push(-Softmax::new(row)?.log_probability(own) / std::f64::consts::LN_2);
                Ok(())
            })?;
        }
        Ok(bits)
    }

    /// Shows the logits of each row; never many at once.
    fn rows(&self, resid: &Tensor, take: &mut dyn FnMut(usize, &[f64]) -> Result<()>) -> Result<()> {
        let count = resid.dims()[0];
        for first in (0..count).step_by(LOGITS) {
            let rows = resid.narrow(0, first, LOGITS.min(count - first))?;
            let logits = self.model.unembed(&self.model.final_norm(&rows)?, None)?;
            let width = logits.dims2()?.1;
            numbers(&logits)?.chunks(width).enumerate().try_for_each(|(at, row)| take(first + at, row))?;
        }
        Ok(())
    }

    /// The last `resid_post` of runs of the first `len` tokens, each without its own cuts.
    fn together(&self, runs: &[&[Cut]], len: usize) -> Result<Tensor> {
        let layers = self.model.spec().layers;
        let first = runs.iter().flat_map(|cuts| cuts.iter()).map(|cut| cut.part.layer()).min().unwrap_or(0);
        let segments = Segments::packed(&vec![len; runs.len()]);
        let start = self.entering.get(Activation::ResidPre, first, 0)?.narrow(0, 0, len)?;
        let start = Tensor::cat(&vec![start; runs.len()], 0)?;
        let mut tap = Replace { runs, with: &self.with };
        (first..layers).try_fold(start, |resid, layer| self.model.block(layer, &resid, &segments, &mut tap))
    }
}

/// Puts other values into the place of each run's cuts.
struct Replace<'a> {
    runs: &'a [&'a [Cut]],
    with: &'a Replacement,
}

impl Replace<'_> {
    /// The head that is replaced at a site, or all, and the position, or all; none where the cut is elsewhere.
    fn place(cut: &Cut, site: Site) -> Option<(Option<usize>, Option<usize>)> {
        match (cut.part, site.at) {
            (Part::Head(layer, head), Activation::Z) if layer == site.layer => Some((Some(head), cut.position)),
            (Part::Mlp(layer), Activation::MlpOut) if layer == site.layer => Some((None, cut.position)),
            (Part::All, Activation::Z | Activation::MlpOut) => Some((None, cut.position)),
            _ => None,
        }
    }

    /// All rows of what takes the place of an activation.
    fn whole(&self, site: Site, x: &Tensor) -> Result<Tensor> {
        Ok(match self.with {
            Replacement::Zero => x.zeros_like()?,
            Replacement::Mean(means) => {
                let means = if site.at == Activation::Z { &means.z } else { &means.mlp };
                let mean = means[site.layer].to_dtype(x.dtype())?.to_device(x.device())?;
                mean.broadcast_as(x.shape())?.contiguous()?
            }
            Replacement::Run(trace) => trace.get(site.at, site.layer, 0)?.narrow(0, 0, x.dims()[0])?,
        })
    }
}

impl Tap for Replace<'_> {
    fn wants(&self, site: Site) -> bool {
        self.runs[site.segment].iter().any(|cut| Self::place(cut, site).is_some())
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        let other = self.whole(site, &x)?;
        let mut x = x;
        for (head, position) in self.runs[site.segment].iter().filter_map(|cut| Self::place(cut, site)) {
            // The first two dimensions of z are positions and heads.
            let all: Vec<usize> = x.dims().to_vec();
            let mut ranges: Vec<_> = all.iter().map(|size| 0..*size).collect();
            let mut new = other.clone();
            for (dim, at) in [(0, position), (1, head)] {
                if let Some(at) = at {
                    ranges[dim] = at..at + 1;
                    new = new.narrow(dim, at, 1)?;
                }
            }
            x = if new.dims() == all { new } else { x.slice_assign(&ranges, &new.contiguous()?)? };
        }
        Ok(x)
    }
}
