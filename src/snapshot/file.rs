//! Files of snapshots and reports: whole or not at all, and never through a link.

use crate::error::{Error, Result};
use crate::export::write_bytes;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Writes a file, whole or not at all; a link there is replaced, not followed.
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
