//! What an explanation explains: one number of the model's prediction at one position.

use crate::error::Result;
use crate::model::Model;
use crate::named::Named;
use candle_core::{D, Tensor};
use serde::{Deserialize, Serialize};

/// How a prediction becomes a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// The logit.
    Logit,
    /// The natural logarithm of the probability.
    #[default]
    LogProb,
    /// The probability.
    #[serde(rename = "prob")]
    Probability,
}

impl Named for Of {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Logit, "logit", "The logit"),
        (Self::LogProb, "logprob", "The natural logarithm of the probability"),
        (Self::Probability, "prob", "The probability"),
    ];
}

/// A next token at a position, or this token rather than that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// The position that predicts.
    pub position: usize,
    /// The token that it predicts.
    pub target: u32,
    /// The token instead of which; its number is subtracted.
    pub foil: Option<u32>,
    /// How a prediction becomes a number.
    pub of: Of,
}

impl Objective {
    /// The number, a scalar on the gradient's tape, from the last `resid_post` of the prompt, `[len, d_model]`.
    pub fn value(&self, model: &dyn Model, resid: &Tensor) -> Result<Tensor> {
        let row = model.final_norm(&resid.narrow(0, self.position, 1)?)?; // [1, d]
        let tokens: Vec<u32> = std::iter::once(self.target).chain(self.foil).collect();
        let chosen = match (self.of, self.foil) {
            // The normaliser of two log-probabilities cancels.
            (Of::Logit, _) | (Of::LogProb, Some(_)) => model.unembed(&row, Some(&tokens))?,
            (Of::LogProb | Of::Probability, _) => {
                let logits = model.unembed(&row, None)?; // [1, vocab]
                let log_probs = logits.broadcast_sub(&logits.log_sum_exp(D::Minus1)?.unsqueeze(1)?)?;
                let chosen = log_probs.index_select(&Tensor::new(&tokens[..], resid.device())?, 1)?;
                if self.of == Of::Probability { chosen.exp()? } else { chosen }
            }
        };
        let chosen = chosen.squeeze(0)?; // [target, foil]
        Ok(match self.foil {
            Some(_) => (chosen.get(0)? - chosen.get(1)?)?,
            None => chosen.get(0)?,
        })
    }
}
