//! Files of snapshots and reports: whole or not at all, and never through a link.

use crate::error::{Error, Result};
pub use crate::export::write_own_bytes as write;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

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
