//! Files appear whole or not at all: written beside the target, then renamed onto it.
use super::unwritten;
use crate::error::{Error, Result};
use crate::hash::Hasher;
use crate::plain;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest chain of symbolic links that is followed, longer than the system's own.
const MOST_LINKS: usize = 40;

/// Calls `write` with a file that becomes `path` when `write` succeeds, and disappears when it fails.
///
/// A file that was there before keeps its permissions; a symbolic link stays one, and what it points at is replaced; a
/// pipe or a device is written directly. Nothing is forced to the disk: this guards against failures, not power cuts.
///
/// # Errors
/// What `write` returns, or a failure that names the file: its folder is missing, it is a folder, it is read-only, the
/// disk is full.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let named = path.to_string_lossy();
    if named.is_empty() || named.ends_with(std::path::is_separator) {
        return Err(is_folder(path));
    }
    let old = fs::metadata(path);
    let target = follow(path).map_err(|error| failure(path, &error))?;
    let special = old.as_ref().is_ok_and(|old| !old.is_file() && !old.is_dir());
    let Some(target) = target.filter(|_| !special) else {
        let open = OpenOptions::new().append(true).open(path).map_err(|error| failure(path, &error))?;
        return fill(path, open, write).map(drop);
    };
    match old {
        Ok(old) if old.is_dir() => Err(is_folder(path)),
        Ok(old) if old.permissions().readonly() => {
            Err(Error::failed(format!("{} is read-only", path.display()))
                .hint("make it writable, or choose another name"))
        }
        Ok(old) => replace(path, &target, Some(old.permissions()), write),
        Err(error) if error.kind() == ErrorKind::NotFound => replace(path, &target, None, write),
        Err(error) => Err(failure(path, &error)),
    }
}

/// Writes bytes as [`write_atomically`] does.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes).map_err(unwritten))
}

/// Calls `write` with a file that takes the place of whatever has this name in a folder of results: nobody typed the name, so that a
/// link, a pipe or a device there is replaced, and neither followed nor written to.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_own(path: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    Draft::write(path, write)?.publish()
}

/// Writes bytes as [`write_own`] does.
///
/// # Errors
/// As [`write_own`].
pub fn write_own_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    Draft::of(path, bytes)?.publish()
}

/// XXH3-128 of a file's bytes, in hexadecimal.
///
/// # Errors
/// A file that cannot be read.
pub fn hash(path: &Path) -> Result<String> {
    let broken = |e: io::Error| {
        Error::failed(format!("cannot read {}: {e}", path.display())).hint("it was there a moment ago; try again")
    };
    let mut file = plain::open(path).map_err(broken)?;
    let (mut hasher, mut block) = (Hasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(broken)? {
            0 => return Ok(crate::hash::digits(hasher.digest128())),
            count => hasher.update(&block[..count]),
        }
    }
}

fn replace(
    path: &Path,
    target: &Path,
    permissions: Option<fs::Permissions>,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<()> {
    let (file, draft) = Draft::create(target).map_err(|error| failure(path, &error))?;
    let file = fill(path, file, write)?;
    permissions
        .map_or(Ok(()), |permissions| file.set_permissions(permissions))
        .map_err(|error| failure(path, &error))?;
    drop(file); // Windows renames no open file
    draft.rename().map_err(|error| failure(path, &error))
}

/// Runs `write`; where the disk is why it fails, the error says so.
fn fill(path: &Path, file: File, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<File> {
    let mut out = BufWriter::new(Watched { file, failed: None });
    let result = write(&mut out);
    let flushed = out.flush();
    let (Watched { file, failed }, _) = out.into_parts();
    match (failed, result, flushed) {
        (Some(error), _, _) | (None, Ok(()), Err(error)) => Err(failure(path, &error)),
        (None, Err(error), _) => Err(error),
        (None, Ok(()), Ok(())) => Ok(file),
    }
}

/// A file that remembers why a write failed.
struct Watched {
    file: File,
    failed: Option<io::Error>,
}

impl Watched {
    fn watch<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if error.kind() != ErrorKind::Interrupted && self.failed.is_none() {
                self.failed = Some(error.raw_os_error().map_or(error.kind().into(), io::Error::from_raw_os_error));
            }
        })
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.file.write(bytes);
        self.watch(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.flush();
        self.watch(result)
    }
}

/// A file that is written, hidden beside what it shall be, and gone when it is dropped before it is published.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Calls `write` with a new file that is to take the place of whatever has this name, as [`write_own`] does.
    ///
    /// # Errors
    /// As [`write_own`].
    pub fn write(target: &Path, write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<Self> {
        let (file, draft) = Self::create(target).map_err(|error| failure(target, &error))?;
        fill(target, file, write)?;
        Ok(draft)
    }

    /// The same with these bytes.
    ///
    /// # Errors
    /// As [`write_own`].
    pub fn of(target: &Path, bytes: &[u8]) -> Result<Self> {
        Self::write(target, |file| file.write_all(bytes).map_err(unwritten))
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// A folder that is gone, or has a folder of that name.
    pub fn publish(self) -> Result<()> {
        let target = self.target.clone();
        self.rename().map_err(|error| failure(&target, &error))
    }

    fn create(target: &Path) -> io::Result<(File, Self)> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".attnviz-{}-{count}.tmp", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok((file, Self { path, target: target.to_path_buf() })),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {} // left by a killed process of this id
                Err(error) => return Err(error),
            }
        }
    }

    fn rename(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)?;
        self.path = PathBuf::new();
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            let _ = fs::remove_file(&self.path); // the failure that led here says more
        }
    }
}

/// What a chain of symbolic links ends at, there or not; nothing where it leads to a process's open file, as
/// `/dev/stdout` does.
fn follow(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if target.starts_with("/proc") {
            return Ok(None);
        }
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(Some(target)), // not a link
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn is_folder(path: &Path) -> Error {
    Error::failed(format!("`{}` is a folder, not a file", path.display())).hint("add a file name to it")
}

fn failure(path: &Path, error: &io::Error) -> Error {
    let name = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.display();
    match error.kind() {
        ErrorKind::NotFound => Error::failed(format!("cannot write {name}: there is no folder {folder}"))
            .hint(format!("create it first: mkdir -p {folder}")),
        ErrorKind::NotADirectory => {
            Error::failed(format!("cannot write {name}: {folder} is not a folder")).hint("choose another name")
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::failed(format!("cannot write {name}: permission denied"))
                .hint(format!("make {folder} writable, or choose another folder"))
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::failed(format!("cannot write {name}: the disk is full"))
                .hint("make room, or choose a folder on another disk")
        }
        _ => Error::failed(format!("cannot write {name}: {error}")).hint("choose another name or folder"),
    }
}
