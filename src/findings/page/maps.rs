//! Attention in a page: its names in the record, its numbers deflated beside it.

mod runs;

use crate::axes::size;
use crate::error::Result;
use crate::export::{Array, Entry, Source};
use crate::findings::About;
use crate::render::visible;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde_json::{Value, json};

/// Beyond so many numbers each becomes one of [`LEVELS`].
const MOST_EXACT: usize = 1_500_000;
/// The largest level: a weight is drawn within 1 % of 1, and a small one much nearer. Finer levels are bits of noise that no page can
/// leave out.
const LEVELS: u8 = 100;
/// So many bytes are deflated by themselves, and a browser inflates them so.
const PIECE: usize = 1 << 20;
/// As many as are waited for, so that every processor has some.
const TOGETHER: usize = 8 * PIECE;
/// What stands for a number that is none.
const NONE: u8 = 255;

/// Attention `[layer, head, query, key]` with its names.
pub(super) struct Maps<'a> {
    array: &'a Array,
    entry: usize,
    shape: [usize; 4],
    causal: bool,
    exact: bool,
    names: [Value; 2],
    keys: [Vec<String>; 2],
    queries: [Vec<String>; 2],
}

impl<'a> Maps<'a> {
    /// Those of a result, if it has some.
    pub fn of(entry: usize, result: &'a Entry, about: &About) -> Option<Self> {
        let array = result.arrays.iter().find(|array| array.name == "attention")?;
        let shape @ [layers, heads, rows, cols] = array.shape[..].try_into().ok()?;
        let texts =
            |name: &str| -> Option<Vec<String>> { serde_json::from_value(result.fields.get(name)?.clone()).ok() };
        let fit = |list: Vec<String>, count: usize| (list.len() == count).then_some(list);
        let words = texts("words").and_then(|words| fit(words, cols));
        let labels = words.clone().or_else(|| fit(about.labels(), cols))?;
        let key_texts = words.or_else(|| fit(about.texts(), cols))?;
        let own = texts("query_tokens").and_then(|own| fit(own, rows));
        let last = |all: &[String]| all[all.len().saturating_sub(rows)..].to_vec();
        let labelled = |all: Vec<String>| all.iter().map(|text| visible(text)).collect::<Vec<_>>();
        let queries = match own {
            Some(own) => [labelled(own.clone()), own],
            None => [last(&labels), last(&key_texts)],
        };
        let causal = !result.settings.contains_key("kind");
        let numbers = size(&[layers, heads, pairs(rows, cols, causal)])?;
        let names = ["layers", "heads"].map(|name| result.fields.get(name).cloned().unwrap_or_default());
        let names: [Value; 2] = [names_of(&names[0], layers), names_of(&names[1], heads)];
        let exact = numbers <= MOST_EXACT;
        Some(Self { array, entry, shape, causal, exact, names, keys: [labels, key_texts], queries })
    }

    pub fn said(&self) -> Value {
        let ([layers, heads], [keys, key_texts], [queries, query_texts]) = (&self.names, &self.keys, &self.queries);
        json!({
            "entry": self.entry, "shape": self.shape, "causal": self.causal,
            "encoding": if self.exact { "f32" } else { "sqrt" }, "levels": LEVELS, "layers": layers, "heads": heads,
            "keys": keys, "key_texts": key_texts, "queries": queries, "query_texts": query_texts,
        })
    }

    /// The numbers, deflated and in letters, a line for each [`PIECE`] of them; of causal attention without the keys that a query does
    /// not see.
    pub fn pack(&self, source: Option<&dyn Source>) -> Result<String> {
        let [.., rows, cols] = self.shape;
        let (mut bytes, mut lines, mut place) = (Vec::new(), Vec::new(), 0);
        self.array.each(source, &mut |values| {
            for row in values.chunks_exact(cols.max(1)) {
                let row = &row[..seen(place % rows, rows, cols, self.causal)];
                match self.exact {
                    true => bytes.extend(row.iter().flat_map(|x| x.to_le_bytes())),
                    false => bytes.extend(row.iter().map(|x| level(*x))),
                }
                place += 1;
            }
            let whole = bytes.len() / TOGETHER * TOGETHER;
            lines.extend(letters(&bytes[..whole])?);
            bytes.drain(..whole);
            Ok(())
        })?;
        lines.extend(letters(&bytes)?);
        Ok(lines.join("\n"))
    }
}

/// Bytes deflated and in letters, a line a piece, many at once.
fn letters(bytes: &[u8]) -> Result<Vec<String>> {
    bytes.par_chunks(PIECE).map(|piece| Ok(STANDARD.encode(runs::deflated(piece)?))).collect()
}

/// A weight as one of [`LEVELS`], by its square root.
fn level(x: f32) -> u8 {
    if x.is_nan() { NONE } else { (x.clamp(0.0, 1.0).sqrt() * f32::from(LEVELS) + 0.5) as u8 }
}

/// Names as texts; their numbers where there are none.
fn names_of(names: &Value, count: usize) -> Value {
    let text = |name: &Value| name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    match names.as_array().filter(|names| names.len() == count) {
        Some(names) => names.iter().map(text).collect(),
        None => (0..count).map(|at| at.to_string()).collect(),
    }
}

fn seen(query: usize, rows: usize, cols: usize, causal: bool) -> usize {
    if causal { (cols - rows.min(cols) + query + 1).min(cols) } else { cols }
}

fn pairs(rows: usize, cols: usize, causal: bool) -> usize {
    (0..rows).map(|query| seen(query, rows, cols, causal)).sum()
}
