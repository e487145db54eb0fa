//! A file of arrays with names, whatever its format: each array is read when it is asked for.
use super::raw::{Announced, Named};
use super::{known, npy, npz, safetensors};
use crate::error::{Error, Result};
use crate::python::Texts;
use crate::record::NAME;
use std::io::{Read, Seek, SeekFrom};

/// What is done with an array that a file announces; nothing of it is read before.
pub(super) type Take<'a> = &'a mut dyn FnMut(&Announced, &mut dyn Read) -> Result<()>;

/// How every zip begins.
const ZIP_MAGIC: &[u8] = b"PK";
/// Bytes of a file that tell which format it has.
const BEGINNING: u64 = 4096;
/// Arrays of an NPZ that are texts.
const TEXTS: [&str; 3] = ["tokens", "prompt", NAME];

/// A file of arrays with names.
pub(super) trait Archive {
    /// The names of all arrays.
    fn names(&self) -> Vec<String>;
    /// Hands the array of a name to `take`; false where there is none.
    fn array(&mut self, name: &str, take: Take) -> Result<bool>;
    /// A list of texts of a name, or several lists.
    fn texts(&mut self, name: &str) -> Result<Option<Texts>>;
    /// A single text of a name.
    fn text(&mut self, name: &str) -> Result<Option<String>>;
}

/// Opens a safetensors, NPZ or NPY file; which one it is, its first bytes say. Hints call it `name`.
pub(super) fn open<'a>(mut input: impl Read + Seek + 'a, name: &str) -> Result<Box<dyn Archive + 'a>> {
    let mut first = Vec::new();
    let begun = input.rewind().and_then(|()| input.by_ref().take(BEGINNING).read_to_end(&mut first));
    let length = begun.and_then(|_| input.seek(SeekFrom::End(0))).and_then(|length| input.rewind().map(|()| length));
    let length = length.map_err(|error| Error::failed(error.to_string()).hint("try again"))?;
    if first.starts_with(ZIP_MAGIC) {
        return Ok(Box::new(npz::Npz::open(input, length, name)?));
    }
    if first.starts_with(npy::MAGIC) {
        return Ok(Box::new(Lone { input }));
    }
    match known::unread(&first, name) {
        Some(error) => Err(error),
        None => Ok(Box::new(safetensors::Safetensors::open(input, length)?)),
    }
}

/// Every array whose name is wanted.
pub(super) fn all(archive: &mut dyn Archive, mut wanted: impl FnMut(&str) -> bool) -> Result<Vec<Named>> {
    let mut arrays = Vec::new();
    for name in archive.names().into_iter().filter(|name| wanted(name)) {
        archive.array(&name, &mut |array, input| {
            let held = array.held(input)?;
            if held.1.is_some() || !TEXTS.contains(&array.name) {
                arrays.push(held);
            }
            Ok(())
        })?;
    }
    Ok(arrays)
}

/// The integers of a name with their shape, where there are any.
pub(super) fn integers(archive: &mut dyn Archive, name: &str) -> Result<Option<(Vec<usize>, Vec<i64>)>> {
    let mut found = None;
    archive.array(name, &mut |array, input| {
        if !matches!(array.shape, [_] | [_, _]) {
            let what = format!("{name} has shape {:?}", array.shape);
            return Err(Error::failed(what).hint("it should be [token] or [item, token], or left out"));
        }
        found = Some((array.shape.to_vec(), array.integers(input)?));
        Ok(())
    })?;
    Ok(found)
}

/// A file that is one array: it is the attention.
struct Lone<R> {
    input: R,
}

impl<R: Read + Seek> Archive for Lone<R> {
    fn names(&self) -> Vec<String> {
        vec!["attention".into()]
    }

    fn array(&mut self, name: &str, take: Take) -> Result<bool> {
        if name != "attention" {
            return Ok(false);
        }
        self.input.rewind().map_err(|error| Error::failed(error.to_string()).hint("try again"))?;
        let npy = npy::header(name, &mut self.input)?;
        take(&npy.announced(name), &mut self.input).map(|()| true)
    }

    fn texts(&mut self, _: &str) -> Result<Option<Texts>> {
        Ok(None)
    }

    fn text(&mut self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }
}
