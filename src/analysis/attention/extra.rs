//! What can be had of a forward pass beside its patterns.

use crate::export::Array;
use crate::model::{Activation, Spec};
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// One more array of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extra {
    /// Logits at every position, `[token, vocab]`.
    Logits,
    /// Hidden states before every layer and, after the final norm, of the last one: `[layer + 1, token, d_model]`.
    Hidden,
    /// Scaled scores of the selected layers and heads, `[layer, head, query, key]`; −∞ where the mask hides a key.
    Scores,
}

impl Named for Extra {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Logits, "logits", "Logits at every position"),
        (Self::Hidden, "hidden", "Hidden states before every layer and after the last"),
        (Self::Scores, "scores", "Scaled scores before the mask"),
    ];
}

impl Extra {
    /// What must be recorded for it.
    pub fn activation(self) -> Option<Activation> {
        match self {
            Self::Hidden => Some(Activation::ResidPre),
            Self::Scores => Some(Activation::Scores),
            Self::Logits => None,
        }
    }
}

impl Extra {
    /// The axes of its array for a prompt of so many tokens, of so many layers and heads.
    pub fn shape(self, spec: &Spec, [layers, heads]: [usize; 2], tokens: usize) -> Vec<usize> {
        match self {
            Self::Logits => vec![tokens, spec.vocab],
            Self::Hidden => vec![spec.layers + 1, tokens, spec.d_model],
            Self::Scores => vec![layers, heads, tokens, tokens],
        }
    }

    /// Its array without its numbers, which [`Layers::extra`](super::Layers::extra) makes.
    pub fn array(self, spec: &Spec, counts: [usize; 2], tokens: usize) -> Array {
        Array { name: self.name().into(), shape: self.shape(spec, counts, tokens), values: Vec::new() }
    }
}
