//! The hub's promise: the right files in the cache, or a two-line error within the limit.
mod cache;
mod transfer;
mod trust;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::hub::{COMMIT, Fault, Server, etag, git_sha1, sha256};
use attnviz::checkpoint::hub::{Environment, Event, Hub, Limits, Name, Options, Snapshot};
use attnviz::{Error, Kind, Result};
use tempfile::TempDir;

const ID: &str = "org/tiny";
const OTHER_COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";
const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = r#"{"model_type": "gpt2", "n_layer": 2}"#;
/// Larger than any buffer on the way.
const WEIGHTS_LEN: usize = 3 << 20;

fn name(id: &str) -> Name {
    Name::new(id, None).unwrap()
}

fn at(revision: &str) -> Name {
    Name::new(ID, Some(revision)).unwrap()
}

fn weights() -> Vec<u8> {
    (0..WEIGHTS_LEN as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![("config.json", CONFIG.into()), (WEIGHTS, weights()), ("tokenizer.json", b"{\"model\": {}}".into())]
}

/// The same files with one replaced, added, or (with no bytes) removed.
fn files_with(file: &'static str, bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files: BTreeMap<_, _> = files().into_iter().collect();
    files.insert(file, bytes.into());
    files.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect()
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(1),
        stall: Duration::from_secs(1),
        retries: 3,
        backoff: Duration::from_millis(5),
        patience: Duration::from_millis(50),
    }
}

/// A hub and an empty cache in front of it.
struct Bench {
    server: Server,
    cache: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(&files())
    }

    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        Self { server: Server::start(ID, files), cache: TempDir::new().unwrap() }
    }

    fn hub_with(&self, variables: &[(&str, &str)], options: Options) -> Hub {
        let cache = self.cache.path().to_str().unwrap();
        let mut known = BTreeMap::from([("HF_HUB_CACHE", cache), ("HF_ENDPOINT", &self.server.address)]);
        known.extend(variables.iter().copied());
        let environment = Environment::from_variables(|name| known.get(name).map(Into::into)).unwrap();
        Hub::new(environment, Options { model_types: &["gpt2"], limits: limits(), ..options }).unwrap()
    }

    fn hub(&self) -> Hub {
        self.hub_with(&[], Options::default())
    }

    fn offline(&self) -> Hub {
        self.hub_with(&[], Options { offline: true, ..Options::default() })
    }

    fn refreshing(&self) -> Hub {
        self.hub_with(&[], Options { refresh: true, ..Options::default() })
    }

    fn get(&self) -> Result<Snapshot> {
        self.hub().snapshot(&name(ID), &mut |_| ())
    }

    /// The two lines of the error that this must be.
    fn fails(&self) -> Error {
        let error = self.get().unwrap_err();
        assert!(error.hint.is_some() && !error.message.contains('\n'), "{error:?}");
        error
    }

    fn repository(&self) -> PathBuf {
        self.cache.path().join("models--org--tiny")
    }

    fn blob(&self, file: &str, bytes: &[u8]) -> PathBuf {
        self.repository().join("blobs").join(etag(file, bytes))
    }

    fn incomplete(&self) -> PathBuf {
        self.repository().join("blobs").join(format!("{}.incomplete", sha256(&weights())))
    }

    /// Leaves the beginning of the weights as an interrupted download does.
    fn interrupted_with(&self, bytes: &[u8]) {
        fs::create_dir_all(self.incomplete().parent().unwrap()).unwrap();
        fs::write(self.incomplete(), bytes).unwrap();
    }

    /// The weights are in the cache, and nothing half done is.
    fn assert_whole(&self, snapshot: &Snapshot) {
        assert!(fs::read(snapshot.dir.join(WEIGHTS)).unwrap() == weights());
        let blobs = fs::read_dir(self.repository().join("blobs")).unwrap();
        assert!(blobs.flatten().all(|blob| !blob.file_name().to_string_lossy().contains("incomplete")));
    }

    /// Nothing in the cache has the name of the weights.
    fn assert_no_weights(&self) {
        assert!(!self.blob(WEIGHTS, &weights()).exists());
        assert!(!self.repository().join("snapshots").join(COMMIT).join(WEIGHTS).exists());
        assert!(!self.repository().join("refs").exists());
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.server.requests().into_iter().filter(|r| r.at_store).map(|r| r.range).collect()
    }
}
