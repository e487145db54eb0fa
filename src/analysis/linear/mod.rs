//! What a linear probe can read off a model's residual stream (Alain and Bengio 2017), with the means to tell reading from memorising
//! (Hewitt and Liang 2019).

mod draws;
mod fit;
mod residuals;

pub use draws::{control, split};
pub use residuals::{Pool, Reading, residuals, sites};

use crate::error::Result;
use fit::{Rows, Weights, fit, logits};

/// Inverse strengths of the penalty, as scikit-learn's `C`, the strongest penalty first; the one with the best accuracy on dev is taken.
pub const STRENGTHS: [f64; 5] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0];

/// Which part of the data an example is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The weights are fitted to it.
    Train,
    /// The penalty is chosen by it.
    Dev,
    /// The accuracy is that on it.
    Test,
}

/// How well a probe does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The inverse strength that was chosen.
    pub strength: f64,
    /// Accuracy on train.
    pub train: f64,
    /// Accuracy on dev.
    pub dev: f64,
    /// Accuracy on test.
    pub test: f64,
}

/// Fits a probe to rows `[example, d]` and counts. Each column is standardised by its mean and deviation on train. Labels of which
/// train has none are never right. Runs on the calling thread, so that the numbers do not depend on how many probes run beside it.
///
/// # Errors
/// Rows that are not finite.
pub fn probe(x: &[f32], d: usize, labels: &[usize], parts: &[Part]) -> Result<Score> {
    let of = |part: Part| (0..labels.len()).filter(|at| parts[*at] == part).collect::<Vec<_>>();
    let [train, dev, test] = [Part::Train, Part::Dev, Part::Test].map(of);
    let mut known: Vec<usize> = train.iter().map(|at| labels[*at]).collect();
    known.sort_unstable();
    known.dedup();
    let scaling = Scaling::of(x, d, &train);
    let class = |at: &usize| known.binary_search(&labels[*at]).ok();
    let [rows, dev_rows, test_rows] = [&train, &dev, &test].map(|places| scaling.rows(x, d, places));
    let [truth, dev_truth, test_truth] =
        [&train, &dev, &test].map(|places| places.iter().map(class).collect::<Vec<_>>());
    let own: Vec<usize> = truth.iter().flatten().copied().collect();
    let data = Rows { x: &rows, d, labels: &own, classes: known.len() };
    let right = |x: &[f32], weights: &[f64], truth: &[Option<usize>]| right(x, d, weights, known.len(), truth);

    let (mut weights, mut best): (Weights, Option<Score>) = (vec![0.0; known.len() * (d + 1)], None);
    for strength in STRENGTHS {
        weights = fit(&data, 1.0 / (strength * own.len() as f64), weights)?;
        let on_dev = right(&dev_rows, &weights, &dev_truth);
        if best.is_none_or(|best| on_dev > best.dev) {
            let (train, test) = (right(&rows, &weights, &truth), right(&test_rows, &weights, &test_truth));
            best = Some(Score { strength, train, dev: on_dev, test });
        }
    }
    Ok(best.unwrap_or_default())
}

/// The share of rows whose largest logit is the truth's.
fn right(x: &[f32], d: usize, weights: &[f64], classes: usize, truth: &[Option<usize>]) -> f64 {
    let best =
        |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0))).map(|(at, _)| at);
    let logits = logits(x, d, weights, classes);
    let hits = logits.chunks(classes).zip(truth).filter(|(row, truth)| truth.is_some() && best(row) == **truth).count();
    hits as f64 / truth.len() as f64
}

/// Means and deviations of columns.
struct Scaling(Vec<(f64, f64)>);

impl Scaling {
    fn of(x: &[f32], d: usize, places: &[usize]) -> Self {
        let n = places.len() as f64;
        let mut all = vec![(0.0, 0.0); d];
        let mut add = |to: &dyn Fn(&mut (f64, f64), f64)| {
            for at in places {
                all.iter_mut().zip(&x[at * d..]).for_each(|(column, value)| to(column, f64::from(*value)));
            }
        };
        add(&|column, value| column.0 += value / n);
        add(&|column, value| column.1 += (value - column.0).powi(2) / n);
        Self(all.into_iter().map(|(mean, square)| (mean, square.sqrt())).collect())
    }

    /// The rows at these places, standardised; a column that is always the same becomes 0 on train.
    fn rows(&self, x: &[f32], d: usize, places: &[usize]) -> Vec<f32> {
        let scaled = |(value, (mean, deviation)): (&f32, &(f64, f64))| {
            ((f64::from(*value) - mean) / if *deviation > 0.0 { *deviation } else { 1.0 }) as f32
        };
        places.iter().flat_map(|at| x[at * d..].iter().zip(&self.0).map(scaled)).collect()
    }
}

#[cfg(test)]
mod tests;
