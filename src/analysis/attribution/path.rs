//! Integrated gradients and gradient SHAP: gradients along paths from baselines to the prompt.

use super::draws::{Dice, Draws};
use super::{Evaluator, Gap, Request, Steps};
use crate::analysis::numbers::numbers;
use crate::error::Result;

/// The least and the most nodes of [`Steps::Auto`].
const AUTO: [usize; 2] = [16, 1024];

/// Nodes and weights of Gauss–Legendre quadrature on 0..1, exact for polynomials of degree `2n − 1`.
pub fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let node = |i: usize| {
        let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.0;
        // Newton's method on the Legendre polynomial, from a good guess: five rounds reach the last digit.
        for _ in 0..10 {
            let (mut p, mut before) = (1.0, 0.0);
            for k in 0..n {
                (p, before) = (((2 * k + 1) as f64 * x * p - k as f64 * before) / (k + 1) as f64, p);
            }
            slope = n as f64 * (x * p - before) / (x * x - 1.0);
            x -= p / slope;
        }
        (0.5 - 0.5 * x, 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..n).map(node).collect()
}

/// `(e − b) ⊙ ∫ ∂y(b + α (e − b)) dα`, the change `y(e) − y(b)`, and how many nodes it took.
pub fn integrated_gradients(evaluator: &Evaluator, steps: Steps) -> Result<(Vec<f64>, f64, usize)> {
    let (e, b) = (evaluator.embeddings(), evaluator.baseline());
    let values = evaluator.values(2, &|i| Ok(if i == 0 { e.clone() } else { b.clone() }))?;
    let change = values[0] - values[1];
    let delta = (e - b)?;
    let distance: Vec<f64> = numbers(&delta)?;
    let mut nodes = match steps {
        Steps::Fixed(steps) => steps.max(1),
        Steps::Auto => AUTO[0],
    };
    loop {
        let rule = gauss_legendre(nodes);
        let mut sum = vec![0.0; distance.len()];
        evaluator.gradients(nodes, &|i| Ok((b + (&delta * rule[i].0)?)?), &mut |i, _, gradient| {
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += rule[i].1 * g);
            Ok(())
        })?;
        let found: Vec<f64> = sum.iter().zip(&distance).map(|(g, d)| g * d).collect();
        let gap = Gap { gap: found.iter().sum::<f64>() - change, change };
        if steps != Steps::Auto || !gap.is_large() || nodes >= AUTO[1] {
            return Ok((found, change, nodes));
        }
        nodes *= 2;
    }
}

/// `mean_s (e − b_s) ⊙ ∂y(b_s + α_s (e − b_s))` and the change `y(e) − mean_s y(b_s)`.
pub fn gradient_shap(
    evaluator: &Evaluator,
    samples: usize,
    request: &Request,
    draws: &mut Vec<Draws>,
) -> Result<(Vec<f64>, f64)> {
    let (e, len) = (evaluator.embeddings(), evaluator.visible());
    let vocab = evaluator.model().spec().vocab;
    let draw = |sample: usize| -> (f32, Vec<u32>) {
        let mut dice = Dice::new(request.seed, sample as u64);
        let alpha = dice.unit() as f32;
        let id = |dice: &mut Dice| match &request.draw_from[..] {
            [] => dice.below(vocab) as u32,
            ids => ids[dice.below(ids.len())],
        };
        (alpha, (0..len).map(|_| id(&mut dice)).collect())
    };
    let drawn: Vec<(f32, Vec<u32>)> = (0..samples).map(draw).collect();
    let baseline = |sample: usize| evaluator.model().embed(&drawn[sample].1); // [visible, d]
    let mut found = vec![0.0; len * evaluator.width()];
    evaluator.gradients(
        samples,
        &|sample| {
            let b = baseline(sample)?;
            Ok((&b + ((e - &b)? * f64::from(drawn[sample].0))?)?)
        },
        &mut |sample, _, gradient| {
            let distance = numbers(&(e - baseline(sample)?)?)?;
            found.iter_mut().zip(distance).zip(gradient).for_each(|((f, d), g)| *f += d * g / samples as f64);
            Ok(())
        },
    )?;
    let values = evaluator.values(samples + 1, &|i| if i == samples { Ok(e.clone()) } else { baseline(i) })?;
    let change = values[samples] - values[..samples].iter().sum::<f64>() / samples as f64;
    if request.keep_draws {
        let alpha = drawn.iter().map(|(alpha, _)| *alpha).collect();
        let ids = drawn.iter().flat_map(|(_, ids)| ids.iter().map(|id| *id as f32)).collect();
        draws.push(Draws { name: "alpha", shape: vec![samples], values: alpha });
        draws.push(Draws { name: "baseline_ids", shape: vec![samples, len], values: ids });
    }
    Ok((found, change))
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        for n in [1, 2, 3, 16, 50, 1024] {
            let rule = gauss_legendre(n);
            for power in [0, 1, 2 * n as i32 - 1] {
                let integral: f64 = rule.iter().map(|(x, weight)| weight * x.powi(power)).sum();
                let exact = 1.0 / f64::from(power + 1);
                assert!((integral - exact).abs() < 1e-12 * exact.max(1e-2), "{n} nodes, x^{power}: {integral} {exact}");
            }
        }
    }
}
