//! Hashes of weights that were computed before, by which files they are of: hashing half a gigabyte is a part of the time that a short prompt
//! takes. A file is taken for the one that was hashed where the system says that nothing about it changed since, and a glance at its bytes
//! agrees.

use crate::export::write_own_bytes;
use crate::hash::{DIGITS, Hasher, digits};
use crate::plain;
use crate::weights::Weights;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Fewer bytes are hashed faster than looked up.
const LEAST: u64 = 16 << 20;
/// How long a file must have been at rest: clocks of file systems are coarse, and what was written twice within one tick looks the same.
const REST: Duration = Duration::from_secs(10);
/// The most lines that are kept, the newest first.
const MOST: usize = 256;
/// What the file begins with; each line after it is a key and a hash.
const HEAD: &str = "attnviz weights 1";

/// The folder that attnviz keeps things in: `attnviz` in `XDG_CACHE_HOME`, else in `~/.cache`; none for a user without a home.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    Some(named.or_else(|| Some(std::env::home_dir()?.join(".cache")))?.join("attnviz"))
}

/// [`Weights::hash`], which is looked up in a folder where these files were hashed before, and kept there where they were not.
pub fn hash(weights: &Weights, folder: Option<&Path>) -> String {
    at(weights, folder, SystemTime::now())
}

fn at(weights: &Weights, folder: Option<&Path>, now: SystemTime) -> String {
    let key = || if weights.bytes() < LEAST { None } else { key(weights, now) };
    let Some((file, key)) = folder.map(|folder| folder.join("weights.txt")).zip(key()) else { return weights.hash() };
    let kept = read(&file);
    if let Some((_, hash)) = kept.iter().find(|(of, _)| *of == key) {
        return hash.clone();
    }
    let hash = weights.hash();
    let lines = std::iter::once((key, hash.clone())).chain(kept).take(MOST);
    let lines = lines.map(|(of, hash)| format!("{of} {hash}\n")).collect::<String>();
    // Who cannot write there hashes again, which is all that is lost.
    if file.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok()) {
        let _ = write_own_bytes(&file, format!("{HEAD}\n{lines}").as_bytes());
    }
    hash
}

/// What files these are, and a glance at what they hold; none where that cannot be told, or one of them was touched a moment ago.
fn key(weights: &Weights, now: SystemTime) -> Option<String> {
    let mut hasher = Hasher::new();
    for path in weights.paths() {
        hasher.update(&plain::lasting(&fs::metadata(path).ok()?, now, REST)?);
    }
    hasher.update(&weights.glance().to_le_bytes());
    Some(digits(hasher.digest128()))
}

/// What is kept, by which files it is of; nothing of a file that is not of this shape throughout.
fn read(file: &Path) -> Vec<(String, String)> {
    let most = HEAD.len() + 1 + MOST * (2 * DIGITS + 2);
    let bytes = plain::open_own(file).and_then(|file| plain::read_at_most(file, most as u64));
    let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let mut lines = text.lines();
    let is_hash = |text: &str| text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let line = |line: &str| {
        let (of, hash) = line.split_once(' ').filter(|(of, hash)| is_hash(of) && is_hash(hash))?;
        Some((of.to_owned(), hash.to_owned()))
    };
    if lines.next() == Some(HEAD) { lines.map(line).collect::<Option<_>>().unwrap_or_default() } else { Vec::new() }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    const NUMBERS: usize = LEAST as usize / 4;

    /// A file of so many zeros, and where its numbers begin.
    fn zeros(path: &Path) -> u64 {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":[{NUMBERS}],"data_offsets":[0,{}]}}}}"#, 4 * NUMBERS);
        let head = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
        fs::write(path, &head).unwrap();
        File::options().write(true).open(path).unwrap().set_len((head.len() + 4 * NUMBERS) as u64).unwrap();
        head.len() as u64
    }

    #[test]
    fn weights_are_hashed_once_and_again_when_anything_about_their_file_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, folder) = (dir.path().join("model.safetensors"), dir.path().join("kept"));
        let first = zeros(&path);
        let later = SystemTime::now() + Duration::from_secs(3600);
        let weights = || Weights::open(&[&path]).unwrap();
        let true_hash = weights().hash();
        assert_eq!(at(&weights(), None, later), true_hash);
        assert_eq!(at(&weights(), Some(&folder), SystemTime::now()), true_hash);
        assert!(!folder.exists(), "a file that was just written is not at rest");
        assert_eq!(at(&weights(), Some(&folder), later), true_hash);

        // Another hash where the right one was: only who looks it up says so.
        let (file, planted) = (folder.join("weights.txt"), "0".repeat(DIGITS));
        let kept = fs::read_to_string(&file).unwrap().replace(&true_hash, &planted);
        fs::write(&file, &kept).unwrap();
        assert_eq!(at(&weights(), Some(&folder), later), planted);

        // One byte in its middle, and the time of writing set back.
        let opened = File::options().write(true).open(&path).unwrap();
        let written = opened.metadata().unwrap().modified().unwrap();
        opened.write_at(&[1], first + 4 * NUMBERS as u64 / 2 + 9999).unwrap();
        opened.set_modified(written).unwrap();
        assert_eq!(at(&weights(), Some(&folder), later), weights().hash());
        assert_ne!(weights().hash(), true_hash);

        // What is no list of ours is as nothing, a link as well, and neither is believed or written through.
        for broken in ["", "attnviz weights 1\n0 0\n", &kept.replace('w', "v"), &format!("{kept}é\n")] {
            fs::write(&file, broken).unwrap();
            assert!(read(&file).is_empty(), "{broken}");
        }
        fs::write(dir.path().join("precious"), "precious").unwrap();
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink(dir.path().join("precious"), &file).unwrap();
        assert_eq!(at(&weights(), Some(&folder), later), weights().hash());
        assert_eq!(fs::read_to_string(dir.path().join("precious")).unwrap(), "precious");
    }
}
