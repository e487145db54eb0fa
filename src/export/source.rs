//! Numbers that are not held: an exporter takes them a piece at a time, straight from whoever makes them.

use super::{Array, Data};
use crate::axes::size;
use crate::error::{Error, Result};

/// Takes some of an array's numbers.
pub type Take<'a> = &'a mut dyn FnMut(&[f32]) -> Result<()>;

/// Makes the numbers of arrays that have a shape and no values.
pub trait Source: Sync {
    /// Hands over all numbers of an array by its name, from the first to the last, in whole rows of its last axis.
    ///
    /// # Errors
    /// What cannot be made; what `take` returns.
    fn numbers(&self, array: &str, take: Take) -> Result<()>;
}

impl Array {
    /// How many numbers it has, held or not; none where the shape and the numbers that are held do not fit.
    pub(super) fn count(&self, source: Option<&dyn Source>) -> Option<usize> {
        size(&self.shape).filter(|size| *size == self.values.len() || self.is_made(source))
    }

    fn is_made(&self, source: Option<&dyn Source>) -> bool {
        source.is_some() && self.values.is_empty() && size(&self.shape) != Some(0)
    }

    /// Hands over all its numbers.
    ///
    /// # Errors
    /// As [`Source::numbers`]; other numbers than the shape has.
    pub(crate) fn each(&self, source: Option<&dyn Source>, take: Take) -> Result<()> {
        let Some(source) = source.filter(|source| self.is_made(Some(*source))) else { return take(&self.values) };
        let (row, mut left) = (self.shape.last().copied().unwrap_or(1), size(&self.shape).unwrap_or(0));
        let odd = || Error::failed(format!("{} has other numbers than its shape {:?}", self.name, self.shape));
        source.numbers(&self.name, &mut |values| {
            left = left.checked_sub(values.len()).filter(|_| values.len().is_multiple_of(row)).ok_or_else(odd)?;
            take(values)
        })?;
        if left == 0 { Ok(()) } else { Err(odd()) }
    }
}

impl Data {
    /// The same with all numbers.
    ///
    /// # Errors
    /// As [`Source::numbers`]; other numbers than a shape has.
    pub fn held(mut self, source: &dyn Source) -> Result<Self> {
        for array in self.results.iter_mut().flat_map(|entry| &mut entry.arrays) {
            let mut values = Vec::with_capacity(size(&array.shape).unwrap_or(0));
            array.each(Some(source), &mut |piece| {
                values.extend_from_slice(piece);
                Ok(())
            })?;
            array.values = values;
        }
        Ok(self)
    }
}
