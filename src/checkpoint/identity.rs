//! What a model is: its weights, its config and the files of its tokenizer, each by a hash; and whether its files are still those that
//! were read.

use super::Checkpoint;
use super::contents::CONFIG;
use crate::error::{Error, Result};
use crate::hash::{Hasher, xxh3_128};
use crate::plain::Stamp;
use crate::prompt::FILES;
use std::path::{Path, PathBuf};

/// What the parts of a hash are of. Older files have the first only.
const PARTS: [&str; 3] = ["weights", "config.json", "tokenizer"];
/// What stands between them.
const BETWEEN: char = '-';
/// Digits of a part that are shown.
const SHOWN: usize = 8;

/// The files of a checkpoint beside its weights, as they were when they were about to be read.
pub struct Files(Vec<(PathBuf, Option<Stamp>)>);

impl Files {
    /// Those of a checkpoint; none of the built-in model.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let config = checkpoint.folder().map(|folder| folder.join(CONFIG));
        let tokenizer = checkpoint.beside().into_iter().flat_map(|folder| FILES.map(|name| folder.join(name)));
        let paths = config.into_iter().chain(tokenizer);
        Self(paths.map(|path| (path.clone(), Stamp::at(&path))).collect())
    }

    /// One that was written, replaced, added or removed since then.
    pub fn changed(&self) -> Option<&Path> {
        self.0.iter().find(|(path, then)| Stamp::at(path) != *then).map(|(path, _)| path.as_path())
    }
}

/// What follows the hash of the weights in that of a model: XXH3-128 in hexadecimal of `config.json`, and of the files of the tokenizer
/// by name.
///
/// # Errors
/// A file that cannot be read, or is far too large.
pub fn beside(checkpoint: &Checkpoint) -> Result<String> {
    let config = xxh3_128(&checkpoint.config);
    let mut tokenizer = Hasher::new();
    for name in FILES {
        if let Some(bytes) = checkpoint.read_beside(name)? {
            tokenizer.update(name.as_bytes());
            tokenizer.update(&xxh3_128(&bytes).to_le_bytes());
        }
    }
    Ok(format!("{BETWEEN}{config:032x}{BETWEEN}{:032x}", tokenizer.digest128()))
}

/// What is another in a model than it was, in words; a part that either hash lacks is compared with nothing.
pub fn changes(was: &str, is: &str) -> Vec<String> {
    let (then, now) = (parts(was), parts(is));
    let apart = PARTS.iter().zip(then.iter().zip(&now)).filter(|(_, (then, now))| then != now);
    let mut changes: Vec<String> = apart
        .map(|(part, (then, now))| match *part {
            "weights" => format!("its weights were {then}, are {now}"),
            part => format!("its {part} was {then}, is {now}"),
        })
        .collect();
    if then.len() != now.len() {
        changes.push("only one of the two says which config.json and tokenizer it had".into());
    }
    changes
}

/// The hash of a model's weights.
pub fn weights(hash: &str) -> &str {
    parts(hash)[0]
}

/// The first parts in which two hashes differ, short.
pub fn told_apart<'a>(a: &'a str, b: &'a str) -> [&'a str; 2] {
    let (a, b) = (parts(a), parts(b));
    let [a, b] = a.iter().zip(&b).find(|(a, b)| a != b).map_or([a[0], b[0]], |(a, b)| [*a, *b]);
    [a, b].map(|part| part.get(..SHOWN).unwrap_or(part))
}

fn parts(hash: &str) -> Vec<&str> {
    hash.splitn(PARTS.len(), BETWEEN).collect()
}

/// The error for a file that is no longer what was read.
pub(crate) fn changed(model: &str, file: &Path) -> Error {
    Error::failed(format!("model {model}: {} was changed while it was in use", file.display()))
        .hint("nothing was kept that may be of the new one; let the file come to rest, and run it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_two_models_is_named() {
        assert!(changes("a-b-c", "a-b-c").is_empty());
        assert_eq!(changes("a-b-c", "x-b-c"), ["its weights were a, are x"]);
        assert_eq!(changes("a-b-c", "a-y-z"), ["its config.json was b, is y", "its tokenizer was c, is z"]);
        let old = changes("a", "a-b-c");
        assert!(old.len() == 1 && old[0].contains("only one"), "{old:?}");
        assert_eq!(told_apart("same-123456789", "same-abcdefghi"), ["12345678", "abcdefgh"]);
        assert_eq!(told_apart("", "é"), ["", "é"]);
        assert_eq!(weights("a-b-c"), "a");
    }
}
