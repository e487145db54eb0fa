//! JSON as Python writes it, where a number may be NaN or infinite.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What Python writes for numbers that JSON does not have; the longer name of two comes first.
const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The value of a text. A number that is not finite becomes a text that names it, so that a field that needs a number refuses it.
///
/// # Errors
/// What is not JSON even then, or holds another value.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes).or_else(|error| match quoted(bytes) {
        Some(quoted) => serde_json::from_slice(&quoted),
        None => Err(error),
    })
}

/// The text with quotes around what is no number; none where there is no such thing.
fn quoted(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest, mut in_text) = (Vec::with_capacity(bytes.len()), bytes, false);
    while let Some(first) = rest.first() {
        let name = NO_NUMBERS.iter().find(|name| !in_text && rest.starts_with(name.as_bytes()));
        if let Some(name) = name {
            out.extend(format!("{name:?}").bytes());
            rest = &rest[name.len()..];
            continue;
        }
        let width = if in_text && *first == b'\\' { 2.min(rest.len()) } else { 1 };
        in_text ^= *first == b'"';
        out.extend(&rest[..width]);
        rest = &rest[width..];
    }
    (out.len() > bytes.len()).then_some(out)
}

/// What differs between two objects: its path, as it was and as it is, in JSON.
pub(crate) fn apart(was: &Map<String, Value>, is: &Map<String, Value>) -> Vec<(String, String, String)> {
    let (was, is) = (leaves(was), leaves(is));
    let paths: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let value = |all: &BTreeMap<String, String>, path: &String| all.get(path).map_or("not there".into(), Clone::clone);
    let both = |path: &String| (path.clone(), value(&was, path), value(&is, path));
    paths.into_iter().map(both).filter(|(_, was, is)| was != is).collect()
}

/// Each value that is no object by its path, as JSON.
fn leaves(object: &Map<String, Value>) -> BTreeMap<String, String> {
    fn walk(path: &str, object: &Map<String, Value>, all: &mut BTreeMap<String, String>) {
        for (name, value) in object {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match value {
                Value::Object(object) => walk(&path, object, all),
                value => drop(all.insert(path, value.to_string())),
            }
        }
    }
    let mut all = BTreeMap::new();
    walk("", object, &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_that_are_none_are_read_outside_of_texts_only() {
        let text = br#"{"a": [NaN, Infinity, -Infinity, 1], "NaN": "\"NaN\\", "b": "Infinity"}"#;
        let expected = json!({"a": ["NaN", "Infinity", "-Infinity", 1], "NaN": "\"NaN\\", "b": "Infinity"});
        assert_eq!(parse::<Value>(text).unwrap(), expected);
        assert!(parse::<f64>(b"NaN").is_err() && parse::<Value>(b"{NaN").is_err() && parse::<Value>(b"\"\\").is_err());
    }
}
