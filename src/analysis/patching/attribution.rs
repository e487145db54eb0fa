//! Attribution patching: every cell's effect estimated from two forward passes and one backward (Nanda 2023; RelP: Jafari et al. 2025).

use super::{By, Pair, Rule};
use crate::analysis::attribution::cut;
use crate::analysis::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Segments, Site, Slopes, Tap};
use candle_core::{Tensor, Var};

/// The estimated share of every cell, `[layer][cell]`: `(a_source − a_base) · ∂m/∂a` at the run that is patched.
///
/// # Errors
/// Logits that are not finite; a gradient that is cut off.
pub fn estimate(pair: &Pair, by: By, rule: Rule) -> Result<Vec<Vec<f64>>> {
    let (model, at, len) = (pair.model, pair.at.activation(), pair.visible());
    let layers = model.spec().layers;
    if rule == Rule::Relp && !model.shares_out() {
        return Err(Error::usage("this model has no backward pass by RelP's rules")
            .hint("estimate by the gradient")
            .option("rule"));
    }
    let trace = |layer| pair.base.trace.get(at, layer, 0);
    let zeros = (0..layers).map(|layer| Ok(Var::from_tensor(&trace(layer)?.zeros_like()?)?)).collect::<Result<_>>()?;
    let slopes = if rule == Rule::Relp { Slopes::Relevance } else { Slopes::Exact };
    let mut added = Added { at, zeros, slopes };
    let resid = model.blocks(
        model.start(&model.embed(&pair.base.ids)?, &Segments::packed(&[len]))?,
        &Segments::packed(&[len]),
        &mut added,
    )?;
    let last = resid.narrow(0, len - 1, 1)?;
    let ids = pair.question.ids();
    let normed = match rule {
        Rule::Gradient => model.final_norm(&last)?,
        Rule::Relp => Var::from_tensor(&model.final_norm(&last)?.detach())?.as_tensor().clone(),
    };
    let logits = model.unembed(&normed, ids.as_deref())?;
    let (_, slopes) = pair.question.measure(&numbers(&logits)?, &pair.clean)?;
    let slopes = Tensor::new(slopes, logits.device())?.to_dtype(logits.dtype())?.reshape(logits.shape())?;
    let mut objective = (&logits * slopes)?.sum_all()?;
    if rule == Rule::Relp {
        // The final norm's scale is a constant as well.
        let row = numbers(objective.backward()?.get(&normed).ok_or_else(cut)?)?;
        let (direction, _) = model.pull_back(&numbers(&last)?, &row)?;
        let direction = Tensor::new(direction, last.device())?.to_dtype(last.dtype())?.unsqueeze(0)?;
        objective = (&last * direction)?.sum_all()?;
    }
    let gradients = objective.backward()?;
    let [base, source] = pair.values();
    let of_layer = |layer: usize| -> Result<Vec<f64>> {
        let gradient = gradients.get(&added.zeros[layer]).ok_or_else(cut)?;
        let moved = (pair.source.trace.get(at, layer, 0)? - trace(layer)?)?;
        let effect = (moved * gradient)?;
        // Patterns are [heads, queries, keys], all else is [positions, …].
        let kept = usize::from((by == By::Head) != (at == Activation::Pattern));
        let others: Vec<usize> = (0..effect.rank()).filter(|dim| *dim != kept).collect();
        let sums = numbers(&effect.to_dtype(candle_core::DType::F64)?.sum(others)?)?;
        Ok(sums.into_iter().map(|sum| sum / (source - base)).collect())
    };
    (0..layers).map(of_layer).collect()
}

/// Adds nothing, in a way that has a gradient.
struct Added {
    at: Activation,
    zeros: Vec<Var>,
    slopes: Slopes,
}

impl Tap for Added {
    fn wants(&self, site: Site) -> bool {
        site.at == self.at
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        Ok((x + self.zeros[site.layer].as_tensor())?)
    }

    fn slopes(&self) -> Slopes {
        self.slopes
    }
}
