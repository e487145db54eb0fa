//! One JSON object: the model, the prompt, its tokens, and one entry per method.
use super::{Data, Received, check_text_size, unwritten};
use crate::error::Result;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, BufWriter, Write};

/// Writes the object. Numbers are `f32` in the shortest form that reads back the same; what is not finite is `null`.
///
/// # Errors
/// More than [`super::MOST_TEXT_NUMBERS`] numbers, shapes that do not fit, or a failed write.
pub fn write(data: &Data, out: &mut dyn Write) -> Result<()> {
    data.check()?;
    check_text_size(data.arrays.iter().map(|array| array.values.len()).sum(), "JSON")?;
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
    write_field(",\n", "prompt", &meta.prompt, out)?;
    write_field(",\n", "tokens", &data.tokens, out)?;
    write_field(",\n", "token_ids", &data.token_ids, out)?;
    out.write_all(b",\n\"results\": [\n")?;
    write_attention(data, out)?;
    if !data.received.is_empty() {
        out.write_all(b",\n")?;
        write_received(data, out)?;
    }
    out.write_all(b"\n]\n}\n")
}

fn write_attention(data: &Data, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"method\": \"attention\"")?;
    write_field(", ", "layers", &data.meta.layers, out)?;
    write_field(", ", "heads", &data.meta.heads, out)?;
    let own = ["method", "layers", "heads", "words", "attention", "logits", "hidden", "scores"];
    write_settings(&data.meta.settings, &own, out)?;
    if let Some(words) = &data.words {
        write_field(",\n", "words", words, out)?;
    }
    for array in &data.arrays {
        out.write_all(b",\n")?;
        write_value(&array.name, out)?;
        out.write_all(b": ")?;
        write_nested(&array.shape, &array.values, out)?;
    }
    out.write_all(b"}")
}

fn write_received(data: &Data, out: &mut impl Write) -> io::Result<()> {
    fn column<T>(data: &Data, pick: impl Fn(&Received) -> T) -> Vec<T> {
        data.received.iter().map(pick).collect()
    }
    let own = ["method", "words", "first_token", "last_token", "received", "sink_share"];
    out.write_all(b"{\"method\": \"attention-received\"")?;
    write_settings(&data.received_settings, &own, out)?;
    write_field(",\n", "words", &column(data, |row| row.word.clone()), out)?;
    write_field(",\n", "first_token", &column(data, |row| row.first_token), out)?;
    write_field(",\n", "last_token", &column(data, |row| row.last_token), out)?;
    write_field(",\n", "received", &column(data, |row| row.received), out)?;
    write_field(",\n", "sink_share", &data.sink_share, out)?;
    out.write_all(b"}")
}

/// Every setting but those whose name the entry itself uses.
fn write_settings(settings: &Value, own: &[&str], out: &mut impl Write) -> io::Result<()> {
    let settings = settings.as_object().into_iter().flatten();
    for (name, value) in settings.filter(|(name, _)| !own.contains(&name.as_str())) {
        write_field(", ", name, value, out)?;
    }
    Ok(())
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
