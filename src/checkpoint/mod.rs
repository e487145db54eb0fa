//! From a name to weights: a directory, or the built-in model.

pub mod config;
pub mod hub;
mod weights;

pub use weights::{Param, Weights};

use crate::error::{Error, Result};
use crate::model::Spec;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a checkpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The one embedded in this program.
    Builtin,
    /// A folder in Hugging Face's layout.
    Directory(PathBuf),
}

impl Source {
    /// What `--model` means: `builtin`; an existing directory, or anything that starts with `.`, `/` or `~`, is a path.
    pub fn parse(name: &str) -> Result<Self> {
        if name == "builtin" {
            return Ok(Source::Builtin);
        }
        let path = match name.strip_prefix("~/").zip(std::env::home_dir()) {
            Some((rest, home)) => home.join(rest),
            None => PathBuf::from(name),
        };
        if path.is_dir() {
            return Ok(Source::Directory(path));
        }
        let what = if path.exists() { "is a file, not the folder of a checkpoint" } else { "does not exist" };
        Err(Error::failed(format!("model {name:?} {what}"))
            .hint("give a folder with config.json, model.safetensors and a tokenizer, or `builtin`"))
    }
}

/// The built-in model: an ordinary checkpoint, embedded file by file.
const BUILTIN: [(&str, &[u8]); 3] = [
    ("config.json", include_bytes!("../../assets/model/config.json")),
    ("model.safetensors", include_bytes!("../../assets/model/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../assets/model/tokenizer.json")),
];

/// Files of JSON larger than this are not read: GPT-2's largest is 3.5 MB.
const LARGEST_JSON: u64 = 256 << 20;

/// An opened checkpoint: its config understood, its weights mapped and checked, nothing computed yet.
pub struct Checkpoint {
    /// What figures and files call it: a folder's name, or `builtin`; never a path.
    pub name: String,
    /// Sizes and switches.
    pub spec: Spec,
    /// All tensors.
    pub weights: Weights,
    source: Source,
}

impl Checkpoint {
    /// Reads the config, maps the weights and checks their headers.
    pub fn open(source: &Source) -> Result<Self> {
        let config = read(source, "config.json")?.ok_or_else(|| {
            Error::failed(format!("{} has no config.json", describe(source)))
                .hint("give the folder of a GPT-2 checkpoint: config.json, model.safetensors and a tokenizer")
        })?;
        let spec = config::parse(&config, &locate(source, "config.json"))?;
        let weights = match source {
            Source::Builtin => Weights::embedded("the built-in model", BUILTIN[1].1)?,
            Source::Directory(folder) => Weights::open(&weight_files(source, folder)?)?,
        };
        let name = match source {
            Source::Builtin => "builtin".to_string(),
            Source::Directory(folder) => {
                let full = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                full.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned())
            }
        };
        Ok(Self { name, spec, weights, source: source.clone() })
    }

    /// A file of the checkpoint, if it is there.
    pub fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        read(&self.source, name)
    }

    /// How errors name a file of the checkpoint.
    pub fn locate(&self, name: &str) -> String {
        locate(&self.source, name)
    }
}

fn describe(source: &Source) -> String {
    match source {
        Source::Builtin => "the built-in model".into(),
        Source::Directory(folder) => folder.display().to_string(),
    }
}

fn locate(source: &Source, name: &str) -> String {
    match source {
        Source::Builtin => format!("the built-in {name}"),
        Source::Directory(folder) => folder.join(name).display().to_string(),
    }
}

fn read(source: &Source, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
    let Source::Directory(folder) = source else {
        return Ok(BUILTIN.iter().find(|(file, _)| *file == name).map(|(_, bytes)| Cow::Borrowed(*bytes)));
    };
    let path = folder.join(name);
    let broken = |e: std::io::Error| {
        Error::failed(format!("cannot read {}: {e}", path.display())).hint("check that it is a file that can be read")
    };
    match std::fs::metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(broken(e)),
        Ok(meta) if !meta.is_file() || meta.len() > LARGEST_JSON => {
            Err(Error::failed(format!("{} is not a file of sensible size", path.display()))
                .hint("the checkpoint is broken; download it again"))
        }
        Ok(_) => std::fs::read(&path).map(|bytes| Some(Cow::Owned(bytes))).map_err(broken),
    }
}

/// One safetensors file, or the shards that an index names.
fn weight_files(source: &Source, folder: &Path) -> Result<Vec<PathBuf>> {
    let whole = folder.join("model.safetensors");
    if whole.symlink_metadata().is_ok() {
        return Ok(vec![whole]);
    }
    const INDEX: &str = "model.safetensors.index.json";
    if let Some(bytes) = read(source, INDEX)? {
        return shards(&bytes, &locate(source, INDEX)).map(|names| names.iter().map(|n| folder.join(n)).collect());
    }
    let missing = Error::failed(format!("{} has no model.safetensors", folder.display()));
    Err(if folder.join("pytorch_model.bin").exists() {
        missing.hint(
            "it has a pytorch_model.bin: load it in transformers and call save_pretrained(dir, safe_serialization=True)",
        )
    } else {
        missing.hint("give the folder of a GPT-2 checkpoint: config.json, model.safetensors and a tokenizer")
    })
}

/// The files that a `model.safetensors.index.json` names, each once, none outside its folder.
pub fn shards(index: &[u8], origin: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let broken = |what: String| {
        Error::failed(format!("{origin} is not an index of shards: {what}")).hint("download the checkpoint again")
    };
    let index: Index = serde_json::from_slice(index).map_err(|e| broken(e.to_string()))?;
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    let outside = |name: &&String| name.contains(['/', '\\', ':', '\0']) || !name.ends_with(".safetensors");
    match names.iter().find(outside) {
        Some(name) => Err(broken(format!("it names {name:?}"))),
        None if names.is_empty() => Err(broken("it names no file".into())),
        None => Ok(names),
    }
}
