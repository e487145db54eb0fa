//! XXH3, by which files, models and results are told apart: fast, the same everywhere, and no protection against forgers.

use twox_hash::{XxHash3_64, XxHash3_128};

/// The hash of bytes in 64 bits.
pub fn xxh3_64(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// The hash of bytes in 128 bits.
pub fn xxh3_128(bytes: &[u8]) -> u128 {
    XxHash3_128::oneshot(bytes)
}

/// How many digits files hold a hash of 128 bits in.
pub const DIGITS: usize = 32;

/// The same as files hold it.
pub fn digits(hash: u128) -> String {
    format!("{hash:032x}")
}

/// Hashes what comes in pieces.
#[derive(Clone, Default)]
pub struct Hasher(XxHash3_128);

impl Hasher {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The hash so far, in 128 bits.
    pub fn digest128(&self) -> u128 {
        self.0.finish_128()
    }
}
