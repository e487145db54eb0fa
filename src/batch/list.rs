//! A manifest or a journal, read a block at a time. It is not trusted: its lines are bounded, and a line that is none is an error.

use super::BLOCK;
use super::manifest::{Entry, Nothing, read_line};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufReader, Read, Take};
use std::path::{Path, PathBuf};

/// Entries of one block.
pub(super) struct Listed {
    pub entries: Vec<Entry>,
    /// How long their lines are together.
    pub bytes: u64,
}

/// A list that is being read.
pub(super) struct List {
    path: PathBuf,
    lines: Take<BufReader<File>>,
    /// The first entry of the block that follows, and how long its line is.
    ahead: Option<(Entry, u64)>,
    nothing: Option<Nothing>,
}

impl List {
    /// The first so many bytes of a file.
    pub fn new(path: &Path, file: File, bytes: u64) -> Self {
        Self { path: path.to_path_buf(), lines: BufReader::new(file).take(bytes), ahead: None, nothing: None }
    }

    /// The next block; none at the end.
    ///
    /// # Errors
    /// A line that is none, or is cut short.
    pub fn block(&mut self) -> Result<Option<Listed>> {
        let Some((first, bytes)) = self.ahead.take().map_or_else(|| self.entry(), |ahead| Ok(Some(ahead)))? else {
            return Ok(None);
        };
        let of = first.index / BLOCK as u64;
        let mut block = Listed { entries: vec![first], bytes };
        while let Some((entry, bytes)) = self.entry()? {
            if entry.index / BLOCK as u64 != of {
                self.ahead = Some((entry, bytes));
                break;
            }
            block.entries.push(entry);
            block.bytes += bytes;
        }
        Ok(Some(block))
    }

    /// What a share without prompts says, once its list was read.
    pub fn nothing(&self) -> Option<&Nothing> {
        self.nothing.as_ref()
    }

    /// How many bytes are whole blocks: a run that was killed may have left half a line or half a block. A block that says it is the
    /// last one is done again, since more prompts may have come.
    pub fn whole_blocks(mut self) -> u64 {
        let (mut whole, mut read, mut count) = (0, 0, 0);
        let mut of = None;
        // What cannot be read is what was cut.
        while let Ok(Some((entry, bytes))) = self.entry() {
            let block = entry.index / BLOCK as u64;
            if of != Some(block) {
                (whole, of, count) = (read, Some(block), 0);
            }
            (read, count) = (read + bytes, if entry.end.is_some() { 0 } else { count + 1 });
        }
        if count == BLOCK { read } else { whole }
    }

    fn entry(&mut self) -> Result<Option<(Entry, u64)>> {
        let broken = |what: String| Error::failed(format!("{} is broken: {what}", self.path.display()));
        let bytes = read_line(&mut self.lines).map_err(|error| broken(error.to_string()))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.last() != Some(&b'\n') || self.nothing.is_some() {
            return Err(broken("its last line is cut short".into()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(entry) => Ok(Some((entry, bytes.len() as u64))),
            Err(error) => {
                self.nothing = serde_json::from_slice(&bytes).ok();
                if self.nothing.is_some() { Ok(None) } else { Err(broken(error.to_string())) }
            }
        }
    }
}
