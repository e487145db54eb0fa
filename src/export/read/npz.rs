//! An NPZ trace: a zip of `.npy` members, stored or deflated.
use super::npy::{self, Npy};
use super::numbers::Kind;
use super::raw::{Announced, Named, Notes, Raw, WHAT_FITS};
use crate::axes::size;
use crate::error::{Error, Result};
use crate::record::NAME;
use std::io::{Read, Seek};
use zip::ZipArchive;
use zip::result::ZipError;

/// The largest compressed member that is unpacked, in bytes: a small file may claim any size.
pub(super) const MOST_UNPACKED: u64 = 1 << 32;
/// The largest text that is read, in bytes: a long prompt's tokens take a few megabytes.
const MOST_TEXT: usize = 1 << 28;
/// Members that are text.
const TEXTS: [&str; 3] = ["tokens", "prompt", NAME];

/// Every array whose name is wanted; they may take `most` bytes together.
pub(super) fn all(
    input: impl Read + Seek,
    length: u64,
    most: u64,
    mut wanted: impl FnMut(&str) -> bool,
) -> Result<(Vec<Named>, Notes)> {
    let mut zip = open(input)?;
    let names = named(&zip).into_iter().filter(|name| !TEXTS.contains(&name.as_str()) && wanted(name));
    let (mut arrays, mut room) = (Vec::new(), most);
    for name in names.collect::<Vec<_>>() {
        let array = member(&mut zip, &name, length, |npy, input| {
            let announced = Announced { name: &name, kind: npy.kind()?, shape: &npy.shape };
            // Narrow floats are widened to four bytes.
            let bytes = size(&npy.shape).and_then(|count| count.checked_mul(announced.kind.width().max(4)));
            let left = bytes.and_then(|bytes| room.checked_sub(bytes as u64));
            room = left.ok_or_else(|| {
                Error::failed(format!("{name} has shape {:?}: that is too large", npy.shape))
                    .hint("save it with np.savez, which does not compress")
            })?;
            announced.held(input)
        })?;
        arrays.extend(array);
    }
    Ok((arrays, notes(&mut zip, length)?))
}

/// `attention`, and what is said of it.
pub(super) fn load(input: impl Read + Seek, length: u64) -> Result<Raw> {
    let mut zip = open(input)?;
    let attention = member(&mut zip, "attention", length, |npy, input| {
        let announced = Announced { name: "attention", kind: npy.kind()?, shape: &npy.shape };
        Ok((announced.attention(input)?, npy.shape.clone()))
    })?;
    let Some((attention, shape)) = attention else {
        return Err(
            Error::failed(format!("there is no array `attention`, only: {}", named(&zip).join(", "))).hint(WHAT_FITS)
        );
    };
    let token_ids = member(&mut zip, "token_ids", length, |npy, input| {
        Announced { name: "token_ids", kind: npy.kind()?, shape: &npy.shape }.token_ids(input)
    })?;
    Ok(Raw { attention, shape, token_ids, notes: notes(&mut zip, length)? })
}

fn open<R: Read + Seek>(input: R) -> Result<ZipArchive<R>> {
    ZipArchive::new(input).map_err(|error| {
        Error::failed(format!("the NPZ file cannot be opened: {error}"))
            .hint("the file is cut short or damaged; copy or save it again")
    })
}

fn notes<R: Read + Seek>(zip: &mut ZipArchive<R>, length: u64) -> Result<Notes> {
    let tokens = member(zip, "tokens", length, |npy, input| texts("tokens", npy, 1, input))?;
    Ok(Notes { tokens, prompt: text(zip, "prompt", length)?, header: text(zip, NAME, length)? })
}

/// The names of all arrays.
fn named<R: Read + Seek>(zip: &ZipArchive<R>) -> Vec<String> {
    zip.file_names().flatten().filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect()
}

/// A single text.
fn text<R: Read + Seek>(zip: &mut ZipArchive<R>, name: &str, length: u64) -> Result<Option<String>> {
    let texts = member(zip, name, length, |npy, input| texts(name, npy, 0, input))?;
    Ok(texts.and_then(|texts| texts.into_iter().next()))
}

/// Opens `name`, where there is one, and hands its header and its numbers to `take`.
fn member<T, R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    name: &str,
    length: u64,
    take: impl FnOnce(&Npy, &mut dyn Read) -> Result<T>,
) -> Result<Option<T>> {
    let mut file = match zip.by_name(&format!("{name}.npy")) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => {
            return Err(Error::failed(format!("{name} cannot be opened: {error}"))
                .hint("save it with np.savez or np.savez_compressed"));
        }
    };
    let size = file.size();
    if size > length && size > MOST_UNPACKED {
        return Err(Error::failed(format!("{name} would unpack to {size} bytes"))
            .hint("save it with np.savez, which does not compress"));
    }
    let npy = npy::header(name, &mut file)?;
    take(&npy, &mut file).map(Some)
}

/// The entries of a `<U` array with this many axes: UTF-32, padded with NUL.
fn texts(name: &str, npy: &Npy, axes: usize, input: &mut dyn Read) -> Result<Vec<String>> {
    let wrong = |what: String, hint: &str| Err(Error::failed(format!("{name} {what}")).hint(hint));
    let Some(characters) = npy.descr.strip_prefix("<U").and_then(|count| count.parse::<usize>().ok()) else {
        return wrong(format!("has entries of type {}, not text", npy.descr), "save it as np.array(list_of_str)");
    };
    if npy.shape.len() != axes {
        return wrong(format!("has shape {:?}", npy.shape), "tokens should be [token], any other text a single one");
    }
    let count = npy.shape.first().copied().unwrap_or(1);
    if count.checked_mul(characters.max(1)).is_none_or(|total| total > MOST_TEXT / 4) {
        return wrong(format!("announces {count} texts of {characters} characters"), "the file is damaged");
    }
    let shape = [count, characters];
    let announced = Announced { name, kind: Kind::U32, shape: &shape }; // one u32 per character
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
