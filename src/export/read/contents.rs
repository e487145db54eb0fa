//! Everything that a file of numbers holds, by name.
use super::raw::{Held, Named, Notes};
use super::{is_zip, npz, safetensors, tame};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};

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
    let (arrays, notes) = of_bytes(bytes, |_| true)?;
    let known = |(name, held): Named| match held {
        Some(held) => Ok((name, held)),
        None => Err(Error::failed(format!("{} holds no numbers", tame(&name))).hint("make it again")),
    };
    let header = notes.header.and_then(|header| serde_json::from_str(&header).ok()).unwrap_or_default();
    Ok(Contents { arrays: arrays.into_iter().map(known).collect::<Result<_>>()?, header })
}

/// The JSON object that attnviz writes into a `.safetensors` or `.npz` file; none where another program wrote it.
///
/// # Errors
/// A file that is neither, or is broken.
pub fn header(bytes: &[u8]) -> Result<Option<String>> {
    Ok(of_bytes(bytes, |_| false)?.1.header)
}

fn of_bytes(bytes: &[u8], wanted: impl FnMut(&str) -> bool) -> Result<(Vec<Named>, Notes)> {
    let length = bytes.len() as u64;
    // attnviz compresses nothing, so that all arrays together are no larger than their file.
    all(Cursor::new(bytes), length, length, wanted)
        .map_err(|error| Error { message: format!("it cannot be read: {}", tame(&error.message)), ..error })
}

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
