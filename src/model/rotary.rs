//! Queries and keys turned by their positions (RoFormer, Su et al. 2021), and how configs stretch that over longer contexts.

mod scaling;

pub use scaling::Rotary;
pub(super) use scaling::Usual;

use super::ops::contiguous;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

impl Rotary {
    /// Queries or keys `[len, heads, d_head]` that stand at the first of these positions: the first half of what is turned against its second.
    pub fn turn(&self, x: &Tensor, at: impl Iterator<Item = usize>, fused: bool) -> Result<Tensor> {
        let (len, _, d) = x.dims3()?;
        let half = self.inverse.len();
        if 2 * half > d {
            bail!("{} dimensions of heads of {d} cannot be turned", 2 * half);
        }
        let (cos, sin) = self.angles(at.take(len));
        if fused {
            return x.contiguous()?.apply_op1(Turn { cos, sin, half });
        }
        let along = |values: Vec<f32>| Tensor::from_vec(values, (len, 1, half), x.device())?.to_dtype(x.dtype());
        let (cos, sin) = (along(cos)?, along(sin)?);
        let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let turned_a = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let turned_b = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        let mut parts = vec![turned_a, turned_b];
        if 2 * half < d {
            parts.push(x.narrow(2, 2 * half, d - 2 * half)?);
        }
        Tensor::cat(&parts, 2)
    }

    /// Cosines and sines, `[len, half]`. Angles are in single precision, as transformers has them.
    fn angles(&self, at: impl Iterator<Item = usize>) -> (Vec<f32>, Vec<f32>) {
        let angle = |position: usize, inverse: f32| f64::from(position as f32 * inverse);
        let all = at.flat_map(|at| self.inverse.iter().map(move |inverse| angle(at, *inverse)));
        all.map(|angle| (angle.cos() as f32 * self.factor, angle.sin() as f32 * self.factor)).unzip()
    }
}

struct Turn {
    cos: Vec<f32>,
    sin: Vec<f32>,
    half: usize,
}

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, heads, d) = layout.shape().dims3()?;
        let mut y = contiguous(storage, layout)?.to_vec();
        let half = self.half;
        for (row, y) in y.chunks_mut((heads * d).max(1)).enumerate() {
            let (cos, sin) = (&self.cos[row * half..][..half], &self.sin[row * half..][..half]);
            for head in y.chunks_mut(d) {
                let (a, b) = head[..2 * half].split_at_mut(half);
                for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    /// The same, turned the other way.
    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = Turn { cos: self.cos.clone(), sin: self.sin.iter().map(|x| -x).collect(), half: self.half };
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&back)?))
    }
}
