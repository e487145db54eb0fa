//! Writes a snapshot, all of it or nothing.

use super::file::write;
use super::lock::{LOCK, Lock};
use super::make::{Piece, make};
use super::suite::Suite;
use super::{Open, Remark};
use crate::error::{Error, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Records what a suite gives, in a folder that is empty or not there yet. Returns the files, in order. `remark` is told what was assumed
/// to read the models.
///
/// # Errors
/// A folder that holds something or cannot be written, a model that cannot be had, a case that fails.
pub fn record(suite: &Suite, out: &Path, open: Open, remark: Remark) -> Result<Vec<PathBuf>> {
    let mut fresh = Fresh::open(out)?;
    let mut lock = Lock::new(suite.tolerance.clone());
    make(suite, open, remark, &mut |piece| {
        match piece {
            Piece::Model { label, model, .. } => drop(lock.models.insert(label.to_owned(), model)),
            Piece::Cases(all) => {
                for made in all {
                    let case = &suite.cases[made.case];
                    for (format, bytes) in made.files.map_err(|error| suite.named(case, error))? {
                        fresh.write(&case.file(format), &bytes)?;
                    }
                    lock.cases.insert(case.name.clone(), made.settings);
                }
            }
        }
        Ok(())
    })?;
    fresh.write(LOCK, &lock.bytes()?)?;
    let mut paths = std::mem::take(&mut fresh.written);
    fresh.made = false;
    paths.sort();
    Ok(paths)
}

/// A folder that was empty, and is so again unless everything is written.
struct Fresh<'a> {
    dir: &'a Path,
    made: bool,
    written: Vec<PathBuf>,
}

impl<'a> Fresh<'a> {
    fn open(dir: &'a Path) -> Result<Self> {
        let name = dir.display();
        let failed = |error: std::io::Error| {
            let hint = match error.kind() {
                ErrorKind::NotFound => "the folder around it must exist",
                _ => "name a folder that can be written to",
            };
            Error::failed(format!("cannot write to {name}: {error}")).hint(hint)
        };
        let made = match fs::create_dir(dir) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        };
        if dir.join(LOCK).exists() {
            return Err(Error::usage(format!("{name} holds a snapshot already"))
                .hint("accept what changed: attnviz snapshot check")
                .option("update"));
        }
        if fs::read_dir(dir).map_err(failed)?.next().is_some() {
            return Err(Error::usage(format!("{name} is not empty, and holds no snapshot"))
                .hint("name a folder that is empty or not there yet")
                .option("out"));
        }
        Ok(Self { dir, made, written: Vec::new() })
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        write(&path, bytes)?;
        self.written.push(path);
        Ok(())
    }
}

impl Drop for Fresh<'_> {
    fn drop(&mut self) {
        // The failure that led here says more than what these could.
        for path in &self.written {
            let _ = fs::remove_file(path);
        }
        if self.made {
            let _ = fs::remove_dir(self.dir);
        }
    }
}
