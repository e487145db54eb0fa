//! What becomes of a run without some of its parts: heads and MLPs set to zero, to their mean, or to what they are in another run.
//!
//! A head is its `z`, so that the bias of the output matrix stays; an MLP is its `mlp_out`. What follows sees the change.

mod means;
mod run;
mod said;

pub use means::{Means, Totals};
pub use run::{Ablation, Values};
pub use said::{Said, kl};

use crate::model::Spec;
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// What adds to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A head, by layer and number.
    Head(usize, usize),
    /// An MLP, by its layer.
    Mlp(usize),
    /// All heads and all MLPs.
    All,
}

impl Part {
    /// The layer from which a run without it differs.
    pub fn layer(self) -> usize {
        match self {
            Self::Head(layer, _) | Self::Mlp(layer) => layer,
            Self::All => 0,
        }
    }

    /// The parts of one layer: its heads, and then its MLP.
    pub fn of_layer(layer: usize, spec: &Spec) -> Vec<Self> {
        (0..spec.heads).map(|head| Self::Head(layer, head)).chain([Self::Mlp(layer)]).collect()
    }
}

/// What is taken out: a part at one position, or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The part.
    pub part: Part,
    /// The position; none means all.
    pub position: Option<usize>,
}

/// What takes the place of what is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum With {
    /// Zero.
    #[default]
    Zero,
    /// The part's mean over positions.
    Mean,
    /// What the part is at the same position of another prompt.
    Other,
}

impl Named for With {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Zero, "zero", "Zero"),
        (Self::Mean, "mean", "Its mean over the prompt's positions, or over those of a reference"),
        (Self::Other, "other", "What it is at the same position of another prompt"),
    ];
}
