//! The list of what was done: a line of JSON for each prompt, without times or anything else that differs between two runs.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where a prompt stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The input's file name, or `-`.
    pub file: String,
    /// Its line, or its record after the header, from 1.
    pub line: u64,
}

/// A file of results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl ResultFile {
    /// The entry of a file with this name and these bytes.
    pub fn of(name: String, bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name, bytes: bytes.len() as u64, sha256 }
    }
}

/// The outcome of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// It has results.
    Ok {
        /// Its results.
        files: Vec<ResultFile>,
    },
    /// It failed.
    Error {
        /// Why.
        error: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

/// A line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The prompt's number over all inputs, from 0.
    pub index: u64,
    /// Where it stands.
    pub input: Origin,
    /// Its text; none where there is no text.
    pub prompt: Option<String>,
    /// Its outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The hash of everything that was asked: version, model, command, options, formats.
    pub settings: String,
    /// Which share of the work it was in, where there were several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<String>,
}

impl Entry {
    /// The line, with its newline.
    ///
    /// # Errors
    /// An entry that JSON cannot hold; none is known.
    pub fn line(&self) -> Result<String> {
        let line = serde_json::to_string(self).map_err(|error| Error::failed(format!("the manifest: {error}")))?;
        Ok(line + "\n")
    }

    /// The files of a prompt that has results.
    pub fn files(&self) -> &[ResultFile] {
        match &self.outcome {
            Outcome::Ok { files } => files,
            Outcome::Error { .. } => &[],
        }
    }
}
