//! The prompts of a block that are done and not in the journal yet, and their table.

use super::manifest::{Entry, Outcome, ResultFile};
use crate::error::Result;
use crate::export::{Table, parquet, write_own_bytes};
use crate::record::Record;
use std::path::{Path, PathBuf};

/// Bytes of rows after which a block's table ends and another begins, about: it stands in memory.
const MOST_BYTES: usize = 64 << 20;

/// The block that is being worked on.
pub struct Block {
    /// The folder.
    dir: PathBuf,
    /// What its table says of itself.
    record: Record,
    entries: Vec<Entry>,
    part: Option<Part>,
}

/// A table that is being written.
struct Part {
    name: String,
    writer: parquet::Writer<Vec<u8>>,
    /// Whose rows are in it, as places among the block's entries.
    entries: Vec<usize>,
}

impl Block {
    /// Nothing yet.
    pub fn new(dir: &Path, record: Record) -> Self {
        Self { dir: dir.to_path_buf(), record, entries: Vec::new(), part: None }
    }

    /// Adds a prompt.
    ///
    /// # Errors
    /// Rows of other columns than those before them; a folder that cannot be written.
    pub fn add(&mut self, entry: Entry, rows: Option<Table>) -> Result<()> {
        if let Some(table) = rows {
            let part = match self.part.take() {
                Some(part) => part,
                None => Part {
                    name: format!("rows-{:06}.parquet", entry.index),
                    writer: parquet::Writer::new(Vec::new(), &table.columns, &self.record)?,
                    entries: Vec::new(),
                },
            };
            let part = self.part.insert(part);
            part.writer.add(table)?;
            part.entries.push(self.entries.len());
        }
        self.entries.push(entry);
        match &self.part {
            Some(part) if part.writer.size() >= MOST_BYTES => self.write(),
            _ => Ok(()),
        }
    }

    /// Ends the block; its entries, to be journalled.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn end(&mut self) -> Result<Vec<Entry>> {
        self.write()?;
        Ok(std::mem::take(&mut self.entries))
    }

    /// Writes the table, and tells whose rows are in it.
    fn write(&mut self) -> Result<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let (path, bytes) = (self.dir.join(&part.name), part.writer.finish()?);
        write_own_bytes(&path, &bytes)?;
        let written = ResultFile::of(part.name, &bytes);
        for entry in part.entries {
            if let Outcome::Ok { files } = &mut self.entries[entry].outcome {
                files.push(written.clone());
            }
        }
        Ok(())
    }
}
