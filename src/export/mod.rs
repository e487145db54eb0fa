//! Numbers as files: what was computed goes out as JSON, CSV, Parquet, safetensors or NPZ, and traces come back in.
//!
//! Every exporter is a function from [`Data`] to bytes, and the same data give the same bytes, whether their numbers are held or come
//! from a [`Source`]. [`mod@file`] owns the disk.
pub mod csv;
pub mod file;
pub mod json;
pub(crate) mod markdown;
pub mod npz;
pub mod parquet;
pub mod read;
pub mod record;
pub mod safetensors;
mod source;
pub mod table;
pub mod template;

pub use crate::plain::{read as read_plain, read_at_most};
pub use file::{Draft, write_atomically, write_bytes, write_own, write_own_bytes};
pub use read::{Patterns, Saved, read, saved};
pub use source::{Source, Take};
pub use table::Table;
pub use template::{Field, Fields, Template, slug};

use crate::error::{Error, Result};
use crate::record::Record;
use crate::text;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// The most numbers written as text: beyond it, a JSON or CSV file is larger than what its readers can load.
pub const MOST_TEXT_NUMBERS: usize = 20_000_000;

/// Everything that a command found about one prompt.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// What the file says of itself, the prompt's token ids included.
    pub record: Record,
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
    /// The numbers, the last axis fastest; NaN where there is none. Empty where a [`Source`] makes them.
    pub values: Vec<f32>,
}

impl Array {
    /// Its name up to the first dot.
    fn root(&self) -> &str {
        self.name.split_once('.').map_or(&self.name, |(root, _)| root)
    }
}

impl Data {
    /// Fails unless every shape fits its numbers, so that no exporter writes a file that no reader opens.
    fn check(&self, source: Option<&dyn Source>) -> Result<()> {
        let (tokens, ids) = (self.tokens.len(), self.record.token_ids.len());
        if ids != 0 && tokens != ids {
            return Err(Error::failed(format!(
                "its text has {} but {}",
                text::count(tokens, "token"),
                text::count(ids, "token id")
            )));
        }
        let arrays = self.arrays();
        for (position, (name, array)) in arrays.iter().enumerate() {
            if array.count(source).is_none() {
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
        let methods = apart(self.results.iter().map(|entry| &entry.method[..]));
        let named = |method: &str, array: &Array| match many {
            true => format!("{method}.{}", array.name),
            false => array.name.clone(),
        };
        let of =
            |(entry, method): (&'_ Entry, String)| entry.arrays.iter().map(|a| named(&method, a)).collect::<Vec<_>>();
        let names = self.results.iter().zip(methods).flat_map(of);
        names.zip(self.results.iter().flat_map(|entry| &entry.arrays)).collect()
    }

    /// The JSON object that travels inside binary files: that of a JSON file without the arrays.
    pub(crate) fn header(&self) -> Result<String> {
        let results = self.results.iter().map(|entry| entry.said(|name| entry.holds(name)).collect()).collect();
        let header = Header { record: &self.record, tokens: &self.tokens, results };
        serde_json::to_string(&header).map_err(|error| Error::failed(format!("the settings are not JSON: {error}")))
    }
}

impl Entry {
    /// Whether it has arrays of this name.
    fn holds(&self, name: &str) -> bool {
        self.arrays.iter().any(|array| array.root() == name)
    }

    /// What it says beside its arrays: its method, its settings, its fields; a field wins over a setting of its name. Fields that are
    /// `hidden` are left out.
    fn said(&self, hidden: impl Fn(&str) -> bool) -> impl Iterator<Item = (String, Value)> {
        let own = |name: &str| name == "method" || self.fields.contains_key(name) || self.holds(name);
        let settings = self.settings.iter().filter(move |(name, _)| !own(name));
        let fields = self.fields.iter().filter(move |(name, _)| !hidden(name));
        let method = std::iter::once(("method".to_owned(), Value::from(self.method.clone())));
        method.chain(settings.chain(fields).map(|(name, value)| (name.clone(), value.clone())))
    }
}

/// The names of results where a method has several, such as one a model: `pairs`, `pairs-2` ….
fn apart<'a>(methods: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashMap::<&str, usize>::new();
    let name = |method: &'a str| {
        let count = seen.entry(method).or_default();
        *count += 1;
        if *count == 1 { method.to_owned() } else { format!("{method}-{count}") }
    };
    methods.map(name).collect()
}

#[derive(Serialize)]
struct Header<'a> {
    #[serde(flatten)]
    record: &'a Record,
    tokens: &'a [String],
    results: Vec<Map<String, Value>>,
}

/// Refuses more numbers than a text format should hold.
///
/// # Errors
/// More than [`MOST_TEXT_NUMBERS`].
pub fn check_text_size(numbers: usize, format: &str) -> Result<()> {
    if numbers <= MOST_TEXT_NUMBERS {
        return Ok(());
    }
    let (millions, most) = (numbers / 1_000_000, MOST_TEXT_NUMBERS / 1_000_000);
    Err(Error::usage(format!("{millions} million numbers are too many for {format}, which takes {most} million"))
        .hint("write a .safetensors, .npz or .parquet file, or select fewer layers, heads or tokens"))
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
pub(crate) fn unwritten(error: std::io::Error) -> Error {
    Error::failed(format!("the data could not be written: {error}"))
}
