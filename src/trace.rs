//! The one hook into a forward pass, and the recorder that keeps what was asked for.

use crate::error::{Error, Result};
use crate::model::{Model, Past, Segments};
use candle_core::Tensor;
use std::collections::HashMap;
use std::sync::Arc;

/// An activation, by TransformerLens' name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Entering a block, `[len, d_model]`.
    ResidPre,
    /// Queries, `[len, heads, d_head]`.
    Q,
    /// Keys, without those of the past, `[len, heads, d_head]`.
    K,
    /// Values, without those of the past, `[len, heads, d_head]`.
    V,
    /// Scaled scores before the mask, `[heads, len, keys]`.
    Scores,
    /// The softmax pattern, `[heads, len, keys]`, rows sum to 1.
    Pattern,
    /// What each head carries, `[len, heads, d_head]`.
    Z,
    /// What attention adds, `[len, d_model]`.
    AttnOut,
    /// Between attention and MLP, `[len, d_model]`.
    ResidMid,
    /// What the MLP adds, `[len, d_model]`.
    MlpOut,
    /// Leaving a block, `[len, d_model]`.
    ResidPost,
}

/// Where in a forward pass: an activation of one layer and one segment (prompt) of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Which activation.
    pub at: Activation,
    /// Of which layer.
    pub layer: usize,
    /// Of which prompt in the batch.
    pub segment: usize,
}

/// The one hook: sees an activation, returns it or something else.
///
/// A recorder keeps what it sees; a patch returns another tensor; an ablation zeroes a head; adding a zero `Var` gives
/// the gradient there (candle keeps none for intermediate results).
pub trait Tap {
    /// Whether `visit` shall be called at this site. Sites nobody wants cost nothing.
    fn wants(&self, site: Site) -> bool;
    /// What the forward pass goes on with.
    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor>;
}

/// A tap that wants nothing.
pub struct NoTap;

impl Tap for NoTap {
    fn wants(&self, _: Site) -> bool {
        false
    }
    fn visit(&mut self, _: Site, x: Tensor) -> Result<Tensor> {
        Ok(x)
    }
}

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
}

/// Recorded activations, by site.
#[derive(Default, Clone, Debug)]
pub struct Trace(HashMap<Site, Tensor>);

impl Trace {
    /// An activation that was recorded.
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
