//! The prompts of a block that are done and not in the journal yet, and their table.

use super::manifest::{Entry, Outcome, ResultFile};
use crate::error::Result;
use crate::export::{Draft, Table, parquet};
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
    done: Ended,
    part: Option<Part>,
}

/// A block that is done: what is to be journalled, and its files, which get their names after that. So a file that has its name is listed,
/// or was there before.
#[derive(Default)]
pub struct Ended {
    pub entries: Vec<Entry>,
    pub files: Vec<Draft>,
}

/// A prompt that is done.
pub struct Made {
    pub entry: Entry,
    pub files: Vec<Draft>,
    /// Its rows of the block's table.
    pub rows: Option<Table>,
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
        Self { dir: dir.to_path_buf(), record, done: Ended::default(), part: None }
    }

    /// Adds a prompt.
    ///
    /// # Errors
    /// Rows of other columns than those before them; a folder that cannot be written.
    pub fn add(&mut self, Made { entry, files, rows }: Made) -> Result<()> {
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
            part.entries.push(self.done.entries.len());
        }
        self.done.entries.push(entry);
        self.done.files.extend(files);
        match &self.part {
            Some(part) if part.writer.size() >= MOST_BYTES => self.write(),
            _ => Ok(()),
        }
    }

    /// Ends the block.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn end(&mut self) -> Result<Ended> {
        self.write()?;
        Ok(std::mem::take(&mut self.done))
    }

    /// Drafts the table, and tells whose rows are in it.
    fn write(&mut self) -> Result<()> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let (path, bytes) = (self.dir.join(&part.name), part.writer.finish()?);
        self.done.files.push(Draft::of(&path, &bytes)?);
        let written = ResultFile::of(part.name, &bytes);
        for entry in part.entries {
            if let Outcome::Ok { files } = &mut self.done.entries[entry].outcome {
                files.push(written.clone());
            }
        }
        Ok(())
    }
}
