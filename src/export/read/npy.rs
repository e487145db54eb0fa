//! The header of a `.npy` array: a Python dictionary in plain text.
use super::numbers::Kind;
use super::raw::{Announced, Order};
use crate::error::{Error, Result};
use std::io::Read;

/// How every array begins.
pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is read, in bytes: NumPy itself warns of more than 10 000.
const MOST_HEADER: usize = 1 << 16;

/// An array's header.
pub(super) struct Npy {
    /// NumPy's name of its type, such as `<f4`.
    pub(super) descr: String,
    /// How its numbers lie.
    pub(super) order: Order,
    /// The length of each axis.
    pub(super) shape: Vec<usize>,
}

impl Npy {
    /// The array, called `name`.
    pub(super) fn announced<'a>(&'a self, name: &'a str) -> Announced<'a> {
        Announced { name, kind: self.kind(), shape: &self.shape, order: self.order }
    }

    /// The kind of its numbers.
    fn kind(&self) -> Kind {
        match self.descr.trim_start_matches(['<', '>', '|', '=']) {
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            "b1" => Kind::Bool,
            "i1" => Kind::I8,
            "i2" => Kind::I16,
            "i4" => Kind::I32,
            "i8" => Kind::I64,
            "u1" => Kind::U8,
            "u2" => Kind::U16,
            "u4" => Kind::U32,
            "u8" => Kind::U64,
            _ => Kind::Other(self.descr.clone()),
        }
    }
}

/// Reads up to the first number.
pub(super) fn header(name: &str, input: &mut (impl Read + ?Sized)) -> Result<Npy> {
    let broken = |what: &str| Error::failed(format!("{name} is no NumPy array: {what}")).hint("save it with np.savez");
    let short = |_| broken("it is cut short");
    let mut start = [0; 8];
    input.read_exact(&mut start).map_err(short)?;
    let (magic, version) = start.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(broken("it does not begin as one"));
    }
    let mut length = [0; 4];
    let width = if version[0] == 1 { 2 } else { 4 }; // versions 2 and 3 allow longer headers
    input.read_exact(&mut length[..width]).map_err(short)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_HEADER {
        return Err(broken("its header is too long"));
    }
    let mut text = vec![0; length];
    input.read_exact(&mut text).map_err(short)?;
    let text = String::from_utf8(text).map_err(|_| broken("its header is no text"))?;

    let descr = value(&text, "descr").and_then(quoted).ok_or_else(|| {
        Error::failed(format!("{name} has entries of several parts")).hint("save a plain array of numbers")
    })?;
    let shape = value(&text, "shape").and_then(tuple).ok_or_else(|| broken("its shape cannot be read"))?;
    let fortran = value(&text, "fortran_order").map(|order| order.starts_with("True"));
    let fortran = fortran.ok_or_else(|| broken("it does not say in which order its numbers are"))? && shape.len() > 1;
    let order = Order { big_endian: descr.starts_with('>'), fortran };
    Ok(Npy { descr: descr.to_owned(), order, shape })
}

/// What follows `'key':`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(&format!("'{key}'"))?;
    Some(after.trim_start().strip_prefix(':')?.trim_start())
}

/// The text between the quotes that it begins with.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.split_once('\'').map(|(inner, _)| inner)
}

/// The whole numbers between the parentheses that it begins with.
fn tuple(text: &str) -> Option<Vec<usize>> {
    let (inner, _) = text.strip_prefix('(')?.split_once(')')?;
    inner.split(',').map(str::trim).filter(|axis| !axis.is_empty()).map(|axis| axis.parse().ok()).collect()
}
