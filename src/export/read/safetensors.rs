//! A safetensors trace: the header is checked by the crate, then only the tensors that are used are read.
use super::numbers::Kind;
use super::raw::{Announced, Named, Notes, Raw, WHAT_FITS};
use crate::error::{Error, Result};
use crate::record::NAME;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::io::{Read, Seek, SeekFrom};

/// The longest header that the format allows, in bytes.
const MOST_HEADER: u64 = 100_000_000;
/// The header's length before the header.
const PREFIX: u64 = 8;

/// `attention`, and what is said of it.
pub(super) fn load(mut input: impl Read + Seek, length: u64) -> Result<Raw> {
    let (header, first) = header(&mut input, length)?;
    let find = |name| header.info(name).map(|info| (first + info.data_offsets.0 as u64, info));
    let Some((start, info)) = find("attention") else {
        let names = header.offset_keys().join(", ");
        return Err(Error::failed(format!("there is no tensor `attention`, only: {names}")).hint(WHAT_FITS));
    };
    input.seek(SeekFrom::Start(start)).map_err(unread)?;
    let attention = announced("attention", info).attention(&mut input)?;
    let mut token_ids = None;
    if let Some((start, info)) = find("token_ids") {
        input.seek(SeekFrom::Start(start)).map_err(unread)?;
        token_ids = Some(announced("token_ids", info).token_ids(&mut input)?);
    }
    let shape = info.shape.clone();
    Ok(Raw { attention, shape, token_ids, notes: notes(&header)? })
}

/// Every array whose name is wanted.
pub(super) fn all(
    mut input: impl Read + Seek,
    length: u64,
    mut wanted: impl FnMut(&str) -> bool,
) -> Result<(Vec<Named>, Notes)> {
    let (header, first) = header(&mut input, length)?;
    let mut arrays = Vec::new();
    for name in header.offset_keys().into_iter().filter(|name| wanted(name)) {
        let Some(info) = header.info(&name) else { continue };
        input.seek(SeekFrom::Start(first + info.data_offsets.0 as u64)).map_err(unread)?;
        arrays.push(announced(&name, info).held(&mut input)?);
    }
    Ok((arrays, notes(&header)?))
}

/// The header, and where the numbers begin.
fn header(mut input: impl Read, length: u64) -> Result<(Metadata, u64)> {
    let mut prefix = [0; PREFIX as usize];
    let read = input.read_exact(&mut prefix);
    read.map_err(|_| broken("the file is too short to be safetensors or NPZ".to_owned()))?;
    let header_length = u64::from_le_bytes(prefix);
    if header_length > MOST_HEADER || header_length > length.saturating_sub(PREFIX) {
        return Err(broken("the file is neither safetensors nor NPZ, or it is cut short".to_owned()));
    }
    let mut header = Vec::new();
    let read = input.by_ref().take(header_length).read_to_end(&mut header);
    read.map_err(|error| broken(format!("the header cannot be read: {error}")))?;
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|error| broken(format!("the safetensors header is broken: {error}")))?;
    let (stated, there) = (header.data_len() as u64, length - PREFIX - header_length);
    if stated != there {
        return Err(broken(format!("the header announces {stated} bytes of tensors, but {there} are there")));
    }
    Ok((header, PREFIX + header_length))
}

fn broken(what: String) -> Error {
    Error::failed(what).hint("give a .safetensors or .npz file, complete and undamaged")
}

fn unread(error: std::io::Error) -> Error {
    broken(format!("the tensors cannot be read: {error}"))
}

fn announced<'a>(name: &'a str, info: &'a TensorInfo) -> Announced<'a> {
    Announced { name, kind: kind(info.dtype), shape: &info.shape }
}

fn notes(header: &Metadata) -> Result<Notes> {
    let mut notes = Notes::default();
    let Some(metadata) = header.metadata() else { return Ok(notes) };
    notes.prompt = metadata.get("prompt").cloned();
    if let Some(tokens) = metadata.get("tokens") {
        let tokens = serde_json::from_str(tokens).map_err(|error| {
            Error::failed(format!("the metadata `tokens` is not a JSON list of texts: {error}"))
                .hint("in Python: metadata={\"tokens\": json.dumps(tokens)}")
        })?;
        notes.tokens = Some(tokens);
    }
    notes.header = metadata.get(NAME).cloned();
    Ok(notes)
}

fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        Dtype::I32 => Kind::I32,
        Dtype::I64 => Kind::I64,
        Dtype::U32 => Kind::U32,
        Dtype::U64 => Kind::U64,
        other => Kind::Other(other.to_string()),
    }
}
