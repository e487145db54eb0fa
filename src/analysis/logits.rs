//! The softmax of one position's logits, in double precision.

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
    fn logits_that_are_not_finite_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(Softmax::new(&[0.0, bad, 1.0]).is_err(), "{bad}");
        }
        assert!(Softmax::new::<f32>(&[]).is_err());
    }
}
