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
mod contents;
mod digest;
mod download;
mod fetch;
mod http;
mod layout;
mod name;
mod progress;
mod settings;
mod url;

use std::path::{Path, PathBuf};

use hf_hub::Cache;

use crate::{Error, Result};
pub use cached::Cached;
pub use name::split_revision;
pub use progress::Event;
pub use settings::{Environment, Limits, Options, Token};

use fetch::Fetch;
use http::Client;
use layout::Folder;
use name::Name;

/// The Hugging Face hub, or a mirror of it, and the cache in front of it.
#[derive(Debug)]
pub struct Hub {
    cache: Cache,
    client: Client,
    symlinks: bool,
    offline: bool,
    refresh: bool,
}

/// A checkpoint whose files are all in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder: `config.json`, the weights and the tokenizer.
    pub dir: PathBuf,
    /// The commit of the repository, 40 hexadecimal digits.
    pub commit: String,
}

impl Hub {
    /// A hub as the environment and the options describe it. Nothing is asked of the network yet.
    ///
    /// # Errors
    /// An endpoint that is no web address, or a token that no header can carry.
    pub fn new(environment: Environment, options: Options) -> Result<Self> {
        let offline = environment.offline || options.offline;
        if offline && options.refresh {
            return Err(Error::usage("--refresh asks the hub, but offline mode is on")
                .hint("drop --refresh, or --offline (the variable HF_HUB_OFFLINE counts too)"));
        }
        Ok(Self {
            client: Client::new(&environment, options.limits)?,
            cache: Cache::new(environment.cache),
            symlinks: environment.symlinks,
            offline,
            refresh: options.refresh,
        })
    }

    /// The cache folder.
    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    /// The checkpoint folder of a model, downloading what the cache lacks.
    ///
    /// `revision` is a branch, a tag, a commit or `refs/pr/1`; `main` when unset. A complete cached checkpoint needs no
    /// network, unless `refresh` is set: then the hub is asked for the revision's newest commit and every cached file
    /// is compared with it.
    ///
    /// # Errors
    /// [`Kind::Unreachable`](crate::Kind::Unreachable) where the hub cannot be asked, so that a caller may offer another
    /// model; [`Kind::Usage`](crate::Kind::Usage) for an impossible id or revision; else
    /// [`Kind::Failed`](crate::Kind::Failed).
    pub fn snapshot(&self, id: &str, revision: Option<&str>, progress: &mut dyn FnMut(Event<'_>)) -> Result<Snapshot> {
        let name = Name::new(id, revision)?;
        let folder = self.folder(&name);
        let pinned = folder.commit(&name.revision);
        let lacking = match &pinned {
            Some(commit) => contents::lacking(&folder.snapshot(commit)),
            None => Vec::new(),
        };
        match &pinned {
            Some(commit) if lacking.is_empty() && !self.refresh => {
                Ok(Snapshot { dir: folder.snapshot(commit), commit: commit.clone() })
            }
            _ if self.offline => Err(not_cached(&name, pinned.is_some(), &lacking, self.cache())),
            _ => Fetch::new(&self.client, &folder, &name, pinned, self.refresh).run(progress),
        }
    }

    /// The checkpoint folder of a model if it is completely in the cache; never asks the network.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::Kind::Usage) for an impossible id or revision.
    pub fn find(&self, id: &str, revision: Option<&str>) -> Result<Option<Snapshot>> {
        let name = Name::new(id, revision)?;
        let folder = self.folder(&name);
        let complete = |commit: &String| contents::lacking(&folder.snapshot(commit)).is_empty();
        Ok(folder
            .commit(&name.revision)
            .filter(complete)
            .map(|commit| Snapshot { dir: folder.snapshot(&commit), commit }))
    }

    /// The GPT-2 checkpoints in the cache, by id; folders that are none are passed over.
    pub fn cached(&self) -> Vec<Cached> {
        cached::list(self.cache.path())
    }

    fn folder(&self, name: &Name) -> Folder {
        Folder::new(&self.cache, name, self.symlinks)
    }
}

fn not_cached(name: &Name, begun: bool, lacking: &[String], cache: &Path) -> Error {
    let message = if begun {
        format!("model '{name}' is only partly in the cache ({} missing), and offline mode is on", lacking.join(", "))
    } else {
        format!("model '{name}' is not in the cache {}, and offline mode is on", cache.display())
    };
    Error::unreachable(message)
        .hint(format!("run `attnviz models get {name}` once with a network, or leave offline mode"))
}
