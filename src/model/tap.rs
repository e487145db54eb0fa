//! The one hook into a forward pass: which activations it passes by, and what may be done with them.

use super::{Segments, Slopes};
use crate::error::Result;
use candle_core::Tensor;

/// An activation, by TransformerLens' name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Entering a block, `[len, d_model]`.
    ResidPre,
    /// Queries as they meet the keys (turned by their position, in a model that does so), `[len, heads, d_head]`.
    Q,
    /// Keys likewise, without those of the past, `[len, kv_heads, d_head]`.
    K,
    /// Values, without those of the past, `[len, kv_heads, d_head]`.
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

impl Activation {
    /// All of them, in the order in which a block shows them.
    pub const ALL: [Self; 11] = [
        Self::ResidPre,
        Self::Q,
        Self::K,
        Self::V,
        Self::Scores,
        Self::Pattern,
        Self::Z,
        Self::AttnOut,
        Self::ResidMid,
        Self::MlpOut,
        Self::ResidPost,
    ];
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
    ///
    /// # Errors
    /// Whatever stops the forward pass.
    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor>;
    /// Whether it always answers with what it was shown, so that it may be shown what was kept of an equal pass.
    fn only_looks(&self) -> bool {
        false
    }
    /// How the pass is followed backwards; by the derivative, unless a tap says otherwise. A model may know of no other way.
    fn slopes(&self) -> Slopes {
        Slopes::Exact
    }
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
    fn only_looks(&self) -> bool {
        true
    }
}

/// The tap's answer, where it wants to be asked: what a model calls with an activation of one segment.
///
/// # Errors
/// Those of the tap.
pub fn visit(tap: &mut dyn Tap, site: Site, x: Tensor) -> Result<Tensor> {
    if tap.wants(site) { tap.visit(site, x) } else { Ok(x) }
}

/// The same for an activation of all segments together, `[rows, …]`, shown to the tap one segment at a time.
///
/// # Errors
/// Those of the tap.
pub fn visit_rows(tap: &mut dyn Tap, at: Activation, layer: usize, segments: &Segments, x: Tensor) -> Result<Tensor> {
    let site = |segment: usize| Site { at, layer, segment };
    if !(0..segments.len()).any(|segment| tap.wants(site(segment))) {
        return Ok(x);
    }
    let mut parts = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        parts.push(visit(tap, site(index), x.narrow(0, segment.start, segment.len)?)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 0)? })
}

/// Whether the tap wants anything between the queries, keys and values of a layer and what its heads carry.
pub(super) fn watches_attention(tap: &dyn Tap, layer: usize, segments: &Segments) -> bool {
    let inside = [Activation::Q, Activation::K, Activation::V, Activation::Scores, Activation::Pattern, Activation::Z];
    (0..segments.len()).any(|segment| inside.iter().any(|at| tap.wants(Site { at: *at, layer, segment })))
}
