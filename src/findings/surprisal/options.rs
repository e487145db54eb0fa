//! What is asked of surprisal.

use crate::error::{Error, Result};
use crate::findings::{Reading, Style};
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::WordRule;
use serde::{Deserialize, Serialize};

/// The base of the logarithm, and so the unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Base {
    /// Bits.
    #[default]
    #[serde(rename = "2")]
    Two,
    /// Nats.
    #[serde(rename = "e")]
    E,
    /// Bans.
    #[serde(rename = "10")]
    Ten,
}

impl Named for Base {
    const ALL: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Two, "2", "Bits"), (Self::E, "e", "Nats"), (Self::Ten, "10", "Bans, also called hartleys")];
}

impl Base {
    /// What its numbers are called.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Two => "bits",
            Self::E => "nats",
            Self::Ten => "bans",
        }
    }

    /// A logarithm to base e in this unit.
    pub fn of_nats(self, nats: f64) -> f64 {
        match self {
            Self::Two => nats / std::f64::consts::LN_2,
            Self::E => nats,
            Self::Ten => nats / std::f64::consts::LN_10,
        }
    }
}

/// The options of `surprisal`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read; one longer than the context is scored by windows.
    pub reading: Reading,
    /// The base of the logarithm: 2 unless another is named.
    pub base: Base,
    /// Gather tokens to words by this rule; none leaves tokens.
    pub words: Option<WordRule>,
    /// Correct words for where their tokenizer puts the space (Pimentel and Meister 2024; Oh and Schuler 2024); words are then those
    /// between whitespace.
    pub bow_correction: bool,
    /// Tokens of a window; none means the model's context.
    pub window: Option<usize>,
    /// Tokens that a window moves by; none means half a window.
    pub stride: Option<usize>,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    /// The words' rule, where words are wanted.
    pub(super) fn rule(&self) -> Option<WordRule> {
        if self.bow_correction { Some(WordRule::Space) } else { self.words }
    }

    /// The window and the stride for a model.
    ///
    /// # Errors
    /// A window that does not fit into the context, a stride that does not fit into the window.
    pub fn windows(&self, spec: &Spec) -> Result<(usize, usize)> {
        let window = self.window.unwrap_or(spec.context);
        if window < 2 || window > spec.context {
            return Err(Error::usage(format!("window {window} does not fit a context of {} tokens", spec.context))
                .hint(format!("give 2 to {}", spec.context))
                .option("window"));
        }
        let stride = self.stride.unwrap_or(window / 2);
        if stride < 1 || stride > window {
            return Err(Error::usage(format!(
                "stride {stride} would leave tokens out, or not move a window of {window}"
            ))
            .hint(format!("give 1 to {window}"))
            .option("stride"));
        }
        Ok((window, stride))
    }
}
