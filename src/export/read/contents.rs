//! Everything that a file of numbers holds, by name.
use super::archive::{all, open};
use super::raw::{Held, Named};
use super::tame;
use crate::error::{Error, Result};
use crate::record::NAME;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Cursor;

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
    let (arrays, header) = of_bytes(bytes, |_| true)?;
    let known = |(name, held): Named| match held {
        Some(held) => Ok((name, held)),
        None => Err(Error::failed(format!("{} holds no numbers", tame(&name))).hint("make it again")),
    };
    let header = header.and_then(|header| serde_json::from_str(&header).ok()).unwrap_or_default();
    Ok(Contents { arrays: arrays.into_iter().map(known).collect::<Result<_>>()?, header })
}

/// The JSON object that attnviz writes into a `.safetensors` or `.npz` file; none where another program wrote it.
///
/// # Errors
/// A file that is neither, or is broken.
pub fn header(bytes: &[u8]) -> Result<Option<String>> {
    Ok(of_bytes(bytes, |_| false)?.1)
}

fn of_bytes(bytes: &[u8], wanted: impl FnMut(&str) -> bool) -> Result<(Vec<Named>, Option<String>)> {
    let read = || {
        let mut archive = open(Cursor::new(bytes), "FILE")?;
        Ok((all(&mut *archive, wanted)?, archive.text(NAME)?))
    };
    read().map_err(|error: Error| Error { message: format!("it cannot be read: {}", tame(&error.message)), ..error })
}
