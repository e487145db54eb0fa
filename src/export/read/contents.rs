//! Everything that a file of numbers holds, by name: for comparing two of them.
use super::npz::{header_of, named};
use super::{Announced, ZIP_MAGIC, npy, safetensors::kind};
use crate::error::{Error, Result};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Cursor;
use zip::ZipArchive;

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

/// All arrays of a file, and the JSON object that attnviz writes beside them (`null` where there is none).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The arrays, by name.
    pub arrays: BTreeMap<String, Held>,
    /// What the file says in words.
    pub header: Value,
}

/// Reads a whole `.safetensors` or `.npz` file that attnviz wrote; which one it is, its first bytes say.
///
/// # Errors
/// A file that is neither, is broken, or holds arrays that attnviz does not write.
pub fn contents(bytes: &[u8]) -> Result<Contents> {
    if bytes.starts_with(&ZIP_MAGIC) { npz(bytes) } else { tensors(bytes) }
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::failed(format!("it cannot be read: {what}")).hint("make it again")
}

fn held(announced: &Announced, input: &mut &[u8]) -> Result<Held> {
    let numbers = match (announced.kind.floats(), announced.kind.integers()) {
        (Some(floats), _) => Numbers::Floats(announced.numbers(floats, input)?),
        (None, Some(integers)) => Numbers::Integers(announced.numbers(integers, input)?),
        (None, None) => return Err(broken(format!("{} holds {}", announced.name, announced.kind.name()))),
    };
    Ok(Held { shape: announced.shape.to_vec(), numbers })
}

fn tensors(bytes: &[u8]) -> Result<Contents> {
    let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let header = metadata.metadata().as_ref().and_then(|metadata| metadata.get("attnviz"));
    let header = header.map_or(Ok(Value::Null), |json| serde_json::from_str(json)).map_err(broken)?;
    let array = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let announced = Announced { name, kind: kind(view.dtype()), shape: view.shape() };
        Ok((name.to_owned(), held(&announced, &mut view.data())?))
    };
    Ok(Contents { arrays: tensors.iter().map(array).collect::<Result<_>>()?, header })
}

fn npz(bytes: &[u8]) -> Result<Contents> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let length = bytes.len() as u64;
    let header = header_of(&mut zip, length)?.map_or(Ok(Value::Null), |json| serde_json::from_str(&json));
    let mut contents = Contents { arrays: BTreeMap::new(), header: header.map_err(broken)? };
    // attnviz compresses nothing, so that all arrays together are no larger than their file.
    let mut left = length;
    for name in named(&zip).into_iter().filter(|name| name != "meta") {
        let mut file = zip.by_name(&format!("{name}.npy")).map_err(broken)?;
        if file.size() > left {
            return Err(broken(format!("{name} would unpack to {} bytes", file.size())));
        }
        let mut member = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(&mut file, left), &mut member).map_err(broken)?;
        left -= member.len() as u64;
        let mut input = &member[..];
        let npy = npy::header(&name, &mut input)?;
        let announced = Announced { name: &name, kind: npy.kind()?, shape: &npy.shape };
        let array = held(&announced, &mut input)?;
        contents.arrays.insert(name, array);
    }
    Ok(contents)
}
