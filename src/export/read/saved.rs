//! A file of results as attnviz wrote it, whichever format and command: its attention, its other arrays, its settings.
use super::super::{Array, read_at_most};
use super::contents::all;
use super::json::{self, Document, Field, Fields};
use super::npz::MOST_UNPACKED;
use super::raw::{Held, Numbers, attention_shape};
use super::{Patterns, named, read_from};
use crate::error::{Error, Result};
use crate::plain;
use crate::record::Record;
use serde_json::Value;
use std::collections::BTreeMap;
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
    pub patterns: Option<Patterns>,
    /// Every other array, as `method.name`.
    pub arrays: Vec<Array>,
    /// Settings and texts, as `method.name`.
    pub said: BTreeMap<String, Value>,
    /// What the file says of itself; none in other programs' files.
    pub record: Option<Record>,
    /// The tokens, `[token]`; none where the file does not say.
    pub tokens: Vec<String>,
    /// Their ids; none where the file does not say.
    pub token_ids: Vec<u32>,
    /// The text that was read.
    pub prompt: String,
}

/// Reads a `.json`, `.npz` or `.safetensors` file; which one it is, its extension says, or its first bytes where that is not `.json`.
///
/// # Errors
/// A file that cannot be read, is broken or ragged, or holds no numbers; the message names the file.
pub fn saved(path: &Path) -> Result<Saved> {
    let name = path.display().to_string();
    let unread = |error: std::io::Error| {
        Error::failed(format!("cannot read {name}: {error}"))
            .hint("give a .json, .npz or .safetensors file that exists; a pipe cannot be read")
    };
    let file = plain::open(path).map_err(unread)?;
    let length = file.metadata().map_err(unread)?.len();
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let found = if is_json {
        match read_at_most(file, MOST_JSON) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                Err(Error::failed("it is larger than 512 MiB").hint("attnviz writes no such JSON; save .safetensors"))
            }
            read => json::load(&read.map_err(unread)?).and_then(of_json),
        }
    } else {
        binary(BufReader::new(file), length, &name)
    };
    let found = found.map_err(|error| named(error, &name))?;
    if found.patterns.is_none() && found.arrays.is_empty() {
        return Err(
            Error::failed(format!("{name} holds no numbers")).hint("give a file of results, as attnviz wrote it")
        );
    }
    Ok(found)
}

fn of_json(Document { record, tokens, results }: Document) -> Result<Saved> {
    let (token_ids, prompt) = (record.token_ids.clone(), record.prompt.clone());
    let mut saved = Saved { tokens, token_ids, prompt, ..Saved::default() };
    for mut fields in results {
        let patterns = fields.method() == Some("attention");
        if patterns && let Some(Field::Numbers { shape, values }) = fields.0.remove("attention") {
            saved.patterns = Some(patterns_of(&saved, &record, values, &shape, &mut fields)?);
        }
        saved.take(fields)?;
    }
    saved.record = Some(record);
    Ok(saved.without_derived())
}

/// The patterns of a JSON file.
fn patterns_of(
    saved: &Saved,
    record: &Record,
    attention: Vec<f32>,
    shape: &[usize],
    fields: &mut Fields,
) -> Result<Patterns> {
    let ids = || record.token_ids.iter().map(|id| i64::from(*id)).collect();
    let mut patterns = Patterns {
        attention,
        shape: attention_shape(shape)?,
        tokens: (!saved.tokens.is_empty()).then(|| saved.tokens.clone()),
        token_ids: (!record.token_ids.is_empty()).then(ids),
        prompt: Some(record.prompt.clone()),
        record: Some(record.clone()),
        ..Patterns::default()
    };
    patterns.note(fields);
    patterns.check()
}

impl Saved {
    /// Takes a result's arrays, settings and texts.
    fn take(&mut self, fields: Fields) -> Result<()> {
        let Some(method) = fields.method().map(str::to_owned) else {
            return Err(Error::failed("a result has no method").hint("give a file as attnviz wrote it"));
        };
        for (name, field) in fields.0.into_iter().filter(|(name, _)| name != "method") {
            let name = format!("{method}.{name}");
            match field {
                Field::Numbers { shape, values } => self.arrays.push(Array { name, shape, values }),
                Field::Other(value) => _ = self.said.insert(name, value),
            }
        }
        Ok(())
    }

    /// Without the table of words, where the patterns that it is derived from are there.
    fn without_derived(mut self) -> Self {
        if self.patterns.is_some() {
            self.arrays.retain(|array| !array.name.starts_with(DERIVED));
            self.said.retain(|name, _| !name.starts_with(DERIVED));
        }
        self
    }
}

/// NPZ or safetensors: attention as [`super::read`] takes it, every other array of numbers, and what is said of them.
fn binary(mut input: impl Read + Seek, length: u64, name: &str) -> Result<Saved> {
    let mut has_patterns = false;
    // They are read below, and checked.
    let other = |name: &str| {
        has_patterns |= name == "attention";
        name != "attention"
    };
    let (arrays, notes) = all(&mut input, length, length.max(MOST_UNPACKED), other)?;
    let said = notes.said();
    let mut saved = Saved { tokens: notes.tokens.unwrap_or_default(), ..Saved::default() };
    saved.prompt = notes.prompt.unwrap_or_default();
    if has_patterns {
        let read = read_from(&mut input, name);
        saved.patterns = Some(read.map_err(|error| Error { message: unnamed(&error.message, name), ..error })?);
    }
    for (name, held) in arrays {
        match held {
            Some(Held { numbers: Numbers::Integers(ids), .. }) if name == "token_ids" => {
                saved.token_ids = ids.into_iter().map(|id| id as u32).collect();
            }
            Some(Held { shape, numbers: Numbers::Integers(numbers) }) => {
                let values = numbers.into_iter().map(|number| number as f32).collect();
                saved.arrays.push(Array { name, shape, values });
            }
            Some(Held { shape, numbers: Numbers::Floats(values) }) => saved.arrays.push(Array { name, shape, values }),
            None => (),
        }
    }
    let Some(Document { record, tokens, mut results }) = said else { return Ok(saved) };
    let methods: Vec<&str> = results.iter().filter_map(Fields::method).collect();
    let is_named = |array: &Array| methods.iter().any(|method| array.name.starts_with(&format!("{method}.")));
    // The arrays of a lone method have no prefix; what else was found then is words.
    if let Some(lone) = methods.first().filter(|_| !saved.arrays.iter().any(is_named)) {
        saved.arrays.iter_mut().for_each(|array| array.name = format!("{lone}.{}", array.name));
    }
    (saved.tokens, saved.prompt) = (tokens, record.prompt.clone());
    for fields in &mut results {
        // What says which layers and heads there are is part of the patterns.
        if fields.method() == Some("attention") && saved.patterns.is_some() {
            fields.0.retain(|name, _| !["layers", "heads", "words"].contains(&name.as_str()));
        }
    }
    results.into_iter().try_for_each(|fields| saved.take(fields))?;
    saved.record = Some(record);
    Ok(saved.without_derived())
}

/// A message that names the file already.
fn unnamed(message: &str, name: &str) -> String {
    message.strip_prefix(&format!("{name}: ")).unwrap_or(message).to_owned()
}
