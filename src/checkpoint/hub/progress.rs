//! What a download tells whoever draws it.
use std::time::Duration;

/// A step of a download. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// What is about to be downloaded. The small files that tell what is needed (the configuration, the list of
    /// shards) have been fetched by now and do not count.
    Announce {
        /// The model's id.
        id: &'a str,
        /// How many files.
        files: usize,
        /// How large they are together.
        bytes: u64,
        /// How much of that an interrupted download left behind.
        present: u64,
    },
    /// Bytes have arrived, or had to be given up: `done` may fall.
    Moved {
        /// The file they belong to.
        file: &'a str,
        /// Of all announced bytes, how many are here.
        done: u64,
        /// All announced bytes.
        total: u64,
    },
    /// Another process is downloading this file; it is waited for.
    Waiting {
        /// The file.
        file: &'a str,
    },
    /// Something failed that may pass.
    Retrying {
        /// The file.
        file: &'a str,
        /// What failed.
        reason: &'a str,
        /// How long until the next attempt.
        wait: Duration,
    },
}
