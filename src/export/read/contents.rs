//! Everything that a file of numbers holds, by name.
use super::{Announced, Notes, is_zip, npz, safetensors, tame};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};

/// The numbers of one array.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Of any floating-point kind.
    Floats(Vec<f32>),
    /// Of any kind of integer.
    Integers(Vec<i64>),
}

/// An array.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub numbers: Numbers,
}

/// All arrays of a file, and the JSON object that attnviz writes beside them (`null` where there is none).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The arrays, by name.
    pub arrays: BTreeMap<String, Held>,
    /// What the file says in words.
    pub header: Value,
}

/// Reads a whole `.safetensors` or `.npz` file that attnviz wrote; which one it is, its first bytes say.
///
/// # Errors
/// A file that is neither, is broken, or holds arrays that attnviz does not write.
pub fn contents(bytes: &[u8]) -> Result<Contents> {
    let length = bytes.len() as u64;
    // attnviz compresses nothing, so that all arrays together are no larger than their file.
    let (arrays, notes) = all(Cursor::new(bytes), length, length, |_| true)
        .map_err(|error| Error { message: format!("it cannot be read: {}", tame(&error.message)), ..error })?;
    let known = |(name, held): Named| match held {
        Some(held) => Ok((name, held)),
        None => Err(Error::failed(format!("{} holds no numbers", tame(&name))).hint("make it again")),
    };
    Ok(Contents { arrays: arrays.into_iter().map(known).collect::<Result<_>>()?, header: notes.said })
}

/// A named array; none where what it holds is not read as numbers.
pub(super) type Named = (String, Option<Held>);

/// Every array whose name is wanted, and what the file says in words; they may take `most` bytes together.
pub(super) fn all(
    mut input: impl Read + Seek,
    length: u64,
    most: u64,
    wanted: impl FnMut(&str) -> bool,
) -> Result<(Vec<Named>, Notes)> {
    let zip = is_zip(&mut input).map_err(|error| Error::failed(error.to_string()).hint("try again"))?;
    if zip { npz::all(input, length, most, wanted) } else { safetensors::all(input, length, wanted) }
}

impl Announced<'_> {
    /// The whole array.
    pub(super) fn held(&self, input: &mut dyn Read) -> Result<Named> {
        let numbers = match (self.kind.floats(), self.kind.integers()) {
            (Some(floats), _) => Some(Numbers::Floats(self.numbers(floats, input)?)),
            (None, Some(integers)) => Some(Numbers::Integers(self.numbers(integers, input)?)),
            (None, None) => None,
        };
        Ok((self.name.to_owned(), numbers.map(|numbers| Held { shape: self.shape.to_vec(), numbers })))
    }
}
