//! From logits to probabilities, in double precision: the softmax of all, or the logistic function of each.

use crate::error::{Error, Result};

/// What turns a logit into a probability, and the entropy of all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softmax {
    max: f64,
    /// `Σ exp(x − max)`.
    total: f64,
    /// In nats.
    pub entropy: f64,
}

impl Softmax {
    /// Of logits `[vocab]`.
    ///
    /// # Errors
    /// Logits that are not all finite.
    pub fn new<T: Copy + Into<f64>>(logits: &[T]) -> Result<Self> {
        let max = logits.iter().map(|x| (*x).into()).fold(f64::NEG_INFINITY, f64::max);
        let (mut total, mut weighted) = (0.0, 0.0);
        for x in logits {
            let x = (*x).into() - max;
            let weight = x.exp();
            total += weight;
            weighted += weight * x; // 0 · ∞ is not finite either
        }
        if !(max.is_finite() && weighted.is_finite()) {
            return Err(not_finite());
        }
        Ok(Self { max, total, entropy: (total.ln() - weighted / total).max(0.0) })
    }

    /// `ln Σ exp x`.
    pub fn log_sum_exp(&self) -> f64 {
        self.max + self.total.ln()
    }

    /// The probability of a token with this logit.
    pub fn probability(&self, logit: f64) -> f64 {
        (logit - self.max).exp() / self.total
    }

    /// The natural logarithm of the probability, exact where the probability itself is too small for a number.
    pub fn log_probability(&self, logit: f64) -> f64 {
        logit - self.max - self.total.ln()
    }
}

/// `1 / (1 + exp −x)`.
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Its natural logarithm, exact where the probability itself is too small for a number.
pub(crate) fn ln_logistic(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// A broken checkpoint: its logits overflow or are no numbers.
pub(crate) fn not_finite() -> Error {
    Error::failed("the model's logits are not finite")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_and_their_logarithms_agree() {
        let logits = [1.5f32, -2.0, 0.25, 700.0, 699.0];
        let softmax = Softmax::new(&logits).unwrap();
        let p: Vec<f64> = logits.iter().map(|x| softmax.probability(f64::from(*x))).collect();
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-15, "{p:?}");
        // e / (1 + e) and 1 / (1 + e); the others are 10⁻³⁰³.
        assert!((p[3] - 0.731_058_578_630_004_9).abs() < 1e-15, "{p:?}");
        assert!((softmax.log_probability(1.5) + 698.813_261_687_518_2).abs() < 1e-9);
        assert!((softmax.log_sum_exp() - 700.313_261_687_518_2).abs() < 1e-9);
        assert!((softmax.entropy - 0.582_203_108_888_218).abs() < 1e-12, "{}", softmax.entropy);
        let even = Softmax::new(&[3.0f64; 8]).unwrap();
        assert!((even.entropy - 8f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn the_logistic_function_and_its_logarithm_agree() {
        for x in [-30.0, -1.5, 0.0, 0.25, 12.0f64] {
            assert!((logistic(x).ln() - ln_logistic(x)).abs() < 1e-12, "{x}");
            assert!((logistic(x) + logistic(-x) - 1.0).abs() < 1e-15, "{x}");
        }
        // 1 / (1 + e^−1); the others are 10⁻³⁴⁸ and 1.
        assert!((logistic(1.0) - 0.731_058_578_630_004_9).abs() < 1e-15);
        assert_eq!([ln_logistic(-800.0), ln_logistic(800.0)], [-800.0, 0.0]);
    }

    #[test]
    fn logits_that_are_not_finite_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(Softmax::new(&[0.0, bad, 1.0]).is_err(), "{bad}");
        }
        assert!(Softmax::new::<f32>(&[]).is_err());
    }
}
