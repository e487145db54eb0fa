//! One pass over a prompt that several analyses look at.

use super::{Recorder, Trace};
use crate::error::Result;
use crate::model::{Activation, End, Model, Segments, Site, Tap};
use candle_core::Tensor;

/// What is kept of the pass.
const KEPT: [Activation; 6] =
    [Activation::ResidPre, Activation::K, Activation::V, Activation::Pattern, Activation::Z, Activation::MlpOut];

/// A model that has read a prompt: who only looks on is shown what was kept of that pass, bit for bit. Whoever changes something, or looks
/// at anything else, gets the model itself.
pub struct Replay<'a> {
    model: &'a dyn Model,
    ids: Vec<u32>,
    embeddings: Tensor,
    start: Tensor,
    trace: Trace,
    resid: Tensor,
}

impl<'a> Replay<'a> {
    /// Reads the prompt.
    ///
    /// # Errors
    /// Those of [`super::forward`].
    pub fn new(model: &'a dyn Model, ids: &[u32]) -> Result<Self> {
        let embeddings = model.embed(ids)?;
        let segments = Segments::packed(&[ids.len()]);
        let start = model.start(&embeddings, &segments)?;
        let mut recorder = KEPT.into_iter().fold(Recorder::new(), Recorder::keep);
        let resid = model.blocks(start.clone(), &segments, &mut recorder)?;
        Ok(Self { model, ids: ids.to_vec(), embeddings, start, trace: recorder.trace(), resid })
    }

    fn is_whole(&self, segments: &Segments) -> bool {
        matches!(&segments[..], [one] if one.past.is_none() && one.after.is_none() && one.len == self.ids.len())
    }

    /// The sites that a tap wants to see; none where one was not kept.
    fn wanted(&self, tap: &dyn Tap) -> Option<Vec<(Site, &Tensor)>> {
        let sites = (0..self.spec().layers).flat_map(|layer| Activation::ALL.map(|at| Site { at, layer, segment: 0 }));
        sites.filter(|site| tap.wants(*site)).map(|site| Some((site, self.trace.0.get(&site)?))).collect()
    }
}

impl Model for Replay<'_> {
    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        if ids == self.ids { Ok(self.embeddings.clone()) } else { self.model.embed(ids) }
    }

    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor> {
        let is_own = embeddings.id() == self.embeddings.id() && self.is_whole(segments);
        if is_own { Ok(self.start.clone()) } else { self.model.start(embeddings, segments) }
    }

    fn blocks(&self, resid: Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        if resid.id() == self.start.id()
            && self.is_whole(segments)
            && tap.only_looks()
            && let Some(wanted) = self.wanted(tap)
        {
            for (site, x) in wanted {
                tap.visit(site, x.clone())?;
            }
            return Ok(self.resid.clone());
        }
        self.model.blocks(resid, segments, tap)
    }

    fn spec(&self) -> &crate::model::Spec {
        self.model.spec()
    }

    fn behind(&self) -> Option<&dyn Model> {
        Some(self.model)
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        self.model.block(layer, resid, segments, tap)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        self.model.final_norm(resid)
    }

    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        self.model.pull_back(resid, row)
    }

    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        self.model.unembed(normed, ids)
    }

    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        self.model.head_out(layer, z)
    }

    fn head_in(
        &self,
        of: (usize, usize, End),
        first: usize,
        resid: &Tensor,
        written: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        self.model.head_in(of, first, resid, written)
    }

    fn attn_constant(&self, layer: usize) -> Result<Option<Tensor>> {
        self.model.attn_constant(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Source;
    use crate::model::NoTap;
    use crate::session::{Session, open};
    use crate::trace::forward;

    struct Doubles;

    impl Tap for Doubles {
        fn wants(&self, site: Site) -> bool {
            site.at == Activation::MlpOut
        }

        fn visit(&mut self, _: Site, x: Tensor) -> Result<Tensor> {
            Ok((x * 2.0)?)
        }
    }

    #[test]
    fn who_only_looks_sees_the_pass_and_nothing_is_computed_again() {
        let session = Session::new(open(&Source::Builtin).unwrap()).unwrap();
        let (model, ids) = (session.model(), [3u32, 14, 15, 92]);
        let replay = Replay::new(model, &ids).unwrap();
        let look = |model: &dyn Model| {
            let mut recorder = Recorder::new().keep(Activation::Pattern).keep(Activation::Z);
            let resid = forward(model, &[&ids], &mut recorder).unwrap();
            let of = |at| recorder.trace.get(at, 2, 0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            (resid.id(), of(Activation::Pattern), of(Activation::Z))
        };
        let (own, again) = (look(model), look(&replay));
        assert_eq!((&own.1, &own.2, again.0), (&again.1, &again.2, replay.resid.id()));
        let values = |model: &dyn Model, ids: &[u32], tap: &mut dyn Tap| {
            forward(model, &[ids], tap).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        for ids in [&ids[..], &ids[..3]] {
            assert_eq!(values(&replay, ids, &mut Doubles), values(model, ids, &mut Doubles), "who changes it runs it");
            assert_eq!(values(&replay, ids, &mut NoTap), values(model, ids, &mut NoTap));
        }
        assert_ne!(values(&replay, &ids, &mut Doubles), values(&replay, &ids, &mut NoTap));
        let mut unkept = Recorder::new().keep(Activation::Scores);
        forward(&replay, &[&ids], &mut unkept).unwrap();
        assert!(unkept.trace.get(Activation::Scores, 0, 0).is_ok(), "what was not kept is computed");
    }
}
