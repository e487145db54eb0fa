//! The MLP's pointwise function, fused and composite, with its slope.

use super::ops::{contiguous, each};
use super::vector;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// The pointwise function of the MLP, by its name in Hugging Face configs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonlinearity {
    /// `max(0, x)`.
    Relu,
    /// `x Φ(x)`, with the error function.
    Gelu,
    /// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`: also `gelu_pytorch_tanh` and `gelu_fast`.
    GeluNew,
    /// `x · sigmoid(1.702 x)`.
    QuickGelu,
    /// `x · sigmoid(x)`: also `swish`.
    Silu,
    /// `tanh x`.
    Tanh,
}

impl Nonlinearity {
    /// The function of that name in a config, if it is one.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "relu" => Self::Relu,
            "gelu" => Self::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Self::GeluNew,
            "quick_gelu" => Self::QuickGelu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            _ => return None,
        })
    }

    /// Every element of x, by the fused or the composite path.
    ///
    /// # Errors
    /// A type or device that the path does not compute in.
    pub fn forward(self, x: &Tensor, fused: bool) -> Result<Tensor> {
        if fused {
            return x.contiguous()?.apply_op1(self);
        }
        match self {
            Self::Relu => x.relu(),
            Self::Gelu => x.gelu_erf(),
            Self::GeluNew => x.gelu(),
            Self::QuickGelu => x * candle_nn::ops::sigmoid(&(x * 1.702)?)?,
            Self::Silu => x.silu(),
            Self::Tanh => x.tanh(),
        }
    }

    /// `f(x)/x` where x is 0: its limit, and of ReLU, which has none, 0.
    pub(super) fn slope_at_zero(self) -> f64 {
        match self {
            Self::Relu => 0.0,
            Self::Tanh => 1.0,
            _ => 0.5,
        }
    }

    fn apply(self, x: &mut [f32]) {
        match self {
            Self::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
            Self::Gelu => x.iter_mut().for_each(|x| *x *= normal_cdf(*x)),
            Self::GeluNew => vector::gelu_new(x),
            Self::QuickGelu => vector::swish(x, 1.702),
            Self::Silu => vector::swish(x, 1.0),
            Self::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
        }
    }

    fn slope(self, x: &mut [f32]) {
        const DENSITY_AT_0: f32 = 0.398_942_3; // 1 / √(2π)
        match self {
            Self::Relu => x.iter_mut().for_each(|x| *x = f32::from(*x > 0.0)),
            Self::Gelu => x.iter_mut().for_each(|x| *x = normal_cdf(*x) + *x * DENSITY_AT_0 * (-0.5 * *x * *x).exp()),
            Self::GeluNew => vector::gelu_new_slope(x),
            Self::QuickGelu => vector::swish_slope(x, 1.702),
            Self::Silu => vector::swish_slope(x, 1.0),
            Self::Tanh => x.iter_mut().for_each(|x| *x = 1.0 - x.tanh().powi(2)),
        }
    }
}

/// `Φ(x)`, by the complement so that the left tail keeps its digits.
fn normal_cdf(x: f32) -> f32 {
    0.5 * libm::erfcf(-x * std::f32::consts::FRAC_1_SQRT_2)
}

impl CustomOp1 for Nonlinearity {
    fn name(&self) -> &'static str {
        "nonlinearity"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = contiguous(storage, layout)?;
        let mut y = x.to_vec();
        each(&mut y, |y| self.apply(y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((x.contiguous()?.apply_op1_no_bwd(&Slope(*self))? * grad)?))
    }
}

struct Slope(Nonlinearity);

impl CustomOp1 for Slope {
    fn name(&self) -> &'static str {
        "nonlinearity_slope"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut y = contiguous(storage, layout)?.to_vec();
        each(&mut y, |y| self.0.slope(y));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }
}
