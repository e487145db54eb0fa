//! The hub: from a model's id to a folder of checkpoint files, in the cache that Python's `huggingface_hub` shares.
//!
//! What is cached is used without a network. What is not is downloaded, resumed where it broke off, and checked
//! (size, then SHA-256 or git's SHA-1) before it gets a name under which anyone would use it:
//!
//! ```text
//! models--org--name/refs/main                      the commit a branch stood at
//! models--org--name/snapshots/<commit>/<file>      a link to the blob
//! models--org--name/blobs/<hash>[.incomplete]      the bytes
//! .locks/models--org--name/<hash>.lock             one downloader at a time
//! ```
mod cached;
mod digest;
mod download;
mod fetch;
mod http;
mod layout;
mod name;
mod progress;
mod proxy;
mod settings;
mod url;

use std::path::{Path, PathBuf};

use hf_hub::Cache;

use super::contents;
use crate::{Error, Kind, Result};
pub use cached::Cached;
pub use name::Name;
pub use progress::Event;
pub use settings::{Environment, Limits, Options, Token};

use fetch::Fetch;
use http::Client;
use layout::Folder;

/// The Hugging Face hub, or a mirror of it, and the cache in front of it.
#[derive(Debug)]
pub struct Hub {
    cache: Cache,
    client: Client,
    symlinks: bool,
    offline: bool,
    refresh: bool,
    model_types: &'static [&'static str],
}

/// A checkpoint whose files are all in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The hub id.
    pub id: String,
    /// The folder: `config.json`, the weights and the tokenizer.
    pub dir: PathBuf,
    /// The commit of the repository, 40 hexadecimal digits.
    pub commit: String,
}

impl Snapshot {
    /// The snapshot that a folder is, by its place in a cache: `models--org--name/snapshots/<commit>`.
    pub fn of_folder(dir: &Path) -> Option<Self> {
        let names: Vec<_> = dir.iter().rev().take(3).map(|name| name.to_str()).collect::<Option<_>>()?;
        let [commit, "snapshots", repository] = names[..] else { return None };
        let id = name::id_of_folder(repository).filter(|_| name::is_commit(commit))?;
        Some(Self { id, dir: dir.into(), commit: commit.into() })
    }
}

impl Hub {
    /// A hub as the environment and the options describe it. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// An endpoint that is no web address, or a token that no header can carry.
    pub fn new(environment: Environment, options: Options) -> Result<Self> {
        let offline = environment.offline || options.offline;
        if offline && options.refresh {
            return Err(Error::usage("a refresh asks the hub, but offline mode is on")
                .hint("drop one of the two; the variable HF_HUB_OFFLINE counts too")
                .option("refresh"));
        }
        Ok(Self {
            client: Client::new(&environment, options.limits)?,
            cache: Cache::new(environment.cache),
            symlinks: environment.symlinks,
            offline,
            refresh: options.refresh,
            model_types: options.model_types,
        })
    }

    /// The cache folder.
    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    /// The host of the hub, for messages.
    pub fn host(&self) -> &str {
        self.client.host()
    }

    /// Whether the network is never asked.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The checkpoint folder of a model, downloading what the cache lacks. A complete cached checkpoint needs no network,
    /// unless `refresh` is set: then the hub is asked for the revision's newest commit and every cached file is compared
    /// with it.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] where the hub cannot be asked; else [`Kind::Failed`].
    pub fn snapshot(&self, name: &Name, progress: &mut dyn FnMut(Event<'_>)) -> Result<Snapshot> {
        if let Some(found) = self.find(name).filter(|_| !self.refresh) {
            return Ok(found);
        }
        let folder = self.folder(name);
        let pinned = folder.commit(&name.revision);
        if self.offline {
            return Err(self.not_cached(name, &folder, pinned));
        }
        let so_far = match (&pinned, self.refresh) {
            (Some(_), true) => "cannot be refreshed",
            (Some(_), false) => "is only partly in the cache",
            (None, _) => "is not in the cache",
        };
        let fetch = Fetch::new(&self.client, &folder, name, pinned, self.refresh, self.model_types);
        fetch.run(progress).map_err(|error| match error.kind {
            Kind::Unreachable => Error { message: format!("model '{name}' {so_far}: {}", error.message), ..error },
            _ => error,
        })
    }

    /// The folder of a model's tokenizer, downloading what the cache lacks of it, and nothing else.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn tokenizer(&self, name: &Name, progress: &mut dyn FnMut(Event<'_>)) -> Result<Snapshot> {
        let folder = self.folder(name);
        let pinned = folder.commit(&name.revision);
        if let Some(commit) = pinned.clone().filter(|_| !self.refresh) {
            let dir = folder.snapshot(&commit);
            if contents::has_vocabulary(&dir) {
                return Ok(Snapshot { id: name.id.clone(), dir, commit });
            }
        }
        if self.offline {
            return Err(self.not_cached(name, &folder, pinned));
        }
        Fetch::new(&self.client, &folder, name, pinned, self.refresh, &[]).run_tokenizer(progress)
    }

    /// The checkpoint folder of a model if it is completely in the cache; never asks the network.
    pub fn find(&self, name: &Name) -> Option<Snapshot> {
        let folder = self.folder(name);
        let commit = folder.commit(&name.revision)?;
        let dir = folder.snapshot(&commit);
        contents::lacking(&dir).is_empty().then(|| Snapshot { id: name.id.clone(), dir, commit })
    }

    /// Asks the hub a single question about a model, to learn whether it can be asked at all.
    ///
    /// # Errors
    /// [`Kind::Unreachable`] where there is no answer, also because of offline mode; [`Kind::Failed`] where the answer is a
    /// refusal.
    pub fn ask(&self, name: &Name) -> Result<()> {
        if self.offline {
            return Err(self.not_cached(name, &self.folder(name), None));
        }
        self.client.head(name, &name.revision, contents::CONFIG).map(|_| ())
    }

    /// The checkpoints in the cache whose `model_type` is wanted, by id; folders that are none are passed over.
    pub fn cached(&self) -> Vec<Cached> {
        cached::list(self.cache.path(), self.model_types)
    }

    fn folder(&self, name: &Name) -> Folder {
        Folder::new(&self.cache, name, self.symlinks)
    }

    fn not_cached(&self, name: &Name, folder: &Folder, pinned: Option<String>) -> Error {
        let lacking = pinned.map(|commit| contents::lacking(&folder.snapshot(&commit)));
        let message = match lacking {
            Some(files) => format!("model '{name}' is only partly in the cache ({} missing)", files.join(", ")),
            None => format!("model '{name}' is not in the cache {}", self.cache().display()),
        };
        Error::unreachable(message + ", and offline mode is on")
            .hint(format!("run `attnviz models get {name}` once with a network, or leave offline mode"))
    }
}
