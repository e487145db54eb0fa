//! What names a model: its id and its revision.
use std::fmt;

use crate::checkpoint::printable::printable;
use crate::{Error, Result};

/// The longest id that the hub gives out.
const LONGEST_ID: usize = 96;
/// Far more than any branch needs, far less than a file system allows.
const LONGEST_REVISION: usize = 200;
pub(super) const DEFAULT_REVISION: &str = "main";

/// A model's id and revision, checked: both become folders and addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub(super) id: String,
    pub(super) revision: String,
}

impl Name {
    /// The id is `name` or `org/name`; the revision a branch, a tag, a commit or `refs/pr/1`; `main` when unset.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::Kind::Usage) for what can be neither.
    pub fn new(id: &str, revision: Option<&str>) -> Result<Self> {
        let parts: Vec<&str> = id.split('/').collect();
        if parts.len() > 2 || id.len() > LONGEST_ID || !parts.iter().all(|part| is_id_part(part)) {
            return Err(Error::usage(format!("'{}' is not the id of a hub model", printable(id)))
                .hint("an id is `name` or `org/name`; a local directory is written ./name"));
        }
        let revision = revision.unwrap_or(DEFAULT_REVISION);
        if !is_revision(revision) {
            return Err(Error::usage(format!("'{}' is not a revision of a hub model", printable(revision)))
                .hint("a revision is a branch, a tag, a commit or refs/pr/1, as in gpt2@main"));
        }
        Ok(Self { id: id.into(), revision: revision.into() })
    }

    /// `org/name` or `org/name@revision`.
    ///
    /// # Errors
    /// As [`Name::new`].
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once('@') {
            Some((id, revision)) => Self::new(id, Some(revision)),
            None => Self::new(text, None),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            DEFAULT_REVISION => f.write_str(&self.id),
            revision => write!(f, "{}@{revision}", self.id),
        }
    }
}

/// An id of the cache folder `models--org--name`.
pub(super) fn id_of_folder(folder: &str) -> Option<String> {
    let id = folder.strip_prefix("models--")?.replacen("--", "/", 1);
    Name::new(&id, None).ok().map(|name| name.id)
}

/// A commit in full, as folders are named after it.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id_part(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let edge = |b: Option<&u8>| b.is_some_and(|b| !matches!(b, b'.' | b'-'));
    let bytes = part.as_bytes();
    // `--` stands for `/` in the cache's folder names, so the hub allows it in no id.
    bytes.iter().all(|&b| word(b))
        && edge(bytes.first())
        && edge(bytes.last())
        && !["--", ".."].iter().any(|s| part.contains(s))
}

fn is_revision(revision: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'=' | b'@' | b'#');
    revision.len() <= LONGEST_REVISION
        && revision
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.') && part.bytes().all(word))
}
