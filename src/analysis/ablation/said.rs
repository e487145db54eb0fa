//! What a model says of an answer, and how far two distributions of the next token are apart.

use crate::analysis::logits::Softmax;
use crate::analysis::next::rank;
use crate::error::{Error, Result};

/// What a model says of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    /// The answer's logit.
    pub logit: f64,
    /// The natural logarithm of its probability.
    pub log_p: f64,
    /// Its place among all tokens, from 1; ties go to the smaller id.
    pub rank: usize,
    /// The foil's logit.
    pub foil: Option<f64>,
}

impl Said {
    /// Of an answer and a foil, from the logits of one position.
    ///
    /// # Errors
    /// Logits that are not finite, or of other tokens.
    pub fn of(logits: &[f64], answer: u32, foil: Option<u32>) -> Result<Self> {
        let logit = |id: u32| {
            logits.get(id as usize).copied().ok_or_else(|| Error::usage(format!("the model has no token {id}")))
        };
        let (own, softmax) = (logit(answer)?, Softmax::new(logits)?);
        Ok(Self {
            logit: own,
            log_p: softmax.log_probability(own),
            rank: rank(logits, answer),
            foil: foil.map(logit).transpose()?,
        })
    }

    /// The logit minus the foil's.
    pub fn difference(&self) -> Option<f64> {
        self.foil.map(|foil| self.logit - foil)
    }
}

/// `KL(a ‖ b)` of the next token in nats, from the logits of both.
///
/// # Errors
/// Logits that are not finite, or of two vocabularies.
pub fn kl(a: &[f64], b: &[f64]) -> Result<f64> {
    if a.len() != b.len() {
        return Err(Error::failed("the two distributions are over different vocabularies"));
    }
    let (of_a, of_b) = (Softmax::new(a)?, Softmax::new(b)?);
    let term = |(x, y): (&f64, &f64)| {
        let p = of_a.probability(*x);
        if p > 0.0 { p * (of_a.log_probability(*x) - of_b.log_probability(*y)) } else { 0.0 }
    };
    Ok(a.iter().zip(b).map(term).sum::<f64>().max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ranked_among_all_tokens_and_ties_go_to_the_smaller_id() {
        let said = |answer| Said::of(&[1.0, 3.0, 3.0, 2.0], answer, Some(0)).unwrap();
        assert_eq!([1, 2, 3, 0].map(|id| said(id).rank), [1, 2, 3, 4]);
        assert_eq!(said(3).difference(), Some(1.0));
        assert!(Said::of(&[1.0], 1, None).is_err() && Said::of(&[f64::NAN], 0, None).is_err());
    }

    #[test]
    fn the_divergence_is_that_of_scipy() {
        // scipy.stats.entropy([.5, .25, .25], [.1, .6, .3])
        let ln = |p: [f64; 3]| p.map(f64::ln);
        let found = kl(&ln([0.5, 0.25, 0.25]), &ln([0.1, 0.6, 0.3])).unwrap();
        assert!((found - 0.540_271_382_7).abs() < 1e-9, "{found}");
        assert_eq!(kl(&[1.0, 2.0], &[1.0, 2.0]).unwrap(), 0.0);
        assert!(kl(&[0.0], &[0.0, 1.0]).is_err());
    }
}
