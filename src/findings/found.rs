//! What every analysis hands over, ready for any format.

use super::About;
use crate::error::Result;
use crate::export::{Data, Table, csv};
use crate::figure::Figure;
use crate::record::Part;

/// What an option with another value would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The option.
    pub option: &'static str,
    /// Its value; empty where the effect says which.
    pub value: &'static str,
    /// What it does, as the rest of a sentence.
    pub effect: String,
}

impl Advice {
    pub(crate) fn new(option: &'static str, value: &'static str, effect: impl Into<String>) -> Self {
        Self { option, value, effect: effect.into() }
    }
}

/// What was found, ready for any format: all of it, or one part where a file for each layer or head was asked for.
pub trait Findings: Send + Sync {
    /// What was looked at.
    fn about(&self) -> &About;
    /// As a picture.
    fn figure(&self, part: Option<usize>) -> Figure;
    /// As numbers.
    ///
    /// # Errors
    /// Numbers that do not fit their axes.
    fn data(&self, part: Option<usize>) -> Result<Data>;
    /// As a table.
    ///
    /// # Errors
    /// Numbers that do not fit their axes.
    fn table(&self, part: Option<usize>) -> Result<Table>;
    /// As CSV.
    ///
    /// # Errors
    /// More rows than a text should hold.
    fn csv(&self, part: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        csv::write_table(&self.table(part)?, out)
    }
    /// What a reader of the numbers should know, one line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// What whoever asked may ask instead. It is not said on a figure, whose readers did not ask.
    fn advice(&self) -> Vec<Advice> {
        Vec::new()
    }
    /// The layer and head of each part; none where there are no parts.
    fn parts(&self) -> Vec<Part> {
        Vec::new()
    }
}
