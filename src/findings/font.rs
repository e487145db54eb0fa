//! A font that somebody gives for all texts of a figure.

use super::recorded::file_name;
use crate::error::{Error, Result};
use crate::plain;
use crate::render::check_font;
use crate::text::printable;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// A larger file is no font that one would embed: those of all Chinese characters have 20 MiB.
const LARGEST: u64 = 64 << 20;

/// A file of a font. A record knows its name and hash, and never where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FontFile {
    /// The file's name without its folder.
    pub name: String,
    /// Its hash.
    pub hash: String,
    #[serde(skip)]
    bytes: Option<Bytes>,
}

/// What is in the file.
#[derive(Clone)]
struct Bytes(Arc<Vec<u8>>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl PartialEq for FontFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.hash) == (&other.name, &other.hash)
    }
}

impl FontFile {
    /// Reads a TrueType or OpenType font.
    ///
    /// # Errors
    /// A file that is none, or larger than 64 MiB.
    pub fn read(path: &Path) -> Result<Self> {
        let name = file_name(path);
        let failed = |why: String| {
            Error::failed(format!("{}: {why}", printable(&path.display().to_string())))
                .hint("give a font of one face with outlines, as .ttf or .otf")
                .option("font")
        };
        let bytes = plain::read(path, LARGEST).map_err(|error| match error.kind() {
            std::io::ErrorKind::FileTooLarge => failed("it is larger than 64 MiB".into()),
            _ => failed(format!("cannot be read ({error})")),
        })?;
        check_font(&bytes).map_err(failed)?;
        let hash = crate::hash::digits(crate::hash::xxh3_128(&bytes));
        Ok(Self { name, hash, bytes: Some(Bytes(Arc::new(bytes))) })
    }

    /// What is in it.
    ///
    /// # Errors
    /// It is known by its name only.
    pub(super) fn bytes(&self) -> Result<Arc<Vec<u8>>> {
        self.bytes.as_ref().map(|bytes| bytes.0.clone()).ok_or_else(|| {
            Error::failed(format!("its font was a file {:?}", self.name)).hint("say where it is").option("font")
        })
    }
}
