//! NumPy's format: a zip of `.npy` members, not compressed, so that the same data always give the same bytes.
use super::{Data, Source, as_bytes, ids_as_bytes, unwritten};
use crate::error::{Error, Result};
use crate::record::NAME;
use std::io::Write;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZIP64_BYTES_THR, ZipWriter};

/// A `.npy` header's length is a multiple of it, so that the numbers can be used in place.
const ALIGNMENT: usize = 64;
/// Magic, version and the header's length.
const PREFIX: usize = 10;

/// Writes every array (`<f4`), `token_ids` (`<i8`) and `attnviz`, the JSON object as text: `str(np.load(f)["attnviz"])`.
///
/// # Errors
/// Shapes that do not fit, or a failed write.
pub fn write(data: &Data, out: &mut dyn Write) -> Result<()> {
    write_from(data, None, out)
}

/// The same of data whose numbers are not all held.
///
/// # Errors
/// As [`write()`], and those of the source.
pub fn write_from(data: &Data, source: Option<&dyn Source>, out: &mut dyn Write) -> Result<()> {
    data.check(source)?;
    let mut zip = ZipWriter::new_stream(out);
    for (name, array) in data.arrays() {
        let bytes = 4 * array.count(source).unwrap_or(0);
        begin_member(&mut zip, &name, "<f4", &array.shape, bytes)?;
        array.each(source, &mut |values| zip.write_all(&as_bytes(values)).map_err(unwritten))?;
    }
    let mut write_member = |name: &str, descr: &str, shape: &[usize], bytes: &[u8]| {
        begin_member(&mut zip, name, descr, shape, bytes.len())?;
        zip.write_all(bytes).map_err(unwritten)
    };
    let ids = &data.record.token_ids;
    if !ids.is_empty() {
        write_member("token_ids", "<i8", &[ids.len()], &ids_as_bytes(ids))?;
    }
    let header = data.header()?;
    let characters = header.chars().count();
    let header: Vec<u8> = header.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect(); // UTF-32
    write_member(NAME, &format!("<U{characters}"), &[], &header)?;
    zip.finish().map_err(unzipped)?.into_inner().flush().map_err(unwritten)
}

/// Begins a member that will hold so many bytes.
fn begin_member<W: Write + std::io::Seek>(
    zip: &mut ZipWriter<W>,
    name: &str,
    descr: &str,
    shape: &[usize],
    bytes: usize,
) -> Result<()> {
    let header = header(descr, shape);
    let large = (header.len() + bytes) as u64 >= ZIP64_BYTES_THR;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .large_file(large);
    zip.start_file(format!("{name}.npy"), options).map_err(unzipped)?;
    zip.write_all(&header).map_err(unwritten)
}

/// Version 1.0, for which 64 KiB of header are enough.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let axes = if shape.len() == 1 { axes.trim_end() } else { axes.trim_end_matches(", ") }; // Python: (6,)
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({axes}), }}");
    let length = (PREFIX + text.len() + 1).next_multiple_of(ALIGNMENT) - PREFIX;
    text.extend(std::iter::repeat_n(' ', length - text.len() - 1));
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((length as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}

fn unzipped(error: zip::result::ZipError) -> Error {
    unwritten(error.into())
}
