//! Backward rules that share out an effect instead of following the slope (RelP, Jafari et al. 2025): the forward pass has the same
//! numbers, the backward pass takes a norm's scale for a constant, an activation for the factor that it is at its input, and gives each
//! factor of a product half.

use super::Nonlinearity;
use super::ops::LayerNorm;
use candle_core::{D, Result, Tensor};

/// How a forward pass is followed backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slopes {
    /// By the derivative.
    #[default]
    Exact,
    /// By these rules.
    Relevance,
}

impl Slopes {
    /// A norm.
    pub(super) fn norm(self, norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
        let y = norm.forward(x)?;
        if self == Self::Exact {
            return Ok(y);
        }
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + norm.eps)?.sqrt()?.recip()?.detach();
        followed(y, centred.broadcast_mul(&scale)?.broadcast_mul(&norm.weight.tensor()?.to_dtype(x.dtype())?)?)
    }

    /// An activation.
    pub(super) fn nonlinearity(self, f: Nonlinearity, x: &Tensor, fused: bool) -> Result<Tensor> {
        let y = f.forward(x, fused)?;
        if self == Self::Exact {
            return Ok(y);
        }
        let (at, y) = (x.detach(), y.detach());
        let zero = at.eq(0.0)?;
        let ones = at.ones_like()?;
        let factor = zero.where_cond(&(&ones * f.slope_at_zero())?, &(&y / zero.where_cond(&ones, &at)?)?)?;
        followed(y, (x * factor)?)
    }

    /// A factor of a product of two.
    pub(super) fn factor(self, x: Tensor) -> Result<Tensor> {
        if self == Self::Exact { Ok(x) } else { (&x * 0.5)? + (x.detach() * 0.5)? }
    }
}

/// The numbers of `y` with the derivative of `along`.
fn followed(y: Tensor, along: Tensor) -> Result<Tensor> {
    let nothing = (&along - along.detach())?;
    y.detach() + nothing
}
