//! The norms before, behind and between the parts of a block: LayerNorm, and RMSNorm, which neither centres nor has a bias.

use super::ops::{LayerNorm, Weight, by_rows, contiguous, double};
use super::vector;
use crate::weights::Param;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// RMSNorm over the last dimension: `x / √(mean x² + eps) · weight` (Zhang & Sennrich 2019).
#[derive(Clone, Debug)]
pub(super) struct RmsNorm {
    /// `[d]`.
    pub weight: Weight,
    /// Added to the mean square.
    pub eps: f64,
}

impl RmsNorm {
    /// `[rows, d]` → `[rows, d]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Mapped(weight) => {
                x.contiguous()?.apply_op1(RmsNormOp { weight: weight.clone(), eps: self.eps as f32 })
            }
            Weight::Dense(weight) => x.broadcast_div(&self.size(x)?)?.broadcast_mul(&weight.to_dtype(x.dtype())?),
        }
    }

    /// What each row is divided by, `[rows, 1]`.
    pub fn size(&self, x: &Tensor) -> Result<Tensor> {
        (x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()
    }
}

/// Either norm.
#[derive(Clone, Debug)]
pub(super) enum Norm {
    Layer(LayerNorm),
    Rms(RmsNorm),
}

impl Norm {
    /// `[rows, d]` → `[rows, d]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer(norm) => norm.forward(x),
            Self::Rms(norm) => norm.forward(x),
        }
    }

    /// What becomes of parts `[parts, rows, d]` of what is normed, the statistics fixed at all of it, `[rows, d]`: linear, without the
    /// bias. In double precision.
    pub fn of_parts(&self, x: &Tensor, parts: &Tensor) -> Result<Tensor> {
        match self {
            Self::Layer(norm) => norm.of_parts(x, parts),
            Self::Rms(norm) => {
                let weight = norm.weight.double()?;
                let size = norm.size(&double(x)?)?; // [rows, 1]
                double(parts)?.broadcast_div(&size)?.broadcast_mul(&weight)
            }
        }
    }

    /// What it adds whatever it is given, `[d]`, in double precision.
    pub fn bias(&self) -> Result<Option<Tensor>> {
        match self {
            Self::Layer(norm) => norm.bias.double().map(Some),
            Self::Rms(_) => Ok(None),
        }
    }

    /// As [`super::Model::pull_back`].
    pub fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        match self {
            Self::Layer(norm) => norm.pull_back(resid, row),
            Self::Rms(norm) => {
                let square = resid.iter().map(|x| x * x).sum::<f64>() / resid.len() as f64;
                let size = (square + norm.eps).sqrt();
                let weight = norm.weight.double()?.to_vec1::<f64>()?;
                Ok((weight.iter().zip(row).map(|(weight, row)| weight * row / size).collect(), 0.0))
            }
        }
    }
}

impl LayerNorm {
    /// As [`super::Model::pull_back`]. The scale is a statistic; centring is linear, and so belongs to the direction.
    pub(super) fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        let (weight, bias) = (self.weight.double()?.to_vec1::<f64>()?, self.bias.double()?.to_vec1::<f64>()?);
        let centre = mean(resid);
        let variance = resid.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / resid.len() as f64;
        let scale = 1.0 / (variance + self.eps).sqrt();
        let weighted: Vec<f64> = weight.iter().zip(row).map(|(weight, row)| weight * row).collect();
        let centre = mean(&weighted);
        let direction = weighted.iter().map(|x| scale * (x - centre)).collect();
        Ok((direction, bias.iter().zip(row).map(|(bias, row)| bias * row).sum()))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

struct RmsNormOp {
    weight: Param,
    eps: f32,
}

impl CustomOp1 for RmsNormOp {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout)?;
        let mut y = vec![0.0; x.len()];
        by_rows(&mut y, x, self.weight.vector().len(), |y, x| {
            vector::rms_norm(y, x, self.weight.vector(), self.eps);
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = RmsNormBack { weight: self.weight.clone(), eps: self.eps };
        Ok(Some(x.contiguous()?.apply_op2_no_bwd(&grad.contiguous()?, &back)?))
    }
}

/// `dx = (g − x̂ · mean(g x̂)) / size`, with `g = dy · weight` and `x̂ = x / size`.
struct RmsNormBack {
    weight: Param,
    eps: f32,
}

impl CustomOp2 for RmsNormBack {
    fn name(&self) -> &'static str {
        "rms_norm_backward"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, grad) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let (weight, d) = (self.weight.vector(), self.weight.vector().len());
        let ones = vec![1.0; d];
        let mut dx = vec![0.0; x.len()];
        dx.par_chunks_mut(d).zip(x.par_chunks(d)).zip(grad.par_chunks(d)).for_each(|((dx, x), grad)| {
            let inverse = vector::rms_norm(dx, x, &ones, self.eps);
            let weighted = || grad.iter().zip(weight).map(|(g, w)| g * w);
            let along: f64 = dx.iter().zip(weighted()).map(|(hat, g)| f64::from(g) * f64::from(*hat)).sum();
            let along = (along / d as f64) as f32;
            dx.iter_mut().zip(weighted()).for_each(|(dx, g)| *dx = inverse * (g - *dx * along));
        });
        Ok((CpuStorage::F32(dx), l1.shape().clone()))
    }
}
