//! How a file was made, as the file itself says: a PNG in its text chunk, an SVG in its metadata, JSON in its fields.
//!
//! The file is not trusted: what it says is bounded by its own size, or by 16 MiB where it is compressed, and means nothing
//! until somebody checks it.

use super::{Input, Other};
use crate::error::{Error, Result};
use resvg::usvg::roxmltree::{Document, ParsingOptions};
use serde::Deserialize;
use std::io::Cursor;

/// What attnviz calls its text chunk and its metadata.
const NAME: &str = "attnviz";
/// The longest text that is unpacked, in bytes: a long prompt with its ids takes a few hundred kilobytes.
const MOST_TEXT: usize = 16 << 20;
/// Nodes of an SVG that are read.
const MOST_NODES: u32 = 1 << 22;
/// How every PNG begins.
const PNG_MAGIC: &[u8] = b"\x89PNG";

/// The kinds of file that say how they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A picture in pixels.
    Png,
    /// A picture in shapes.
    Svg,
    /// Numbers.
    Json,
}

/// How a file was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// What kind of file it is.
    pub kind: Kind,
    /// The version of attnviz.
    pub version: String,
    /// The command.
    pub command: String,
    /// What was typed after it, but for the prompt, the model and the outputs.
    pub args: Vec<String>,
    /// The model's name; empty where nobody knew it.
    pub model: String,
    /// Its commit on the hub, where it came from there.
    pub revision: Option<String>,
    /// The hash of its weights.
    pub weights: String,
    /// The text that the model read.
    pub prompt: String,
    /// Its token ids, `[token]`, without those that the model wrote itself.
    pub token_ids: Vec<u32>,
    /// What the figure says of the model's origin, instead of its name.
    pub note: Option<String>,
    /// The layer and the head, where the file holds one of several.
    pub part: Option<Part>,
    /// The file that was read instead of running a model.
    pub input: Option<Input>,
    /// What it was compared with.
    pub other: Option<Other>,
}

/// One of several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Part {
    /// The layer's number, or how the layers were reduced.
    pub layer: String,
    /// The head's number, or how the heads were reduced.
    pub head: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Model {
    Named(String),
    Data { name: String, revision: Option<String>, hash: String },
}

/// What figures and data files say, under either's names.
#[derive(Deserialize)]
struct Said {
    #[serde(alias = "attnviz")]
    version: String,
    command: String,
    args: Vec<String>,
    model: Model,
    revision: Option<String>,
    weights: Option<String>,
    prompt: String,
    token_ids: Vec<u32>,
    note: Option<String>,
    part: Option<Part>,
    input: Option<Input>,
    other: Option<Other>,
    #[serde(default)]
    results: Vec<Entry>,
}

/// What one method found; only this of it matters here.
#[derive(Deserialize)]
struct Entry {
    /// How many of the tokens were given, where the model wrote more.
    prompt_tokens: Option<usize>,
}

/// Reads how a PNG, an SVG or a JSON file of attnviz was made; which one it is, its beginning says.
///
/// # Errors
/// A file that is none of these, is broken, or does not say it.
pub fn read(bytes: &[u8]) -> Result<Made> {
    let begins = bytes.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    let (kind, said) = if bytes.starts_with(PNG_MAGIC) {
        (Kind::Png, parse(png(bytes)?.as_bytes())?)
    } else if bytes[begins..].starts_with(b"{") {
        (Kind::Json, parse(bytes)?)
    } else if bytes[begins..].starts_with(b"<") {
        (Kind::Svg, parse(svg(bytes)?.as_bytes())?)
    } else {
        return Err(silent("is neither PNG, SVG nor JSON"));
    };
    let Said {
        version,
        command,
        args,
        model,
        revision,
        weights,
        prompt,
        mut token_ids,
        note,
        part,
        input,
        other,
        results,
    } = said;
    let (model, revision, weights) = match model {
        Model::Named(name) => (name, revision, weights.unwrap_or_default()),
        Model::Data { name, revision, hash } => (name, revision, hash),
    };
    if let Some(given) = results.iter().find_map(|entry| entry.prompt_tokens) {
        token_ids.truncate(given);
    }
    Ok(Made { kind, version, command, args, model, revision, weights, prompt, token_ids, note, part, input, other })
}

fn silent(why: &str) -> Error {
    Error::failed(format!("the file {why}, so it does not say how it was made"))
        .hint("give a PNG, SVG or JSON file as attnviz wrote it; some programs drop what they do not understand")
}

fn parse(json: &[u8]) -> Result<Said> {
    serde_json::from_slice(json).map_err(|error| silent(&format!("has no recipe of attnviz ({error})")))
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

fn svg(bytes: &[u8]) -> Result<String> {
    let text = std::str::from_utf8(bytes).map_err(|_| silent("is no text"))?;
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|error| silent(&format!("is not XML ({error})")))?;
    let ours = |node: &resvg::usvg::roxmltree::Node| {
        node.tag_name().name() == "metadata" && node.attribute("id") == Some(NAME)
    };
    let node = document.descendants().find(ours).ok_or_else(|| silent("has no metadata of attnviz"))?;
    Ok(node.text().unwrap_or_default().to_owned())
}
