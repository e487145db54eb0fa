//! Which checkpoints are in the cache. Other programs write there too, so nothing is taken for granted.
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::layout::read_ref;
use super::name::{id_of_folder, is_commit};
use crate::checkpoint::contents;

/// Branches may be named `a/b/c`; nobody names them deeper.
const DEEPEST_REF: usize = 6;
/// Above this, a folder of references is not looked through to its end.
const MOST_REFS: usize = 10_000;

/// A checkpoint in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The hub id.
    pub id: String,
    /// The branches and tags that stood at this commit when they were last asked for, sorted.
    pub revisions: Vec<String>,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// What its files take on the disk; files shared with another revision count for both.
    pub size_bytes: u64,
    /// Whether nothing is missing.
    pub complete: bool,
    /// The checkpoint folder.
    pub dir: PathBuf,
}

/// All whose `model_type` is wanted, sorted by id and commit.
pub(super) fn list(cache: &Path, model_types: &[&str]) -> Vec<Cached> {
    let is_wanted = |dir: &Path| {
        let kind = contents::model_type(dir).ok().flatten();
        kind.is_some_and(|kind| contents::is_wanted(&kind, model_types))
    };
    let mut found = Vec::new();
    for (folder, repository) in entries(cache) {
        let Some(id) = id_of_folder(&folder) else { continue };
        let mut revisions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        collect_refs(&repository.join("refs"), String::new(), DEEPEST_REF, &mut MOST_REFS.clone(), &mut revisions);
        for (commit, dir) in entries(&repository.join("snapshots")) {
            if is_commit(&commit) && is_wanted(&dir) {
                found.push(Cached {
                    id: id.clone(),
                    revisions: revisions.remove(&commit).unwrap_or_default(),
                    size_bytes: size(&dir),
                    complete: contents::lacking(&dir).is_empty(),
                    commit,
                    dir,
                });
            }
        }
    }
    found
}

/// The folder's entries with readable names, sorted; none if it is no folder.
fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut entries: Vec<_> =
        entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect();
    entries.sort();
    entries
}

fn collect_refs(
    dir: &Path,
    prefix: String,
    depth: usize,
    left: &mut usize,
    revisions: &mut BTreeMap<String, Vec<String>>,
) {
    for (name, path) in entries(dir) {
        if *left == 0 {
            return;
        }
        *left -= 1;
        let revision = format!("{prefix}{name}");
        if !path.is_dir() {
            if let Some(commit) = read_ref(&path) {
                revisions.entry(commit).or_default().push(revision);
            }
        } else if depth > 0 {
            collect_refs(&path, revision + "/", depth - 1, left, revisions);
        }
    }
}

/// The bytes of a snapshot's files, each blob once.
fn size(dir: &Path) -> u64 {
    let mut seen = HashSet::new();
    let files = entries(dir).into_iter().filter_map(|(_, path)| path.canonicalize().ok());
    let sizes = files.filter(|blob| seen.insert(blob.clone())).filter_map(|blob| fs::metadata(blob).ok());
    sizes.filter(fs::Metadata::is_file).map(|blob| blob.len()).fold(0, u64::saturating_add)
}
