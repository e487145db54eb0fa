//! What the hub calls a file's bytes: SHA-256 for large files, git's hash of a blob for the others.
use std::io::{self, Read};
use std::path::Path;

use crate::plain;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

const BUFFER: usize = 256 << 10;

/// The hash that a file must have. It is also the name of its blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest(String);

impl Digest {
    /// The hash in an `ETag` or `X-Linked-Etag` header, which nothing but such a hash may be.
    pub fn of_etag(etag: &str) -> Option<Self> {
        let hex = etag.trim().trim_start_matches("W/").trim_matches('"');
        let is_hex = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex && matches!(hex.len(), 40 | 64)).then(|| Self(hex.into()))
    }

    /// The hash in hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// Whether a file has this hash. It is read from the disk, for that is what will be used.
    pub fn is_of(&self, path: &Path) -> io::Result<bool> {
        let mut file = plain::open(path)?;
        let mut context = match self.0.len() {
            64 => Context::new(&SHA256),
            _ => {
                let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
                context.update(format!("blob {}\0", file.metadata()?.len()).as_bytes());
                context
            }
        };
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => context.update(&buffer[..n]),
            }
        }
        let found: String = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(found == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_name_blobs() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Digest::of_etag(&format!("W/\"{hash}\"")).as_ref().map(Digest::hex), Some(hash));
        for bad in ["", "\"\"", "../../etc/passwd", &hash[1..], &hash.replace('0', "G"), &format!("{hash}/")] {
            assert_eq!(Digest::of_etag(bad), None, "{bad}");
        }
    }
}
