//! The heads that wrote the answer: what they do, and where they look.

use super::super::facts::{Facts, array, largest, value};
use super::{best_heads, sentence};
use crate::findings::found::Sentence;

/// A head looks at a token with at least this weight, or at nothing in particular.
const LOOKS: f32 = 0.3;

/// What the heads among them do, and where they look.
pub(super) fn told(facts: &Facts) -> Vec<Sentence> {
    let Some(entry) = facts.entry("direct-logit-attribution") else { return Vec::new() };
    best_heads(entry).into_iter().take(2).filter_map(|head| carrier(facts, head)).collect()
}

fn carrier(facts: &Facts, [layer, head]: [usize; 2]) -> Option<Sentence> {
    let weights = array(facts.entry("attention")?, "attention")?;
    let &[_, heads, queries, keys] = &weights.shape[..] else { return None };
    let row = ((layer * heads + head) * queries + facts.position) * keys;
    let row = weights.values.get(row..row + facts.position + 1)?;
    let at = largest(row)?;
    let labels = facts.entry("heads").and_then(|entry| value(entry, "label"));
    let label = labels.and_then(|labels| labels.get(layer)?.get(head)?.as_str()).unwrap_or_default();
    let kind = match label {
        "previous" => ", which on this prompt attends to the token before",
        "induction" => ", an induction head on this prompt,",
        "duplicate" => ", which on this prompt attends to earlier copies of a token",
        "sink" => ", which on this prompt rests on the first token",
        "self" => ", which on this prompt attends to the token itself",
        _ => "",
    };
    let from = facts.token(facts.position);
    let comma = if kind.is_empty() || kind.ends_with(',') { "" } else { "," };
    Some(sentence(
        "attention",
        match row[at] {
            weight if weight < LOOKS => format!(
                "Head {layer}.{head}{kind}{comma} looks at nothing in particular from {from}: no weight is above {weight:.2}."
            ),
            weight => format!(
                "Head {layer}.{head}{kind}{comma} looks from {from} most at {} (weight {weight:.2}).",
                facts.token(at)
            ),
        },
    ))
}
