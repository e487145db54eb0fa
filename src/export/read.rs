//! Reads traces from anywhere: safetensors and NPZ files that hold `attention`, whoever wrote them.
//!
//! A file is not trusted: no size that it states is allocated before it is checked against the bytes that are there.
mod contents;
mod json;
mod npy;
mod npz;
mod numbers;
mod safetensors;
mod saved;

pub use contents::{Contents, Held, Numbers, contents};
pub use saved::{Saved, saved};

use super::size;
use crate::error::{Error, Result};
use numbers::{Append, Kind};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How every zip begins.
const ZIP_MAGIC: [u8; 2] = *b"PK";
/// Bytes that are read at once: a multiple of every number's width.
const BLOCK: usize = 1 << 20;
/// The longest error message, in characters: about three lines of a terminal.
const MOST_MESSAGE: usize = 240;
/// The way out when a file holds something else.
const WHAT_FITS: &str = "`attention` should hold numbers [layer, head, query, key] or [layer, 1, head, query, key]";

/// Attention from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The weights, all finite, row-major.
    pub attention: Vec<f32>,
    /// `[layer, head, query, key]`; at most as many queries as keys.
    pub shape: [usize; 4],
    /// The tokens as text, `[key]`.
    pub tokens: Option<Vec<String>>,
    /// The token ids, `[key]`.
    pub token_ids: Option<Vec<i64>>,
    /// The text that was read.
    pub prompt: Option<String>,
    /// What attnviz wrote beside it: `model`, `layers`, `heads`, `settings` …, and `words` where tokens are words; empty in other
    /// programs' files.
    pub header: Map<String, Value>,
}

/// Reads a `.safetensors` or `.npz` file; which one it is, its first bytes say.
///
/// # Errors
/// A file that cannot be read, is neither, is broken, or holds no `attention` of the right shape; the message names the
/// file and the tensor.
pub fn read(path: &Path) -> Result<Trace> {
    let name = path.display();
    let unread = |error: std::io::Error| {
        Error::failed(format!("cannot read {name}: {error}")).hint("give a .safetensors or .npz file that exists")
    };
    let file = File::open(path).map_err(unread)?;
    if !file.metadata().map_err(unread)?.is_file() {
        return Err(Error::failed(format!("{name} is not a regular file"))
            .hint("give a .safetensors or .npz file; a pipe cannot be read"));
    }
    read_from(BufReader::new(file), &name.to_string())
}

/// Reads what `input` holds, from its beginning; errors call it `name`.
///
/// # Errors
/// As [`read`].
pub fn read_from(mut input: impl Read + Seek, name: &str) -> Result<Trace> {
    let begun = is_zip(&mut input).and_then(|zip| Ok((zip, input.seek(SeekFrom::End(0))?)));
    let begun = begun.and_then(|begun| input.rewind().map(|()| begun));
    let found = begun
        .map_err(|error| Error::failed(error.to_string()))
        .and_then(|(zip, length)| if zip { npz::load(input, length) } else { safetensors::load(input, length) });
    found.and_then(Raw::check).map_err(|error| Error { message: format!("{name}: {}", tame(&error.message)), ..error })
}

/// Whether a file begins as every zip does; reading goes on from its beginning.
fn is_zip(input: &mut (impl Read + Seek)) -> std::io::Result<bool> {
    let mut first = Vec::new();
    input.rewind()?;
    input.by_ref().take(ZIP_MAGIC.len() as u64).read_to_end(&mut first)?;
    input.rewind()?;
    Ok(first == ZIP_MAGIC)
}

/// A message that may quote the file: one line, and not a long one.
fn tame(message: &str) -> String {
    let printable = |character: char| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character };
    let mut tame: String = message.chars().take(MOST_MESSAGE).map(printable).collect();
    if tame.len() < message.len() {
        tame.push('…');
    }
    tame
}

/// A file's contents before they are compared with each other.
struct Raw {
    attention: Vec<f32>,
    shape: Vec<usize>,
    token_ids: Option<Vec<i64>>,
    notes: Notes,
}

/// What a file says in words.
#[derive(Default)]
struct Notes {
    tokens: Option<Vec<String>>,
    prompt: Option<String>,
    /// The JSON object that attnviz itself writes, as it stands.
    said: Value,
    /// What of it is left without tokens and prompt.
    header: Map<String, Value>,
}

impl Notes {
    /// Takes what is still missing from the JSON object that attnviz itself writes.
    fn add_header(&mut self, json: &str) {
        self.said = serde_json::from_str(json).unwrap_or_default();
        let Value::Object(mut header) = self.said.clone() else { return };
        let tokens = header.remove("tokens").and_then(|tokens| serde_json::from_value(tokens).ok());
        // Where tokens were gathered to words, words are what the axes are.
        let words = header.remove("words").and_then(|words| serde_json::from_value::<Vec<String>>(words).ok());
        let tokens = match words {
            Some(words) => {
                header.insert("words".into(), true.into());
                Some(words)
            }
            None => tokens,
        };
        let prompt = header.remove("prompt").and_then(|prompt| serde_json::from_value(prompt).ok());
        self.tokens = self.tokens.take().or(tokens);
        self.prompt = self.prompt.take().or(prompt);
        self.header = header;
    }
}

impl Raw {
    fn check(self) -> Result<Trace> {
        let shape = attention_shape(&self.shape)?;
        let [_, _, queries, keys] = shape;
        if self.attention.is_empty() {
            return Err(Error::failed(format!("attention has shape {:?}: it is empty", self.shape)).hint(WHAT_FITS));
        }
        if queries > keys {
            return Err(Error::failed(format!("attention has {queries} queries but only {keys} keys"))
                .hint("the last axis should be the keys; encoder-decoder attention cannot be drawn"));
        }
        if let Some(at) = self.attention.iter().position(|weight| !weight.is_finite()) {
            let weight = self.attention[at];
            let place =
                [at / (keys * queries * shape[1]), at / (keys * queries) % shape[1], at / keys % queries, at % keys];
            return Err(Error::failed(format!("attention holds {weight} at [layer, head, query, key] = {place:?}"))
                .hint("save the weights after the softmax, without padding"));
        }
        let Notes { tokens, prompt, header, .. } = self.notes;
        let token_ids = self.token_ids.filter(|_| !header.contains_key("words"));
        for (what, count) in
            [("tokens", tokens.as_ref().map(Vec::len)), ("token_ids", token_ids.as_ref().map(Vec::len))]
        {
            if let Some(count) = count.filter(|&count| count != keys) {
                return Err(Error::failed(format!("{what} has {count} entries, but attention has {keys} keys"))
                    .hint(format!("give {what} one entry for each key, or leave it out")));
            }
        }
        Ok(Trace { attention: self.attention, shape, tokens, token_ids, prompt, header })
    }
}

/// `[layer, head, query, key]` from that or from `[layer, 1, head, query, key]`.
fn attention_shape(shape: &[usize]) -> Result<[usize; 4]> {
    match *shape {
        [layers, heads, queries, keys] | [layers, 1, heads, queries, keys] => Ok([layers, heads, queries, keys]),
        _ => Err(Error::failed(format!("attention has shape {shape:?}")).hint(WHAT_FITS)),
    }
}

/// A tensor that a file announces: nothing of it is read before its shape and kind are checked.
struct Announced<'a> {
    name: &'a str,
    kind: Kind,
    shape: &'a [usize],
}

impl Announced<'_> {
    fn attention(&self, input: &mut dyn Read) -> Result<Vec<f32>> {
        attention_shape(self.shape)?;
        let append = self.kind.floats().ok_or_else(|| {
            Error::failed(format!("{} has numbers of type {}", self.name, self.kind.name()))
                .hint("save it as f16, bf16, f32 or f64")
        })?;
        self.numbers(append, input)
    }

    fn token_ids(&self, input: &mut dyn Read) -> Result<Vec<i64>> {
        let (name, shape) = (self.name, self.shape);
        if !matches!(shape, [_] | [1, _]) {
            return Err(Error::failed(format!("{name} has shape {shape:?}")).hint("it should be [token]"));
        }
        let append = self.kind.integers().ok_or_else(|| {
            Error::failed(format!("{name} has numbers of type {}", self.kind.name()))
                .hint("save it as i32, i64, u32 or u64, or leave it out")
        })?;
        self.numbers(append, input)
    }

    /// Reads exactly the announced numbers, block by block: memory grows with what is there, not with what is claimed.
    fn numbers<T>(&self, append: Append<T>, input: &mut dyn Read) -> Result<Vec<T>> {
        let Self { name, shape, .. } = self;
        let wanted = size(shape).and_then(|count| count.checked_mul(self.kind.width()));
        let wanted = wanted
            .ok_or_else(|| Error::failed(format!("{name} has shape {shape:?}: that is too large")).hint(WHAT_FITS))?;
        let (mut numbers, mut block, mut left) = (Vec::new(), Vec::new(), wanted);
        while left > 0 {
            block.clear();
            let most = left.min(BLOCK);
            let read = Read::take(&mut *input, most as u64).read_to_end(&mut block);
            read.map_err(|error| Error::failed(format!("{name} cannot be read: {error}")).hint("the file is damaged"))?;
            if block.len() < most {
                let there = wanted - left + block.len();
                return Err(Error::failed(format!("{name} needs {wanted} bytes, but {there} are there"))
                    .hint("the file is cut short; copy or save it again"));
            }
            append(&block, &mut numbers);
            left -= most;
        }
        Ok(numbers)
    }
}
