//! What tokens and positions bring into the residual, gathered over the whole vocabulary and the whole context.

use super::of_deviation_one;
use crate::error::Result;
use crate::model::{Model, Segments};
use candle_core::{DType, Device, Tensor};

/// Tokens that are read together.
const TOGETHER: usize = 4096;

/// Moments of the embeddings of all tokens and all positions, in double precision.
pub(super) struct Embeddings {
    /// The covariance of tokens, `[d, d]`, and of positions.
    pub tokens: Tensor,
    /// See `tokens`.
    pub positions: Tensor,
    /// The mean of their sum, `[1, d]`.
    pub mean: Tensor,
    /// The root of the mean variance within a token at a position: what the first norm divides by, about.
    pub deviation: f64,
    /// Whether positions have embeddings.
    pub has_positions: bool,
    /// The sum over tokens of what comes in times what is looked for in the end, `[d, d]`; none without a language-model head.
    pub copied: Option<Tensor>,
}

impl Embeddings {
    pub fn read(model: &dyn Model) -> Result<Self> {
        let spec = model.spec();
        let (d, vocab) = (spec.d_model, spec.vocab as u32);
        let zeros = || Tensor::zeros((d, d), DType::F64, &Device::Cpu);
        let (mut square, mut sum) = (zeros()?, Tensor::zeros((1, d), DType::F64, &Device::Cpu)?);
        let (mut copied, units) = (zeros()?, Tensor::eye(d, DType::F32, &Device::Cpu)?);
        for first in (0..vocab).step_by(TOGETHER) {
            let ids: Vec<u32> = (first..vocab.min(first + TOGETHER as u32)).collect();
            let rows = model.embed(&ids)?.to_dtype(DType::F32)?; // [ids, d]
            let columns = rows.t()?.contiguous()?;
            // Single precision within some thousand tokens, double beyond.
            let product = |right: &Tensor| -> Result<Tensor> { Ok(columns.matmul(right)?.to_dtype(DType::F64)?) };
            let own = product(&rows)?;
            square = (square + &own)?;
            sum = (sum + rows.to_dtype(DType::F64)?.sum_keepdim(0)?)?;
            if model.has_logits() {
                let unembedding = model.unembed_uncapped(&units, Some(&ids))?.to_dtype(DType::F32)?; // [d, ids]
                // Where the two are tied, it is the same product.
                let is_tied =
                    unembedding.flatten_all()?.to_vec1::<f32>()? == columns.flatten_all()?.to_vec1::<f32>()?;
                copied = (copied + if is_tied { own } else { product(&unembedding.t()?.contiguous()?)? })?;
            }
        }
        let of_tokens = (sum / f64::from(vocab))?;
        let tokens = ((square / f64::from(vocab))? - of_tokens.t()?.matmul(&of_tokens)?)?;
        let nothing = Tensor::zeros((spec.context, d), DType::F32, &Device::Cpu)?;
        let rows = model.start(&nothing, &Segments::packed(&[spec.context]))?.to_dtype(DType::F64)?;
        let has_positions = rows.abs()?.max_all()?.to_scalar::<f64>()? > 0.0;
        let of_positions = rows.mean_keepdim(0)?;
        let centred = rows.broadcast_sub(&of_positions)?;
        let positions = (centred.t()?.matmul(&centred)? / spec.context as f64)?;
        let mean = (of_tokens + of_positions)?;
        let moment = ((&tokens + &positions)? + mean.t()?.matmul(&mean)?)?;
        // The variance within a vector is its mean square less the square of its mean.
        let squares = (moment.to_owned() * Tensor::eye(d, DType::F64, &Device::Cpu)?)?.sum_all()?.to_scalar::<f64>()?;
        let means = moment.sum_all()?.to_scalar::<f64>()? / d as f64;
        let deviation = ((squares - means) / d as f64).max(f64::MIN_POSITIVE).sqrt();
        let copied = model.has_logits().then(|| looked_for(model, &copied)).transpose()?;
        Ok(Self { tokens, positions, mean, deviation, has_positions, copied })
    }
}

/// The same with the final norm before the unembedding, at deviation 1.
fn looked_for(model: &dyn Model, copied: &Tensor) -> Result<Tensor> {
    let d = model.spec().d_model;
    let resid: Vec<f64> = of_deviation_one(d)?.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect();
    let mut directions = Vec::with_capacity(d * d);
    for k in 0..d {
        let unit: Vec<f64> = (0..d).map(|i| if i == k { 1.0 } else { 0.0 }).collect();
        directions.extend(model.pull_back(&resid, &unit)?.0);
    }
    Ok(copied.matmul(&Tensor::from_vec(directions, (d, d), &Device::Cpu)?)?)
}
