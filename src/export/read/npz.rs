//! An NPZ file: a zip of `.npy` members, stored or deflated.
use super::archive::{Archive, Take};
use super::known;
use super::npy::{self, Npy};
use super::numbers::Kind;
use super::raw::Announced;
use crate::axes::size;
use crate::error::{Error, Result};
use crate::python::Texts;
use std::io::{Read, Seek};
use zip::ZipArchive;
use zip::result::ZipError;

/// What may be unpacked of any file, in bytes, and how many more for each byte of it: a small file may claim any size, and attention
/// that is mostly zeros is deflated to a tenth.
const FREE: u64 = 64 << 20;
const PER_BYTE: u64 = 20;
/// The most that is unpacked of a file that is not as large itself, in bytes.
const MOST_UNPACKED: u64 = 1 << 32;
/// The largest text that is read, in bytes: a long prompt's tokens take a few megabytes.
const MOST_TEXT: usize = 1 << 28;

/// An open zip.
pub(super) struct Npz<R> {
    zip: ZipArchive<R>,
    /// How many bytes may still be unpacked: members may lie upon one another.
    room: u64,
}

impl<R: Read + Seek> Npz<R> {
    /// Opens a file of so many bytes; hints call it `name`.
    pub(super) fn open(input: R, length: u64, name: &str) -> Result<Self> {
        let zip = ZipArchive::new(input).map_err(|error| {
            Error::failed(format!("the NPZ file cannot be opened: {error}"))
                .hint("the file is cut short or damaged; copy or save it again")
        })?;
        if zip.file_names().flatten().any(|member| member.ends_with("data.pkl")) {
            return Err(known::torch(name));
        }
        let most = FREE.saturating_add(length.saturating_mul(PER_BYTE));
        Ok(Self { zip, room: most.min(MOST_UNPACKED.max(length.saturating_mul(2))) })
    }

    /// Opens `name`, where there is one, and hands its header and its bytes to `take`.
    fn member<T>(&mut self, name: &str, take: impl FnOnce(&Npy, &mut dyn Read) -> Result<T>) -> Result<Option<T>> {
        let mut file = match self.zip.by_name(&format!("{name}.npy")) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => {
                return Err(Error::failed(format!("{name} cannot be opened: {error}"))
                    .hint("save it with np.savez or np.savez_compressed"));
            }
        };
        let npy = npy::header(name, &mut file)?;
        let width = npy.descr.strip_prefix(['<', '>']).and_then(|kind| kind.strip_prefix('U'));
        let bytes = match width.and_then(|count| count.parse::<u64>().ok()) {
            Some(characters) => size(&npy.shape).and_then(|count| (count as u64).checked_mul(characters.max(1) * 4)),
            None => npy.announced(name).bytes(),
        };
        self.room = bytes.and_then(|bytes| self.room.checked_sub(bytes)).ok_or_else(|| {
            let shape = &npy.shape;
            Error::failed(format!("{name} announces {} of shape {shape:?}: that is too large for this file", npy.descr))
                .hint("save it with np.savez, which does not compress")
        })?;
        take(&npy, &mut file).map(Some)
    }
}

impl<R: Read + Seek> Archive for Npz<R> {
    fn names(&self) -> Vec<String> {
        self.zip.file_names().flatten().filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect()
    }

    fn array(&mut self, name: &str, take: Take) -> Result<bool> {
        let found = self.member(name, |npy, input| take(&npy.announced(name), input))?;
        Ok(found.is_some())
    }

    fn texts(&mut self, name: &str) -> Result<Option<Texts>> {
        let list = |npy: &Npy, texts: Vec<String>| match npy.shape[..] {
            [_] => Ok(Texts::List(texts)),
            [_, count] => Ok(Texts::Lists(texts.chunks(count.max(1)).map(<[String]>::to_vec).collect())),
            _ => Err(Error::failed(format!("{name} has shape {:?}", npy.shape))
                .hint("it should be [token] or [item, token], or left out")),
        };
        self.member(name, |npy, input| list(npy, texts(name, npy, input)?))
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        let found = self.member(name, |npy, input| match npy.shape[..] {
            [] | [1] => texts(name, npy, input),
            _ => Err(Error::failed(format!("{name} has shape {:?}", npy.shape)).hint("it should be a single text")),
        })?;
        Ok(found.and_then(|texts| texts.into_iter().next()))
    }
}

/// The entries of a `<U` array: UTF-32, padded with NUL.
fn texts(name: &str, npy: &Npy, input: &mut dyn Read) -> Result<Vec<String>> {
    let wrong = |what: String, hint: &str| Err(Error::failed(format!("{name} {what}")).hint(hint));
    let width = npy.descr.strip_prefix(['<', '>']).and_then(|kind| kind.strip_prefix('U'));
    let Some(characters) = width.and_then(|count| count.parse::<usize>().ok()) else {
        return wrong(format!("has entries of type {}, not text", npy.descr), "save it as np.array(list_of_str)");
    };
    let count = size(&npy.shape).unwrap_or(usize::MAX);
    if count.checked_mul(characters.max(1)).is_none_or(|total| total > MOST_TEXT / 4) {
        return wrong(format!("announces {count} texts of {characters} characters"), "the file is damaged");
    }
    if npy.order.fortran {
        return wrong("is stored in Fortran order".to_owned(), "save np.ascontiguousarray of it");
    }
    let shape = [count, characters];
    let announced = Announced { name, kind: Kind::U32, shape: &shape, order: npy.order }; // one u32 per character
    let codes: Vec<char> = announced.numbers(characters_of, input)?;
    if codes.len() < count * characters {
        return wrong("holds a code that is no character".to_owned(), "the file is damaged");
    }
    let text = |index| codes[index * characters..(index + 1) * characters].iter().collect::<String>();
    Ok((0..count).map(|index| text(index).trim_end_matches('\0').to_owned()).collect())
}

/// Appends the UTF-32 codes that are characters.
fn characters_of(bytes: &[u8], characters: &mut Vec<char>) {
    let codes = bytes.as_chunks::<4>().0.iter().map(|code| u32::from_le_bytes(*code));
    characters.extend(codes.filter_map(char::from_u32));
}
