//! Where a number is, in the words of what its axes mean.

use serde_json::Value;

/// What an entry says of its axes: which layers and heads it holds, and whether they were reduced to one.
pub(super) struct Axes<'a>(Option<&'a Value>);

/// The results of an object that attnviz wrote.
pub(super) const RESULTS: &str = "results";

impl<'a> Axes<'a> {
    pub fn of(entry: &'a Value) -> Self {
        Self(Some(entry))
    }

    /// Those of a method in the object beside arrays; where the arrays' names have no method, those of the first.
    pub fn in_header(header: &'a Value, method: &str) -> Self {
        let results = header.get(RESULTS).and_then(Value::as_array);
        let of_method = |entry: &&Value| entry.get("method").and_then(Value::as_str) == Some(method);
        Self(results.and_then(|all| all.iter().find(of_method).or(all.first())))
    }

    /// A place in a quantity of that name.
    pub fn place(&self, quantity: &str, place: &[usize]) -> String {
        let name = quantity.rsplit('.').next().unwrap_or_default();
        let method = self.0.and_then(|entry| entry.get("method")).and_then(Value::as_str).unwrap_or_default();
        let axes: &[&str] = match (name, place.len()) {
            _ if method == "lens" && place.len() == 2 => &["layer", "query"],
            _ if method == "heads" && place.len() == 2 => &["layer", "head"],
            ("attention" | "scores", 4) => &["layer", "head", "query", "key"],
            ("map", 2) => &["query", "key"],
            ("map", 3) => &["layer", "query", "key"],
            ("hidden", 3) => &["layer", "query", "dimension"],
            ("logits", 2) => &["query", "token id"],
            ("heads", 2) => &["layer", "head"],
            ("grid", 2) => &["layer", "cell"],
            ("parts" | "parts_centred", 2) => &["query writer", "key writer"],
            ("by_key_writer", 2) => &["key", "key writer"],
            ("key_scores" | "key_attention", 1) => &["key"],
            ("attn_bias" | "mlp", 1) => &["layer"],
            ("scores" | "bits" | "tokens" | "token_ids", 1) => &["token"],
            _ => &[],
        };
        if axes.is_empty() {
            return place.iter().map(|index| format!("[{index}]")).collect();
        }
        let named = axes.iter().zip(place).map(|(axis, index)| format!("{axis} {}", self.index(axis, *index)));
        named.collect::<Vec<_>>().join(", ")
    }

    /// A layer's or head's own number, where a selection of them was made.
    fn index(&self, axis: &str, index: usize) -> String {
        let says = |key: &str| self.0.and_then(|entry| entry.get(key));
        let (list, reduced) = match axis {
            "layer" => ("layers", "reduce_layers"),
            "head" => ("heads", "reduce_heads"),
            _ => return index.to_string(),
        };
        if let Some(how) = says(reduced).and_then(Value::as_str) {
            return how.to_owned();
        }
        says(list).and_then(|list| list.get(index)).and_then(Value::as_u64).map_or(index.to_string(), |n| n.to_string())
    }
}
