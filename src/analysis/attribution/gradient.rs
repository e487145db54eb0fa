//! Gradient, input × gradient and smoothgrad: the gradient at the prompt, or its mean over noisy copies.

use super::draws::{Dice, Draws};
use super::embeddings::mean_and_deviation;
use super::{Evaluator, Numbers, Request, Score, norm};
use crate::analysis::numbers::numbers;
use crate::error::Result;

/// Smoothgrad's deviation, as a share of that of all embeddings' entries.
const NOISE: f64 = 0.15;

/// `∂y/∂e`, `[visible, d_model]`.
fn gradient(evaluator: &Evaluator) -> Result<Vec<f64>> {
    let mut found = Vec::new();
    evaluator.gradients(1, &|_| Ok(evaluator.embeddings().clone()), &mut |_, _, gradient| {
        found = gradient.to_vec();
        Ok(())
    })?;
    Ok(found)
}

/// `‖∂y/∂e_i‖₂`.
pub fn norms(evaluator: &Evaluator) -> Result<Numbers> {
    Ok(Numbers::Scores(gradient(evaluator)?.chunks(evaluator.width()).map(norm).collect()))
}

/// `e ⊙ ∂y/∂e`.
pub fn input_x_gradient(evaluator: &Evaluator) -> Result<Numbers> {
    Ok(Numbers::Vectors(times(&gradient(evaluator)?, &numbers(evaluator.embeddings())?)))
}

/// `e ⊙ g`, or g alone where norms are asked for; g is the mean of the gradients at `e + noise`.
pub fn smoothgrad(evaluator: &Evaluator, samples: usize, request: &Request, draws: &mut Vec<Draws>) -> Result<Numbers> {
    let deviation = NOISE * mean_and_deviation(evaluator.model())?.1;
    let embeddings = numbers(evaluator.embeddings())?;
    let noise = |sample: usize| -> Vec<f64> {
        let mut dice = Dice::new(request.seed, sample as u64);
        // As single precision holds it: an export gives a reference exactly what was used here.
        embeddings.iter().map(|_| f64::from((deviation * dice.normal()) as f32)).collect()
    };
    let mut mean = vec![0.0; embeddings.len()];
    evaluator.gradients(
        samples,
        &|sample| {
            let noisy: Vec<f64> = embeddings.iter().zip(noise(sample)).map(|(e, n)| e + n).collect();
            evaluator.tensor(&noisy)
        },
        &mut |_, _, gradient| {
            mean.iter_mut().zip(gradient).for_each(|(mean, g)| *mean += g / samples as f64);
            Ok(())
        },
    )?;
    if request.keep_draws {
        let values = (0..samples).flat_map(|sample| noise(sample).into_iter().map(|n| n as f32)).collect();
        draws.push(Draws { name: "noise", shape: vec![samples, evaluator.visible(), evaluator.width()], values });
    }
    Ok(Numbers::Vectors(if request.score == Score::Signed { times(&mean, &embeddings) } else { mean }))
}

fn times(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}
