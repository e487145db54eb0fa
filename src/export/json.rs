//! One JSON object: the model, the prompt, its tokens, and one entry per method.
use super::{Data, Entry, check_text_size, unwritten};
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
    let mut out = BufWriter::new(out);
    write_object(data, &mut out).and_then(|()| out.flush()).map_err(unwritten)
}

fn write_object(data: &Data, out: &mut impl Write) -> io::Result<()> {
    let meta = &data.meta;
    out.write_all(b"{\n\"model\": {\"name\": ")?;
    write_value(&meta.model, out)?;
    write_field(", ", "revision", &meta.revision, out)?;
    write_field(", ", "hash", &meta.hash, out)?;
    out.write_all(b"}")?;
    write_field(",\n", "version", &meta.version, out)?;
    write_field(",\n", "command", &meta.command, out)?;
    write_field(",\n", "args", &meta.args, out)?;
    if let Some(part) = &meta.part {
        write_field(",\n", "part", part, out)?;
    }
    if let Some(input) = &meta.input {
        write_field(",\n", "input", input, out)?;
    }
    if let Some(other) = &meta.other {
        write_field(",\n", "other", other, out)?;
    }
    write_field(",\n", "prompt", &meta.prompt, out)?;
    write_field(",\n", "tokens", &data.tokens, out)?;
    write_field(",\n", "token_ids", &data.token_ids, out)?;
    out.write_all(b",\n\"results\": [")?;
    for (index, entry) in data.results.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        write_entry(entry, out)?;
    }
    out.write_all(b"\n]\n}\n")
}

fn write_entry(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"method\": ")?;
    write_value(&entry.method, out)?;
    // A result's own names win over a setting of the same name.
    let own = |name: &str| {
        name == "method" || entry.fields.contains_key(name) || entry.arrays.iter().any(|array| array.name == name)
    };
    for (name, value) in entry.settings.iter().filter(|(name, _)| !own(name)) {
        write_field(", ", name, value, out)?;
    }
    for (name, value) in &entry.fields {
        write_field(",\n", name, value, out)?;
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
