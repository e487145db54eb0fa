//! What a file says of itself: one record, written the same way by every format and read by one reader (`export::record`).
//!
//! It holds nothing of the machine that made the file: a model in a folder is known by the folder's name and the hashes of its
//! weights, config and tokenizer, a file that was read by its name and hash. Whoever reads a record does not trust it: its options are plain data that
//! the analysis checks again, so that a forged record can name no flag, path or address.

use crate::error::{Error, Result};
use crate::place::{Place, Precision};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name under which files hold their record: a text chunk in PNG, metadata in SVG, PDF, safetensors and Parquet, a member in NPZ.
pub const NAME: &str = "attnviz";
/// The same where a name must be one of the whole world: in the metadata of a PDF.
pub const URI: &str = "urn:attnviz:";

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of attnviz.
    pub version: String,
    /// The command, such as `attention`.
    pub command: String,
    /// The command's options, all of them: what it takes to make the file again.
    pub options: Map<String, Value>,
    /// What was typed, but for the prompt, the model and where results go. For people: no program reads it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line: String,
    /// The model.
    pub model: Identity,
    /// The text that the model read.
    pub prompt: String,
    /// Its token ids, `[token]`, without those that the model wrote itself; none where nobody knows them.
    pub token_ids: Vec<u32>,
    /// What the figure says of the model's origin, instead of its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The layer and the head, where the file holds one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The file that was read instead of running a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// What it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<Other>,
    /// How many more models the results are of, each with an entry of its own.
    #[serde(default, skip_serializing_if = "is_none")]
    pub others: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Record {
    /// That of a command with these options; nothing else is known yet.
    ///
    /// # Errors
    /// Options that are no object of JSON.
    pub fn of(command: &str, options: &impl Serialize) -> Result<Self> {
        match serde_json::to_value(options) {
            Ok(Value::Object(options)) => Ok(Self { command: command.to_owned(), options, ..Self::default() }),
            _ => Err(Error::failed(format!("the options of {command} are no object of JSON"))),
        }
    }

    /// The same without what differs from prompt to prompt: what the tables of a batch say of themselves.
    pub fn of_all_prompts(&self) -> Self {
        Self { prompt: String::new(), token_ids: Vec::new(), ..self.clone() }
    }
}

/// Which model it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name: a hub id, a folder's name, or `builtin`; empty where nobody knows it.
    pub name: String,
    /// Its commit on the hub, where it comes from there.
    pub revision: Option<String>,
    /// The hashes of its weights, config and tokenizer; empty where nobody knows them. Only `checkpoint::identity` takes it apart.
    pub hash: String,
    /// Whose tokenizer it was, where that was another's: a hub id, a folder's name, or `builtin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Where it was computed, where that was not on the CPU in f32.
    #[serde(default, skip_serializing_if = "Place::is_usual")]
    pub place: Place,
    /// How many heads its keys and values have, where fewer than its queries: several of those share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<usize>,
}

impl Identity {
    /// What a figure calls it: its name, with how its weights were rounded.
    pub fn title(&self) -> String {
        match self.place.dtype {
            Precision::F32 => self.name.clone(),
            Precision::Bf16 => format!("{} (bf16)", self.name),
        }
    }
}

/// One of the files of a run that writes one for each layer and head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The layer's number, or how the layers were reduced.
    pub layer: String,
    /// The head's number, or how the heads were reduced.
    pub head: String,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name, without its folder.
    pub name: String,
    /// XXH3-128 of its bytes, in hexadecimal.
    pub hash: String,
}

/// The second of two that were compared: what the record itself says of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// The model.
    pub model: Identity,
    /// The text that the model read.
    pub prompt: String,
    /// Its tokens as text, `[token]`.
    pub tokens: Vec<String>,
    /// Its token ids, `[token]`; none where nobody knows them.
    pub token_ids: Vec<u32>,
    /// The file that was read instead of running a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
}
