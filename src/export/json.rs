//! One JSON object: the record, the prompt's tokens, and one entry per method.
use super::{Data, Entry, check_text_size, record, unwritten};
use crate::error::Result;
use serde::Serialize;
use std::io::{self, BufWriter, Write};

/// Writes the object. Numbers are `f32` in the shortest form that reads back the same; what is not finite is `null`.
///
/// # Errors
/// More than [`super::MOST_TEXT_NUMBERS`] numbers, shapes that do not fit, or a failed write.
pub fn write(data: &Data, out: &mut dyn Write) -> Result<()> {
    data.check()?;
    check_text_size(data.arrays().iter().map(|(_, array)| array.values.len()).sum(), "JSON")?;
    let (record, mut out) = (record::json(&data.record)?, BufWriter::new(out));
    write_object(data, &record, &mut out).and_then(|()| out.flush()).map_err(unwritten)
}

/// The record's own object, with the tokens and the results as two more of its fields.
fn write_object(data: &Data, record: &str, out: &mut impl Write) -> io::Result<()> {
    out.write_all(record.strip_suffix('}').unwrap_or(record).as_bytes())?;
    write_field(",\n", "tokens", &data.tokens, out)?;
    out.write_all(b",\n\"results\": [")?;
    for (index, entry) in data.results.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        write_entry(entry, out)?;
    }
    out.write_all(b"\n]\n}\n")
}

fn write_entry(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let mut separator = "{";
    for (name, value) in entry.said(|_| false) {
        write_field(separator, &name, &value, out)?;
        separator = if entry.fields.contains_key(&name) { ",\n" } else { ", " };
    }
    for array in entry.arrays.iter().filter(|array| !entry.fields.contains_key(array.root())) {
        out.write_all(b",\n")?;
        write_value(&array.name, out)?;
        out.write_all(b": ")?;
        write_nested(&array.shape, &array.values, out)?;
    }
    out.write_all(b"}")
}

fn write_field(separator: &str, name: &str, value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    out.write_all(separator.as_bytes())?;
    write_value(name, out)?;
    out.write_all(b": ")?;
    write_value(value, out)
}

fn write_value<T: Serialize + ?Sized>(value: &T, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// Lists within lists, one innermost row per line.
fn write_nested(shape: &[usize], values: &[f32], out: &mut impl Write) -> io::Result<()> {
    let [outer, inner @ ..] = shape else { return write_value(&values.first(), out) };
    if inner.is_empty() {
        return write_value(values, out);
    }
    out.write_all(b"[")?;
    let stride = values.len().checked_div(*outer).unwrap_or(0); // numbers in one element of this axis
    for index in 0..*outer {
        out.write_all(if index == 0 { b"".as_slice() } else { b",\n" })?;
        write_nested(inner, &values[index * stride..(index + 1) * stride], out)?;
    }
    out.write_all(b"]")
}
