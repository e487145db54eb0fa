//! Numbers out of what the methods found: what a sentence says is what the files say.

use crate::export::{Array, Entry};
use serde_json::Value;

/// What is known of a prediction.
pub(super) struct Facts<'a> {
    /// What every method found.
    pub results: &'a [&'a Entry],
    /// The labels of the tokens.
    pub tokens: &'a [String],
    /// The position whose next token is meant.
    pub position: usize,
    /// How a token of the vocabulary is shown.
    pub label: &'a dyn Fn(u32) -> String,
}

impl<'a> Facts<'a> {
    /// What a method found.
    pub fn entry(&self, method: &str) -> Option<&'a Entry> {
        self.results.iter().copied().find(|entry| entry.method == method)
    }

    /// A token by its position, in quotes.
    pub fn token(&self, position: usize) -> String {
        format!("“{}” ({position})", self.tokens.get(position).map_or("?", String::as_str))
    }

    /// The answer that is explained, as a sentence names it, and its probability.
    pub fn answer(&self) -> Option<(String, f64)> {
        let entry = self.entry("next-token")?;
        Some((self.named(entry, "target")?, number(entry, "p_target")?))
    }

    /// What it is compared with, if anything.
    pub fn foil(&self) -> Option<String> {
        self.named(self.entry("next-token")?, "foil")
    }

    /// What the model itself would say, of an entry that has its next tokens.
    pub fn first_choice(&self, method: &str) -> Option<String> {
        let id = value(self.entry(method)?, "next")?.get(0)?.get("token")?.as_u64()?;
        Some(format!("“{}”", (self.label)(u32::try_from(id).ok()?)))
    }

    fn named(&self, entry: &Entry, name: &str) -> Option<String> {
        let id = value(entry, name)?.as_u64()?;
        Some(format!("“{}”", (self.label)(u32::try_from(id).ok()?)))
    }

    /// What each method of saliency found.
    pub fn saliency(&self) -> impl Iterator<Item = &'a Entry> + '_ {
        self.results
            .iter()
            .copied()
            .filter(|entry| array(entry, "scores").is_some() && value(entry, "target").is_some())
    }
}

/// A field or a setting.
pub(super) fn value<'a>(entry: &'a Entry, name: &str) -> Option<&'a Value> {
    entry.fields.get(name).or_else(|| entry.settings.get(name)).filter(|value| !value.is_null())
}

pub(super) fn number(entry: &Entry, name: &str) -> Option<f64> {
    value(entry, name)?.as_f64()
}

/// An array.
pub(super) fn array<'a>(entry: &'a Entry, name: &str) -> Option<&'a Array> {
    entry.arrays.iter().find(|array| array.name == name)
}

/// One column of an array `[row, column]`.
pub(super) fn column(entry: &Entry, name: &str, at: usize) -> Option<Vec<f32>> {
    let array = array(entry, name)?;
    let &[_, columns] = &array.shape[..] else { return None };
    (at < columns).then(|| array.values.iter().skip(at).step_by(columns).copied().collect())
}

/// The place of the largest number; none where there is none.
pub(super) fn largest(values: &[f32]) -> Option<usize> {
    let known = values.iter().enumerate().filter(|(_, x)| x.is_finite());
    known.max_by(|a, b| a.1.total_cmp(b.1)).map(|(at, _)| at)
}
