//! A permutation test on pairs: how often chance alone makes a mean difference as large.

use crate::analysis::attribution::Dice;
use rayon::prelude::*;

/// How many permutations are drawn.
pub const DRAWS: usize = 9999;
/// A share of the sum of all sizes that is rounding: sums that are equal but for it are equal.
const ROUNDING: f64 = 1e-12;

/// The two-sided p of the mean of paired differences: which of the two is which is drawn anew within each pair, and the own way
/// counts as one of the draws (Phipson and Smyth 2010). NaN without pairs.
pub fn sign_flips(differences: &[f64], seed: u64) -> f64 {
    if differences.is_empty() {
        return f64::NAN;
    }
    let own = differences.iter().sum::<f64>().abs();
    let slack = ROUNDING * differences.iter().map(|x| x.abs()).sum::<f64>();
    let as_far = |draw: &usize| {
        let mut dice = Dice::new(seed, *draw as u64);
        let signed = |some: &[f64]| {
            let bits = dice.bits();
            some.iter().enumerate().map(|(at, x)| if bits >> at & 1 == 1 { *x } else { -*x }).sum::<f64>()
        };
        differences.chunks(64).map(signed).sum::<f64>().abs() >= own - slack
    };
    let count = (0..DRAWS).into_par_iter().filter(as_far).count();
    (1 + count) as f64 / (1 + DRAWS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_is_the_share_of_all_ways_where_those_are_few() {
        // Of the 16 ways to sign 1, 2, 3, 4, two have a sum as far from 0 as 10; of the others, those where both 4 agree.
        for (differences, exact) in [([1.0, 2.0, 3.0, 4.0], 2.0 / 16.0), ([-1.0, -1.0, 4.0, 4.0], 8.0 / 16.0)] {
            let p = sign_flips(&differences, 0);
            assert!((p - exact).abs() < 0.02, "{p} {exact}");
            assert_eq!(p, sign_flips(&differences, 0));
            assert_ne!(p, sign_flips(&differences, 1));
        }
    }

    #[test]
    fn p_is_uniform_where_there_is_no_difference() {
        let mut dice = Dice::new(5, 5);
        let mut all: Vec<f64> = (0..200)
            .map(|suite| {
                let scale = 1.0 + dice.unit();
                sign_flips(&(0..23).map(|_| scale * dice.normal()).collect::<Vec<_>>(), suite)
            })
            .collect();
        all.sort_by(f64::total_cmp);
        // Kolmogorov and Smirnov's distance, whose 1 % point is 1.63 / √200.
        let far = all.iter().enumerate().map(|(at, p)| (p - (at as f64 + 0.5) / 200.0).abs()).fold(0.0, f64::max);
        assert!(far < 0.115, "{far}");
    }

    #[test]
    fn nothing_but_ties_is_no_difference() {
        assert_eq!(sign_flips(&[0.0; 70], 3), 1.0);
        assert!(sign_flips(&[], 3).is_nan());
    }
}
