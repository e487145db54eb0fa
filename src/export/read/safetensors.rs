//! A safetensors file: the header is checked by the crate, then only the tensors that are used are read.
use super::archive::{Archive, Take};
use super::numbers::Kind;
use super::raw::{Announced, Order};
use crate::error::{Error, Result};
use crate::python::Texts;
use safetensors::tensor::{Dtype, Metadata};
use std::io::{Read, Seek, SeekFrom};

/// The longest header that the format allows, in bytes.
const MOST_HEADER: u64 = 100_000_000;
/// The header's length before the header.
const PREFIX: u64 = 8;

/// An open file.
pub(super) struct Safetensors<R> {
    input: R,
    header: Metadata,
    /// Where the numbers begin.
    first: u64,
}

impl<R: Read + Seek> Safetensors<R> {
    /// Opens a file of so many bytes.
    pub(super) fn open(mut input: R, length: u64) -> Result<Self> {
        let (header, first) = header(&mut input, length)?;
        Ok(Self { input, header, first })
    }

    fn said(&self, name: &str) -> Option<&String> {
        self.header.metadata().as_ref()?.get(name)
    }
}

impl<R: Read + Seek> Archive for Safetensors<R> {
    fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    fn array(&mut self, name: &str, take: Take) -> Result<bool> {
        let Some(info) = self.header.info(name) else { return Ok(false) };
        self.input.seek(SeekFrom::Start(self.first + info.data_offsets.0 as u64)).map_err(unread)?;
        let announced = Announced { name, kind: kind(info.dtype), shape: &info.shape, order: Order::default() };
        take(&announced, &mut self.input).map(|()| true)
    }

    fn texts(&mut self, name: &str) -> Result<Option<Texts>> {
        let wrong = || {
            Error::failed(format!("the metadata `{name}` is not a list of texts"))
                .hint(format!("in Python: metadata={{\"{name}\": json.dumps({name})}}"))
        };
        self.said(name).map(|text| Texts::parse(text).ok_or_else(wrong)).transpose()
    }

    fn text(&mut self, name: &str) -> Result<Option<String>> {
        Ok(self.said(name).cloned())
    }
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

fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        Dtype::BOOL => Kind::Bool,
        Dtype::I8 => Kind::I8,
        Dtype::I16 => Kind::I16,
        Dtype::U8 => Kind::U8,
        Dtype::U16 => Kind::U16,
        Dtype::I32 => Kind::I32,
        Dtype::I64 => Kind::I64,
        Dtype::U32 => Kind::U32,
        Dtype::U64 => Kind::U64,
        other => Kind::Other(other.to_string()),
    }
}
