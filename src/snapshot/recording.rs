//! Writes a snapshot, all of it or nothing.

use super::SnapshotArgs;
use super::lock::{LOCK, Lock};
use super::make::{Piece, make};
use super::suite::Suite;
use crate::cli::output;
use attnviz::error::{Error, Result};
use attnviz::export::write_bytes;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Records what a suite gives.
pub fn run(args: &SnapshotArgs, suite: &Suite) -> Result<()> {
    let mut fresh = Fresh::open(&args.out)?;
    let mut lock = Lock::new(suite.tolerance.clone());
    make(args, suite, &mut |piece| {
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
    let lines: String = paths.iter().map(|path| output::printable(&path.display().to_string()) + "\n").collect();
    output::print(lines.as_bytes())
}

/// A file, whole or not at all; a link there is replaced, not followed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink()) {
        remove(path)?;
    }
    write_bytes(path, bytes)
}

/// Removes a file that may be gone already.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::failed(format!("cannot remove {}: {error}", path.display()))
                .hint("check the folder's permissions"))
        }
        _ => Ok(()),
    }
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
            return Err(Error::usage(format!("--out {name} holds a snapshot already"))
                .hint(format!("accept what changed: attnviz snapshot check --out {name} --update")));
        }
        if fs::read_dir(dir).map_err(failed)?.next().is_some() {
            return Err(Error::usage(format!("--out {name} is not empty, and holds no snapshot"))
                .hint("name a folder that is empty or not there yet"));
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
