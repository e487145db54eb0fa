//! Whether a model has a circuit that is known: quantities that were measured in it, each with the range in which it should be.

mod greater;
mod induction;
mod ioi;
mod looks;
mod shown;

use super::subject::Subject;
use super::{Analysis, Findings, Output, Reading, Style, refuse_parts, within};
use crate::error::{Error, Result};
use crate::model::Spec;
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// A circuit that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// What repeats is foreseen (Elhage et al. 2021; Olsson et al. 2022); of any model.
    #[default]
    Induction,
    /// The indirect object is named and not the subject (Wang et al. 2022); of GPT-2 small.
    Ioi,
    /// A span of years ends after it begins (Hanna et al. 2023); of GPT-2 small.
    GreaterThan,
}

impl Named for Known {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Induction, "induction", "What repeats is foreseen; of any model"),
        (Self::Ioi, "ioi", "The indirect object is named and not the subject; of GPT-2 small"),
        (Self::GreaterThan, "greater-than", "A span of years ends after it begins; of GPT-2 small"),
    ];
}

/// Layers and heads of GPT-2 small.
const SMALL: (usize, usize) = (12, 12);
/// The most prompts.
const MOST: usize = 1000;

/// The options of `circuit check`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which circuit.
    pub circuit: Known,
    /// Seed of the prompts; none means 0.
    pub seed: Option<u64>,
    /// How many prompts; none means 10 for induction and 50 for others.
    pub count: Option<usize>,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    fn count(&self) -> usize {
        self.count.unwrap_or(if self.circuit == Known::Induction { 10 } else { 50 })
    }
}

impl Analysis for Options {
    fn reading(&self) -> Reading {
        Reading::default()
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn needs_prompt(&self) -> bool {
        false
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("circuit check", outputs)?;
        within("count", self.count(), 1, MOST)?;
        self.style.check()
    }

    fn check_prompt(&self) -> Result<()> {
        Err(Error::usage("a circuit is checked on prompts of its own").hint("leave the prompt out"))
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        let (name, found) = (self.circuit.name(), (spec.layers, spec.heads));
        if self.circuit == Known::Induction || found == SMALL {
            return Ok(());
        }
        let (layers, heads) = found;
        Err(Error::usage(format!(
            "{name} is known of GPT-2 small, 12 layers of 12 heads; this model has {layers} of {heads}"
        ))
        .hint("check induction, which any model may have"))
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        let session = subject.session;
        session.has_next_tokens()?;
        self.fits(session.spec())?;
        let (seed, count) = (self.seed.unwrap_or_default(), self.count());
        let (quantities, prompts) = match self.circuit {
            Known::Induction => (induction::measure(&subject, seed, count)?, Vec::new()),
            Known::Ioi => ioi::measure(&subject, seed, count)?,
            Known::GreaterThan => greater::measure(&subject, seed, count)?,
        };
        Ok(Box::new(Checked { options: self, subject, quantities, prompts }))
    }
}

/// What was measured.
struct Checked<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    quantities: Vec<Quantity>,
    /// The prompts, where they are texts.
    prompts: Vec<String>,
}

/// A number that was measured, and between which it should be.
#[derive(Clone, Debug, PartialEq)]
struct Quantity {
    name: String,
    value: f64,
    least: Option<f64>,
    most: Option<f64>,
}

impl Quantity {
    fn at_least(name: impl Into<String>, value: f64, least: f64) -> Self {
        Self { name: name.into(), value, least: Some(least), most: None }
    }

    fn at_most(name: impl Into<String>, value: f64, most: f64) -> Self {
        Self { name: name.into(), value, least: None, most: Some(most) }
    }

    fn between(name: impl Into<String>, value: f64, least: f64, most: f64) -> Self {
        Self { name: name.into(), value, least: Some(least), most: Some(most) }
    }

    /// Whether it is as known; what is no number is not.
    fn holds(&self) -> bool {
        self.value.is_finite()
            && self.least.is_none_or(|x| self.value >= x)
            && self.most.is_none_or(|x| self.value <= x)
    }

    /// Between which it should be, in words.
    fn expected(&self) -> String {
        let number = |x: f64| format!("{x}").replace('-', "−");
        match (self.least, self.most) {
            (Some(least), Some(most)) => format!("{} to {}", number(least), number(most)),
            (Some(least), None) => format!("≥ {}", number(least)),
            (None, Some(most)) => format!("≤ {}", number(most)),
            (None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"name": "ioi"}"#);
    }

    #[test]
    fn a_quantity_holds_within_its_range_and_never_without_a_number() {
        assert!(Quantity::at_least("a", 0.5, 0.5).holds() && !Quantity::at_least("a", 0.49, 0.5).holds());
        assert!(Quantity::at_most("a", -0.1, 0.0).holds() && !Quantity::between("a", 2.1, 1.0, 2.0).holds());
        assert!(
            !Quantity::at_least("a", f64::NAN, 0.5).holds() && !Quantity::at_most("a", f64::NEG_INFINITY, 0.5).holds()
        );
        assert_eq!(Quantity::between("a", 0.0, -0.5, 2.0).expected(), "−0.5 to 2");
    }
}
