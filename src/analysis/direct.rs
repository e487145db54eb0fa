//! Direct logit attribution: a logit as the sum of what each component of the model adds to the residual stream.
//!
//! Elhage et al. 2021. The final LayerNorm's scale is frozen at its value at the position; its centring is linear and
//! applies to each component.

use crate::error::{Error, Result};
use crate::model::{Model, Segments, Spec};
use crate::trace::{Activation, Recorder};
use candle_core::{DType, Tensor, Var};

/// How far the parts may be from the logit: absolutely, and as a share of their summed sizes, which is what f32 leaves.
const TOLERANCE: (f64, f64) = (1e-3, 1e-5);

/// A logit, or the difference of two, as contributions that add up to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// Contribution of the token's embedding.
    pub embedding: f64,
    /// Contribution of its position's embedding.
    pub position: f64,
    /// Contribution of each head, `[layer, head]`.
    pub heads: Vec<f64>,
    /// Contribution of the bias of attention's output, `[layer]`.
    pub attn_bias: Vec<f64>,
    /// Contribution of each MLP with its biases, `[layer]`.
    pub mlp: Vec<f64>,
    /// Contribution of the final LayerNorm's bias.
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
    let mut writers = vec![at(&embeddings)?, at(&positions)?];
    for layer in 0..spec.layers {
        let z = trace.get(Activation::Z, layer, 0)?.narrow(0, position, 1)?; // [1, heads, d_head]
        let heads = model.head_out(layer, &z)?.squeeze(1)?.to_dtype(DType::F64)?; // [heads, d]
        writers.extend(heads.to_vec2::<f64>()?);
        writers.push(model.attn_bias(layer)?.to_dtype(DType::F64)?.to_vec1()?);
        writers.push(at(trace.get(Activation::MlpOut, layer, 0)?)?);
    }

    let row = resid.narrow(0, position, 1)?; // [1, d]
    let normed = model.final_norm(&row)?;
    let target = match target {
        Some(target) => target,
        None => model.unembed(&normed, None)?.argmax(1)?.to_vec1::<u32>()?[0],
    };
    let tokens: Vec<u32> = std::iter::once(target).chain(foil).collect();
    let explained = |normed: &Tensor| -> Result<Tensor> {
        let logits = model.unembed(normed, Some(&tokens))?.squeeze(0)?;
        Ok(if foil.is_some() { (logits.get(0)? - logits.get(1)?)? } else { logits.get(0)? })
    };
    let logit = explained(&normed)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let row_of_unembedding = gradient(&normed, explained)?;
    let frozen = Frozen::new(model, &at(&resid)?)?;
    let parts = frozen.parts(spec, &writers, &row_of_unembedding);
    let centred = if foil.is_some() {
        parts.clone()
    } else {
        let mean = gradient(&normed, |normed| Ok(model.unembed(normed, None)?.mean_all()?))?;
        let above: Vec<f64> = row_of_unembedding.iter().zip(mean).map(|(row, mean)| row - mean).collect();
        frozen.parts(spec, &writers, &above)
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

/// The final LayerNorm at one position, its scale fixed.
struct Frozen {
    weight: Vec<f64>,
    bias: Vec<f64>,
    scale: f64,
}

impl Frozen {
    fn new(model: &dyn Model, resid: &[f64]) -> Result<Self> {
        let (weight, bias) = model.final_norm_params()?;
        let mean = mean(resid);
        let variance = resid.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / resid.len() as f64;
        Ok(Self {
            weight: weight.to_dtype(DType::F64)?.to_vec1()?,
            bias: bias.to_dtype(DType::F64)?.to_vec1()?,
            scale: 1.0 / (variance + model.spec().eps).sqrt(),
        })
    }

    /// What each component adds along a row of the unembedding.
    fn parts(&self, spec: &Spec, writers: &[Vec<f64>], row: &[f64]) -> Parts {
        let weighted: Vec<f64> = self.weight.iter().zip(row).map(|(weight, row)| weight * row).collect();
        let mean = mean(&weighted);
        let direction: Vec<f64> = weighted.iter().map(|x| self.scale * (x - mean)).collect();
        let mut values = writers.iter().map(|writer| dot(writer, &direction));
        let mut next = || values.next().unwrap_or_default();
        let mut parts = Parts { embedding: next(), position: next(), bias: dot(&self.bias, row), ..Parts::default() };
        for _ in 0..spec.layers {
            parts.heads.extend((0..spec.heads).map(|_| next()));
            parts.attn_bias.push(next());
            parts.mlp.push(next());
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

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
