//! What was read and what was listed, counted and hashed line by line: of which prompts a folder is, and whether its list is whole.

use super::manifest::{Entry, Origin, line};
use crate::error::Result;
use crate::hash::Hasher;
use serde::{Deserialize, Serialize};

/// Of which prompts a folder is, all of them, those of other shares included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// How many prompts the inputs have.
    pub prompts: u64,
    /// XXH3-128 of them and of where they stand, in hexadecimal.
    pub inputs: String,
    /// XXH3-128 of this list's own lines without this, in hexadecimal.
    pub entries: String,
}

/// The prompts of the inputs so far.
#[derive(Clone, Default)]
pub(super) struct Prompts {
    pub count: u64,
    hash: Hasher,
}

impl Prompts {
    /// Takes the next one, or what is wrong with its line.
    pub fn add(&mut self, origin: &Origin, text: Result<&str, &str>) {
        self.count += 1;
        let (kind, text) = text.map_or_else(|wrong| (b"-", wrong), |text| (b"+", text));
        for part in [origin.file.as_bytes(), &origin.line.to_le_bytes(), kind, text.as_bytes()] {
            self.hash.update(&(part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
    }
}

/// The lines of a list so far.
#[derive(Clone, Default)]
pub(super) struct Lines {
    pub count: u64,
    hash: Hasher,
}

impl Lines {
    /// Takes the next one.
    ///
    /// # Errors
    /// An entry that JSON cannot hold; none is known.
    pub fn add(&mut self, entry: &Entry) -> Result<()> {
        self.count += 1;
        let line = match entry.end {
            None => entry.line()?,
            Some(_) => line(&Entry { end: None, ..entry.clone() })?,
        };
        self.hash.update(line.as_bytes());
        Ok(())
    }

    /// Their hash.
    pub fn hash(&self) -> String {
        hex(&self.hash)
    }

    /// What the last of them says.
    pub fn end(&self, prompts: &Prompts) -> End {
        End { prompts: prompts.count, inputs: hex(&prompts.hash), entries: self.hash() }
    }
}

fn hex(hash: &Hasher) -> String {
    crate::hash::digits(hash.digest128())
}
