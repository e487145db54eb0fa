//! From a name to weights: a model of the hub, a directory, or the built-in model. What a config means is the model's affair.

mod adapter;
mod contents;
pub mod hub;
pub mod identity;
pub mod known;
mod printable;

use crate::error::{Error, Result};
use crate::place::Place;
use crate::weights::{Weights, nanogpt};
use contents::CONFIG;
use hub::{Environment, Hub, Name, Options, Snapshot};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Where a checkpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The one embedded in this program.
    Builtin,
    /// A folder in Hugging Face's layout.
    Directory(PathBuf),
    /// A model of the hub.
    Hub(Name),
}

impl Source {
    /// What `--model` means: `builtin`; an existing directory, or anything that starts with `.`, `/` or `~`, is a path; else
    /// a hub id with optional `@revision`.
    ///
    /// # Errors
    /// A path that leads to no directory; what is neither a path nor an id, as a usage error.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_in(Path::new(""), text)
    }

    /// The same, paths being relative to a folder.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_in(folder: &Path, text: &str) -> Result<Self> {
        if text == "builtin" {
            return Ok(Source::Builtin);
        }
        let path = match text.strip_prefix('~').zip(std::env::home_dir()) {
            Some((rest, home)) if rest.is_empty() || rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
            _ => folder.join(text),
        };
        if path.is_dir() {
            return Ok(Source::Directory(path));
        }
        let is_file = path.is_file();
        // No id of the hub ends like a file of weights, so a file of that name is what is meant.
        let is_path =
            text.starts_with(['.', '/', '~']) || Path::new(text).is_absolute() || is_file && path.extension().is_some();
        if !is_path {
            return Name::parse(text).map(Source::Hub);
        }
        let what = if is_file { "is a file, not the folder of a checkpoint" } else { "does not exist" };
        Err(Error::failed(format!("model {text:?} {what}")).hint(NEEDED))
    }
}

/// What a folder needs to be a checkpoint.
const NEEDED: &str = "give a folder with config.json, model.safetensors or pytorch_model.bin, and a tokenizer";

/// The built-in model: an ordinary checkpoint, embedded file by file.
const BUILTIN: [(&str, &[u8]); 3] = [
    ("config.json", include_bytes!("../../assets/model/config.json")),
    ("model.safetensors", include_bytes!("../../assets/model/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../assets/model/tokenizer.json")),
];

/// The size of the built-in model.
pub fn builtin_bytes() -> u64 {
    BUILTIN.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

/// An opened checkpoint: its config read, nothing else touched yet.
pub struct Checkpoint {
    /// What figures and files call it: a hub id, a folder's name, or `builtin`; never a path.
    pub name: String,
    /// The commit of the repository that it comes from, 40 hexadecimal digits, where it comes from the hub.
    pub revision: Option<String>,
    /// Its `config.json`, as it is; [`Self::locate`] says where.
    pub config: Cow<'static, [u8]>,
    /// Where it shall be computed.
    pub place: Place,
    folder: Option<PathBuf>,
    /// The file of weights whose sizes stand for a `config.json` that there is not.
    sized_by: Option<PathBuf>,
    lent: Option<Lent>,
}

/// Where another's tokenizer is.
struct Lent {
    name: String,
    folder: Option<PathBuf>,
}

impl Checkpoint {
    /// Reads the config. A model of the hub is taken from the cache, or downloaded without a word, whatever its type:
    /// [`Hub::snapshot`] tells how far it is, refuses what is not wanted, and gives a folder to open.
    ///
    /// # Errors
    /// A folder without a config that can be read; what [`Hub::snapshot`] fails for.
    pub fn open(source: &Source) -> Result<Self> {
        let folder = match source {
            Source::Builtin => None,
            Source::Directory(folder) => Some(folder.clone()),
            Source::Hub(name) => {
                Some(Hub::new(Environment::of_process()?, Options::default())?.snapshot(name, &mut |_| ())?.dir)
            }
        };
        let missing = || {
            let adapter = folder.as_deref().and_then(adapter::unmerged);
            adapter.unwrap_or_else(|| {
                Error::failed(format!("{} is missing", locate(folder.as_deref(), CONFIG))).hint(NEEDED)
            })
        };
        let (config, sized_by) = match read(folder.as_deref(), CONFIG)? {
            Some(config) => (config, None),
            None => {
                let (path, config) = folder.as_deref().and_then(sizes).transpose()?.ok_or_else(missing)?;
                (Cow::Owned(config), Some(path))
            }
        };
        let (name, revision) = folder.as_deref().map_or(("builtin".into(), None), identity);
        Ok(Self { name, revision, config, place: Place::default(), folder, sized_by, lent: None })
    }

    /// How errors name its config: a file, or what stands for it.
    pub fn config_origin(&self) -> String {
        self.sized_by.as_ref().map_or_else(|| self.locate(CONFIG), |path| format!("model_args of {}", path.display()))
    }

    /// What was assumed to have a config, a line for people.
    pub fn assumed(&self) -> Option<String> {
        self.sized_by.as_ref().map(|path| format!("{}: {}", path.display(), nanogpt::ASSUMED))
    }

    /// Maps its weights, one file or shards, safetensors or what PyTorch saved, and checks their headers.
    ///
    /// # Errors
    /// Weights that are missing, cannot be read or are not whole.
    pub fn weights(&self) -> Result<Weights> {
        match &self.folder {
            None => Weights::embedded("the built-in model", BUILTIN[1].1),
            Some(folder) => Weights::open(&weight_files(folder)?),
        }
    }

    /// The same with the tokenizer of another folder, or of the built-in model.
    ///
    /// # Errors
    /// A folder without any of a tokenizer's files.
    pub fn with_tokenizer(self, source: &Source) -> Result<Self> {
        let folder = match source {
            Source::Builtin => None,
            Source::Directory(folder) => Some(folder.clone()),
            Source::Hub(name) => {
                Some(Hub::new(Environment::of_process()?, Options::default())?.tokenizer(name, &mut |_| ())?.dir)
            }
        };
        if let Some(folder) = folder.as_ref().filter(|folder| !contents::has_vocabulary(folder)) {
            return Err(Error::failed(format!("{} has no tokenizer", folder.display()))
                .hint(
                    "name a folder with tokenizer.json, vocab.json and merges.txt, vocab.txt or a SentencePiece model",
                )
                .option("tokenizer"));
        }
        let name = folder.as_deref().map_or("builtin".into(), |folder| identity(folder).0);
        Ok(Self { lent: Some(Lent { name, folder }), ..self })
    }

    /// What the tokenizer's own folder is called, where it is another's.
    pub fn tokenizer_name(&self) -> Option<&str> {
        self.lent.as_ref().map(|lent| lent.name.as_str())
    }

    /// A file that says something of the tokenizer, if it is there.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_beside(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        read(self.beside(), name)
    }

    /// How errors name such a file.
    pub fn locate_beside(&self, name: &str) -> String {
        locate(self.beside(), name)
    }

    pub(crate) fn beside(&self) -> Option<&Path> {
        self.lent.as_ref().map_or(self.folder(), |lent| lent.folder.as_deref())
    }

    /// Where its files are; none for the built-in model.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// A file of the checkpoint other than weights, if it is there.
    ///
    /// # Errors
    /// A file that cannot be read, or is far too large.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        read(self.folder(), name)
    }

    /// How errors name a file of the checkpoint.
    pub fn locate(&self, name: &str) -> String {
        locate(self.folder(), name)
    }
}

/// The name and the commit of a folder of the hub's cache, else the folder's own name.
fn identity(folder: &Path) -> (String, Option<String>) {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    match Snapshot::of_folder(folder).or_else(|| Snapshot::of_folder(&full)) {
        Some(snapshot) => (snapshot.id, Some(snapshot.commit)),
        None => (full.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned()), None),
    }
}

fn locate(folder: Option<&Path>, name: &str) -> String {
    folder.map_or_else(|| format!("the built-in {name}"), |folder| folder.join(name).display().to_string())
}

fn read(folder: Option<&Path>, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
    let Some(folder) = folder else {
        return Ok(BUILTIN.iter().find(|(file, _)| *file == name).map(|(_, bytes)| Cow::Borrowed(*bytes)));
    };
    let broken = |reason| {
        Error::failed(format!("cannot read {}: {reason}", locate(Some(folder), name)))
            .hint("check that it is a file that can be read, or download the checkpoint again")
    };
    Ok(contents::read(folder, name).map_err(broken)?.map(Cow::Owned))
}

/// The one file of a training program that holds sizes beside its weights, and the config that they stand for. What is wrong with the
/// folder's weights is said when they are read.
fn sizes(folder: &Path) -> Option<Result<(PathBuf, Vec<u8>)>> {
    let [path] = <[PathBuf; 1]>::try_from(contents::weights(folder).ok()??).ok()?;
    if !nanogpt::NAMES.iter().any(|end| path.to_string_lossy().ends_with(end)) {
        return None;
    }
    nanogpt::config(&path).map(|config| Some((path, config?))).transpose()
}

/// One file, or the shards that an index names.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let broken =
        |reason| Error::failed(format!("{}: {reason}", folder.display())).hint("download the checkpoint again");
    contents::weights(folder).map_err(broken)?.ok_or_else(|| {
        let missing = || {
            let missing = Error::failed(format!("{} has no model.safetensors", folder.display()));
            match FOREIGN.iter().find(|(file, _)| contents::has(folder, file)) {
                Some((file, load)) => missing.hint(format!(
                    "it has a {file}: load it in Python with AutoModelForCausalLM.from_pretrained(dir, {load}), then save_pretrained(dir)"
                )),
                None => missing.hint(NEEDED),
            }
        };
        adapter::unmerged(folder).unwrap_or_else(missing)
    })
}

/// Weights that only other libraries read, and how transformers before 5 does.
const FOREIGN: [(&str, &str); 2] = [("tf_model.h5", "from_tf=True"), ("flax_model.msgpack", "from_flax=True")];
