//! Which files make a checkpoint.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::name::printable;

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VOCABULARY: [&str; 2] = ["vocab.json", "merges.txt"];
/// What says more about a vocabulary, where it exists; `tokenizer.json` says it itself.
pub(super) const VOCABULARY_EXTRAS: [&str; 3] =
    ["added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"];
/// Weights that only Python's unpickler can read, which runs whatever code they hold.
pub(super) const PICKLED: [&str; 2] = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
/// What attnviz draws.
pub(super) const MODEL_TYPE: &str = "gpt2";

/// Above this, a file that is read into memory is a mistake or an attack: GPT-2's largest has 1.4 MB.
pub(super) const LARGEST_SMALL_FILE: u64 = 100 << 20;
/// More shards than any GPT-2 has, few enough to ask for each.
const MOST_SHARDS: usize = 1000;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Config {
    model_type: Option<String>,
}

/// Whether a folder has a file with something in it.
pub(super) fn has(dir: &Path, file: &str) -> bool {
    fs::metadata(dir.join(file)).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}

/// What a folder lacks to be a checkpoint; nothing if it is one.
pub(super) fn lacking(dir: &Path) -> Vec<String> {
    let mut lacking = Vec::new();
    if !has(dir, CONFIG) {
        lacking.push(CONFIG.into());
    }
    if !has(dir, WEIGHTS) {
        match shards(dir) {
            Ok(shards) => lacking.extend(shards.into_iter().filter(|shard| !has(dir, shard))),
            Err(_) => lacking.push(WEIGHTS.into()),
        }
    }
    if !has(dir, TOKENIZER) && !VOCABULARY.iter().all(|file| has(dir, file)) {
        lacking.push(TOKENIZER.into());
    }
    lacking
}

/// The files that a folder's list of shards names.
pub(super) fn shards(dir: &Path) -> Result<Vec<String>, String> {
    let index: Index = read(dir, INDEX)?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    if shards.is_empty() || shards.len() > MOST_SHARDS {
        return Err(format!("it names {} files", shards.len()));
    }
    match shards.iter().find(|shard| !is_shard(shard)) {
        Some(shard) => Err(format!("it names '{}', which is no file of this repository", printable(shard))),
        None => Ok(shards.into_iter().collect()),
    }
}

/// What kind of model a folder's configuration describes, if it says.
pub(super) fn model_type(dir: &Path) -> Result<Option<String>, String> {
    read::<Config>(dir, CONFIG).map(|config| config.model_type)
}

fn read<T: serde::de::DeserializeOwned>(dir: &Path, file: &str) -> Result<T, String> {
    let path = dir.join(file);
    let text = match fs::metadata(&path) {
        Ok(metadata) if !metadata.is_file() => return Err("it is no file".into()),
        Ok(metadata) if metadata.len() > LARGEST_SMALL_FILE => return Err("it is too large".into()),
        Ok(_) => fs::read(&path).map_err(|error| error.to_string())?,
        Err(error) => return Err(error.to_string()),
    };
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// A list of shards is untrusted: it must not lead out of its folder.
fn is_shard(file: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    file.len() <= 200 && file.ends_with(".safetensors") && !file.starts_with('.') && file.bytes().all(word)
}
