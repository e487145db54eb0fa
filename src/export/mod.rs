//! Numbers as files: what was computed goes out as JSON, CSV, safetensors or NPZ, and traces come back in.
//!
//! Every exporter is a function from [`Data`] to bytes, and the same data give the same bytes. [`mod@file`] owns the disk.
pub mod csv;
pub mod file;
pub mod json;
pub mod npz;
pub mod read;
pub mod safetensors;
pub mod template;

pub use file::write_atomically;
pub use read::{Trace, read};
pub use template::{Field, Fields, Template, slug};

use crate::error::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// The most numbers written as text: beyond it, a JSON or CSV file is larger than what its readers can load.
pub const MOST_TEXT_NUMBERS: usize = 20_000_000;

/// Everything that one analysis of one prompt leaves behind.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Where the numbers come from.
    pub meta: Meta,
    /// The prompt's token ids, `[token]`.
    pub token_ids: Vec<u32>,
    /// The prompt's tokens as text, `[token]`.
    pub tokens: Vec<String>,
    /// The words along the axes of `attention`, where tokens were gathered to words.
    pub words: Option<Vec<String>>,
    /// `attention` first, then what was asked for besides.
    pub arrays: Vec<Array>,
    /// The words by the attention that they receive, the most first; empty where they were not ranked.
    pub received: Vec<Received>,
    /// The share of all attention that rests on the first token, where words were ranked.
    pub sink_share: Option<f32>,
    /// How the words were ranked: a JSON object.
    pub received_settings: Value,
}

/// Numbers with a name and a shape, row-major.
#[derive(Clone, Debug, Default)]
pub struct Array {
    /// `attention` `[layer, head, query, key]`, `scores` likewise, `logits` `[query, vocab]` or `hidden`
    /// `[layer+1, query, d_model]`.
    pub name: String,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest.
    pub values: Vec<f32>,
}

/// Where the numbers come from.
#[derive(Clone, Debug, Default)]
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
    /// The model's layers along the first axis of `attention`.
    pub layers: Vec<usize>,
    /// The model's heads along the second axis of `attention`.
    pub heads: Vec<usize>,
    /// All settings of the analysis: a JSON object.
    pub settings: Value,
}

/// A word and the attention that it receives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// The word.
    pub word: String,
    /// Its first token's position.
    pub first_token: usize,
    /// Its last token's position.
    pub last_token: usize,
    /// The attention that it receives, as a share.
    pub received: f32,
}

impl Data {
    /// The array of this name.
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|array| array.name == name)
    }

    /// `attention` and its shape `[layer, head, query, key]`.
    pub fn attention(&self) -> Result<(&Array, [usize; 4])> {
        let array = self.array("attention").ok_or_else(|| Error::failed("there is no attention to write"))?;
        let shape = <[usize; 4]>::try_from(array.shape.as_slice()).map_err(|_| {
            Error::failed(format!("attention has shape {:?}, not [layer, head, query, key]", array.shape))
        })?;
        Ok((array, shape))
    }

    /// Fails unless every shape fits its numbers, so that no exporter writes a file that no reader opens.
    fn check(&self) -> Result<()> {
        let [_, _, queries, keys] = self.attention()?.1;
        for (position, array) in self.arrays.iter().enumerate() {
            let size = size(&array.shape);
            if size != Some(array.values.len()) {
                let (name, shape, held) = (&array.name, &array.shape, array.values.len());
                return Err(Error::failed(format!("{name} has shape {shape:?} but {held} numbers")));
            }
            if self.arrays[..position].iter().any(|earlier| earlier.name == array.name) {
                return Err(Error::failed(format!("there are two arrays named {}", array.name)));
            }
        }
        let (tokens, ids, labels) = (self.tokens.len(), self.token_ids.len(), self.labels().len());
        if tokens != ids || labels != keys || queries > keys {
            return Err(Error::failed(format!(
                "attention has {queries} queries and {keys} keys, but there are {labels} labels, {tokens} tokens and {ids} token ids"
            )));
        }
        Ok(())
    }

    /// What the axes of `attention` are labelled with: words where tokens were gathered to words, else tokens.
    fn labels(&self) -> &[String] {
        self.words.as_deref().unwrap_or(&self.tokens)
    }

    /// The JSON object that travels inside binary files.
    fn header(&self) -> Result<String> {
        let meta = &self.meta;
        let header = Header {
            version: &meta.version,
            model: &meta.model,
            revision: meta.revision.as_deref(),
            hash: &meta.hash,
            prompt: &meta.prompt,
            tokens: &self.tokens,
            words: self.words.as_deref(),
            layers: &meta.layers,
            heads: &meta.heads,
            settings: &meta.settings,
        };
        serde_json::to_string(&header).map_err(|error| Error::failed(format!("the settings are not JSON: {error}")))
    }
}

#[derive(Serialize)]
struct Header<'a> {
    version: &'a str,
    model: &'a str,
    revision: Option<&'a str>,
    hash: &'a str,
    prompt: &'a str,
    tokens: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a [String]>,
    layers: &'a [usize],
    heads: &'a [usize],
    settings: &'a Value,
}

/// The product of the axes, unless it overflows.
fn size(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |size, &axis| size.checked_mul(axis))
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
