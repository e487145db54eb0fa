//! The cache's folders, as `huggingface_hub` lays them out.
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::digest::Digest;
use super::name::{Name, is_commit};
use crate::checkpoint::contents::NO_EXIST;
use crate::{Error, Result, plain};

/// How often a lock that another process holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// Far more than a reference, which is a commit, ever holds.
const LONGEST_REF: u64 = 1 << 10;

/// A model's folder in the cache.
#[derive(Debug)]
pub(super) struct Folder {
    layout: CacheRepo,
    root: PathBuf,
    locks: PathBuf,
    symlinks: bool,
}

impl Folder {
    pub fn new(cache: &Cache, name: &Name, symlinks: bool) -> Self {
        let repo = Repo::with_revision(name.id.clone(), RepoType::Model, name.revision.clone());
        let folder = repo.folder_name();
        Self {
            root: cache.path().join(&folder),
            locks: cache.path().join(".locks").join(&folder),
            layout: cache.repo(repo),
            symlinks,
        }
    }

    /// The commit that a revision stood at when it was last asked for.
    pub fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.into());
        }
        read_ref(&self.reference(revision))
    }

    /// The folder of a commit's files.
    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.layout.pointer_path(commit)
    }

    /// Where a blob lies once it is whole.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs").join(digest.hex())
    }

    /// Notes the commit that a revision stands at.
    pub fn write_reference(&self, revision: &str, commit: &str) -> Result<()> {
        let path = self.reference(revision);
        if revision == commit || read_ref(&path).as_deref() == Some(commit) {
            return Ok(());
        }
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            self.replace(&path, |fresh| File::create_new(fresh)?.write_all(commit.as_bytes()))
        };
        write().map_err(|error| disk_error("write", &path, &error))
    }

    /// Gives a commit's file its name: a symbolic link to the blob, else a hard one, else a copy.
    pub fn link(&self, commit: &str, file: &str, digest: &Digest) -> Result<()> {
        let path = self.snapshot(commit).join(file);
        let blob = self.blob(digest);
        let relative = Path::new("..").join("..").join("blobs").join(digest.hex());
        let same = |link: &Path| fs::read_link(link).is_ok_and(|target| target == relative);
        let write = || {
            if self.symlinks && same(&path) {
                return Ok(());
            }
            fs::create_dir_all(self.snapshot(commit))?;
            self.replace(&path, |fresh| {
                if self.symlinks && symlink(&relative, fresh).is_ok() {
                    return Ok(());
                }
                fs::hard_link(&blob, fresh).or_else(|_| fs::copy(&blob, fresh).map(|_| ()))
            })
        };
        write().map_err(|error| disk_error("write", &path, &error))
    }

    /// Notes that a commit has no such file, as `huggingface_hub` does, so that nobody asks again.
    pub fn mark_absent(&self, commit: &str, file: &str) -> Result<()> {
        let path = self.root.join(NO_EXIST).join(commit).join(file);
        if path.exists() {
            return Ok(());
        }
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            self.replace(&path, |fresh| File::create_new(fresh).map(drop))
        };
        write().map_err(|error| disk_error("write", &path, &error))
    }

    /// Waits until no other process downloads this blob, and keeps them off until dropped.
    pub fn lock(&self, digest: &Digest, waiting: &mut dyn FnMut()) -> Result<Lock> {
        let blobs = self.root.join("blobs");
        let path = self.locks.join(format!("{}.lock", digest.hex()));
        let open = || {
            fs::create_dir_all(&blobs)?;
            fs::create_dir_all(&self.locks)?;
            plain::append_own(&path)
        };
        let file = open().map_err(|error| disk_error("write", &path, &error))?;
        let part = |suffix: String| blobs.join(format!("{}{suffix}.incomplete", digest.hex()));
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { part: part(String::new()), shared: true, _file: Some(file) }),
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        waiting();
                        told = true;
                    }
                    sleep(LOCK_POLL);
                }
                // A file system without locks: a name that no other process has, which cannot be resumed.
                Err(TryLockError::Error(_)) => {
                    return Ok(Lock { part: part(format!(".{}", unique())), shared: false, _file: None });
                }
            }
        }
    }

    /// Bytes of a blob that an interrupted download left behind.
    pub fn left_behind(&self, digest: &Digest) -> u64 {
        let part = self.root.join("blobs").join(format!("{}.incomplete", digest.hex()));
        fs::metadata(part).map_or(0, |part| part.len())
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.root.join("refs").join(revision)
    }

    /// Makes a file beside its target and renames it, so that nobody ever sees half of it.
    fn replace(&self, path: &Path, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        let fresh = self.root.join(format!(".{}", unique()));
        let done = make(&fresh).and_then(|()| fs::rename(&fresh, path));
        // After a failure there may be a half; and renaming a hard link onto its twin leaves both.
        let _ = fs::remove_file(&fresh);
        done
    }
}

/// The right to download a blob.
#[derive(Debug)]
pub(super) struct Lock {
    /// Where its bytes gather.
    pub part: PathBuf,
    /// Whether the bytes there may come from an earlier download.
    shared: bool,
    _file: Option<File>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.shared {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// The commit in a reference file, if it is one.
pub(super) fn read_ref(path: &Path) -> Option<String> {
    let text = String::from_utf8(plain::read(path, LONGEST_REF).ok()?).ok()?;
    Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
}

/// A failure of the cache's disk.
pub(super) fn disk_error(verb: &str, path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or set HF_HUB_CACHE to a larger disk",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "set HF_HUB_CACHE to a folder that is yours",
        _ => "look at this folder, or set HF_HUB_CACHE to another",
    };
    Error::failed(format!("cannot {verb} {}: {error}", path.display())).hint(hint)
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes in containers share numbers, and may share the cache.
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}-{}-{time}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}
