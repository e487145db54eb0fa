//! A file of results as attnviz wrote it, whichever format and command: its attention, its other arrays, its settings.
use super::super::{Array, read_at_most};
use super::contents::{Held, Numbers, all};
use super::json::{self, Field, Fields, Said};
use super::npz::MOST_UNPACKED;
use super::{Notes, Raw, Trace, read_from, tame};
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

/// A JSON file larger than this is none of ours: 20 million numbers are smaller.
const MOST_JSON: u64 = 1 << 29;
/// What `attention` is derived from is compared, not this table of it, whose words may be ranked in another order.
const DERIVED: &str = "attention-received.";

/// What a file of results holds.
#[derive(Clone, Debug, Default)]
pub struct Saved {
    /// Attention patterns with their tokens.
    pub trace: Option<Trace>,
    /// Every other array, as `method.name`.
    pub arrays: Vec<Array>,
    /// Settings and texts, as `method.name`.
    pub said: BTreeMap<String, Value>,
    /// The tokens, `[token]`; none where the file does not say.
    pub tokens: Vec<String>,
    /// Their ids; none where the file does not say.
    pub token_ids: Vec<u32>,
    /// The text that was read.
    pub prompt: String,
    /// The model's name, its revision and the hash of its weights; empty where the file does not say.
    pub model: [String; 3],
}

/// Reads a `.json`, `.npz` or `.safetensors` file; which one it is, its extension says, or its first bytes where that is not `.json`.
///
/// # Errors
/// A file that cannot be read, is broken or ragged, or holds no numbers; the message names the file.
pub fn saved(path: &Path) -> Result<Saved> {
    let name = path.display().to_string();
    let unread = |error: std::io::Error| {
        Error::failed(format!("cannot read {name}: {error}"))
            .hint("give a .json, .npz or .safetensors file that exists")
    };
    let file = File::open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    if !about.is_file() {
        return Err(Error::failed(format!("{name} is not a regular file")).hint("give a file; a pipe cannot be read"));
    }
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let found = if is_json {
        match read_at_most(file, MOST_JSON) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                Err(Error::failed("it is larger than 512 MiB").hint("attnviz writes no such JSON; save .safetensors"))
            }
            read => json::load(&read.map_err(unread)?).and_then(of_json),
        }
    } else {
        binary(BufReader::new(file), about.len(), &name)
    };
    let found = found.map_err(|error| Error { message: format!("{name}: {}", tame(&error.message)), ..error })?;
    if found.trace.is_none() && found.arrays.is_empty() {
        return Err(
            Error::failed(format!("{name} holds no numbers")).hint("give a file of results, as attnviz wrote it")
        );
    }
    Ok(found)
}

fn of_json(said: Said) -> Result<Saved> {
    let Said { model, prompt, tokens, token_ids, results } = said;
    let mut saved = Saved { model: [model.name, model.revision.unwrap_or_default(), model.hash], ..Saved::default() };
    for Fields(mut fields) in results {
        let method = match fields.remove("method") {
            Some(Field::Other(Value::String(method))) => method,
            _ => return Err(Error::failed("a result has no method").hint("give a .json file as attnviz wrote it")),
        };
        if method == "attention"
            && let Some(Field::Numbers { shape, values }) = fields.remove("attention")
        {
            let header = header(&saved.model, &mut fields);
            let mut notes = Notes { prompt: Some(prompt.clone()), ..Notes::default() };
            // Where tokens were gathered to words, words are what the axes are.
            notes.tokens = (!tokens.is_empty() && !header.contains_key("words")).then(|| tokens.clone());
            notes.add_header(&Value::Object(header).to_string());
            let ids: Vec<i64> = token_ids.iter().map(|id| i64::from(*id)).collect();
            let token_ids = Some(ids).filter(|ids| !ids.is_empty());
            saved.trace = Some(Raw { attention: values, shape, token_ids, notes }.check()?);
        }
        for (name, field) in fields {
            let name = format!("{method}.{name}");
            match field {
                Field::Numbers { shape, values } => saved.arrays.push(Array { name, shape, values }),
                Field::Other(value) => _ = saved.said.insert(name, value),
            }
        }
    }
    (saved.tokens, saved.token_ids, saved.prompt) = (tokens, token_ids, prompt);
    if saved.trace.is_some() {
        saved.arrays.retain(|array| !array.name.starts_with(DERIVED));
        saved.said.retain(|name, _| !name.starts_with(DERIVED));
    }
    Ok(saved)
}

/// What binary files say of attention beside it, from the fields of a JSON result.
fn header([name, revision, hash]: &[String; 3], fields: &mut BTreeMap<String, Field>) -> Map<String, Value> {
    let mut header = Map::from_iter([
        ("model".into(), json!(name)),
        ("revision".into(), json!(Some(revision).filter(|r| !r.is_empty()))),
        ("hash".into(), json!(hash)),
    ]);
    for axis in ["layers", "heads"] {
        if let Some(Field::Numbers { values, .. }) = fields.remove(axis) {
            header.insert(axis.into(), values.into_iter().map(|number| number as u64).collect());
        }
    }
    if let Some(Field::Other(words)) = fields.remove("words") {
        header.insert("words".into(), words);
    }
    let settings = fields.iter().filter_map(|(name, field)| match field {
        Field::Other(value) => Some((name.clone(), value.clone())),
        Field::Numbers { .. } => None,
    });
    header.insert("settings".into(), Value::Object(settings.collect()));
    header
}

/// NPZ or safetensors: attention as [`super::read`] takes it, and every other array of numbers.
fn binary(mut input: impl Read + Seek, length: u64, name: &str) -> Result<Saved> {
    let mut has_patterns = false;
    // They are read below, and checked.
    let other = |name: &str| {
        has_patterns |= name == "attention";
        name != "attention"
    };
    let (arrays, Notes { tokens, prompt, mut header, .. }) = all(&mut input, length, length.max(MOST_UNPACKED), other)?;
    let mut trace = None;
    if has_patterns {
        let read = read_from(&mut input, name);
        trace = Some(read.map_err(|error| Error { message: unnamed(&error.message, name), ..error })?);
    }
    let (mut others, mut token_ids) = (Vec::new(), Vec::new());
    for (name, held) in arrays {
        match held {
            Some(Held { numbers: Numbers::Integers(ids), .. }) if name == "token_ids" => {
                token_ids = ids.into_iter().map(|id| id as u32).collect();
            }
            Some(Held { shape, numbers: Numbers::Integers(numbers) }) => {
                others.push(Array { name, shape, values: numbers.into_iter().map(|number| number as f32).collect() });
            }
            Some(Held { shape, numbers: Numbers::Floats(values) }) => others.push(Array { name, shape, values }),
            None => (),
        }
    }
    let text = |header: &Map<String, Value>, name: &str| {
        header.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let model = ["model", "revision", "hash"].map(|name| text(&header, name));
    // A lone method's arrays have no prefix, and its settings stand at the top.
    let method = text(&header, "method");
    if !method.is_empty() {
        others.iter_mut().for_each(|array| array.name = format!("{method}.{}", array.name));
    }
    let mut said = BTreeMap::new();
    if let Some(Value::Object(settings)) = header.remove("settings") {
        said.extend(settings.into_iter().map(|(name, value)| (format!("{method}.{name}"), value)));
    }
    let tokens = tokens.unwrap_or_default();
    Ok(Saved { trace, arrays: others, said, tokens, token_ids, prompt: prompt.unwrap_or_default(), model })
}

/// A message that names the file already.
fn unnamed(message: &str, name: &str) -> String {
    message.strip_prefix(&format!("{name}: ")).unwrap_or(message).to_owned()
}
