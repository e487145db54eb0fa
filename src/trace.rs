//! The recorder that keeps what was asked for of a forward pass, and the pass itself.

mod replay;

pub use replay::Replay;

use crate::error::{Error, Result};
use crate::model::{Activation, Model, Past, Segments, Site, Tap};
use candle_core::Tensor;
use std::collections::HashMap;
use std::sync::Arc;

/// What a recorder keeps of an activation: the tensor itself, or something smaller.
type Reduce<'a> = Box<dyn FnMut(Site, &Tensor) -> Result<Option<Tensor>> + 'a>;

/// A tap that keeps what was asked for, or a reduction of it taken on the spot.
#[derive(Default)]
pub struct Recorder<'a> {
    requests: Vec<(Activation, Option<Vec<usize>>, Option<Reduce<'a>>)>,
    trace: Trace,
}

impl<'a> Recorder<'a> {
    /// Keeps nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps an activation of every layer.
    pub fn keep(mut self, at: Activation) -> Self {
        self.requests.push((at, None, None));
        self
    }

    /// Keeps what `reduce` makes of an activation on some layers; `None` keeps nothing, for reductions that gather elsewhere.
    pub fn reduce(
        mut self,
        at: Activation,
        layers: &[usize],
        reduce: impl FnMut(Site, &Tensor) -> Result<Option<Tensor>> + 'a,
    ) -> Self {
        self.requests.push((at, Some(layers.to_vec()), Some(Box::new(reduce))));
        self
    }

    /// What was kept.
    pub fn trace(self) -> Trace {
        self.trace
    }
}

impl Tap for Recorder<'_> {
    fn wants(&self, site: Site) -> bool {
        let wanted = |layers: &Option<Vec<usize>>| layers.as_ref().is_none_or(|l| l.contains(&site.layer));
        self.requests.iter().any(|(at, layers, _)| *at == site.at && wanted(layers))
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        for (at, layers, reduce) in &mut self.requests {
            if *at != site.at || layers.as_ref().is_some_and(|l| !l.contains(&site.layer)) {
                continue;
            }
            let kept = match reduce {
                Some(reduce) => reduce(site, &x)?,
                // A view of a batch's rows would keep the whole batch alive.
                None => Some(x.contiguous()?.detach()),
            };
            if let Some(kept) = kept {
                self.trace.0.insert(site, kept);
            }
        }
        Ok(x)
    }

    fn only_looks(&self) -> bool {
        true
    }
}

/// Recorded activations, by site.
#[derive(Default, Clone, Debug)]
pub struct Trace(HashMap<Site, Tensor>);

impl Trace {
    /// An activation that was recorded.
    ///
    /// # Errors
    /// An activation that was not recorded.
    pub fn get(&self, at: Activation, layer: usize, segment: usize) -> Result<&Tensor> {
        self.0
            .get(&Site { at, layer, segment })
            .ok_or_else(|| Error::failed(format!("{at:?} of layer {layer} was not recorded")))
    }

    /// The activations of each prompt by itself, as of one that was run alone.
    pub fn into_segments(self, count: usize) -> Vec<Trace> {
        let mut traces = vec![Trace::default(); count];
        for (site, x) in self.0 {
            traces[site.segment].0.insert(Site { segment: 0, ..site }, x);
        }
        traces
    }

    /// Keys and values of a segment, so that it can be continued without computing it again.
    ///
    /// # Errors
    /// Keys or values that were not recorded.
    pub fn past(&self, layers: usize, segment: usize) -> Result<Arc<Past>> {
        let all = |at| (0..layers).map(|layer| self.get(at, layer, segment).cloned()).collect::<Result<Vec<_>>>();
        Ok(Arc::new(Past { keys: all(Activation::K)?, values: all(Activation::V)? }))
    }
}

/// A forward pass of packed prompts through all blocks, watched by a tap: the last `resid_post`, `[rows, d_model]`.
///
/// # Errors
/// A prompt without tokens; what the tap refuses.
pub fn forward(model: &dyn Model, prompts: &[&[u32]], tap: &mut dyn Tap) -> Result<Tensor> {
    if prompts.iter().any(|ids| ids.is_empty()) {
        return Err(Error::failed("a prompt has no tokens").hint("give a text or token ids"));
    }
    let lengths: Vec<usize> = prompts.iter().map(|ids| ids.len()).collect();
    let segments = Segments::packed(&lengths);
    let resid = model.start(&model.embed(&prompts.concat())?, &segments)?;
    model.blocks(resid, &segments, tap)
}
