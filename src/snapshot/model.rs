//! The models of a suite: opened, and compared with those that a snapshot was recorded with.

use super::{Open, lock};
use crate::checkpoint::{Checkpoint, Source, identity};
use crate::error::{Error, Kind, Result};
use crate::text;
use crate::weights::{Changed, Fingerprint, Weights};
use std::path::Path;

/// Tensors that are told one by one.
const MOST: usize = 12;

/// Opens a model that a suite names, and says what a lock file calls it: a hub id as it is typed, a folder by its name. Folders are
/// relative to the suite's own. Nothing ever stands in for a model that cannot be had.
///
/// # Errors
/// A name that is none; what `open` returns.
pub fn open(open: Open, suite: &Path, typed: &str) -> Result<(String, Checkpoint)> {
    let named = |error: Error| error.of(suite.display());
    let source = Source::parse_in(suite.parent().unwrap_or(Path::new("")), typed).map_err(named)?;
    let checkpoint = open(&source).map_err(|error| match error.kind {
        Kind::Unreachable => named(error.hint("name a model that needs no network: model = \"builtin\"")),
        _ => named(error),
    })?;
    let label = if matches!(source, Source::Hub(_)) { typed.to_owned() } else { checkpoint.name.clone() };
    Ok((label, checkpoint))
}

/// What differs between a model and the one of that name that was recorded, and what is worth a remark.
pub fn compare(old: Option<&lock::Model>, new: &lock::Model, weights: &Weights) -> (Vec<String>, Vec<String>) {
    let Some(old) = old else { return (vec!["it was not recorded".into()], Vec::new()) };
    let mut changes = Vec::new();
    for (name, now) in &new.tensors {
        match old.tensors.get(name) {
            None => changes.push(format!("tensor {name} is new")),
            Some(was) if was.shape != now.shape => {
                changes.push(format!("tensor {name} has shape {:?}, had {:?}", now.shape, was.shape));
            }
            Some(was) if was.hash != now.hash => changes.push(tensor(name, was, now, weights)),
            Some(_) => {}
        }
    }
    let gone = old.tensors.keys().filter(|name| !new.tensors.contains_key(*name));
    changes.extend(gone.map(|name| format!("tensor {name} is gone")));
    let mut remarks = Vec::new();
    if changes.is_empty() && identity::weights(&old.hash) != identity::weights(&new.hash) {
        remarks.push("its files of weights are packed in another way; every tensor is the same".into());
    }
    // Of the weights each tensor was told above.
    let weights = identity::weights(&new.hash);
    let other = old.hash.replacen(identity::weights(&old.hash), weights, 1);
    changes.extend(identity::changes(&other, &new.hash));
    if let (true, Some(old), Some(new)) = (old.revision != new.revision, &old.revision, &new.revision) {
        remarks.push(format!("its commit on the hub is {new}, was {old}"));
    }
    if changes.len() > MOST {
        let more = changes.len() - MOST;
        changes.truncate(MOST);
        changes.push(format!("and {}", text::count(more, "more tensor")));
    }
    (changes, remarks)
}

/// How a tensor changed: the one number of it, or all of it by its norm.
fn tensor(name: &str, old: &Fingerprint, new: &Fingerprint, weights: &Weights) -> String {
    if let Some(Changed { place, old: was, new: now }) = weights.single_change(name, old) {
        let count: usize = new.shape.iter().product();
        let percent = percent(was.into(), now.into());
        return format!("tensor {name}: 1 of {count} numbers changed, at {place:?} it is {now}, was {was}{percent}");
    }
    match (old.norm, new.norm) {
        (Some(old), Some(new)) if old != new => {
            format!("tensor {name} changed: its norm is {new}, was {old}{}", percent(old.into(), new.into()))
        }
        _ => format!("tensor {name} changed"),
    }
}

fn percent(old: f64, new: f64) -> String {
    let percent = 100.0 * (new - old) / old.abs();
    if percent.is_finite() { format!(" ({percent:+.2} %)") } else { String::new() }
}
