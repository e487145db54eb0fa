//! What one attends to more than another: two prompts, two models, or two saved results.

mod comparison;
mod entry;
mod files;
mod runs;
mod side;
mod subtitle;
mod words;

pub use comparison::Comparison;
pub use files::of_files;
pub use runs::{Run, alike, of_runs};

use super::{Cost, Output, Reading, Reduce, Selected, Selection, Style, cost};
use crate::error::{Error, Result};
use crate::model::Spec;
use serde::{Deserialize, Serialize};

/// The options of `diff`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How prompts are read.
    pub reading: Reading,
    /// Which layers and heads, and what becomes of their patterns.
    pub selection: Selection,
    /// How far apart two numbers may be and still count as the same: 1e-4 unless another is named.
    pub tol: f32,
    /// How the figure looks.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Self {
        Self { reading: Reading::default(), selection: Selection::default(), tol: 1e-4, style: Style::default() }
    }
}

impl Options {
    /// Fails where they cannot be meant.
    ///
    /// # Errors
    /// A tolerance that is not a number from 0; a size that no picture has.
    pub fn check(&self) -> Result<()> {
        if !(self.tol.is_finite() && self.tol >= 0.0) {
            return Err(Error::usage(format!("tol {} is not a number from 0", self.tol))
                .hint("give how far apart two numbers may be, such as 1e-4")
                .option("tol"));
        }
        self.style.check()
    }

    /// Fails where a model lacks what is selected.
    ///
    /// # Errors
    /// A layer or head that it does not have.
    pub fn fits(&self, spec: &Spec) -> Result<()> {
        self.selection.within(spec).map(drop)
    }

    /// What it takes for two prompts of so many tokens: the maps of both, and those of a layer of either.
    pub fn cost(&self, spec: &Spec, tokens: [usize; 2], outputs: &[Output]) -> Cost {
        let Ok(Selected { layers, heads, picked }) = self.selection.within(spec) else { return Cost::default() };
        let reduced = |reduction: Option<_>, all: usize| if reduction.is_some() { 1 } else { all };
        let Reduce { heads: heads_to, layers: layers_to } = self.selection.reduce;
        let all = reduced(layers_to, layers.len()) * reduced(heads_to, heads.len());
        let maps = if picked.is_empty() { all } else { picked.len() } as u64;
        let [a, b] = tokens.map(|n| (n as u64).pow(2));
        let numbers = maps * a.max(b);
        let disk = cost::files(outputs, numbers);
        let written = if disk > 0 { 4 * numbers } else { 0 };
        let memory = 4 * maps * (a + b) + written + cost::pass(spec, tokens[0].max(tokens[1]), true);
        Cost { memory, disk, ..Cost::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Sink;
    use crate::findings::options;
    use serde_json::json;

    #[test]
    fn options_are_read_as_they_are_written() {
        let selection = Selection { head: Some("0,2-3".parse().unwrap()), sink: Sink::Mask, ..Selection::default() };
        let reading = Reading { bos: true, ..Reading::default() };
        for asked in [Options::default(), Options { reading, selection, tol: 0.1, ..Options::default() }] {
            let json = serde_json::to_string(&asked).unwrap();
            assert_eq!(options::<Options>(serde_json::from_str(&json).unwrap()).unwrap(), asked);
        }
        assert_eq!(options::<Options>(json!({})).unwrap(), Options::default());
    }

    #[test]
    fn options_that_there_are_not_are_named() {
        for (forged, name) in [
            (json!({"against": "../x"}), "against"),
            (json!({"selection": {"model": "."}}), "model"),
            (json!({"reading": {"text": "secret"}}), "text"),
            (json!({"tol": "little"}), "little"),
        ] {
            let error = options::<Options>(forged).unwrap_err();
            assert!(error.message.contains(name), "{}", error.message);
        }
    }

    #[test]
    fn a_tolerance_is_a_number_from_0() {
        for tol in [-1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(Options { tol, ..Options::default() }.check().unwrap_err().option, Some("tol"));
        }
        assert!(Options { tol: 0.0, ..Options::default() }.check().is_ok());
    }
}
