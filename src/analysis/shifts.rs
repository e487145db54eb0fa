//! How two distributions of the next token differ.

use super::logits::Softmax;
use crate::error::{Error, Result};

/// A token's probability in both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The token.
    pub id: u32,
    /// Its probabilities.
    pub p: [f64; 2],
}

impl Shift {
    /// By how much the second is larger.
    pub fn change(&self) -> f64 {
        self.p[1] - self.p[0]
    }
}

/// What differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Shifts {
    /// Jensen and Shannon's divergence in bits: 0 where they are the same, 1 where they share no token.
    pub bits: f64,
    /// The tokens that gain most in the second, and those that lose most, the furthest first.
    pub tokens: [Vec<Shift>; 2],
}

/// Compares two distributions, given as logits `[vocab]`; `most` tokens are named either way.
///
/// # Errors
/// Logits that are not finite, or of two vocabularies.
pub fn shifts(logits: [&[f32]; 2], most: usize) -> Result<Shifts> {
    if logits[0].len() != logits[1].len() {
        return Err(Error::failed("the two distributions are over different vocabularies"));
    }
    let [a, b] = [Softmax::new(logits[0])?, Softmax::new(logits[1])?];
    let both = logits[0].iter().zip(logits[1]);
    let all: Vec<Shift> = both
        .enumerate()
        .map(|(id, (x, y))| Shift { id: id as u32, p: [a.probability((*x).into()), b.probability((*y).into())] })
        .collect();
    let part = |p: f64, middle: f64| if p > 0.0 { p * (p / middle).log2() } else { 0.0 };
    let divergence = |Shift { p: [p, q], .. }: &Shift| (part(*p, (p + q) / 2.0) + part(*q, (p + q) / 2.0)) / 2.0;
    let bits = all.iter().map(divergence).sum::<f64>().max(0.0);
    let furthest = |sign: f64| {
        let mut own: Vec<Shift> = all.iter().filter(|shift| shift.change() * sign > 0.0).copied().collect();
        own.sort_by(|x, y| (y.change() * sign).total_cmp(&(x.change() * sign)).then(x.id.cmp(&y.id)));
        own.truncate(most);
        own
    };
    Ok(Shifts { bits, tokens: [furthest(1.0), furthest(-1.0)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_that_share_no_token_are_one_bit_apart() {
        let far = shifts([&[0.0, -200.0, -200.0], &[-200.0, 0.0, -200.0]], 5).unwrap();
        assert!((far.bits - 1.0).abs() < 1e-9);
        assert_eq!(far.tokens.each_ref().map(|own| own[0].id), [1, 0]);
        let same = shifts([&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]], 5).unwrap();
        assert!(same.bits < 1e-15);
    }

    #[test]
    fn the_divergence_is_that_of_scipy() {
        // scipy.spatial.distance.jensenshannon([.5, .25, .25], [.1, .6, .3], 2) ** 2
        let ln = |p: [f32; 3]| p.map(f32::ln);
        let found = shifts([&ln([0.5, 0.25, 0.25]), &ln([0.1, 0.6, 0.3])], 1).unwrap();
        assert!((found.bits - 0.160_193_019).abs() < 1e-6, "{}", found.bits);
        assert_eq!(found.tokens.each_ref().map(Vec::len), [1, 1]);
        assert!(shifts([&[0.0], &[0.0, 1.0]], 1).is_err() && shifts([&[f32::NAN], &[0.0]], 1).is_err());
    }
}
