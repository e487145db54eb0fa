//! Direct logit attribution: a logit as the sum of what each component of the model adds to the residual stream.
//!
//! Elhage et al. 2021. The final norm's statistics are frozen at their values at the position; what else it does is linear and
//! belongs to each writer.

use crate::error::{Error, Result};
use crate::model::{Activation, Model, Segments};
use crate::trace::Recorder;
use candle_core::{DType, Tensor, Var};

/// How far the parts may be from the logit: absolutely, and as a share of their summed sizes, which is what f32 leaves.
const TOLERANCE: (f64, f64) = (1e-3, 1e-5);

/// A logit, or the difference of two, as contributions that add up to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Contribution of the token's embedding.
    pub embedding: f64,
    /// Contribution of its position's embedding; 0 where the model has none.
    pub position: f64,
    /// Contribution of each head, `[layer, head]`.
    pub heads: Vec<f64>,
    /// Contribution of the bias of attention's output, `[layer]`; 0 where the model has none.
    pub attn_bias: Vec<f64>,
    /// Contribution of each MLP with its biases, `[layer]`.
    pub mlp: Vec<f64>,
    /// Contribution of the final norm's bias; 0 where the model has none.
    pub bias: f64,
    /// The sum of all.
    pub total: f64,
}

/// A direct logit attribution.
#[derive(Clone, Debug)]
pub struct Direct {
    /// The token explained.
    pub target: u32,
    /// The logit in parts, or with a foil the difference.
    pub parts: Parts,
    /// The same for the logit minus the mean of all tokens' logits, with which it shares a large part; with a foil the same as
    /// `parts`.
    pub centred: Parts,
    /// The logit, or the difference, that the model computes.
    pub logit: f64,
    /// The last `resid_post`, `[len, d_model]`.
    pub resid: Tensor,
}

/// Attributes the logit of `target` at `position`, or its difference to that of `foil`; without a target, of the token that the
/// model finds most probable there.
///
/// # Errors
/// If the parts do not add up to the logit within 1e-3 (or 1e-5 of their summed sizes, where those are large).
pub fn direct(
    model: &dyn Model,
    ids: &[u32],
    target: Option<u32>,
    foil: Option<u32>,
    position: usize,
) -> Result<Direct> {
    let spec = model.spec();
    let segments = Segments::packed(&[ids.len()]);
    let embeddings = model.embed(ids)?;
    let positions = model.start(&embeddings.zeros_like()?, &segments)?;
    let mut recorder = Recorder::new().keep(Activation::Z).keep(Activation::MlpOut);
    let resid = model.blocks(model.start(&embeddings, &segments)?, &segments, &mut recorder)?;
    let trace = recorder.trace();

    let at = |x: &Tensor| -> Result<Vec<f64>> {
        Ok(x.narrow(0, position, 1)?.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
    };
    let mut writers = Writers { tokens: at(&embeddings)?, positions: at(&positions)?, ..Writers::default() };
    for layer in 0..spec.layers {
        let z = trace.get(Activation::Z, layer, 0)?.narrow(0, position, 1)?; // [1, heads, d_head]
        let heads = model.head_adds(layer, &z)?.squeeze(1)?.to_dtype(DType::F64)?; // [heads, d]
        let constant = model.attn_constant(layer)?.map(|bias| bias.to_dtype(DType::F64)?.to_vec1()).transpose()?;
        let mlp = at(trace.get(Activation::MlpOut, layer, 0)?)?;
        writers.layers.push(Layer { heads: heads.to_vec2()?, constant, mlp });
    }

    let row = resid.narrow(0, position, 1)?; // [1, d]
    let normed = model.final_norm(&row)?;
    let target = match target {
        Some(target) => target,
        None => model.unembed_uncapped(&normed, None)?.argmax(1)?.to_vec1::<u32>()?[0],
    };
    let tokens: Vec<u32> = std::iter::once(target).chain(foil).collect();
    let explained = |normed: &Tensor| -> Result<Tensor> {
        let logits = model.unembed_uncapped(normed, Some(&tokens))?.squeeze(0)?;
        Ok(if foil.is_some() { (logits.get(0)? - logits.get(1)?)? } else { logits.get(0)? })
    };
    let logit = explained(&normed)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let row_of_unembedding = gradient(&normed, explained)?;
    let resid_at = at(&resid)?;
    let parts_along = |row: &[f64]| model.pull_back(&resid_at, row).map(|(along, bias)| writers.parts(&along, bias));
    let parts = parts_along(&row_of_unembedding)?;
    let centred = if foil.is_some() {
        parts.clone()
    } else {
        let mean = gradient(&normed, |normed| Ok(model.unembed_uncapped(normed, None)?.mean_all()?))?;
        let above: Vec<f64> = row_of_unembedding.iter().zip(mean).map(|(row, mean)| row - mean).collect();
        parts_along(&above)?
    };
    let apart = (parts.total - logit).abs();
    if apart.is_nan() || apart > TOLERANCE.0.max(TOLERANCE.1 * parts.size()) {
        return Err(Error::failed(format!("the parts add up to {}, but the logit is {logit}", parts.total))
            .hint("this is a fault of attnviz or of the checkpoint; please report it"));
    }
    Ok(Direct { target, parts, centred, logit, resid })
}

/// The gradient of a linear function of `[1, d]`: its coefficients.
fn gradient(like: &Tensor, function: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<f64>> {
    let at = Var::from_tensor(&like.zeros_like()?)?;
    let gradients = function(at.as_tensor())?.backward()?;
    let gradient = gradients.get(&at).ok_or_else(|| Error::failed("the unembedding has no gradient"))?;
    Ok(gradient.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
}

/// What was written into the residual stream at one position, each `[d_model]`.
#[derive(Default)]
struct Writers {
    tokens: Vec<f64>,
    positions: Vec<f64>,
    layers: Vec<Layer>,
}

/// What one layer wrote.
struct Layer {
    heads: Vec<Vec<f64>>,
    /// What attention adds whatever its heads carry.
    constant: Option<Vec<f64>>,
    mlp: Vec<f64>,
}

impl Writers {
    /// What each adds along a direction, and a constant that nobody wrote.
    fn parts(&self, direction: &[f64], bias: f64) -> Parts {
        let along = |writer: &[f64]| dot(writer, direction);
        let (embedding, position) = (along(&self.tokens), along(&self.positions));
        let mut parts = Parts { embedding, position, bias, ..Parts::default() };
        for layer in &self.layers {
            parts.heads.extend(layer.heads.iter().map(|head| along(head)));
            parts.attn_bias.push(layer.constant.as_deref().map_or(0.0, along));
            parts.mlp.push(along(&layer.mlp));
        }
        parts.total = parts.all().sum();
        parts
    }
}

impl Parts {
    fn all(&self) -> impl Iterator<Item = f64> {
        let single = [self.embedding, self.position, self.bias];
        single.into_iter().chain([&self.heads, &self.attn_bias, &self.mlp].into_iter().flatten().copied())
    }

    /// The summed sizes of all parts.
    fn size(&self) -> f64 {
        self.all().map(f64::abs).sum()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
