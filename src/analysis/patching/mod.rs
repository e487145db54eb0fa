//! Which parts of a run make the difference between two prompts: activation patching, exact and estimated.
//!
//! One of two runs, the base, is given one activation of the other, the source, and goes on from there; how far the answer moves from
//! the base's to the source's is the effect (Meng et al. 2022; Wang et al. 2022).

mod attribution;
pub mod edges;
mod run;

pub use attribution::estimate;
pub use run::{Cell, Pair};

use super::logits::Softmax;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Spec};
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// Where an activation is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// The residual stream entering a block.
    #[default]
    ResidPre,
    /// The residual stream between attention and MLP.
    ResidMid,
    /// What attention adds.
    AttnOut,
    /// What the MLP adds.
    MlpOut,
    /// What heads carry.
    Z,
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// The attention itself.
    Pattern,
}

impl Named for Where {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::ResidPre, "resid_pre", "The residual stream entering a block"),
        (Self::ResidMid, "resid_mid", "The residual stream between attention and MLP"),
        (Self::AttnOut, "attn_out", "What attention adds"),
        (Self::MlpOut, "mlp_out", "What the MLP adds"),
        (Self::Z, "z", "What heads carry, before the output matrix"),
        (Self::Q, "q", "Queries"),
        (Self::K, "k", "Keys"),
        (Self::V, "v", "Values"),
        (Self::Pattern, "pattern", "The attention itself, after the softmax"),
    ];
    const ALSO: &'static [(Self, &'static str)] = &[
        (Self::ResidPre, "resid-pre"),
        (Self::ResidMid, "resid-mid"),
        (Self::AttnOut, "attn-out"),
        (Self::MlpOut, "mlp-out"),
    ];
}

impl Where {
    /// The activation.
    pub fn activation(self) -> Activation {
        match self {
            Self::ResidPre => Activation::ResidPre,
            Self::ResidMid => Activation::ResidMid,
            Self::AttnOut => Activation::AttnOut,
            Self::MlpOut => Activation::MlpOut,
            Self::Z => Activation::Z,
            Self::Q => Activation::Q,
            Self::K => Activation::K,
            Self::V => Activation::V,
            Self::Pattern => Activation::Pattern,
        }
    }

    /// Fails where a model's blocks do not show it.
    ///
    /// # Errors
    /// What is not there, as a usage error.
    fn within(self, model: &dyn Model) -> Result<()> {
        if model.shows(self.activation()) {
            return Ok(());
        }
        Err(Error::usage(format!(
            "this model has no {}: attention and MLP of a block read the same residual, and nothing lies between them",
            self.name()
        ))
        .hint("patch resid_pre, attn_out or mlp_out")
        .option("site"))
    }

    /// Whether each head has its own.
    pub fn has_heads(self) -> bool {
        matches!(self, Self::Z | Self::Q | Self::K | Self::V | Self::Pattern)
    }

    /// How many heads it has in a layer: of keys and values as many as are shared.
    pub fn heads(self, spec: &Spec) -> usize {
        if matches!(self, Self::K | Self::V) { spec.kv_heads } else { spec.heads }
    }
}

/// What one cell of the grid replaces of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// One position, in all heads; of the attention, the row of one query.
    Position,
    /// One head, at all positions.
    Head,
}

impl Named for By {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Position, "position", "One position, in all heads; of the attention, one query"),
        (Self::Head, "head", "One head, at all positions"),
    ];
}

/// Which run is given the other's activation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The corrupt run is given the clean one's: what brings the answer back.
    #[default]
    Denoising,
    /// The clean run is given the corrupt one's: what breaks the answer.
    Noising,
}

impl Named for Direction {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Denoising, "denoising", "The corrupt run is given the clean one's: what brings the answer back"),
        (Self::Noising, "noising", "The clean run is given the corrupt one's: what breaks the answer"),
    ];
}

/// What is measured of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The answer's logit minus the foil's.
    #[default]
    LogitDifference,
    /// The natural logarithm of the answer's probability.
    #[serde(rename = "logprob")]
    LogProb,
    /// KL(clean ‖ run) of the next token, in nats.
    Kl,
}

impl Named for Metric {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::LogitDifference, "logit-difference", "The answer's logit minus the foil's"),
        (Self::LogProb, "logprob", "The natural logarithm of the answer's probability"),
        (Self::Kl, "kl", "KL(clean ‖ run) of the next token, in nats"),
    ];
    const ALSO: &'static [(Self, &'static str)] =
        &[(Self::LogitDifference, "logit-diff"), (Self::LogitDifference, "ld"), (Self::LogProb, "log-prob")];
}

/// How the backward pass of an estimate goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// By the gradient.
    #[default]
    Gradient,
    /// By RelP: norms' scales are constants, an activation's derivative is f(x)/x, each factor of a product gets half.
    Relp,
}

impl Named for Rule {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Gradient, "gradient", "By the gradient"),
        (Self::Relp, "relp", "By RelP: norms' scales are constants, f(x)/x for activations, halves of products"),
    ];
}

/// What is asked of the next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The position that predicts.
    pub position: usize,
    /// The answer.
    pub answer: u32,
    /// What it is compared with; needed for the logit difference.
    pub foil: Option<u32>,
    /// What is measured.
    pub metric: Metric,
}

/// A smaller difference between the two runs is rounding, and shares of it mean nothing.
pub const LEAST: f64 = 1e-3;

impl Question {
    /// The only ids whose logits are needed; none where the softmax needs all.
    fn ids(&self) -> Option<Vec<u32>> {
        match (self.metric, self.foil) {
            (Metric::LogitDifference, Some(foil)) => Some(vec![self.answer, foil]),
            _ => None,
        }
    }

    /// The number of one row of logits, and its slope by each of them. `clean` are the clean run's log-probabilities.
    ///
    /// # Errors
    /// Logits that are not finite; a logit difference without a foil.
    fn measure(&self, logits: &[f64], clean: &[f64]) -> Result<(f64, Vec<f64>)> {
        let softmax = Softmax::new(logits)?;
        match self.metric {
            Metric::LogitDifference if self.foil.is_some() => Ok((logits[0] - logits[1], vec![1.0, -1.0])),
            Metric::LogitDifference => {
                Err(Error::usage("a logit difference needs a foil").hint("name one").option("foil"))
            }
            Metric::LogProb => {
                let mut slopes: Vec<f64> = logits.iter().map(|x| -softmax.probability(*x)).collect();
                slopes[self.answer as usize] += 1.0;
                Ok((softmax.log_probability(logits[self.answer as usize]), slopes))
            }
            Metric::Kl => {
                let p = clean.iter().map(|x| x.exp());
                let terms = p.clone().zip(clean).zip(logits);
                let kl = terms.map(|((p, clean), x)| p * (clean - softmax.log_probability(*x))).sum();
                Ok((kl, p.zip(logits).map(|(p, x)| softmax.probability(*x) - p).collect()))
            }
        }
    }
}
