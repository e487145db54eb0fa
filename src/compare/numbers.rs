//! Two files of arrays: by name, number by number, and what they say in words.

use super::axes::Axes;
use super::tally::Tally;
use super::{Tolerance, tree};
use crate::axes::place;
use crate::export::read::{Held, Numbers, contents};
use serde_json::Value;

pub(super) fn differences(old: &[u8], new: &[u8], tolerance: &Tolerance) -> Vec<String> {
    let (old, new) = match (contents(old), contents(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(error), _) | (_, Err(error)) => return vec![error.message],
    };
    let mut all = Vec::new();
    let mut words = Vec::new();
    for (name, now) in &new.arrays {
        match old.arrays.get(name) {
            None => words.push(format!("{name} is new")),
            Some(was) if was.shape != now.shape => {
                words.push(format!("{name} has shape {:?}, had {:?}", now.shape, was.shape));
            }
            Some(was) => all.extend(array(name, was, now, &new.header, tolerance)),
        }
    }
    words
        .extend(old.arrays.keys().filter(|name| !new.arrays.contains_key(*name)).map(|name| format!("{name} is gone")));
    words.extend(tree::compare(&old.header, &new.header, tolerance));
    all.extend(words);
    all
}

fn array(name: &str, old: &Held, new: &Held, header: &Value, tolerance: &Tolerance) -> Option<String> {
    let (method, quantity) = name.split_once('.').unwrap_or(("", name));
    let axes = Axes::in_header(header, method);
    let closeness = if method.is_empty() { tolerance.of("", name) } else { tolerance.of(method, quantity) };
    let mut tally = Tally::new(name, closeness);
    let place = |index: usize| axes.place(quantity, &place(index, &new.shape));
    match (&old.numbers, &new.numbers) {
        (Numbers::Floats(old), Numbers::Floats(new)) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                tally.add((*old).into(), (*new).into(), false, || place(index));
            }
        }
        (Numbers::Integers(old), Numbers::Integers(new)) => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                tally.add(*old as f64, *new as f64, true, || place(index));
            }
        }
        _ => return Some(format!("{name} holds another kind of numbers")),
    }
    tally.sentence()
}
