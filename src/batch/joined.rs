//! A folder that appears whole or not at all: made beside the one that is meant, then renamed.

use super::folder::Folder;
use crate::error::{Error, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is gone when it is dropped, unless it was given its name.
pub(super) struct Joined {
    path: PathBuf,
    out: PathBuf,
}

impl Joined {
    /// A name beside the folder `out`, where nothing is; what a run that was killed has left there is removed.
    ///
    /// # Errors
    /// A folder without a name of its own; another run that is joining to it; what is no folder of ours.
    pub fn new(out: &Path) -> Result<Self> {
        let (Some(name), around) = (out.file_name(), out.parent().unwrap_or(Path::new(""))) else {
            return Err(Error::usage(format!("{} has no name of its own", out.display()))
                .hint("name a folder that is not there yet")
                .option("out"));
        };
        let path = around.join(format!(".{}.attnviz-merge", name.to_string_lossy()));
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() && fs::remove_dir(&path).is_err() => Folder::remove(&path)?,
            Ok(there) if !there.is_dir() => {
                return Err(Error::failed(format!("{} is no folder", path.display())).hint("remove it"));
            }
            _ => {}
        }
        Ok(Self { path, out: out.to_path_buf() })
    }

    /// Where to write meanwhile.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the folder its name; an empty one of that name is replaced.
    ///
    /// # Errors
    /// A folder that is not empty any more, or cannot be replaced.
    pub fn publish(self) -> Result<()> {
        let named = || {
            if let Ok(there) = fs::metadata(&self.out) {
                fs::set_permissions(&self.path, there.permissions())?;
                fs::remove_dir(&self.out)?;
            }
            fs::rename(&self.path, &self.out)
        };
        named().map_err(|error| {
            Error::failed(format!("cannot make the folder {}: {error}", self.out.display()))
                .hint("name a folder that is not there yet")
                .option("out")
        })
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if self.path.is_dir() {
            let _ = Folder::remove(&self.path); // the failure that led here says more
        }
    }
}
