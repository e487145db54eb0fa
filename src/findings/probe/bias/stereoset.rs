//! StereoSet's own file: the sentences with a blank.

use super::suite::two_sentences;
use super::{Cut, Item, Kind, Options, Suite};
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, bytes, input_of};
use serde_json::Value;
use std::path::Path;

/// Where the items stand.
const ITEMS: &str = "intrasentence";
/// The three sentences of an item.
const LABELS: [&str; 3] = ["stereotype", "anti-stereotype", "unrelated"];

/// Reads the file.
pub(super) fn read(path: &Path, options: &Options) -> Result<Suite> {
    let bytes = bytes(path)?;
    let input = input_of(path, &bytes);
    let refused = |why: String| {
        Error::failed(format!("{} is no file of StereoSet: {why}", path.display()))
            .hint("it needs data.intrasentence, a list, as in the published dev.json")
    };
    let whole: Value = serde_json::from_slice(&bytes).map_err(|error| refused(format!("it is no JSON ({error})")))?;
    let list = |name: &str| whole["data"][name].as_array();
    let count = list(ITEMS).ok_or_else(|| refused(format!("it has no data.{ITEMS}")))?.len();
    let items = items(&bytes, count).ok_or_else(|| refused(format!("it has more than one {ITEMS}")))?;
    let mut suite = Suite { input, kind: Kind::StereoSet, all: count, ..Suite::default() };
    let name = suite.input.name.clone();
    if let Some(others) = list("intersentence").filter(|others| !others.is_empty()) {
        suite.remarks.push(format!("{name}: its intersentence part is not read ({} of its items)", others.len()));
    }
    for (number, (line, value)) in options.sample.taken(items.into_iter().enumerate().collect(), &name) {
        let id = value["id"].as_str().map(|id| format!(" ({id})")).unwrap_or_default();
        let bad = |why| Bad { file: name.clone(), line, why: format!("item {}{id}: {why}", number + 1) };
        suite.add(item(&value).map(|item| Item { line, ..item }).map_err(bad));
    }
    suite.files.push(name);
    Ok(suite)
}

/// The items, each with the line on which it begins; none where they are not where they should be.
fn items(bytes: &[u8], count: usize) -> Option<Vec<(usize, Value)>> {
    let key = format!("{ITEMS:?}");
    // In a text the second quote would be escaped.
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(key.as_bytes())).collect();
    let after = |at: usize| {
        let rest = bytes[at + key.len()..].trim_ascii_start().strip_prefix(b":")?;
        rest.trim_ascii_start().strip_prefix(b"[")
    };
    let mut lists = places.into_iter().filter_map(after);
    let (Some(mut rest), None) = (lists.next(), lists.next()) else { return None };
    let (mut found, mut line, mut counted) = (Vec::with_capacity(count), 1, 0);
    for _ in 0..count {
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        let start = bytes.len() - rest.len();
        line += bytes[counted..start].iter().filter(|byte| **byte == b'\n').count();
        counted = start;
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        found.push((line, stream.next()?.ok()?));
        rest = &rest[stream.byte_offset()..];
    }
    Some(found)
}

fn item(value: &Value) -> Result<Item, String> {
    let text = |value: &Value, name: &str| match value[name].as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("it has no {name}")),
    };
    let sentences = value["sentences"].as_array().ok_or("it has no sentences")?;
    let labelled = |label: &str| {
        let mut own = sentences.iter().filter(|sentence| sentence["gold_label"].as_str() == Some(label));
        match (own.next(), own.next()) {
            (Some(one), None) => text(one, "sentence"),
            (None, _) => Err(format!("no sentence is {label}")),
            _ => Err(format!("more than one sentence is {label}")),
        }
    };
    let texts = LABELS.iter().map(|label| labelled(label)).collect::<Result<Vec<_>, _>>()?;
    two_sentences(&texts[0], &texts[1])?;
    let (target, category) = (text(value, "target")?, text(value, "bias_type")?);
    Ok(Item { texts, target, tags: vec![(Cut::Category, category)], ..Item::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_known_by_the_lines_on_which_they_begin() {
        let text = "{\"data\": {\"intersentence\": [],\n \"intrasentence\": [ {\"id\": \"a \\\"intrasentence\\\": [\"},\n\n{}\n , {}] } }";
        let found = items(text.as_bytes(), 3).unwrap();
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4, 5]);
        assert!(items(b"{\"intrasentence\": [], \"data\": {\"intrasentence\": [1]}}", 1).is_none());
    }

    #[test]
    fn an_item_needs_one_sentence_of_each_label() {
        let of = |labels: &[&str]| {
            let sentence = |label: &&str| json!({"sentence": format!("It is {label}."), "gold_label": label});
            let sentences: Vec<Value> = labels.iter().map(sentence).collect();
            item(&json!({"target": "t", "bias_type": "b", "sentences": sentences}))
        };
        let found = of(&["unrelated", "anti-stereotype", "stereotype"]).unwrap();
        assert_eq!(found.texts, ["It is stereotype.", "It is anti-stereotype.", "It is unrelated."]);
        assert!(of(&["unrelated", "stereotype"]).unwrap_err().contains("anti-stereotype"));
        assert!(
            of(&["unrelated", "anti-stereotype", "stereotype", "stereotype"]).unwrap_err().contains("more than one")
        );
    }
}
