//! Reads attention from anywhere: safetensors and NPZ files that hold `attention`, whoever wrote them.
//!
//! A file is not trusted: no size that it states is allocated before it is checked against the bytes that are there.
mod contents;
mod json;
mod npy;
mod npz;
mod numbers;
mod raw;
mod safetensors;
mod saved;

pub use contents::{Contents, contents, header};
pub use raw::{Held, Numbers};
pub use saved::{Saved, saved};

use crate::axes::place;
use crate::error::{Error, Result};
use crate::plain;
use crate::record::Record;
use crate::text::excerpt;
use json::{Document, Field, Fields};
use raw::{Notes, Raw, WHAT_FITS, attention_shape};
use serde_json::Value;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// How every zip begins.
const ZIP_MAGIC: [u8; 2] = *b"PK";
/// The longest error message, in characters: about three lines of a terminal.
const MOST_MESSAGE: usize = 240;

/// Attention patterns from a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns {
    /// The weights, all finite, row-major.
    pub attention: Vec<f32>,
    /// `[layer, head, query, key]`; at most as many queries as keys.
    pub shape: [usize; 4],
    /// The tokens as text, or the words that the axes are, `[key]`.
    pub tokens: Option<Vec<String>>,
    /// The token ids, `[key]`.
    pub token_ids: Option<Vec<i64>>,
    /// The text that was read.
    pub prompt: Option<String>,
    /// What attnviz wrote of itself; none in other programs' files.
    pub record: Option<Record>,
    /// The layers' numbers; empty where the file does not say.
    pub layers: Vec<usize>,
    /// The heads' numbers; empty where the file does not say.
    pub heads: Vec<usize>,
    /// How these layers were reduced to one, such as `mean`.
    pub reduce_layers: Option<String>,
    /// How these heads were reduced to one.
    pub reduce_heads: Option<String>,
    /// Whether the axes are words.
    pub by_word: bool,
}

/// Reads a `.safetensors` or `.npz` file; which one it is, its first bytes say.
///
/// # Errors
/// A file that cannot be read, is neither, is broken, or holds no `attention` of the right shape; the message names the
/// file and the tensor.
pub fn read(path: &Path) -> Result<Patterns> {
    let name = path.display();
    let unread = |error: std::io::Error| {
        Error::failed(format!("cannot read {name}: {error}"))
            .hint("give a .safetensors or .npz file that exists; a pipe cannot be read")
    };
    let file = plain::open(path).map_err(unread)?;
    read_from(BufReader::new(file), &name.to_string())
}

/// Reads what `input` holds, from its beginning; errors call it `name`.
///
/// # Errors
/// As [`read`].
pub fn read_from(mut input: impl Read + Seek, name: &str) -> Result<Patterns> {
    let begun = is_zip(&mut input).and_then(|zip| Ok((zip, input.seek(SeekFrom::End(0))?)));
    let begun = begun.and_then(|begun| input.rewind().map(|()| begun));
    let found = begun
        .map_err(|error| Error::failed(error.to_string()))
        .and_then(|(zip, length)| if zip { npz::load(input, length) } else { safetensors::load(input, length) });
    found.and_then(Patterns::of_raw).map_err(|error| named(error, name))
}

/// An error that may quote the file: one line, and not a long one, with the file's name.
fn named(error: Error, name: &str) -> Error {
    Error { message: format!("{name}: {}", tame(&error.message)), ..error }
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
    excerpt(message, MOST_MESSAGE)
}

impl Patterns {
    /// What a file holds, completed by what attnviz says in it.
    fn of_raw(Raw { attention, shape, token_ids, notes }: Raw) -> Result<Self> {
        let said = notes.said();
        let Notes { tokens, prompt, .. } = notes;
        let mut found =
            Self { attention, shape: attention_shape(&shape)?, tokens, token_ids, prompt, ..Self::default() };
        if let Some(Document { record, tokens, mut results }) = said {
            found.tokens = found.tokens.or(Some(tokens));
            found.prompt = found.prompt.or_else(|| Some(record.prompt.clone()));
            found.record = Some(record);
            if let Some(fields) = results.iter_mut().find(|fields| fields.method() == Some("attention")) {
                found.note(fields);
            }
        }
        found.check()
    }

    /// Takes what a result says of its axes.
    fn note(&mut self, fields: &mut Fields) {
        let mut numbers = |name: &str| match fields.0.remove(name) {
            Some(Field::Numbers { values, .. }) => values.into_iter().map(|number| number as usize).collect(),
            _ => Vec::new(),
        };
        (self.layers, self.heads) = (numbers("layers"), numbers("heads"));
        let reduction = |name: &str| fields.text(name).map(str::to_owned);
        (self.reduce_layers, self.reduce_heads) = (reduction("reduce_layers"), reduction("reduce_heads"));
        // Where tokens were gathered to words, words are what the axes are.
        if let Some(Field::Other(Value::Array(words))) = fields.0.remove("words") {
            self.tokens = Some(words.iter().map(|word| word.as_str().unwrap_or_default().to_owned()).collect());
            self.token_ids = None;
            self.by_word = true;
        }
    }

    fn check(self) -> Result<Self> {
        let [_, heads, queries, keys] = self.shape;
        if self.attention.is_empty() {
            return Err(Error::failed(format!("attention has shape {:?}: it is empty", self.shape)).hint(WHAT_FITS));
        }
        if queries > keys {
            return Err(Error::failed(format!("attention has {queries} queries but only {keys} keys"))
                .hint("the last axis should be the keys; encoder-decoder attention cannot be drawn"));
        }
        if let Some(at) = self.attention.iter().position(|weight| !weight.is_finite()) {
            let weight = self.attention[at];
            let place = place(at, &[usize::MAX, heads, queries, keys]);
            return Err(Error::failed(format!("attention holds {weight} at [layer, head, query, key] = {place:?}"))
                .hint("save the weights after the softmax, without padding"));
        }
        let counts =
            [("tokens", self.tokens.as_ref().map(Vec::len)), ("token_ids", self.token_ids.as_ref().map(Vec::len))];
        for (what, count) in counts {
            if let Some(count) = count.filter(|&count| count != keys) {
                return Err(Error::failed(format!("{what} has {count} entries, but attention has {keys} keys"))
                    .hint(format!("give {what} one entry for each key, or leave it out")));
            }
        }
        Ok(self)
    }
}
