//! Which files make a checkpoint, in a folder that nobody vouches for.
use crate::text;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::printable::printable;
use crate::prompt::{CHAT, PIECES};
use crate::weights::nanogpt;
use crate::{json, plain};

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
/// The files that hold a vocabulary; the first that are there count.
pub(super) const VOCABULARIES: [&[&str]; 7] = [
    &[TOKENIZER],
    &["vocab.json", "merges.txt"],
    &["vocab.txt"],
    &[PIECES[0]],
    &[PIECES[1]],
    &[PIECES[2]],
    &[PIECES[3]],
];
/// What says more about a vocabulary, where it exists.
pub(super) const VOCABULARY_EXTRAS: [&str; 4] =
    ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", CHAT];
/// Weights in one file or as a list of shards: safetensors, else as PyTorch saved them.
pub(super) const FORMATS: [[&str; 2]; 2] = [[WEIGHTS, INDEX], ["pytorch_model.bin", "pytorch_model.bin.index.json"]];

/// Above this, a file that is read into memory is a mistake or an attack: GPT-2's largest has 3.5 MB.
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

/// Whether a file holds weights, by its name: others are small.
pub(super) fn holds_weights(file: &str) -> bool {
    file.ends_with(".safetensors") || file.ends_with(".bin")
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
    match FORMATS.iter().find(|files| files.iter().any(|file| has(dir, file))) {
        Some([file, _]) if has(dir, file) => {}
        Some([file, index]) => match shards(dir, index) {
            Ok(shards) => lacking.extend(shards.into_iter().filter(|shard| !has(dir, shard))),
            Err(_) => lacking.push((*file).into()),
        },
        None => lacking.push(WEIGHTS.into()),
    }
    if !has_vocabulary(dir) && !is_without_vocabulary(dir) {
        lacking.push(TOKENIZER.into());
    }
    lacking
}

/// Whether a folder has a tokenizer.
pub(super) fn has_vocabulary(dir: &Path) -> bool {
    VOCABULARIES.iter().any(|files| files.iter().all(|file| has(dir, file)))
}

/// Where the hub's cache notes which files a commit does not have.
pub(super) const NO_EXIST: &str = ".no_exist";

/// Whether the hub has said of this folder of its cache that the repository has no tokenizer of any kind.
fn is_without_vocabulary(dir: &Path) -> bool {
    let absent = || Some(dir.parent()?.parent()?.join(NO_EXIST).join(dir.file_name()?));
    let absent = absent().filter(|_| dir.parent().is_some_and(|parent| parent.ends_with("snapshots")));
    absent.is_some_and(|absent| VOCABULARIES.iter().all(|files| files.iter().any(|file| absent.join(file).is_file())))
}

/// The files that hold the weights: one, or the shards that a list names, safetensors before PyTorch's; else the one file of a training
/// program. None if there is none of them.
pub(super) fn weights(dir: &Path) -> Result<Option<Vec<PathBuf>>, String> {
    for [file, index] in FORMATS {
        // A link that leads nowhere is a broken checkpoint, not one without.
        if dir.join(file).symlink_metadata().is_ok() {
            return Ok(Some(vec![dir.join(file)]));
        }
        if dir.join(index).exists() {
            let shards = shards(dir, index).map_err(|reason| format!("{index} cannot be used: {reason}"))?;
            return Ok(Some(shards.iter().map(|shard| dir.join(shard)).collect()));
        }
    }
    match &saved(dir)[..] {
        [] => Ok(None),
        [one] => Ok(Some(vec![dir.join(one)])),
        [first, second, ..] => {
            Err(format!("it has {first} and {second}: call the one that is meant pytorch_model.bin"))
        }
    }
}

/// Files of torch.save that may hold weights, by their names.
fn saved(dir: &Path) -> Vec<String> {
    let names =
        fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let ends = |name: &str| nanogpt::NAMES.iter().any(|end| name.ends_with(end));
    // What transformers' Trainer saves beside the weights.
    let other =
        |name: &str| ["optimizer", "scheduler", "rng_state", "scaler"].iter().any(|start| name.starts_with(start));
    let mut names: Vec<String> = names.filter(|name| ends(name) && !other(name)).collect();
    names.sort_unstable();
    names
}

/// The files that one of the two kinds of lists names.
pub(super) fn shards(dir: &Path, index: &str) -> Result<Vec<String>, String> {
    let end = if index == INDEX { ".safetensors" } else { ".bin" };
    let index: Index = parse(dir, index)?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    if shards.is_empty() || shards.len() > MOST_SHARDS {
        return Err(format!("it names {}", text::count(shards.len(), "file")));
    }
    match shards.iter().find(|shard| !is_shard(shard, end)) {
        Some(shard) => Err(format!("it names '{}', which is no file of this folder", printable(shard))),
        None => Ok(shards.into_iter().collect()),
    }
}

/// What kind of model a folder's configuration describes, if it says.
pub(super) fn model_type(dir: &Path) -> Result<Option<String>, String> {
    parse::<Config>(dir, CONFIG).map(|config| config.model_type)
}

/// Whether a kind of model is among those wanted, or all are.
pub(super) fn is_wanted(model_type: &str, wanted: &[&str]) -> bool {
    wanted.is_empty() || wanted.contains(&model_type)
}

/// The bytes of a file other than weights; none if it is not there.
pub(super) fn read(dir: &Path, file: &str) -> Result<Option<Vec<u8>>, String> {
    match plain::read(&dir.join(file), LARGEST_SMALL_FILE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            Err(format!("it has more than {LARGEST_SMALL_FILE} bytes, which is no size for such a file"))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn parse<T: DeserializeOwned>(dir: &Path, file: &str) -> Result<T, String> {
    let bytes = read(dir, file)?.ok_or("it is missing")?;
    json::parse(&bytes).map_err(|error| error.to_string())
}

/// A list of shards is untrusted: it must not lead out of its folder.
fn is_shard(file: &str, end: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    file.len() <= 200 && file.ends_with(end) && !file.starts_with('.') && file.bytes().all(word)
}
