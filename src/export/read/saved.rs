//! A file of results as attnviz wrote it, whichever format and command: its attention, its other arrays, its settings.
use super::super::{Array, apart, read_at_most};
use super::archive::{all, open};
use super::attention::{self, of_document};
use super::json::{self, Document, Field, Fields};
use super::names::find;
use super::raw::{Held, Numbers};
use super::{Patterns, Wanted, named};
use crate::error::{Error, Result};
use crate::plain;
use crate::python::Texts;
use crate::record::{NAME, Record};
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
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let found = if is_json {
        match read_at_most(file, MOST_JSON) {
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                Err(Error::failed("it is larger than 512 MiB").hint("attnviz writes no such JSON; save .safetensors"))
            }
            read => json::load(&read.map_err(unread)?).and_then(of_json),
        }
    } else {
        binary(BufReader::new(file), &name)
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
    let methods = methods(&results)?;
    for (mut fields, method) in results.into_iter().zip(methods) {
        let patterns = fields.method() == Some("attention");
        if patterns && let Some(Field::Numbers { shape, values }) = fields.0.remove("attention") {
            saved.patterns = Some(of_document(values, &shape, &record, &saved.tokens, &mut fields)?);
        }
        saved.take(&method, fields);
    }
    saved.record = Some(record);
    Ok(saved.without_derived())
}

/// What the results are called.
fn methods(results: &[Fields]) -> Result<Vec<String>> {
    let known: Option<Vec<&str>> = results.iter().map(Fields::method).collect();
    let known = known.ok_or_else(|| Error::failed("a result has no method").hint("give a file as attnviz wrote it"))?;
    Ok(apart(known.into_iter()))
}

impl Saved {
    /// Takes a result's arrays, settings and texts.
    fn take(&mut self, method: &str, fields: Fields) {
        for (name, field) in fields.0.into_iter().filter(|(name, _)| name != "method") {
            let name = format!("{method}.{name}");
            match field {
                Field::Numbers { shape, values } => self.arrays.push(Array { name, shape, values }),
                Field::Other(value) => _ = self.said.insert(name, value),
            }
        }
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
fn binary(input: impl Read + Seek, name: &str) -> Result<Saved> {
    let mut archive = open(input, name)?;
    let archive = &mut *archive;
    // What holds no attention is compared by its other numbers.
    let own = find(&archive.names(), None).map(|found| found.names).unwrap_or_default();
    let mut saved = Saved::default();
    if !own.is_empty() {
        saved.patterns = Some(attention::load(archive, Wanted::default()).map_err(of_one)?);
    }
    let arrays = all(archive, |name| !own.iter().any(|own| own == name))?;
    let said = archive.text(NAME)?.and_then(|header| json::load(header.as_bytes()).ok());
    match &saved.patterns {
        Some(patterns) => {
            saved.tokens = patterns.tokens.clone().unwrap_or_default();
            saved.prompt = patterns.prompt.clone().unwrap_or_default();
        }
        None => {
            if let Some(Texts::List(tokens)) = archive.texts("tokens")? {
                saved.tokens = tokens;
            }
            saved.prompt = archive.text("prompt")?.unwrap_or_default();
        }
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
    let methods = methods(&results)?;
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
    results.into_iter().zip(&methods).for_each(|(fields, method)| saved.take(method, fields));
    saved.record = Some(record);
    Ok(saved.without_derived())
}

/// An error whose way out is a flag of `render`.
fn of_one(error: Error) -> Error {
    match error.option {
        None => error,
        Some(option) => Error { option: None, ..error }
            .hint(format!("make a file of what is meant first: attnviz render FILE --{option} … -o one.npz")),
    }
}
