//! The folder of a run: one writer at a time, a journal that any interruption leaves readable, a manifest at the end.

use super::MANIFEST;
use super::list::{List, Listed};
use super::manifest::{Entry, Nothing};
use crate::error::{Error, Result};
use crate::plain::{self, Stamp};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The manifest while the run is not finished.
const JOURNAL: &str = ".manifest.jsonl.part";
/// The lock file of the run that writes here.
const LOCK: &str = ".attnviz-batch.lock";
/// How often it is taken again, where another run has removed it meanwhile.
const LOCK_TRIES: u32 = 4;
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
    done: List,
    /// How many bytes of it stay, and how many more do if the block that was given last stays.
    kept: u64,
    given: u64,
}

impl Folder {
    /// Takes the folder, makes it if it is not there, and finds what an earlier run has done.
    ///
    /// # Errors
    /// A folder that holds something and shall not be resumed, or that holds something else; one that another run is writing to; one
    /// that cannot be written; a file of it that is a link, or no file.
    pub fn open(dir: &Path, resume: bool) -> Result<Self> {
        let failed = |error| failure(dir, &error);
        match fs::create_dir(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let names = Self::check(dir, resume)?;
        let lock = lock(dir, LOCK_TRIES)?;
        for name in names {
            let text = name.to_string_lossy();
            if text.starts_with(DRAFT.0) && text.ends_with(DRAFT.1) {
                fs::remove_file(dir.join(&name)).map_err(failed)?;
            }
        }
        let (journal, manifest) = (dir.join(JOURNAL), dir.join(MANIFEST));
        let done = match plain::open_own(&manifest) {
            Ok(file) => {
                let length = file.metadata().map_err(failed)?.len();
                List::new(&manifest, file, length)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let of_journal = |error| odd(&journal, &error);
                plain::append_own(&journal).map_err(of_journal)?;
                let open = || plain::open_own(&journal).map_err(of_journal);
                let whole = List::new(&journal, open()?, u64::MAX).whole_blocks();
                List::new(&journal, open()?, whole)
            }
            Err(error) => return Err(odd(&manifest, &error)),
        };
        Ok(Self { dir: dir.to_path_buf(), journal: None, _lock: lock, done, kept: 0, given: 0 })
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

    /// The next block that an earlier run has done; none once all were given.
    ///
    /// # Errors
    /// A journal that is not one.
    pub fn done(&mut self) -> Result<Option<Vec<Entry>>> {
        let block = self.done.block().map_err(|error| error.hint("start again in an empty folder"))?;
        self.given = block.as_ref().map_or(0, |block| block.bytes);
        Ok(block.map(|Listed { entries, .. }| entries))
    }

    /// What an earlier run of a share without prompts has said.
    pub fn nothing(&self) -> Option<&Nothing> {
        self.done.nothing()
    }

    /// The block that [`Self::done`] gave last stays.
    pub fn keep(&mut self) {
        self.kept += std::mem::take(&mut self.given);
    }

    /// Drops what was done after the last block that stays: what follows is written anew.
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
        let file = plain::append_own(&journal).map_err(|error| odd(&journal, &error))?;
        file.set_len(self.kept).map_err(failed)?;
        self.journal = Some(file);
        Ok(())
    }

    /// Adds a block that is done.
    ///
    /// # Errors
    /// A folder that is gone, or full.
    pub fn append(&mut self, entries: &[Entry]) -> Result<()> {
        self.write(&entries.iter().map(Entry::line).collect::<Result<String>>()?)
    }

    /// Adds lines.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn write(&mut self, lines: &str) -> Result<()> {
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
        if self.journal.is_some() {
            fs::rename(self.dir.join(JOURNAL), self.dir.join(MANIFEST)).map_err(failed)?;
        }
        fs::remove_file(self.dir.join(LOCK)).map_err(failed)
    }

    /// Removes all of a folder that a run has begun, and the folder.
    ///
    /// # Errors
    /// As [`Self::open`]; a folder in it, which is none of ours.
    pub fn remove(dir: &Path) -> Result<()> {
        let failed = |error| failure(dir, &error);
        let (names, lock) = (Self::check(dir, true)?, lock(dir, LOCK_TRIES)?);
        names
            .iter()
            .filter(|name| *name != LOCK)
            .try_for_each(|name| fs::remove_file(dir.join(name)))
            .map_err(failed)?;
        fs::remove_file(dir.join(LOCK)).and_then(|()| fs::remove_dir(dir)).map_err(failed)?;
        drop(lock);
        Ok(())
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

/// Keeps other runs off as long as it is open. On file systems that number their files anew at every look it is not tried for ever.
fn lock(dir: &Path, again: u32) -> Result<File> {
    let path = dir.join(LOCK);
    let lock = plain::append_own(&path).map_err(|error| odd(&path, &error))?;
    match lock.try_lock() {
        // A run that ended meanwhile has removed it: another may have made and locked a new one.
        Ok(()) if again > 0 && Stamp::at(&path) != lock.metadata().ok().map(|about| Stamp::of(&about)) => {
            self::lock(dir, again - 1)
        }
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::failed(format!("another run is writing to {}", dir.display()))
            .hint("wait for it, or name another folder")
            .option("out")),
        Err(TryLockError::Error(error)) => Err(failure(dir, &error)),
    }
}

/// A file of the folder that is not what a run would have left there.
fn odd(path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::Other => Error::failed(format!("cannot use {}: {error}", path.display()))
            .hint("no run of batch made it so: start again in an empty folder"),
        _ => failure(path.parent().unwrap_or(path), error),
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
