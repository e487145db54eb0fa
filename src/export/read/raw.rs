//! What the readers of both binary formats hand over: arrays that a file announces, and what it says of them.

use super::json::{self, Document};
use super::numbers::{Append, Kind};
use crate::axes::size;
use crate::error::{Error, Result};
use std::io::Read;

/// Bytes that are read at once: a multiple of every number's width.
const BLOCK: usize = 1 << 20;
/// The way out when a file holds something else.
pub(super) const WHAT_FITS: &str =
    "`attention` should hold numbers [layer, head, query, key] or [layer, 1, head, query, key]";

/// The numbers of one array.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Of any floating-point kind.
    Floats(Vec<f32>),
    /// Of any kind of integer.
    Integers(Vec<i64>),
}

/// An array.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub numbers: Numbers,
}

/// A named array; none where what it holds is not read as numbers.
pub(super) type Named = (String, Option<Held>);

/// Attention patterns before they are compared with what is said of them.
pub(super) struct Raw {
    pub(super) attention: Vec<f32>,
    pub(super) shape: Vec<usize>,
    pub(super) token_ids: Option<Vec<i64>>,
    pub(super) notes: Notes,
}

/// What a file says in words.
#[derive(Default)]
pub(super) struct Notes {
    /// As any program may write them.
    pub(super) tokens: Option<Vec<String>>,
    pub(super) prompt: Option<String>,
    /// The JSON object that attnviz writes.
    pub(super) header: Option<String>,
}

impl Notes {
    /// What attnviz itself says; nothing where another program wrote the file.
    pub(super) fn said(&self) -> Option<Document> {
        json::load(self.header.as_deref()?.as_bytes()).ok()
    }
}

/// A tensor that a file announces: nothing of it is read before its shape and kind are checked.
pub(super) struct Announced<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) shape: &'a [usize],
}

impl Announced<'_> {
    pub(super) fn attention(&self, input: &mut dyn Read) -> Result<Vec<f32>> {
        attention_shape(self.shape)?;
        let append = self.kind.floats().ok_or_else(|| {
            Error::failed(format!("{} has numbers of type {}", self.name, self.kind.name()))
                .hint("save it as f16, bf16, f32 or f64")
        })?;
        self.numbers(append, input)
    }

    pub(super) fn token_ids(&self, input: &mut dyn Read) -> Result<Vec<i64>> {
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

    /// The whole array.
    pub(super) fn held(&self, input: &mut dyn Read) -> Result<Named> {
        let numbers = match (self.kind.floats(), self.kind.integers()) {
            (Some(floats), _) => Some(Numbers::Floats(self.numbers(floats, input)?)),
            (None, Some(integers)) => Some(Numbers::Integers(self.numbers(integers, input)?)),
            (None, None) => None,
        };
        Ok((self.name.to_owned(), numbers.map(|numbers| Held { shape: self.shape.to_vec(), numbers })))
    }

    /// Reads exactly the announced numbers, block by block: memory grows with what is there, not with what is claimed.
    pub(super) fn numbers<T>(&self, append: Append<T>, input: &mut dyn Read) -> Result<Vec<T>> {
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

/// `[layer, head, query, key]` from that or from `[layer, 1, head, query, key]`.
pub(super) fn attention_shape(shape: &[usize]) -> Result<[usize; 4]> {
    match *shape {
        [layers, heads, queries, keys] | [layers, 1, heads, queries, keys] => Ok([layers, heads, queries, keys]),
        _ => Err(Error::failed(format!("attention has shape {shape:?}")).hint(WHAT_FITS)),
    }
}
