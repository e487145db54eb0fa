//! Arrays that a file announces, and their numbers.

use super::numbers::{Append, Kind};
use crate::axes::{place, size};
use crate::error::{Error, Result};
use std::io::Read;

/// Bytes that are read at once: a multiple of every number's width.
const BLOCK: usize = 1 << 20;
/// The way out when a file holds something else.
pub(super) const WHAT_FITS: &str = "`attention` should hold numbers [layer, head, query, key] or [layer, item, head, query, key], or `attention_0`, `attention_1` … those of each layer";

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

/// How an array's numbers lie, where it is not the lowest byte first and the last axis fastest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    /// The highest byte comes first.
    pub(super) big_endian: bool,
    /// The first axis is the fastest.
    pub(super) fortran: bool,
}

/// An array that a file announces: nothing of it is read before its shape and kind are checked.
pub(super) struct Announced<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) shape: &'a [usize],
    pub(super) order: Order,
}

impl Announced<'_> {
    /// How many bytes its numbers take in memory, where there is a number for that.
    pub(super) fn bytes(&self) -> Option<u64> {
        size(self.shape)?.checked_mul(self.kind.width().max(4)).map(|bytes| bytes as u64)
    }

    /// How to read its floats.
    pub(super) fn floats(&self) -> Result<Append<f32>> {
        self.kind.floats().ok_or_else(|| {
            Error::failed(format!("{} has numbers of type {}", self.name, self.kind.name())).hint(match self.kind {
                Kind::Other(ref name) if name.ends_with('O') => {
                    "it holds Python objects, which are not read; in Python: np.stack([np.asarray(a) for a in attention])"
                }
                _ => "save it as f16, bf16, f32 or f64",
            })
        })
    }

    /// Its integers, such as ids or a mask.
    pub(super) fn integers(&self, input: &mut dyn Read) -> Result<Vec<i64>> {
        let append = self.kind.integers().ok_or_else(|| {
            Error::failed(format!("{} has numbers of type {}", self.name, self.kind.name()))
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
    pub(super) fn numbers<T: Copy>(&self, append: Append<T>, input: &mut dyn Read) -> Result<Vec<T>> {
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
            if self.order.big_endian {
                block.chunks_exact_mut(self.kind.width()).for_each(<[u8]>::reverse);
            }
            append(&block, &mut numbers);
            left -= most;
        }
        Ok(if self.order.fortran { last_axis_fastest(&numbers, shape) } else { numbers })
    }
}

/// Numbers whose first axis is the fastest, the other way round.
fn last_axis_fastest<T: Copy>(numbers: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let from = |to: usize| place(to, shape).iter().zip(&strides).map(|(at, stride)| at * stride).sum::<usize>();
    (0..numbers.len()).map(|to| numbers[from(to)]).collect()
}
