//! Reads attention from anywhere: safetensors, NPZ and NPY files that hold it, whoever wrote them.
//!
//! A file is not trusted: no size that it states is allocated before it is checked against the bytes that are there.
mod archive;
mod attention;
mod contents;
mod json;
mod kind;
mod known;
mod labels;
mod names;
mod npy;
mod npz;
mod numbers;
mod padding;
mod picked;
mod raw;
mod safetensors;
mod saved;

pub use contents::{Contents, contents, header};
pub use kind::{AttentionKind, Wanted};
pub use raw::{Held, Numbers};
pub use saved::{Saved, saved};

use crate::error::{Error, Result};
use crate::plain;
use crate::record::Record;
use crate::text::excerpt;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// The longest error message, in characters: about three lines of a terminal.
const MOST_MESSAGE: usize = 240;

/// Attention patterns from a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns {
    /// The weights, row-major, all finite but for rows that are absent: they are NaN throughout.
    pub attention: Vec<f32>,
    /// `[layer, head, query, key]`; more queries than keys in cross-attention only.
    pub shape: [usize; 4],
    /// What attends to what.
    pub kind: AttentionKind,
    /// The tokens as text, or the words that the axes are, `[key]`.
    pub tokens: Option<Vec<String>>,
    /// Those of the queries, where they are not the last of the keys, `[query]`.
    pub query_tokens: Option<Vec<String>>,
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
    /// The layer and head of each map, where attnviz wrote single heads one by one: the shape is `[1, map, query, key]` then, and layers
    /// and heads are empty; else this is.
    pub picked: Vec<(usize, usize)>,
    /// How these layers were reduced to one, such as `mean`.
    pub reduce_layers: Option<String>,
    /// How these heads were reduced to one.
    pub reduce_heads: Option<String>,
    /// Whether the axes are words.
    pub by_word: bool,
    /// How the file was understood where it does not say.
    pub assumed: Vec<String>,
    /// What was left out of it.
    pub left_out: Vec<String>,
}

/// Reads a `.safetensors`, `.npz` or `.npy` file of one text; which one it is, its first bytes say.
///
/// # Errors
/// As [`read_as`].
pub fn read(path: &Path) -> Result<Patterns> {
    read_as(path, Wanted::default())
}

/// Reads the attention that is meant of a `.safetensors`, `.npz` or `.npy` file.
///
/// # Errors
/// A file that cannot be read, is none of these, is broken, or holds no attention of the right shape or not the one that is meant; the
/// message names the file and the array.
pub fn read_as(path: &Path, wanted: Wanted) -> Result<Patterns> {
    let name = path.display();
    let unread = |error: std::io::Error| {
        Error::failed(format!("cannot read {name}: {error}"))
            .hint("give a .safetensors or .npz file that exists; a pipe cannot be read")
    };
    let file = plain::open(path).map_err(unread)?;
    from(BufReader::new(file), &name.to_string(), wanted)
}

/// Reads what `input` holds of one text, from its beginning; errors call it `name`.
///
/// # Errors
/// As [`read_as`].
pub fn read_from(input: impl Read + Seek, name: &str) -> Result<Patterns> {
    from(input, name, Wanted::default())
}

fn from(input: impl Read + Seek, name: &str, wanted: Wanted) -> Result<Patterns> {
    let found = archive::open(input, name).and_then(|mut archive| attention::load(&mut *archive, wanted));
    found.map_err(|error| named(error, name))
}

/// An error that may quote the file: one line, and not a long one, with the file's name.
fn named(error: Error, name: &str) -> Error {
    Error { message: format!("{name}: {}", tame(&error.message)), ..error }
}

/// A message that may quote the file: one line, and not a long one.
fn tame(message: &str) -> String {
    excerpt(message, MOST_MESSAGE)
}
