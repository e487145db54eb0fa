//! The header of a `.npy` array: a Python dictionary in plain text.
use super::numbers::Kind;
use crate::error::{Error, Result};
use std::io::Read;

/// How every array begins.
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is read, in bytes: NumPy itself warns of more than 10 000.
const MOST_HEADER: usize = 1 << 16;

/// An array's header.
pub(super) struct Npy {
    name: String,
    /// NumPy's name of its type, such as `<f4`.
    pub(super) descr: String,
    /// The length of each axis.
    pub(super) shape: Vec<usize>,
}

impl Npy {
    /// The kind of its numbers.
    pub(super) fn kind(&self) -> Result<Kind> {
        if self.descr.starts_with('>') {
            return Err(Error::failed(format!("{} has big-endian numbers ({})", self.name, self.descr))
                .hint("save it as a.astype(a.dtype.newbyteorder('<'))"));
        }
        Ok(match self.descr.as_str() {
            "<f2" => Kind::F16,
            "<f4" => Kind::F32,
            "<f8" => Kind::F64,
            "<i4" => Kind::I32,
            "<i8" => Kind::I64,
            "<u4" => Kind::U32,
            "<u8" => Kind::U64,
            other => Kind::Other(other.to_owned()),
        })
    }
}

/// Reads up to the first number.
pub(super) fn header(name: &str, input: &mut dyn Read) -> Result<Npy> {
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
    if shape.len() > 1 && value(&text, "fortran_order").is_none_or(|order| !order.starts_with("False")) {
        return Err(Error::failed(format!("{name} is stored in Fortran order")).hint("save np.ascontiguousarray of it"));
    }
    Ok(Npy { name: name.to_owned(), descr: descr.to_owned(), shape })
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
