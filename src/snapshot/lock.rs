//! The lock file of a snapshot: what the expected outputs were made of, line by line, so that a change of it can be read.

use super::suite::{check_name, format};
use crate::compare::{Tolerance, quote};
use crate::error::{Error, Result};
use crate::json::apart;
use crate::plain;
use crate::record::Input;
use crate::weights::Fingerprint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// The name of the lock file.
pub const LOCK: &str = "snapshot.lock.json";
/// The form of the file that is written and read here.
const FORM: u32 = 2;
/// A lock file larger than this, in bytes, is none of ours.
const LARGEST: u64 = 64 << 20;

/// What the expected outputs were made of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The form of the file.
    lock: u32,
    /// The version of attnviz.
    pub version: String,
    pub tolerance: Tolerance,
    /// By name; a folder is named without its path.
    pub models: BTreeMap<String, Model>,
    pub cases: BTreeMap<String, Case>,
}

/// A model.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The commit on the hub, where it comes from there.
    pub revision: Option<String>,
    /// Of the files of weights, the config and the tokenizer.
    pub hash: String,
    pub tensors: BTreeMap<String, Fingerprint>,
}

/// The settings of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub model: String,
    pub command: String,
    pub options: Map<String, Value>,
    pub prompt: Option<String>,
    pub token_ids: Vec<u32>,
    /// The file of items that it reads, or their folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// Extensions.
    pub formats: Vec<String>,
}

impl Lock {
    /// Of nothing yet.
    pub fn new(tolerance: Tolerance) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { lock: FORM, version, tolerance, models: BTreeMap::new(), cases: BTreeMap::new() }
    }

    /// Reads the lock file of a folder. It is not trusted: what it names is checked to be names.
    ///
    /// # Errors
    /// A file that is missing, damaged or of another form.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(LOCK);
        let name = path.display();
        let again = "take it from version control, or record the snapshot again in an empty folder";
        let broken = |what: String| Error::failed(format!("{name} is damaged: {what}")).hint(again);
        let read = plain::open_own(&path).and_then(|file| plain::read_at_most(file, LARGEST));
        let bytes = read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::failed(format!("{} holds no snapshot", dir.display()))
                .hint("record one first: attnviz snapshot record")
                .option("out"),
            ErrorKind::FileTooLarge => broken("it is larger than 64 MiB".into()),
            _ => Error::failed(format!("cannot read {name}: {error}")).hint("check that it is a file that can be read"),
        })?;
        #[derive(Deserialize)]
        struct Form {
            lock: u32,
        }
        let form: Form = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if form.lock != FORM {
            return Err(Error::failed(format!("{name} is of form {}, this version reads form {FORM}", form.lock))
                .hint("use the version that recorded it, or record it again"));
        }
        let lock: Self = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        for (name, case) in &lock.cases {
            let formats = case.formats.iter().try_for_each(|name| format(name).map(drop));
            check_name(name).and(formats).map_err(|error| broken(error.message))?;
        }
        Ok(lock)
    }

    /// The file: a tensor and a case a line.
    ///
    /// # Errors
    /// None that is known of: all of it is plain data.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut models = BTreeMap::new();
        for (name, Model { revision, hash, tensors }) in &self.models {
            let (revision, hash, tensors) = (json(revision)?, json(hash)?, lines(&texts(tensors)?)?);
            models.insert(name, format!("{{\"revision\": {revision}, \"hash\": {hash}, \"tensors\": {tensors}}}"));
        }
        let (version, tolerance) = (json(&self.version)?, json(&self.tolerance)?);
        let (models, cases) = (lines(&models)?, lines(&texts(&self.cases)?)?);
        Ok(format!(
            "{{\n\"lock\": {FORM},\n\"version\": {version},\n\"tolerance\": {tolerance},\n\"models\": {models},\n\"cases\": {cases}\n}}\n"
        )
        .into_bytes())
    }
}

impl Lock {
    /// What changed since another one, in a few words.
    pub fn changes(&self, old: &Self) -> String {
        let parts = [
            (old.version != self.version, "the version"),
            (old.tolerance != self.tolerance, "the tolerance"),
            (old.models != self.models, "models"),
            (old.cases != self.cases, "cases"),
        ];
        let named: Vec<_> = parts.into_iter().filter(|(differs, _)| *differs).map(|(_, part)| part).collect();
        if named.is_empty() { "its form".into() } else { named.join(", ") }
    }
}

impl Case {
    /// What changed since an older one, a sentence each.
    pub fn changes(&self, old: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut say = |what: &str, now: &str, was: &str| {
            if was != now {
                changes.push(format!("{what} is {now}, was {was}"));
            }
        };
        say("its model", &self.model, &old.model);
        say("its command", &self.command, &old.command);
        for (name, was, now) in apart(&old.options, &self.options) {
            say(&format!("its option {name}"), &now, &was);
        }
        let prompt = |case: &Self| case.prompt.as_ref().map_or("none".into(), |text| quote(text));
        say("its prompt", &prompt(self), &prompt(old));
        let file = |case: &Self| case.input.as_ref().map_or("none".into(), |file| quote(&file.name));
        say("its file", &file(self), &file(old));
        if old.prompt == self.prompt && old.token_ids != self.token_ids {
            changes.push(format!("its tokens are {:?}, were {:?}", self.token_ids, old.token_ids));
        }
        if let (Some(now), Some(was)) = (&self.input, &old.input)
            && now.name == was.name
            && now.hash != was.hash
        {
            changes.push(format!("its file {} holds something else", quote(&now.name)));
        }
        let gone = old.formats.iter().filter(|format| !self.formats.contains(format));
        changes.extend(gone.map(|format| format!("no {format} is asked for any more")));
        changes
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::failed(format!("the lock file cannot be written: {error}")))
}

fn texts<V: Serialize>(map: &BTreeMap<String, V>) -> Result<BTreeMap<&String, String>> {
    map.iter().map(|(key, value)| Ok((key, json(value)?))).collect()
}

/// An object with an entry a line.
fn lines(map: &BTreeMap<&String, String>) -> Result<String> {
    let entries = map.iter().map(|(key, value)| Ok(format!("{}: {value}", json(key)?))).collect::<Result<Vec<_>>>()?;
    Ok(format!("{{\n{}\n}}", entries.join(",\n")))
}
