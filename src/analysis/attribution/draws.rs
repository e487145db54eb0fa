//! Random numbers that are the same on every machine and in every version: ChaCha8, and distributions made of its bits.

use crate::export::Array;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Random numbers of a seed and a stream: sample 7 draws the same whether or not sample 6 was drawn before.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The generator of the sample with number `stream`.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self(random)
    }

    /// 64 coins.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform among `0..n`; 0 where there is nothing to choose from.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize // biased by less than n / 2⁶⁴
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// The numbers `0..n` in a random order (Fisher and Yates).
    pub fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last + 1));
        }
        order
    }
}

/// Random draws of a method, for other implementations to repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// `noise` `[sample, token, d_model]`, `alpha` `[sample]` or `baseline_ids` `[sample, token]`.
    pub name: &'static str,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The numbers, row-major.
    pub values: Vec<f32>,
}

impl Draws {
    /// As one more array of a method's data.
    pub fn array(&self) -> Array {
        Array { name: self.name.into(), shape: self.shape.clone(), values: self.values.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_never_changes() {
        let mut dice = Dice::new(7, 3);
        let drawn = [dice.unit(), dice.normal(), dice.below(1000) as f64, dice.unit()];
        // From a ChaCha8 written in Python after RFC 8439 and the seeding that rand_core documents.
        let recorded = [0.181_541_863_951_255_38, 0.437_669_036_393_946_66, 334.0, 0.351_216_407_072_099_56];
        assert!(drawn.iter().zip(recorded).all(|(a, b)| (a - b).abs() < 1e-12), "{drawn:?}");
    }

    #[test]
    fn a_normal_draw_has_mean_0_and_deviation_1() {
        let mut dice = Dice::new(1, 0);
        let drawn: Vec<f64> = (0..20_000).map(|_| dice.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn a_random_order_has_every_number_once() {
        let mut order = Dice::new(1, 0).order(50);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
