//! What attribution explains: one number of the model's prediction at one position.

use crate::named::Named;
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
    const ALSO: &'static [(Self, &'static str)] = &[
        (Self::Logit, "logits"),
        (Self::LogProb, "log-prob"),
        (Self::LogProb, "logp"),
        (Self::LogProb, "log-probability"),
        (Self::Probability, "probability"),
    ];
}

/// A next token at a position, or a class of the text, alone or against another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// The position that predicts.
    pub position: usize,
    /// The token that it predicts; of a model with classes, the class.
    pub target: u32,
    /// The other token or class, whose number is subtracted.
    pub foil: Option<u32>,
    /// How a prediction becomes a number.
    pub of: Of,
}
