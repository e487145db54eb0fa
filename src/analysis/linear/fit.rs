//! Multinomial logistic regression with an L2 penalty: the objective is ours, L-BFGS is argmin's.

use crate::error::{Error, Result};
use crate::model::kernel::{self, View};
use argmin::core::{CostFunction, Error as Stopped, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use std::cell::RefCell;

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 10;
const MOST_STEPS: u64 = 300;
/// The search is over where the root mean square of the gradient is below this.
const FLAT: f64 = 1e-5;
/// Or where a step wins less: what products in f32 can tell of a mean loss.
const LOWER: f64 = 1e-8;
/// The narrowest bracket of a line search, relative to its end.
const NARROW: f64 = 1e-3;

/// Rows with a class each.
pub(super) struct Rows<'a> {
    /// `[row, d]`.
    pub x: &'a [f32],
    pub d: usize,
    /// The class of each row, below `classes`.
    pub labels: &'a [usize],
    pub classes: usize,
}

/// `[class, d]`, then a constant for each class, which is not penalised.
pub(super) type Weights = Vec<f64>;

/// The weights of the least mean cross-entropy plus `penalty / 2 · ‖W‖²`, from `start`. Runs on the calling thread alone, so that its
/// bits depend on nothing but its rows.
///
/// # Errors
/// A start that gives no finite loss.
pub(super) fn fit(rows: &Rows, penalty: f64, start: Weights) -> Result<Weights> {
    let problem =
        Objective { rows, penalty, last: RefCell::default(), best: RefCell::new((f64::INFINITY, start.clone())) };
    let failed = |error: Stopped| Error::failed(format!("the regression cannot be fitted: {error}"));
    let search = MoreThuenteLineSearch::new().with_width_tolerance(NARROW).map_err(failed)?;
    let solver = LBFGS::new(search, MEMORY)
        .with_tolerance_grad(FLAT * (start.len() as f64).sqrt())
        .and_then(|solver| solver.with_tolerance_cost(LOWER))
        .map_err(failed)?;
    // A line search that finds nothing lower has come as far as f32 can tell: the best of all that was seen is what counts.
    let ended = Executor::new(&problem, solver)
        .configure(|state| state.param(start).max_iters(MOST_STEPS))
        .ctrlc(false)
        .run()
        .map(drop);
    let (loss, best) = problem.best.into_inner();
    if loss.is_finite() {
        return Ok(best);
    }
    Err(failed(ended.err().unwrap_or_else(|| Stopped::msg("its loss is not finite"))))
}

struct Objective<'a> {
    rows: &'a Rows<'a>,
    penalty: f64,
    /// The last point with its loss and gradient: both are asked for, one after the other.
    last: RefCell<(Weights, f64, Weights)>,
    best: RefCell<(f64, Weights)>,
}

impl Objective<'_> {
    fn at(&self, weights: &Weights) {
        if self.last.borrow().0 == *weights {
            return;
        }
        let (loss, slope) = loss(self.rows, self.penalty, weights);
        if loss < self.best.borrow().0 {
            *self.best.borrow_mut() = (loss, weights.clone());
        }
        *self.last.borrow_mut() = (weights.clone(), loss, slope);
    }
}

impl CostFunction for &Objective<'_> {
    type Param = Weights;
    type Output = f64;

    fn cost(&self, weights: &Weights) -> Result<f64, Stopped> {
        self.at(weights);
        Ok(self.last.borrow().1)
    }
}

impl Gradient for &Objective<'_> {
    type Param = Weights;
    type Gradient = Weights;

    fn gradient(&self, weights: &Weights) -> Result<Weights, Stopped> {
        self.at(weights);
        Ok(self.last.borrow().2.clone())
    }
}

/// The loss and its gradient.
fn loss(rows: &Rows, penalty: f64, weights: &[f64]) -> (f64, Weights) {
    let Rows { x, d, labels, classes } = *rows;
    let n = labels.len();
    let logits = logits(x, d, weights, classes);
    let mut away = vec![0.0f32; classes * n]; // probability − truth, `[class, row]`
    let (mut total, mut constants) = (0.0, vec![0.0; classes]);
    let mut odds = vec![0.0f64; classes];
    for (row, (logits, label)) in logits.chunks(classes).zip(labels).enumerate() {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        odds.iter_mut().zip(logits).for_each(|(odds, logit)| *odds = f64::from(logit - max).exp());
        let sum: f64 = odds.iter().sum();
        total += sum.ln() - f64::from(logits[*label] - max);
        for (class, odds) in odds.iter().enumerate() {
            let apart = odds / sum - f64::from(u8::from(class == *label));
            constants[class] += apart;
            away[class * n + row] = apart as f32;
        }
    }
    let mut slope = vec![0.0f32; classes * d];
    kernel::product(&mut slope, d, View::new(&away, classes, n, n, 1), View::new(x, n, d, d, 1));
    let (own, share) = (&weights[..classes * d], 1.0 / n as f64);
    let penalised = slope.iter().zip(own).map(|(slope, weight)| f64::from(*slope) * share + penalty * weight);
    let slope = penalised.chain(constants.iter().map(|constant| constant * share)).collect();
    let squares: f64 = own.iter().map(|weight| weight * weight).sum();
    (total * share + penalty / 2.0 * squares, slope)
}

/// `[row, class]`.
pub(super) fn logits(x: &[f32], d: usize, weights: &[f64], classes: usize) -> Vec<f32> {
    let n = x.len() / d;
    let own: Vec<f32> = weights[..classes * d].iter().map(|weight| *weight as f32).collect();
    let mut out = vec![0.0; n * classes];
    kernel::product(&mut out, classes, View::new(x, n, d, d, 1), View::new(&own, classes, d, d, 1).transposed());
    for row in out.chunks_mut(classes) {
        row.iter_mut().zip(&weights[classes * d..]).for_each(|(logit, constant)| *logit += *constant as f32);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::attribution::Dice;

    #[test]
    fn the_gradient_is_that_of_the_loss_and_vanishes_at_the_end() {
        let (n, d, classes) = (60, 5, 3);
        let mut dice = Dice::new(4, 0);
        let x: Vec<f32> = (0..n * d).map(|_| dice.normal() as f32).collect();
        let labels: Vec<usize> = (0..n).map(|_| dice.below(classes)).collect();
        let rows = Rows { x: &x, d, labels: &labels, classes };
        let weights: Weights = (0..classes * (d + 1)).map(|_| dice.normal()).collect();
        let (_, slope) = loss(&rows, 0.1, &weights);
        for (at, slope) in slope.iter().enumerate() {
            let moved = |by: f64| {
                let mut weights = weights.clone();
                weights[at] += by;
                loss(&rows, 0.1, &weights).0
            };
            assert!(((moved(1e-2) - moved(-1e-2)) / 2e-2 - slope).abs() < 1e-3, "{at}");
        }
        let best = fit(&rows, 0.1, weights).unwrap();
        let (_, slope) = loss(&rows, 0.1, &best);
        assert!(slope.iter().all(|slope| slope.abs() < 1e-4), "{slope:?}");
    }
}
