//! One JSON object: the record, the prompt's tokens, and one entry per method.
use super::{Array, Data, Entry, Source, check_text_size, record, unwritten};
use crate::error::Result;
use serde::Serialize;
use std::io::{self, BufWriter, Write};

/// Writes the object. Numbers are `f32` in the shortest form that reads back the same; what is not finite is `null`.
///
/// # Errors
/// More than [`super::MOST_TEXT_NUMBERS`] numbers, shapes that do not fit, or a failed write.
pub fn write(data: &Data, out: &mut dyn Write) -> Result<()> {
    write_from(data, None, out)
}

/// The same of data whose numbers are not all held.
///
/// # Errors
/// As [`write()`], and those of the source.
pub fn write_from(data: &Data, source: Option<&dyn Source>, out: &mut dyn Write) -> Result<()> {
    data.check(source)?;
    check_text_size(data.arrays().iter().filter_map(|(_, array)| array.count(source)).sum(), "JSON")?;
    let (record, mut out) = (record::json(&data.record)?, BufWriter::new(out));
    write_object(data, source, &record, &mut out)?;
    out.flush().map_err(unwritten)
}

/// The record's own object, with the tokens and the results as two more of its fields.
fn write_object(data: &Data, source: Option<&dyn Source>, record: &str, out: &mut impl Write) -> Result<()> {
    out.write_all(record.strip_suffix('}').unwrap_or(record).as_bytes()).map_err(unwritten)?;
    write_field(",\n", "tokens", &data.tokens, out).map_err(unwritten)?;
    out.write_all(b",\n\"results\": [").map_err(unwritten)?;
    for (index, entry) in data.results.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" }).map_err(unwritten)?;
        write_said(entry, out).map_err(unwritten)?;
        for array in entry.arrays.iter().filter(|array| !entry.fields.contains_key(array.root())) {
            write_name(",\n", &array.name, out).map_err(unwritten)?;
            write_array(array, source, out)?;
        }
        out.write_all(b"}").map_err(unwritten)?;
    }
    out.write_all(b"\n]\n}\n").map_err(unwritten)
}

fn write_said(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let mut separator = "{";
    for (name, value) in entry.said(|_| false) {
        write_field(separator, &name, &value, out)?;
        separator = if entry.fields.contains_key(&name) { ",\n" } else { ", " };
    }
    Ok(())
}

fn write_field(separator: &str, name: &str, value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    write_name(separator, name, out)?;
    write_value(value, out)
}

fn write_name(separator: &str, name: &str, out: &mut impl Write) -> io::Result<()> {
    out.write_all(separator.as_bytes())?;
    write_value(name, out)?;
    out.write_all(b": ")
}

fn write_value<T: Serialize + ?Sized>(value: &T, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

/// Lists within lists, one innermost row per line.
fn write_array(array: &Array, source: Option<&dyn Source>, out: &mut impl Write) -> Result<()> {
    let Some((length, outer)) = array.shape.split_last() else {
        return write_value(&array.values.first(), out).map_err(unwritten);
    };
    if array.count(source) == Some(0) {
        return write_empty(&array.shape, out).map_err(unwritten);
    }
    // How many rows there are in one element of each axis but the last.
    let rows: Vec<usize> = (0..outer.len()).map(|axis| outer[axis..].iter().product()).collect();
    let at = |row: usize| rows.iter().filter(|rows| row.is_multiple_of(**rows)).count(); // lists that begin or end there
    let mut row = 0;
    array.each(source, &mut |values| {
        values
            .chunks_exact(*length)
            .try_for_each(|values| {
                let open = if row == 0 { "" } else { ",\n" }.to_owned() + &"[".repeat(at(row));
                row += 1;
                out.write_all(open.as_bytes())?;
                write_value(values, out)?;
                out.write_all("]".repeat(at(row)).as_bytes())
            })
            .map_err(unwritten)
    })
}

/// Lists within lists without a number.
fn write_empty(shape: &[usize], out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"[")?;
    for index in 0..shape.first().copied().unwrap_or(0) {
        out.write_all(if index == 0 { b"".as_slice() } else { b",\n" })?;
        write_empty(&shape[1..], out)?;
    }
    out.write_all(b"]")
}
