//! The list of what was done: a line of JSON for each prompt, without times or anything else that differs between two runs.
//!
//! The first line says what the folder is of, the last one of which prompts: so every folder can be told from one of another model,
//! other options or other inputs.

use super::run::Run;
use super::tally::End;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, ErrorKind, Read, Write};

/// A line longer than this, in bytes, is none of ours: a prompt has at most a megabyte, which JSON may write in six.
const LONGEST_LINE: u64 = 16 << 20;
/// The longest name of a file.
const LONGEST_NAME: usize = 255;

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
        Self { name, bytes: bytes.len() as u64, sha256: hex(ring::digest::digest(&ring::digest::SHA256, bytes)) }
    }

    /// Whether a name may be that of a file of results: in the folder, and nothing hidden. A manifest is not trusted.
    pub(super) fn is_named_well(&self) -> bool {
        let odd = |c: char| matches!(c, '/' | '\\') || c.is_control();
        !self.name.is_empty()
            && self.name.len() <= LONGEST_NAME
            && !self.name.starts_with('.')
            && !self.name.contains(odd)
    }

    /// Passes on what is read; whether it is this file. No more is read than would be.
    ///
    /// # Errors
    /// A failed read or write.
    pub(super) fn pass(&self, from: impl Read, to: &mut dyn Write) -> io::Result<bool> {
        let mut from = from.take(self.bytes.saturating_add(1));
        let (mut context, mut block) = (ring::digest::Context::new(&ring::digest::SHA256), vec![0; 1 << 16]);
        let mut length = 0;
        loop {
            match from.read(&mut block)? {
                0 => return Ok(length == self.bytes && hex(context.finish()) == self.sha256),
                count => {
                    context.update(&block[..count]);
                    to.write_all(&block[..count])?;
                    length += count as u64;
                }
            }
        }
    }
}

fn hex(digest: ring::digest::Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The hash of everything that was asked, which the first entry says as `run`.
    pub settings: String,
    /// Which share of the work it was in, where there were several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<String>,
    /// What the folder is of, in its first entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<Box<Run>>,
    /// Of which prompts, in its last entry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub end: Option<End>,
}

impl Entry {
    /// The line, with its newline.
    ///
    /// # Errors
    /// An entry that JSON cannot hold; none is known.
    pub fn line(&self) -> Result<String> {
        line(self)
    }

    /// The files of a prompt that has results.
    pub fn files(&self) -> &[ResultFile] {
        match &self.outcome {
            Outcome::Ok { files } => files,
            Outcome::Error { .. } => &[],
        }
    }

    /// The prompt, or what is wrong with its line, as the inputs had it.
    pub(super) fn text(&self) -> Result<&str, &str> {
        match (&self.prompt, &self.outcome) {
            (Some(text), _) => Ok(text),
            (None, Outcome::Error { error, .. }) => Err(error),
            (None, Outcome::Ok { .. }) => Err(""),
        }
    }
}

/// The only line of a share without prompts, of which there would be nothing to tell whose share it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {
    pub settings: String,
    pub shard: Option<String>,
    pub run: Box<Run>,
    pub end: End,
}

/// A value as a line.
pub(super) fn line(value: &impl Serialize) -> Result<String> {
    let line = serde_json::to_string(value).map_err(|error| Error::failed(format!("the manifest: {error}")))?;
    Ok(line + "\n")
}

/// The next line with its end; empty where there is none.
///
/// # Errors
/// A failed read; a line that is too long, of which no more is read.
pub(super) fn read_line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes)?;
    if bytes.len() as u64 > LONGEST_LINE { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}
