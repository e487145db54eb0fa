//! Attribution patching: every cell's effect estimated from two forward passes and one backward (Nanda 2023; RelP: Jafari et al. 2025).

use super::{By, Pair, Rule, Where};
use crate::analysis::attribution::cut;
use crate::analysis::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Segments, Site, Slopes, Tap};
use candle_core::{Tensor, Var};

/// The estimated share of every cell of some sites, `[site][layer][cell]`: `(a_source − a_base) · ∂m/∂a` at the run that is patched, from one
/// pass and its backward whatever the number of sites.
///
/// # Errors
/// Logits that are not finite; a gradient that is cut off.
pub fn estimate(pair: &Pair, sites: &[(Where, By)], rule: Rule) -> Result<Vec<Vec<Vec<f64>>>> {
    let (model, len) = (pair.model, pair.visible());
    let layers = model.spec().layers;
    if rule == Rule::Relp && !model.shares_out() {
        return Err(Error::usage("this model has no backward pass by RelP's rules")
            .hint("estimate by the gradient")
            .option("rule"));
    }
    let zeros = |at: Activation| -> Result<(Activation, Vec<Var>)> {
        let zero = |layer| Ok(Var::from_tensor(&pair.base.trace.get(at, layer, 0)?.zeros_like()?)?);
        Ok((at, (0..layers).map(zero).collect::<Result<_>>()?))
    };
    let slopes = if rule == Rule::Relp { Slopes::Relevance } else { Slopes::Exact };
    let zeros = sites.iter().map(|(at, _)| zeros(at.activation())).collect::<Result<Vec<_>>>()?;
    let mut added = Added { zeros, slopes };
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
    let of_layer = |by: By, at: Activation, layer: usize, zero: &Var| -> Result<Vec<f64>> {
        let gradient = gradients.get(zero).ok_or_else(cut)?;
        let moved = (pair.source.trace.get(at, layer, 0)? - pair.base.trace.get(at, layer, 0)?)?;
        let effect = (moved * gradient)?;
        // Patterns are [heads, queries, keys], all else is [positions, …].
        let kept = usize::from((by == By::Head) != (at == Activation::Pattern));
        let others: Vec<usize> = (0..effect.rank()).filter(|dim| *dim != kept).collect();
        let sums = numbers(&effect.to_dtype(candle_core::DType::F64)?.sum(others)?)?;
        Ok(sums.into_iter().map(|sum| sum / (source - base)).collect())
    };
    let of_site = |((_, by), (at, zeros)): (&(Where, By), &(Activation, Vec<Var>))| {
        zeros.iter().enumerate().map(|(layer, zero)| of_layer(*by, *at, layer, zero)).collect()
    };
    sites.iter().zip(&added.zeros).map(of_site).collect()
}

/// Adds nothing at some sites, in a way that has a gradient: `[site]`, each with its layers.
struct Added {
    zeros: Vec<(Activation, Vec<Var>)>,
    slopes: Slopes,
}

impl Tap for Added {
    fn wants(&self, site: Site) -> bool {
        self.zeros.iter().any(|(at, _)| *at == site.at)
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        match self.zeros.iter().find(|(at, _)| *at == site.at) {
            Some((_, zeros)) => Ok((x + zeros[site.layer].as_tensor())?),
            None => Ok(x),
        }
    }

    fn slopes(&self) -> Slopes {
        self.slopes
    }
}
