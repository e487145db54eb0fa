//! The folder of a run: one writer at a time, a journal that any interruption leaves readable, a manifest at the end.

use super::manifest::Entry;
use super::{BLOCK, MANIFEST};
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The manifest while the run is not finished.
const JOURNAL: &str = ".manifest.jsonl.part";
/// The lock file of the run that writes here.
const LOCK: &str = ".attnviz-batch.lock";
/// How the names of unfinished files begin and end.
const DRAFT: (&str, &str) = (".attnviz-", ".tmp");

/// A folder that a run writes to.
pub struct Folder {
    dir: PathBuf,
    /// Open once something is added.
    journal: Option<File>,
    /// Locked as long as it is open.
    _lock: File,
    /// What an earlier run did, whole blocks of it.
    done: std::io::Take<BufReader<File>>,
}

impl Folder {
    /// Takes the folder, makes it if it is not there, and finds what an earlier run has done.
    ///
    /// # Errors
    /// A folder that holds something and shall not be resumed, or that holds something else; one that another run is writing to; one
    /// that cannot be written.
    pub fn open(dir: &Path, resume: bool) -> Result<Self> {
        let failed = |error| failure(dir, &error);
        match fs::create_dir(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let names = Self::check(dir, resume)?;
        let lock = OpenOptions::new().create(true).append(true).open(dir.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::failed(format!("another run is writing to {}", dir.display()))
                    .hint("wait for it, or name another folder")
                    .option("out"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for name in names {
            let text = name.to_string_lossy();
            if text.starts_with(DRAFT.0) && text.ends_with(DRAFT.1) {
                fs::remove_file(dir.join(&name)).map_err(failed)?;
            }
        }
        let (journal, manifest) = (dir.join(JOURNAL), dir.join(MANIFEST));
        let done = match File::open(&manifest) {
            Ok(file) => (file.metadata().map_err(failed)?.len(), file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                OpenOptions::new().create(true).append(true).open(&journal).map_err(failed)?;
                (whole_blocks(&journal).map_err(failed)?, File::open(&journal).map_err(failed)?)
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { dir: dir.to_path_buf(), journal: None, _lock: lock, done: BufReader::new(done.1).take(done.0) })
    }

    /// Fails where the folder cannot be taken, as far as it can be told without making anything. Returns the names that are in it.
    ///
    /// # Errors
    /// As [`Self::open`], but for another run and for what cannot be written.
    pub fn check(dir: &Path, resume: bool) -> Result<Vec<OsString>> {
        let failed = |error| failure(dir, &error);
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let around = dir.parent().filter(|around| !around.as_os_str().is_empty());
                return if around.is_none_or(Path::is_dir) { Ok(Vec::new()) } else { Err(failed(error)) };
            }
            entries => entries.map_err(failed)?,
        };
        let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>, _>>();
        let (names, named) = (names.map_err(failed)?, dir.display());
        let ours = names.iter().any(|name| [MANIFEST, JOURNAL, LOCK].iter().any(|known| name == known));
        if !names.is_empty() && !ours {
            return Err(Error::usage(format!("{named} is not empty, and no run of batch wrote it"))
                .hint("name a folder that is empty or not there yet")
                .option("out"));
        }
        if !names.is_empty() && !resume {
            return Err(Error::usage(format!("{named} is not empty"))
                .hint("resume what was begun there, or name another folder")
                .option("resume"));
        }
        Ok(names)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The next prompt that an earlier run has done; none once all were given.
    ///
    /// # Errors
    /// A journal that is not one, or a result that is missing.
    pub fn done(&mut self) -> Result<Option<Entry>> {
        let mut line = String::new();
        if self.done.read_line(&mut line).map_err(|error| failure(&self.dir, &error))? == 0 {
            return Ok(None);
        }
        let broken = |what: String| {
            Error::failed(format!("{}: {what}", self.dir.display())).hint("start again in an empty folder")
        };
        let entry: Entry =
            serde_json::from_str(&line).map_err(|error| broken(format!("its list is broken: {error}")))?;
        for file in entry.files() {
            let length = fs::metadata(self.dir.join(&file.name)).map(|meta| meta.len()).ok();
            if length != Some(file.bytes) {
                return Err(broken(format!("{} is missing or was changed", file.name)));
            }
        }
        Ok(Some(entry))
    }

    /// Drops what was done after the last prompt that [`Self::done`] gave: what follows is written anew.
    ///
    /// # Errors
    /// A journal that cannot be written.
    pub fn start(&mut self) -> Result<()> {
        let failed = |error| failure(&self.dir, &error);
        let journal = self.dir.join(JOURNAL);
        // A finished run that goes on with more prompts is unfinished again.
        match fs::rename(self.dir.join(MANIFEST), &journal) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = OpenOptions::new().append(true).open(&journal).map_err(failed)?;
        file.set_len(self.done.get_mut().stream_position().map_err(failed)?).map_err(failed)?;
        self.journal = Some(file);
        Ok(())
    }

    /// Adds a block that is done.
    ///
    /// # Errors
    /// A folder that is gone, or full.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        let lines = entries.iter().map(Entry::line).collect::<Result<String>>()?;
        let Some(journal) = self.journal.as_mut().filter(|_| self.dir.join(JOURNAL).exists()) else {
            return Err(Error::failed(format!("{} was removed while batch wrote to it", self.dir.display()))
                .hint("run it again; nothing else was touched"));
        };
        journal.write_all(lines.as_bytes()).map_err(|error| failure(&self.dir, &error))
    }

    /// Gives the manifest its name and lets the folder go.
    ///
    /// # Errors
    /// A folder that is gone.
    pub fn finish(self) -> Result<()> {
        let failed = |error| failure(&self.dir, &error);
        if !self.dir.join(MANIFEST).exists() {
            fs::rename(self.dir.join(JOURNAL), self.dir.join(MANIFEST)).map_err(failed)?;
        }
        fs::remove_file(self.dir.join(LOCK)).map_err(failed)
    }
}

impl Drop for Folder {
    /// A finished folder that nothing was added to stays as it was.
    fn drop(&mut self) {
        if self.journal.is_none() && self.dir.join(MANIFEST).exists() {
            let _ = fs::remove_file(self.dir.join(LOCK)); // the next run makes and removes it again
        }
    }
}

/// How many bytes of a journal are whole blocks: a run that was killed may have left half a line or half a block.
fn whole_blocks(journal: &Path) -> std::io::Result<u64> {
    let mut lines = BufReader::new(File::open(journal)?);
    let (mut read, mut whole, mut bytes) = (0u64, 0, Vec::new());
    let (mut block, mut count) = (None, 0);
    loop {
        bytes.clear();
        let length = lines.read_until(b'\n', &mut bytes)?;
        if length == 0 || bytes.last() != Some(&b'\n') {
            return Ok(if count == BLOCK { read } else { whole });
        }
        let Ok(entry) = serde_json::from_slice::<Entry>(&bytes) else { return Ok(whole) };
        let of = entry.index / BLOCK as u64;
        if block != Some(of) {
            (whole, block, count) = (read, Some(of), 0);
        }
        count += 1;
        read += length as u64;
    }
}

/// A failure of the folder, with a hint.
fn failure(dir: &Path, error: &std::io::Error) -> Error {
    let failed = Error::failed(format!("cannot write to {}: {error}", dir.display()));
    match error.kind() {
        ErrorKind::StorageFull => failed.hint("make room, and resume it").option("resume"),
        ErrorKind::NotFound => failed.hint("the folder around it must exist"),
        _ => failed.hint("check the folder's permissions, and resume it").option("resume"),
    }
}
