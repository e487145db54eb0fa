//! A model that another device computes, as one of the CPU: what goes in is carried there, what comes out is carried back.
//!
//! Analyses see f32 on the CPU, whatever computes; so do taps, and what no tap wants stays where it is. Carrying has a backward, so
//! that gradients come back too.

use super::{Backend, End, Model, Past, Segment, Segments, Site, Slopes, Spec, Tap};
use crate::error::{Error, Result};
use crate::named::Named;
use crate::place::{self, Place, Precision};
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;

impl Backend {
    /// The operations of a place.
    ///
    /// # Errors
    /// A device that this program was not built for, or that is not there; a type that is not for it.
    pub fn of(place: Place) -> Result<Self> {
        let dtype = match place.dtype {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        };
        let name = place.device.name();
        let built = |feature: bool| {
            let hint = format!("build it with cargo build --release --features {name}, or compute on the CPU");
            if feature {
                Ok(())
            } else {
                Err(Error::usage(format!("this attnviz was built without {name}")).hint(hint))
            }
        };
        let missing = |e: candle_core::Error| {
            Error::failed(format!("no {name} device can be had: {}", e.to_string().lines().next().unwrap_or_default()))
                .hint("look for its driver, or compute on the CPU")
                .option("device")
        };
        let device = match place.device {
            place::Device::Cpu if place.dtype == Precision::F32 => return Ok(Self::Fused),
            place::Device::Cpu => {
                return Err(Error::usage("the processor computes in f32")
                    .hint("bf16 is for cuda and metal")
                    .option("dtype"));
            }
            place::Device::Cuda => {
                built(cfg!(feature = "cuda")).map_err(|error| error.option("device"))?;
                Device::new_cuda(0)
            }
            place::Device::Metal => {
                built(cfg!(feature = "metal")).map_err(|error| error.option("device"))?;
                Device::new_metal(0)
            }
        };
        Ok(Self::Composite(dtype, device.map_err(missing)?))
    }
}

/// A model whose weights are on another device.
pub struct Away {
    model: Box<dyn Model>,
    device: Device,
}

impl Away {
    /// A model that was loaded for this device.
    pub fn new(model: Box<dyn Model>, device: Device) -> Self {
        Self { model, device }
    }

    fn there(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.to_device(&self.device)?)
    }

    fn segments(&self, segments: &Segments) -> Result<Segments> {
        let each = |segment: &Segment| -> Result<Segment> {
            let all = |x: &[Tensor]| x.iter().map(|x| self.there(x)).collect::<Result<Vec<_>>>();
            let past = |past: &Arc<Past>| -> Result<_> {
                Ok(Arc::new(Past { keys: all(&past.keys)?, values: all(&past.values)? }))
            };
            Ok(Segment { past: segment.past.as_ref().map(past).transpose()?, ..segment.clone() })
        };
        Ok(Segments(segments.iter().map(each).collect::<Result<_>>()?))
    }
}

/// As analyses read it.
fn back(x: &Tensor) -> Result<Tensor> {
    Ok(x.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.contiguous()?)
}

/// Carries what a tap wants.
struct Ferry<'a> {
    tap: &'a mut dyn Tap,
    device: &'a Device,
}

impl Tap for Ferry<'_> {
    fn wants(&self, site: Site) -> bool {
        self.tap.wants(site)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        Ok(self.tap.visit(site, back(&x)?)?.to_device(self.device)?)
    }

    fn slopes(&self) -> Slopes {
        self.tap.slopes()
    }
}

impl Model for Away {
    fn spec(&self) -> &Spec {
        self.model.spec()
    }

    fn behind(&self) -> Option<&dyn Model> {
        Some(&*self.model)
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        back(&self.model.embed(ids)?)
    }

    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor> {
        back(&self.model.start(&self.there(embeddings)?, segments)?)
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let mut ferry = Ferry { tap, device: &self.device };
        back(&self.model.block(layer, &self.there(resid)?, &self.segments(segments)?, &mut ferry)?)
    }

    /// The residual stays there from block to block.
    fn blocks(&self, resid: Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let mut ferry = Ferry { tap, device: &self.device };
        back(&self.model.blocks(self.there(&resid)?, &self.segments(segments)?, &mut ferry)?)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        back(&self.model.final_norm(&self.there(resid)?)?)
    }

    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        self.model.pull_back(resid, row)
    }

    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        back(&self.model.unembed(&self.there(normed)?, ids)?)
    }

    fn unembed_uncapped(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        back(&self.model.unembed_uncapped(&self.there(normed)?, ids)?)
    }

    fn answer(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        back(&self.model.answer(&self.there(normed)?, ids)?)
    }

    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        back(&self.model.head_out(layer, &self.there(z)?)?)
    }

    fn head_adds(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        back(&self.model.head_adds(layer, &self.there(z)?)?)
    }

    /// In double precision, which not every device has: on the CPU.
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
        self.model.attn_constant(layer)?.as_ref().map(back).transpose()
    }
}
