//! The record of a file, written and read: a PNG has it in its text chunk, an SVG and a PDF in their metadata, JSON, NPZ and safetensors among
//! the fields of their object, Parquet under a key.
//!
//! A file is not trusted: what it says is bounded by its own size, or by 16 MiB where it is compressed, and means nothing until
//! somebody checks it.

use super::read::header;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::record::{NAME, Record, URI};
use crate::text::Class;
use resvg::usvg::roxmltree::{Document, Node, ParsingOptions};
use std::io::Cursor;

/// The longest text that is unpacked, in bytes: a long prompt with its ids takes a few hundred kilobytes.
const MOST_TEXT: usize = 16 << 20;
/// Nodes of an SVG that are read.
const MOST_NODES: u32 = 1 << 22;
/// How every PNG and every zip begins.
const PNG_MAGIC: &[u8] = b"\x89PNG";
const ZIP_MAGIC: &[u8] = b"PK";
const PDF_MAGIC: &[u8] = b"%PDF-";
/// How every page begins that attnviz writes.
const DOCTYPE: &[u8] = b"<!doctype html>";
/// Between these stands the metadata of a PDF.
const PACKET: [&[u8]; 2] = [b"<x:xmpmeta", b"</x:xmpmeta>"];
/// Bytes before the header of a safetensors file; they say how long it is.
const PREFIX: usize = 8;

/// The record as JSON, the same in every format, with JSON's own escapes for what must not stand in XML as it is.
///
/// # Errors
/// None that is known of.
pub fn json(record: &Record) -> Result<String> {
    let json =
        serde_json::to_string(record).map_err(|error| Error::failed(format!("the record is no JSON: {error}")))?;
    Ok(spelled(&json))
}

/// JSON with its own escapes for characters that act.
fn spelled(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            c if Class::of(c).acts() => {
                c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04x}"));
            }
            c => out.push(c),
        }
    }
    out
}

/// An object of JSON within a script of HTML, which no text in it can end.
///
/// # Errors
/// None that is known of.
pub fn script(object: &serde_json::Value) -> Result<String> {
    let json = serde_json::to_string(object).map_err(|e| Error::failed(format!("the record is no JSON: {e}")))?;
    Ok(spelled(&json).replace('<', "\\u003c"))
}

/// Reads what a PNG, an SVG, a PDF, a page, a JSON, an NPZ or a safetensors file of attnviz says of itself; which one it is, its beginning says.
///
/// # Errors
/// A file that is none of these, is broken, or does not say it.
pub fn read(bytes: &[u8]) -> Result<(Format, Record)> {
    let begins = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    if bytes.starts_with(PNG_MAGIC) {
        return Ok((Format::Png, parse(png(bytes)?.as_bytes())?));
    }
    if bytes.starts_with(PDF_MAGIC) {
        return Ok((Format::Pdf, parse(pdf(bytes)?.as_bytes())?));
    }
    if bytes.starts_with(ZIP_MAGIC) || bytes.get(PREFIX) == Some(&b'{') {
        let format = if bytes.starts_with(ZIP_MAGIC) { Format::Npz } else { Format::Safetensors };
        let header = header(bytes)?.ok_or_else(|| silent("has no record of attnviz"))?;
        return Ok((format, parse(header.as_bytes())?));
    }
    match bytes.get(begins) {
        Some(b'{') => Ok((Format::Json, parse(bytes)?)),
        Some(b'<') if bytes[begins..].starts_with(DOCTYPE) => Ok((Format::Html, parse(html(bytes)?)?)),
        Some(b'<') => Ok((Format::Svg, parse(svg(bytes)?.as_bytes())?)),
        _ => Err(silent("is no file that attnviz writes a record into")),
    }
}

fn silent(why: &str) -> Error {
    Error::failed(format!("the file {why}, so it does not say how it was made"))
        .hint("give a PNG, SVG, PDF, HTML, JSON, NPZ or safetensors file as attnviz wrote it; some programs drop what they do not understand")
}

fn parse(json: &[u8]) -> Result<Record> {
    serde_json::from_slice(json).map_err(|error| silent(&format!("has no record of attnviz ({error})")))
}

fn png(bytes: &[u8]) -> Result<String> {
    let broken = |error: png::DecodingError| silent(&format!("is a broken PNG ({error})"));
    let limits = png::Limits { bytes: MOST_TEXT.max(bytes.len()) };
    let mut reader = png::Decoder::new_with_limits(Cursor::new(bytes), limits).read_info().map_err(broken)?;
    let find = |info: &png::Info| info.utf8_text.iter().find(|chunk| chunk.keyword == NAME).cloned();
    let mut found = find(reader.info());
    if found.is_none() {
        reader.finish().map_err(broken)?; // other programs put texts at the end
        found = find(reader.info());
    }
    let mut chunk = found.ok_or_else(|| silent("has no text chunk `attnviz`"))?;
    chunk.decompress_text_with_limit(MOST_TEXT).map_err(broken)?;
    chunk.get_text().map_err(broken)
}

fn xml(bytes: &[u8]) -> Result<Document<'_>> {
    let text = std::str::from_utf8(bytes).map_err(|_| silent("is no text"))?;
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| silent(&format!("is not XML ({error})")))
}

/// The first metadata in it: ours stand before everything else.
fn pdf(bytes: &[u8]) -> Result<String> {
    let find = |what: &[u8], from: usize| {
        let rest = &bytes[from..bytes.len().min(from + MOST_TEXT)];
        rest.windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let none = || silent("has no metadata of attnviz");
    let start = find(PACKET[0], 0).ok_or_else(none)?;
    let end = find(PACKET[1], start).ok_or_else(none)? + PACKET[1].len();
    let document = xml(&bytes[start..end])?;
    let node = document.descendants().find(|node| node.has_tag_name((URI, "record"))).ok_or_else(none)?;
    Ok(node.text().unwrap_or_default().to_owned())
}

/// The script that is no script: what it holds has no `<`.
fn html(bytes: &[u8]) -> Result<&[u8]> {
    let none = || silent("has no record of attnviz");
    let tag = format!("<script type=\"application/json\" id=\"{NAME}\">");
    let start = bytes.windows(tag.len()).position(|window| window == tag.as_bytes()).ok_or_else(none)? + tag.len();
    let length = bytes[start..].iter().position(|byte| *byte == b'<').ok_or_else(none)?;
    Ok(&bytes[start..start + length])
}

fn svg(bytes: &[u8]) -> Result<String> {
    let document = xml(bytes)?;
    let ours = |node: &Node| node.tag_name().name() == "metadata" && node.attribute("id") == Some(NAME);
    let node = document.descendants().find(ours).ok_or_else(|| silent("has no metadata of attnviz"))?;
    Ok(node.text().unwrap_or_default().to_owned())
}
