//! Residuals kept on disk, by what they are of: model, texts and places. Nothing but a name and a hash is believed of such a file.

use crate::analysis::linear::{Pool, Reading};
use crate::error::{Error, Result};
use crate::export::write_own;
use crate::hash::{DIGITS, Hasher, digits};
use crate::plain;
use crate::session::Session;
use crate::text::bytes;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most that a folder keeps, in bytes; the longest unused goes first.
const MOST: u64 = 4 << 30;
/// What a file begins with, before the hash of its numbers.
const HEAD: &str = "attnviz residuals 1\n";
/// Numbers that are written or read together.
const STEP: usize = 1 << 16;

/// A folder of residuals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    folder: PathBuf,
}

/// Residuals, `[site][example, d_model]`.
pub(super) type Values = Vec<Vec<f32>>;

impl Kept {
    /// A folder, which is made when something is kept.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What would hold the residuals of these texts. Another version of this program may have other last digits.
    pub(super) fn file(&self, session: &Session, texts: &[Reading], pool: Pool) -> PathBuf {
        let mut hasher = Hasher::new();
        let mut number = |x: usize| hasher.update(&(x as u64).to_le_bytes());
        number(matches!(pool, Pool::Mean).into());
        number(texts.len());
        for text in texts {
            number(text.ids.len());
            text.ids.iter().for_each(|id| number(*id as usize));
            number(text.examples.len());
            text.examples.iter().for_each(|tokens| [tokens.start, tokens.end].into_iter().for_each(&mut number));
        }
        let of = session.identity();
        for said in [&of.hash[..], &of.place.to_string(), env!("CARGO_PKG_VERSION"), std::env::consts::ARCH] {
            hasher.update(said.as_bytes());
            hasher.update(b"\n");
        }
        self.folder.join(format!("residuals-{}.bin", digits(hasher.digest128())))
    }

    /// What is kept there, if it is whole.
    pub(super) fn read(file: &Path, sites: usize, numbers: usize) -> Option<Values> {
        let mut from = plain::open_own(file).ok()?;
        let expected = (HEAD.len() + DIGITS) as u64 + 4 * (sites as u64) * numbers as u64;
        if from.metadata().ok()?.len() != expected {
            return None;
        }
        let mut head = [0; HEAD.len() + DIGITS];
        from.read_exact(&mut head).ok()?;
        let hash = head.strip_prefix(HEAD.as_bytes())?;
        let (mut hasher, mut block) = (Hasher::new(), vec![0; 4 * STEP]);
        let mut site = || {
            let mut values = Vec::with_capacity(numbers);
            while values.len() < numbers {
                let block = &mut block[..4 * STEP.min(numbers - values.len())];
                from.read_exact(block).ok()?;
                hasher.update(block);
                values.extend(block.chunks_exact(4).map(|x| f32::from_le_bytes([x[0], x[1], x[2], x[3]])));
            }
            Some(values)
        };
        let values = (0..sites).map(|_| site()).collect::<Option<Values>>()?;
        if digits(hasher.digest128()).as_bytes() != hash {
            return None;
        }
        let _ = File::options().append(true).open(file).and_then(|file| file.set_modified(SystemTime::now()));
        Some(values)
    }

    /// Keeps them; what was done, for people.
    ///
    /// # Errors
    /// A folder that cannot be made or written to.
    pub(super) fn write(&self, file: &Path, values: &Values) -> Result<String> {
        let size = 4 * values.iter().map(Vec::len).sum::<usize>() as u64;
        let folder = self.folder.display();
        if size > MOST {
            return Ok(format!("residuals of {} are not kept: {folder} holds {}", bytes(size), bytes(MOST)));
        }
        fs::create_dir_all(&self.folder).map_err(|e| {
            Error::failed(format!("cannot make {folder}: {e}")).hint("name another folder, or none").option("cache")
        })?;
        self.make_room(size);
        let blocks = || {
            values
                .iter()
                .flat_map(|site| site.chunks(STEP))
                .map(|block| block.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
        };
        let mut hasher = Hasher::new();
        blocks().for_each(|block| hasher.update(&block));
        write_own(file, |out| {
            let head = format!("{HEAD}{}", digits(hasher.digest128()));
            let all = std::iter::once(head.into_bytes()).chain(blocks());
            all.into_iter().try_for_each(|block| out.write_all(&block)).map_err(crate::export::unwritten)
        })?;
        Ok(format!("residuals ({}) are kept in {folder}, which holds at most {}", bytes(size), bytes(MOST)))
    }

    /// Removes the longest unused of our own files until there is room.
    fn make_room(&self, size: u64) {
        let of = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = name.len() == "residuals-.bin".len() + DIGITS && name.starts_with("residuals-");
            let about = entry.metadata().ok().filter(|about| about.is_file() && is_ours && name.ends_with(".bin"))?;
            Some((about.modified().ok()?, about.len(), entry.path()))
        };
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries.flatten().filter_map(of).collect();
        files.sort();
        let mut held: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, own, path) in files {
            if held + size <= MOST {
                return;
            }
            if fs::remove_file(path).is_ok() {
                held -= own;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_bit_for_bit_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path().join("a/b"));
        let file = kept.folder.join(format!("residuals-{}.bin", digits(7)));
        let values = vec![vec![1.0, -0.0, 1e-42], vec![f32::MAX, 0.1, -3.5]];
        assert_eq!(Kept::read(&file, 2, 3), None);
        kept.write(&file, &values).unwrap();
        let back = Kept::read(&file, 2, 3).unwrap();
        assert!(back.iter().flatten().zip(values.iter().flatten()).all(|(a, b)| a.to_bits() == b.to_bits()));
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 1;
            fs::write(&file, other).unwrap();
            assert_eq!(Kept::read(&file, 2, 3), None, "byte {at}");
        }
        fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(Kept::read(&file, 2, 3), None);
    }
}
