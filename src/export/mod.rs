//! Numbers as files: what was computed goes out as JSON, CSV, Parquet, safetensors or NPZ, and traces come back in.
//!
//! Every exporter is a function from [`Data`] to bytes, and the same data give the same bytes. [`mod@file`] owns the disk.
pub mod csv;
pub mod file;
pub mod json;
pub mod made;
pub mod npz;
pub mod parquet;
pub mod read;
pub mod safetensors;
pub mod table;
pub mod template;

pub use file::{read_at_most, write_atomically, write_bytes};
pub use made::Made;
pub use read::{Saved, Trace, read, saved};
pub use table::Table;
pub use template::{Field, Fields, Template, slug};

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The most numbers written as text: beyond it, a JSON or CSV file is larger than what its readers can load.
pub const MOST_TEXT_NUMBERS: usize = 20_000_000;

/// Everything that a command found about one prompt.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Where the numbers come from.
    pub meta: Meta,
    /// The prompt's token ids, `[token]`; none where nobody knows them.
    pub token_ids: Vec<u32>,
    /// The prompt's tokens as text, `[token]`.
    pub tokens: Vec<String>,
    /// One entry for each method.
    pub results: Vec<Entry>,
}

/// What one method found.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The method's name, such as `attention`.
    pub method: String,
    /// All its settings: target, baseline, steps, seed ….
    pub settings: Map<String, Value>,
    /// What it found besides numbers in axes: words, a gap, labels. Where a field has an array's name (up to a dot in it), text
    /// formats write the field, which may hold integers or a tree, and binary ones the arrays.
    pub fields: Map<String, Value>,
    /// What it found as numbers in axes.
    pub arrays: Vec<Array>,
}

/// Numbers with a name and a shape, row-major.
#[derive(Clone, Debug, Default)]
pub struct Array {
    /// Such as `attention` `[layer, head, query, key]` or `scores` `[token]`.
    pub name: String,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest; NaN where there is none.
    pub values: Vec<f32>,
}

impl Array {
    /// Its name up to the first dot.
    fn root(&self) -> &str {
        self.name.split_once('.').map_or(&self.name, |(root, _)| root)
    }
}

/// Where the numbers come from.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Meta {
    /// The version of attnviz.
    pub version: String,
    /// The model as it was named.
    pub model: String,
    /// The model's revision on the hub, where it came from there.
    pub revision: Option<String>,
    /// The hash of the weights.
    pub hash: String,
    /// The text that the model read.
    pub prompt: String,
    /// The command.
    pub command: String,
    /// What was typed after it, but for the prompt, the model and the outputs.
    pub args: Vec<String>,
    /// The layer and the head, where the file holds one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Value>,
    /// The file that was read instead of running a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Other>,
}

/// The second of two that were compared: what the fields around it say of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// The model's name; empty where nobody knows it.
    pub model: String,
    /// Its commit on the hub, where it comes from there.
    pub revision: Option<String>,
    /// The hash of its weights; empty where nobody knows it.
    pub weights: String,
    /// The text that the model read.
    pub prompt: String,
    /// Its tokens as text, `[token]`.
    pub tokens: Vec<String>,
    /// Its token ids, `[token]`; none where nobody knows them.
    pub token_ids: Vec<u32>,
    /// The file that was read instead of running a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name, without its folder.
    pub name: String,
    /// XXH3-128 of its bytes, in hexadecimal.
    pub hash: String,
}

impl Data {
    /// Fails unless every shape fits its numbers, so that no exporter writes a file that no reader opens.
    fn check(&self) -> Result<()> {
        let (tokens, ids) = (self.tokens.len(), self.token_ids.len());
        if ids != 0 && tokens != ids {
            return Err(Error::failed(format!("there are {tokens} tokens and {ids} token ids")));
        }
        let arrays = self.arrays();
        for (position, (name, array)) in arrays.iter().enumerate() {
            if size(&array.shape) != Some(array.values.len()) {
                let (shape, held) = (&array.shape, array.values.len());
                return Err(Error::failed(format!("{name} has shape {shape:?} but {held} numbers")));
            }
            if arrays[..position].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::failed(format!("there are two arrays named {name}")));
            }
        }
        Ok(())
    }

    /// All arrays with the names that binary files give them: their own where one method has arrays, else
    /// `method.name`.
    fn arrays(&self) -> Vec<(String, &Array)> {
        let many = self.results.iter().filter(|entry| !entry.arrays.is_empty()).count() > 1;
        let named = |entry: &Entry, array: &Array| match many {
            true => format!("{}.{}", entry.method, array.name),
            false => array.name.clone(),
        };
        self.results.iter().flat_map(|entry| entry.arrays.iter().map(move |a| (named(entry, a), a))).collect()
    }

    /// The JSON object that travels inside binary files: `meta`, `tokens`, and `results` without their arrays. Where one method
    /// has arrays, what it says stands at the top as well: `layers`, `heads`, `settings`.
    fn header(&self) -> Result<String> {
        let result = |entry: &Entry| {
            let mut object = entry.fields.clone();
            object.retain(|name, _| entry.arrays.iter().all(|array| array.root() != name));
            object.insert("method".into(), entry.method.clone().into());
            object.insert("settings".into(), entry.settings.clone().into());
            object
        };
        let mut with_arrays = self.results.iter().filter(|entry| !entry.arrays.is_empty());
        let single = with_arrays.next().filter(|_| with_arrays.next().is_none());
        let header = Header {
            meta: &self.meta,
            tokens: &self.tokens,
            single: single.map(result).unwrap_or_default(),
            results: if single.is_some() { Vec::new() } else { self.results.iter().map(result).collect() },
        };
        serde_json::to_string(&header).map_err(|error| Error::failed(format!("the settings are not JSON: {error}")))
    }
}

#[derive(Serialize)]
struct Header<'a> {
    #[serde(flatten)]
    meta: &'a Meta,
    tokens: &'a [String],
    #[serde(flatten)]
    single: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<Map<String, Value>>,
}

/// The product of the axes, unless it overflows.
fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |size, &axis| size.checked_mul(axis))
}

/// Where the number of an index is in axes of these lengths, the last axis fastest: one index for each.
pub fn place(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut place = vec![0; shape.len()];
    for (at, axis) in place.iter_mut().zip(shape).rev() {
        (*at, index) = (index % axis, index / axis);
    }
    place
}

/// Refuses more numbers than a text format should hold.
fn check_text_size(numbers: usize, format: &str) -> Result<()> {
    if numbers <= MOST_TEXT_NUMBERS {
        return Ok(());
    }
    let (millions, most) = (numbers / 1_000_000, MOST_TEXT_NUMBERS / 1_000_000);
    Err(Error::usage(format!("{millions} million numbers are too many for {format}, which takes {most} million"))
        .hint("write a .safetensors file, or select fewer layers, heads or tokens"))
}

/// Token ids as both binary formats hold them.
fn ids_as_bytes(ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|&id| i64::from(id).to_le_bytes()).collect()
}

/// Numbers as little-endian bytes, without a copy where the machine has that order.
fn as_bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }
}

/// A failed write; [`write_atomically`] replaces it by one that names the file.
fn unwritten(error: std::io::Error) -> Error {
    Error::failed(format!("the data could not be written: {error}"))
}
