//! The mean of every head and MLP over the positions of a prompt or of many.

use crate::analysis::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Site};
use crate::trace::{Recorder, Trace, forward};
use candle_core::{DType, Device, Tensor};
use std::cell::RefCell;

/// Positions that go through the model together, unless one prompt has more.
const ROWS: usize = 512;

/// The means of all parts, in double precision.
pub struct Means {
    /// `[layer]`: of what heads carry, `[1, heads, d_head]`.
    pub(super) z: Vec<Tensor>,
    /// `[layer]`: of what MLPs add, `[1, d_model]`.
    pub(super) mlp: Vec<Tensor>,
}

/// Sums over positions, `[layer]`, of what heads carry and of what MLPs add, and how many positions there were.
pub struct Totals {
    z: Vec<Vec<f64>>,
    mlp: Vec<Vec<f64>>,
    positions: usize,
}

impl Totals {
    /// Over all positions of these prompts; `watch` is told how many are done and how many more are planned.
    ///
    /// # Errors
    /// No prompt, or one that the model refuses.
    pub fn of(model: &dyn Model, prompts: &[&[u32]], watch: &dyn Fn(usize, usize)) -> Result<Self> {
        watch(0, prompts.len());
        let layers: Vec<usize> = (0..model.spec().layers).collect();
        let sums = RefCell::new([vec![Vec::new(); layers.len()], vec![Vec::new(); layers.len()]]);
        let add = |which: usize| {
            let sums = &sums;
            move |site: Site, x: &Tensor| -> Result<Option<Tensor>> {
                add_to(&mut sums.borrow_mut()[which][site.layer], x)?;
                Ok(None)
            }
        };
        let mut rest = prompts;
        while !rest.is_empty() {
            let mut rows = 0;
            let fits = |ids: &&&[u32]| {
                rows += ids.len();
                rows <= ROWS
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            let recorder = Recorder::new().reduce(Activation::Z, &layers, add(0));
            forward(model, now, &mut recorder.reduce(Activation::MlpOut, &layers, add(1)))?;
            watch(now.len(), 0);
            rest = later;
        }
        let [z, mlp] = sums.into_inner();
        Ok(Self { z, mlp, positions: prompts.iter().map(|ids| ids.len()).sum() })
    }

    /// Over the positions of a run that was recorded.
    ///
    /// # Errors
    /// Activations that were not recorded.
    pub fn of_trace(trace: &Trace, layers: usize) -> Result<Self> {
        let sums = |at: Activation| -> Result<Vec<Vec<f64>>> {
            let of_layer = |layer: usize| {
                let mut sum = Vec::new();
                add_to(&mut sum, trace.get(at, layer, 0)?)?;
                Ok(sum)
            };
            (0..layers).map(of_layer).collect()
        };
        let positions = trace.get(Activation::MlpOut, 0, 0)?.dims()[0];
        Ok(Self { z: sums(Activation::Z)?, mlp: sums(Activation::MlpOut)?, positions })
    }

    /// How many positions they are over.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The means.
    ///
    /// # Errors
    /// No position at all.
    pub fn means(&self, model: &dyn Model) -> Result<Means> {
        if self.positions == 0 {
            return Err(Error::failed("there is no position to take a mean over"));
        }
        let spec = model.spec();
        let mean = |sum: &Vec<f64>, shape: &[usize]| -> Result<Tensor> {
            let mean: Vec<f64> = sum.iter().map(|x| x / self.positions as f64).collect();
            Ok(Tensor::from_vec(mean, shape, &Device::Cpu)?)
        };
        let all = |sums: &[Vec<f64>], shape: &[usize]| -> Result<Vec<Tensor>> {
            sums.iter().map(|sum| mean(sum, shape)).collect()
        };
        Ok(Means { z: all(&self.z, &[1, spec.heads, spec.d_head])?, mlp: all(&self.mlp, &[1, spec.d_model])? })
    }
}

/// Adds up rows `[positions, …]`.
fn add_to(sum: &mut Vec<f64>, x: &Tensor) -> Result<()> {
    let rows = numbers(&x.to_dtype(DType::F64)?.sum(0)?)?;
    if sum.is_empty() {
        *sum = rows;
    } else {
        sum.iter_mut().zip(rows).for_each(|(sum, x)| *sum += x);
    }
    Ok(())
}
