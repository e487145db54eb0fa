//! The weights' own format: a JSON header, then the numbers as they lie in memory.
use super::{Data, Source, as_bytes, ids_as_bytes, unwritten};
use crate::error::{Error, Result};
use crate::record::NAME;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::HashMap;
use std::io::Write;

/// The header's length is a multiple of it, so that the numbers can be used in place.
const ALIGNMENT: usize = 8;

/// Writes `token_ids` (i64) and every array (f32), with the one metadata key `attnviz`. One, because the crate writes
/// several in random order.
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
    let ids = ids_as_bytes(&data.record.token_ids);
    let arrays = data.arrays();
    let mut tensors = Vec::with_capacity(1 + arrays.len());
    let mut end = 0;
    let mut place = |name: &str, dtype, shape: &[usize], bytes: usize| {
        let data_offsets = (end, end + bytes);
        end += bytes;
        tensors.push((name.to_owned(), TensorInfo { dtype, shape: shape.to_vec(), data_offsets }));
    };
    if !ids.is_empty() {
        place("token_ids", Dtype::I64, &[data.record.token_ids.len()], ids.len()); // the widest type first keeps all aligned
    }
    for (name, array) in &arrays {
        place(name, Dtype::F32, &array.shape, 4 * array.count(source).unwrap_or(0));
    }
    let metadata = HashMap::from([(NAME.to_owned(), data.header()?)]);
    let mut header = Metadata::new(Some(metadata), tensors)
        .map_err(|error| error.to_string())
        .and_then(|header| serde_json::to_vec(&header).map_err(|error| error.to_string()))
        .map_err(|error| Error::failed(format!("the safetensors header could not be made: {error}")))?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');

    let mut write = |bytes: &[u8]| out.write_all(bytes).map_err(unwritten);
    write(&(header.len() as u64).to_le_bytes())?;
    write(&header)?;
    write(&ids)?;
    for (_, array) in &arrays {
        array.each(source, &mut |values| write(&as_bytes(values)))?;
    }
    out.flush().map_err(unwritten)
}
