//! The options of `lens`.

use crate::findings::{Reading, Style, Target};
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// The options of `lens`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// Which prediction is followed, at every position; with `direct`, which one is explained.
    pub target: Target,
    /// Attribute one answer to the heads, MLPs and embeddings that wrote it (direct logit attribution); off unless asked for.
    pub direct: bool,
    /// How large the residual grows, in which dimensions, and how much attention rests on the first token, instead of answers; off unless
    /// asked for.
    pub norms: bool,
    /// How many of each layer's most probable tokens data files hold, 1 to 100; 1 unless another number is named.
    pub top: u16,
    /// What the colours show; none means the difference to the foil where there is one, else the probability.
    pub colour: Option<Colour>,
    /// How the figure looks.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reading: Reading::default(),
            target: Target::default(),
            direct: false,
            norms: false,
            top: 1,
            colour: None,
            style: Style::default(),
        }
    }
}

/// What the colours of a lens show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// The probability of the final answer, or of the target.
    Probability,
    /// How undecided the layer is, in bits.
    Entropy,
    /// The rank of the final answer, or of the target: 1 is the layer's own answer.
    Rank,
    /// What the layer does not yet know of the final answer: KL(final ‖ layer), in bits.
    Kl,
    /// The logit of the target minus that of the foil.
    Difference,
}

impl Named for Colour {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Probability, "probability", "The probability of the final answer, or of the target"),
        (Self::Entropy, "entropy", "How undecided the layer is, in bits"),
        (Self::Rank, "rank", "The rank of the final answer, or of the target: 1 is the layer's own answer"),
        (Self::Kl, "kl", "What the layer does not yet know of the final answer: KL(final ‖ layer), in bits"),
        (Self::Difference, "difference", "The logit of the target minus that of the foil"),
    ];
    const ALSO: &'static [(Self, &'static str)] = &[(Self::Probability, "prob")];
}

impl Options {
    /// What the colours show.
    pub(super) fn colour(&self) -> Colour {
        self.colour.unwrap_or(if self.target.foil.is_some() { Colour::Difference } else { Colour::Probability })
    }
}
