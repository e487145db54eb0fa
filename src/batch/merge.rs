//! The shares of a run, joined: the folder that one run over everything would have written.

use super::MANIFEST;
use super::folder::Folder;
use super::job::Summary;
use super::manifest::{Entry, Outcome, ResultFile};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Joins finished shares into `out`, and checks that nothing is missing, double or changed.
///
/// # Errors
/// A share that is not finished or not of the same run, a prompt that is missing or double, a result that was changed.
pub fn merge(shares: &[PathBuf], out: &Path) -> Result<Summary> {
    let mut readers = shares.iter().map(|dir| Share::open(dir)).collect::<Result<Vec<_>>>()?;
    check(&readers)?;
    let mut folder = Folder::open(out, false)?;
    folder.start()?;
    let mut copied: HashSet<String> = HashSet::new();
    let mut summary = Summary::default();
    while let Some(share) = readers.iter_mut().filter(|share| share.next.is_some()).min_by_key(|share| share.index()) {
        let Some(entry) = share.take()? else { continue };
        let index = summary.prompts;
        if entry.index != index {
            let what = if entry.index > index { "missing" } else { "there twice" };
            return Err(Error::failed(format!("prompt {} is {what}", index.min(entry.index)))
                .hint("give the folder of every share, each once"));
        }
        for file in entry.files().iter().filter(|file| !copied.contains(&file.name)) {
            copy(file, &share.dir, out)?;
        }
        // Files of a block are shared by its prompts only.
        copied = entry.files().iter().map(|file| file.name.clone()).collect();
        summary.failed += u64::from(matches!(entry.outcome, Outcome::Error { .. }));
        folder.append(&[Entry { shard: None, ..entry }])?;
        summary.prompts += 1;
    }
    folder.finish()?;
    Ok(summary)
}

/// One share's manifest, read a line at a time.
struct Share {
    dir: PathBuf,
    lines: BufReader<File>,
    next: Option<Entry>,
}

impl Share {
    fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(MANIFEST);
        let file = File::open(&path).map_err(|error| {
            Error::failed(format!("cannot read {}: {error}", path.display()))
                .hint("each folder must hold a finished share; resume one to finish it")
                .option("resume")
        })?;
        let mut share = Self { dir: dir.to_path_buf(), lines: BufReader::new(file), next: None };
        share.take()?;
        Ok(share)
    }

    fn index(&self) -> u64 {
        self.next.as_ref().map_or(u64::MAX, |entry| entry.index)
    }

    /// The entry at hand, and reads the one after it.
    fn take(&mut self) -> Result<Option<Entry>> {
        let mut line = String::new();
        let broken = |what: String| {
            Error::failed(format!("{}: {what}", self.dir.join(MANIFEST).display())).hint("run this share again")
        };
        let read = self.lines.read_line(&mut line).map_err(|error| broken(error.to_string()))?;
        let next = match read {
            0 => None,
            _ => Some(serde_json::from_str(&line).map_err(|error| broken(format!("a line is broken: {error}")))?),
        };
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Shares of one run, each once, none left out.
fn check(shares: &[Share]) -> Result<()> {
    let mut settings = None;
    let mut seen = HashSet::new();
    for share in shares {
        let Some(entry) = &share.next else { continue };
        let dir = share.dir.display();
        if *settings.get_or_insert(&entry.settings) != &entry.settings {
            return Err(Error::failed(format!("{dir} was made with other settings than the shares before it"))
                .hint("run all shares with the same options, model and version"));
        }
        let shard = entry.shard.as_deref().unwrap_or("1/1");
        let of = shard.split_once('/').and_then(|(_, of)| of.parse().ok());
        if of != Some(shares.len()) {
            return Err(Error::failed(format!("{dir} is share {shard}, but {} folders were given", shares.len()))
                .hint("give the folder of every share, each once"));
        }
        if !seen.insert(shard) {
            return Err(Error::failed(format!("share {shard} was given twice")).hint("give every share once"));
        }
    }
    Ok(())
}

fn copy(file: &ResultFile, from: &Path, to: &Path) -> Result<()> {
    let (source, target) = (from.join(&file.name), to.join(&file.name));
    let plain =
        Path::new(&file.name).components().count() == 1 && !file.name.contains(['/', '\\']) && file.name != "..";
    let bytes = std::fs::read(&source).ok().filter(|_| plain);
    let Some(bytes) = bytes.filter(|bytes| ResultFile::of(file.name.clone(), bytes) == *file) else {
        return Err(
            Error::failed(format!("{} is missing or was changed", source.display())).hint("run its share again")
        );
    };
    if target.exists() {
        return Err(Error::failed(format!("two results are named {}", file.name)).hint("give every share once"));
    }
    crate::export::write_bytes(&target, &bytes)
}
