//! The options of `patch --edges`.

use super::super::{Reading, Style, Token, within};
use crate::analysis::patching::Metric;
use crate::analysis::patching::edges::Wiring;
use crate::error::{Error, Result};
use crate::findings::{Analysis, Output, patching};
use crate::format::Format;
use crate::model::Spec;
use serde::{Deserialize, Serialize};

/// Steps of a score, and edges of a circuit, where nobody names others.
const STEPS: usize = 5;
const CIRCUIT: usize = 50;
/// More steps than this change nothing.
const MOST_STEPS: usize = 1000;

/// The options of `patch --edges`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How both prompts are read.
    pub reading: Reading,
    /// The corrupt prompt; the clean one is the prompt itself.
    pub corrupt: String,
    /// The answer to the clean prompt; none means what the model says to it.
    pub answer: Option<Token>,
    /// What it is compared with; none means what the model says to the corrupt prompt. For the logit difference only.
    pub foil: Option<Token>,
    /// The position whose next token is meant; negative ones count from the end, none means the last.
    pub position: Option<i64>,
    /// What is measured: the logit difference, unless another metric is named.
    pub metric: Metric,
    /// Places between the corrupt and the clean embeddings at which the gradient is taken; none means 5.
    pub steps: Option<usize>,
    /// Edges of the circuit, those with the largest scores; none means 50, or all where there are fewer.
    pub circuit: Option<usize>,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    /// What they ask of two prompts, as the options of patching.
    pub(in crate::findings) fn pair(&self) -> patching::Options {
        patching::Options {
            reading: self.reading,
            corrupt: self.corrupt.clone(),
            answer: self.answer.clone(),
            foil: self.foil.clone(),
            position: self.position,
            metric: self.metric,
            style: self.style.clone(),
            ..patching::Options::default()
        }
    }

    /// The number of steps.
    pub(super) fn steps(&self) -> usize {
        self.steps.unwrap_or(STEPS)
    }

    /// The number of edges in the circuit, of so many.
    pub(super) fn circuit(&self, all: usize) -> usize {
        self.circuit.unwrap_or(CIRCUIT.min(all))
    }

    /// As [`crate::findings::Analysis::check`].
    pub(super) fn check_all(&self, outputs: &[Output]) -> Result<()> {
        // Any format is for this, also a graph.
        let others: Vec<Output> = outputs.iter().map(|output| Output { format: Format::Json, ..*output }).collect();
        self.pair().check(&others)?;
        within("steps", self.steps(), 1, MOST_STEPS)?;
        match self.circuit {
            Some(0) => {
                Err(Error::usage("a circuit of 0 edges is the corrupt run").hint("give 1 or more").option("circuit"))
            }
            _ => Ok(()),
        }
    }

    /// As [`crate::findings::Analysis::fits`].
    pub(super) fn fits_all(&self, spec: &Spec) -> Result<()> {
        let all = Wiring::of(spec).edges();
        match self.circuit {
            Some(circuit) if circuit > all => Err(Error::usage(format!("this model has {all} edges, not {circuit}"))
                .hint(format!("give 1 to {all}"))
                .option("circuit")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Analysis;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"site": "z"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let own = || Options { corrupt: "a".into(), ..Options::default() };
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { circuit: Some(0), ..own() }), Some("circuit"));
        assert_eq!(refused(Options { steps: Some(0), ..own() }), Some("steps"));
        assert_eq!(refused(Options { metric: Metric::Kl, answer: Some(Token::Id(1)), ..own() }), Some("answer"));
        assert!(own().check(&[Output::whole(Format::Dot)]).is_ok());
        assert!(own().check(&[Output { format: Format::Dot, by_part: true }]).is_err());
    }
}
