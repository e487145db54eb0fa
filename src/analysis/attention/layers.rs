//! A pass whose layers are looked at one at a time, after it is over: what was kept of a layer, or what it computes again of what entered
//! it, bit for bit. Patterns of a long prompt take more memory than all else, and time to make them again takes little.

use super::gathering::Gathering;
use super::{Attention, Extent, Extra, Map, Pass, Request, values_of};
use crate::error::{Error, Result};
use crate::export::Take;
use crate::model::{Activation, Model, Segments, Site, Tap};
use candle_core::Tensor;

/// Rows whose logits are computed together.
const ROWS: usize = 128;

/// The layers of a pass over one prompt.
pub struct Layers<'a> {
    model: &'a dyn Model,
    pass: Pass,
    /// What the pass was asked to compute for itself: see [`Request::see`].
    see: Vec<Activation>,
}

impl<'a> Layers<'a> {
    /// Those of a pass that kept what is wanted of them, or [`Activation::ResidPre`].
    pub fn new(model: &'a dyn Model, pass: Pass, see: &[Activation]) -> Self {
        Self { model, pass, see: see.to_vec() }
    }

    /// The whole maps of one layer, as a request for it gives them.
    ///
    /// # Errors
    /// An activation that was neither kept nor can be made again.
    pub fn maps(&self, layer: usize, request: &Request) -> Result<Vec<Map>> {
        let request = Request { layers: vec![layer], pool: None, ..request.clone() };
        let pattern = self.activation(Activation::Pattern, layer)?;
        let extent = Extent::causal(pattern.dims()[1]);
        let mut gathering = Gathering::new(&request, extent);
        values_of(&pattern, |values| gathering.layer(layer, values, &request.heads, 1e-4))?;
        drop(pattern);
        Ok(gathering.finish().maps)
    }

    /// The numbers of an extra array, a piece at a time.
    ///
    /// # Errors
    /// As [`Self::maps`]; what `take` returns.
    pub fn extra(&self, extra: Extra, of: &Attention, take: Take) -> Result<()> {
        let mut whole = |x: &Tensor| values_of(&x.contiguous()?, &mut *take);
        let normed = || self.model.final_norm(&self.pass.resid);
        match extra {
            Extra::Logits => {
                let (normed, n) = (normed()?, self.pass.resid.dims()[0]);
                let rows = |first| -> Result<Tensor> { Ok(normed.narrow(0, first, ROWS.min(n - first))?) };
                (0..n).step_by(ROWS).try_for_each(|first| whole(&self.model.unembed(&rows(first)?, None)?))
            }
            Extra::Hidden => {
                let mut layers = 0..self.model.spec().layers;
                layers.try_for_each(|layer| whole(&self.activation(Activation::ResidPre, layer)?))?;
                whole(&normed()?)
            }
            Extra::Scores => of.layers.iter().try_for_each(|layer| {
                let scores = self.activation(Activation::Scores, *layer)?; // [head, query, key]
                of.heads.iter().try_for_each(|head| {
                    let mut scores: Vec<f32> = scores.get(*head)?.flatten_all()?.to_vec1()?;
                    let n = scores.len().isqrt();
                    let hide = |(query, scores): (usize, &mut [f32])| scores[query + 1..].fill(f32::NEG_INFINITY);
                    scores.chunks_mut(n).enumerate().for_each(hide);
                    take(&scores)
                })
            }),
        }
    }

    fn activation(&self, at: Activation, layer: usize) -> Result<Tensor> {
        if let Ok(kept) = self.pass.trace.get(at, layer, 0) {
            return Ok(kept.clone());
        }
        let entering = self.pass.trace.get(Activation::ResidPre, layer, 0)?;
        let mut tap = Until { at, see: &self.see, found: None };
        let done = self.model.block(layer, entering, &Segments::packed(&[entering.dims()[0]]), &mut tap);
        match (tap.found, done) {
            (Some(found), _) => Ok(found),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(Error::failed(format!("layer {layer} shows no {at:?}"))),
        }
    }
}

/// Goes as far as one activation of a block, and no further.
struct Until<'a> {
    at: Activation,
    see: &'a [Activation],
    found: Option<Tensor>,
}

impl Tap for Until<'_> {
    fn wants(&self, site: Site) -> bool {
        site.at == self.at || self.see.contains(&site.at)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        if site.at != self.at {
            return Ok(x);
        }
        self.found = Some(x.detach());
        Err(Error::failed("this is as far as it goes"))
    }
}
