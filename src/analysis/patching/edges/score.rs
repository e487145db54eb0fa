//! The scores of all edges, from as many forward and backward passes as there are steps.

use super::wiring::ENDS;
use super::{Edge, Edges};
use crate::analysis::attribution::{Watch, cut};
use crate::analysis::numbers::numbers;
use crate::error::Result;
use crate::model::{Activation, End, Segments, Site, Tap};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use rayon::prelude::*;
use std::collections::HashMap;

impl Edges<'_> {
    /// Scores every edge: `Σ_positions (a_corrupt − a_clean) · mean_k ∂m/∂in` at the embeddings `e_corrupt + (k/steps)(e_clean − e_corrupt)`,
    /// k from 0; in the order of readers, each reader's edges in the order of writers. `watch` is told of every step.
    ///
    /// # Errors
    /// A gradient that is cut off; logits that are not finite.
    pub fn scores(&self, steps: usize, watch: Watch) -> Result<Vec<Edge>> {
        watch(0, steps);
        let mut sums: Vec<Vec<f64>> = vec![Vec::new(); self.wiring.readers()];
        for step in 0..steps {
            self.add(step as f64 / steps as f64, &mut sums)?;
            watch(1, 0);
        }
        let edge = |(reader, sums): (usize, Vec<f64>)| {
            let score = move |(writer, sum): (usize, f64)| Edge { writer, reader, score: -sum / steps as f64 };
            sums.into_iter().enumerate().map(score)
        };
        Ok(sums.into_iter().enumerate().flat_map(edge).collect())
    }

    /// Adds what each writer's move comes to along the gradient by each reader's input, at one place on the way to the clean embeddings.
    fn add(&self, part: f64, sums: &mut [Vec<f64>]) -> Result<()> {
        let (model, clean, corrupt) = (self.model, &self.clean.embeddings, &self.corrupt.embeddings);
        let segments = Segments::packed(&[clean.dims()[0]]);
        let embeddings = (corrupt + ((clean - corrupt)? * part)?)?;
        let mut leaves = Leaves::default();
        let resid = model.blocks(model.start(&embeddings, &segments)?, &segments, &mut leaves)?;
        let last = Var::from_tensor(&resid.narrow(0, self.question.position, 1)?.detach())?;
        let logits = model.unembed(&model.final_norm(&last)?, self.question.ids().as_deref())?;
        let (_, slopes) = self.question.measure(&numbers(&logits)?, &self.known)?;
        let slopes = Tensor::new(slopes, logits.device())?.to_dtype(logits.dtype())?.reshape(logits.shape())?;
        let at_last = (&logits * slopes)?.sum_all()?.backward()?.get(&last).ok_or_else(cut)?.clone();
        let objective = (resid.narrow(0, self.question.position, 1)? * &at_last)?.sum_all()?;
        let gradients = objective.backward()?;
        for layer in 0..self.wiring.layers {
            self.along(self.wiring.first(layer), &self.by_reader(layer, &leaves, &gradients)?, sums)?;
        }
        let before = resid.zeros_like()?.narrow(0, 0, self.question.position)?;
        let at_logits = Tensor::cat(&[&before, &at_last], 0)?.flatten_all()?.unsqueeze(0)?;
        self.along(self.wiring.first(self.wiring.layers), &at_logits, sums)
    }

    /// The gradient by the input of each reader of a layer, `[readers, positions · d]`.
    fn by_reader(&self, layer: usize, leaves: &Leaves, gradients: &GradStore) -> Result<Tensor> {
        let at = |at: Activation| gradients.get(&leaves.zeros[&(at, layer)]).ok_or_else(cut);
        let (scores, values) =
            (at(Activation::Scores)?.to_dtype(DType::F64)?, at(Activation::V)?.to_dtype(DType::F64)?);
        let resid = leaves.resids[layer].to_dtype(DType::F64)?;
        let heads = self.wiring.heads;
        let of_reader = |reader: usize| -> Result<Tensor> {
            let (end, head) = (ENDS[reader / heads], reader % heads);
            let by_scores = scores.get(head)?.contiguous()?; // [queries, keys]
            let gradient = match end {
                End::Query => by_scores.matmul(&self.read(layer, head, End::Key, &resid)?)?,
                End::Key => by_scores.t()?.contiguous()?.matmul(&self.read(layer, head, End::Query, &resid)?)?,
                End::Value => values.narrow(1, head, 1)?.squeeze(1)?,
            };
            let input = Var::from_tensor(&resid)?;
            let objective = (self.read(layer, head, end, &input)? * gradient)?.sum_all()?;
            Ok(objective.backward()?.get(&input).ok_or_else(cut)?.to_dtype(self.moved.dtype())?)
        };
        let mut rows = (0..ENDS.len() * heads).into_par_iter().map(of_reader).collect::<Result<Vec<_>>>()?;
        // What is written between the attention and the MLP reaches the MLP and what the MLP adds to.
        rows.push((at(Activation::ResidMid)? - at(Activation::MlpOut)?)?);
        Ok(Tensor::stack(&rows, 0)?.flatten_from(1)?)
    }

    /// Adds the moves of the writers that readers see, from `first` on, along their gradients `[readers, positions · d]`.
    fn along(&self, first: usize, gradients: &Tensor, sums: &mut [Vec<f64>]) -> Result<()> {
        let products = gradients.matmul(&self.moved.t()?)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        for (reader, products) in (first..).zip(products) {
            let sum = &mut sums[reader];
            sum.resize(self.wiring.sees(reader), 0.0);
            sum.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
        Ok(())
    }

    /// What a head makes of what it reads, `[positions, d_head]`, in double precision; queries are scaled.
    pub(super) fn read(&self, layer: usize, head: usize, end: End, input: &Tensor) -> Result<Tensor> {
        let (read, constant) = self.model.head_in((layer, head, end), 0, input, &input.unsqueeze(0)?)?;
        Ok((read.squeeze(0)? + constant)?)
    }
}

/// Adds nothing where gradients are asked for, and keeps what enters each layer.
#[derive(Default)]
struct Leaves {
    zeros: HashMap<(Activation, usize), Var>,
    resids: Vec<Tensor>,
}

impl Tap for Leaves {
    fn wants(&self, site: Site) -> bool {
        use Activation as At;
        matches!(site.at, At::ResidPre | At::Scores | At::V | At::ResidMid | At::MlpOut)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        if site.at == Activation::ResidPre {
            self.resids.push(x.detach());
            return Ok(x);
        }
        let zero = Var::from_tensor(&x.zeros_like()?)?;
        let sum = (x + zero.as_tensor())?;
        self.zeros.insert((site.at, site.layer), zero);
        Ok(sum)
    }
}
