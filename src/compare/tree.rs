//! Two JSON trees: texts as texts, numbers by quantity.

use super::axes::{Axes, RESULTS};
use super::tally::Tally;
use super::{MEASURED, Tolerance, quote};
use crate::text;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a record says of who made the file, and how it was typed: the options say what was meant.
const MAKER: [&str; 4] = ["version", "line", "model.hash", "model.revision"];

pub(super) fn differences(old: &[u8], new: &[u8], tolerance: &Tolerance) -> Vec<String> {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).map_err(|error| format!("it is broken JSON ({error})"));
    match read(old).and_then(|old| Ok((old, read(new)?))) {
        Ok((old, new)) => compare(&old, &new, tolerance),
        Err(what) => vec![what],
    }
}

/// What differs between two objects that attnviz wrote: numbers first.
pub(super) fn compare(old: &Value, new: &Value, tolerance: &Tolerance) -> Vec<String> {
    let mut walk = Walk { tolerance, method: "", axes: Axes::of(new), tallies: BTreeMap::new(), words: Vec::new() };
    let (Value::Object(was), Value::Object(now)) = (old, new) else {
        walk.pair("", &mut Vec::new(), old, new);
        return walk.finish();
    };
    walk.objects("", &mut Vec::new(), was, now);
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (was.get(RESULTS), now.get(RESULTS)) {
        if old.len() != new.len() {
            walk.words.push(format!("it has {}, had {}", text::count(new.len(), "result"), old.len()));
        }
        for (old, new) in old.iter().zip(new) {
            walk.method = new.get("method").and_then(Value::as_str).unwrap_or_default();
            walk.axes = Axes::of(new);
            walk.pair("", &mut Vec::new(), old, new);
        }
    }
    walk.finish()
}

struct Walk<'a> {
    tolerance: &'a Tolerance,
    /// The method whose result it is; empty at the top.
    method: &'a str,
    axes: Axes<'a>,
    /// By method and quantity.
    tallies: BTreeMap<String, Tally>,
    words: Vec<String>,
}

impl Walk<'_> {
    /// `path` is the keys that lead here, `place` the indices.
    fn pair(&mut self, path: &str, place: &mut Vec<usize>, old: &Value, new: &Value) {
        let top = self.method.is_empty();
        if top && (MAKER.contains(&path) || path == RESULTS && old.is_array() && new.is_array()) {
            return;
        }
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.objects(path, place, old, new),
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    place.push(index);
                    self.pair(path, place, old, new);
                    place.pop();
                }
            }
            (Value::Array(old), Value::Array(new)) => {
                let what = self.named(path, place);
                self.words.push(format!("{what} has {} entries, had {}", new.len(), old.len()));
            }
            _ => self.leaves(path, place, old, new),
        }
    }

    fn objects(&mut self, path: &str, place: &mut Vec<usize>, old: &Map<String, Value>, new: &Map<String, Value>) {
        let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (key, now) in new {
            match old.get(key) {
                Some(was) => self.pair(&inner(key), place, was, now),
                None => self.words.push(format!("{} is new", self.named(&inner(key), place))),
            }
        }
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            self.words.push(format!("{} is gone", self.named(&inner(key), place)));
        }
    }

    fn leaves(&mut self, path: &str, place: &[usize], old: &Value, new: &Value) {
        let Some((was, now)) = number(old).zip(number(new)).filter(|_| old.is_number() || new.is_number()) else {
            if old != new {
                self.words.push(format!("{} is {}, was {}", self.named(path, place), shown(new), shown(old)));
            }
            return;
        };
        let whole = |value: &Value| value.is_i64() || value.is_u64();
        // A float that is whole is written with its point.
        let exact = whole(old) && whole(new) && path.rsplit('.').next() != Some(MEASURED);
        let (method, axes, tolerance) = (self.method, &self.axes, self.tolerance);
        let name = full(method, path);
        if !self.tallies.contains_key(&name) {
            self.tallies.insert(name.clone(), Tally::new(&name, tolerance.of(method, path)));
        }
        if let Some(tally) = self.tallies.get_mut(&name) {
            tally.add(was, now, exact, || axes.place(path, place));
        }
    }

    fn named(&self, path: &str, place: &[usize]) -> String {
        let (name, place) = (full(self.method, path), self.axes.place(path, place));
        if place.is_empty() { name } else { format!("{name} at {place}") }
    }

    fn finish(self) -> Vec<String> {
        let numbers = self.tallies.into_values().filter_map(|tally| tally.sentence());
        numbers.chain(self.words).collect()
    }
}

/// A quantity with its method, unless they are called the same.
fn full(method: &str, path: &str) -> String {
    if method.is_empty() || method == path { path.to_owned() } else { format!("{method}.{path}") }
}

/// A number, or the `null` that stands for none.
fn number(value: &Value) -> Option<f64> {
    if value.is_null() { Some(f64::NAN) } else { value.as_f64() }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => other.to_string(),
    }
}
