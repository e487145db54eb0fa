//! The prompts of a block that are done and not in the journal yet, and their table.

use super::BLOCK;
use super::folder::Folder;
use super::manifest::{Entry, Outcome, ResultFile};
use crate::error::Result;
use crate::export::{Table, parquet, write_bytes};
use crate::record::Record;
use std::path::Path;

/// Bytes of rows after which a block's table ends and another begins, about: it stands in memory.
const MOST_BYTES: usize = 64 << 20;

/// The block that is being worked on.
pub struct Block {
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
    pub fn new(record: Record) -> Self {
        Self { record, entries: Vec::new(), part: None }
    }

    /// Adds a prompt; the block before it is journalled.
    ///
    /// # Errors
    /// Rows of other columns than those before them; a folder that cannot be written.
    pub fn add(&mut self, entry: Entry, rows: Option<Table>, folder: &mut Folder) -> Result<()> {
        if self.entries.first().is_some_and(|first| first.index / BLOCK as u64 != entry.index / BLOCK as u64) {
            self.end(folder)?;
        }
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
            Some(part) if part.writer.size() >= MOST_BYTES => self.write(folder.path()),
            _ => Ok(()),
        }
    }

    /// Journals what there is.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn end(&mut self, folder: &mut Folder) -> Result<()> {
        self.write(folder.path())?;
        folder.append(&self.entries)?;
        self.entries.clear();
        Ok(())
    }

    /// Writes the table, and tells whose rows are in it.
    fn write(&mut self, folder: &Path) -> Result<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let (path, bytes) = (folder.join(&part.name), part.writer.finish()?);
        write_bytes(&path, &bytes)?;
        let written = ResultFile::of(part.name, &bytes);
        for entry in part.entries {
            if let Outcome::Ok { files } = &mut self.entries[entry].outcome {
                files.push(written.clone());
            }
        }
        Ok(())
    }
}
