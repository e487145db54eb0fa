//! The heads that wrote the answer: what they do, and where they look.

use super::super::facts::{Facts, array, largest, value};
use super::{best_heads, sentence};
use crate::findings::found::Sentence;

/// A head looks at a token with at least this weight, or at nothing in particular.
const LOOKS: f32 = 0.3;

/// What the heads among them do, and where they look.
pub(super) fn told(facts: &Facts) -> Vec<Sentence> {
    let Some(entry) = facts.entry("direct-logit-attribution") else { return Vec::new() };
    let heads = best_heads(entry).into_iter().zip(["wrote more of this than any other head", "comes next"]);
    heads.filter_map(|(head, place)| carrier(facts, head, place)).collect()
}

fn carrier(facts: &Facts, [layer, head]: [usize; 2], place: &str) -> Option<Sentence> {
    let weights = array(facts.entry("attention")?, "attention")?;
    let &[_, heads, queries, keys] = &weights.shape[..] else { return None };
    let row = ((layer * heads + head) * queries + facts.position) * keys;
    let row = weights.values.get(row..row + facts.position + 1)?;
    let at = largest(row)?;
    let labels = facts.entry("heads").and_then(|entry| value(entry, "label"));
    let label = labels.and_then(|labels| labels.get(layer)?.get(head)?.as_str()).unwrap_or_default();
    let kind = match label {
        "previous" => "Over the whole prompt it attends to the token before; ",
        "induction" => {
            "Over the whole prompt it attends to what followed an earlier copy of the token (an induction head); "
        }
        "duplicate" => "Over the whole prompt it attends to earlier copies of the token; ",
        "sink" => "Over the whole prompt it rests on the first token; ",
        "self" => "Over the whole prompt it attends to the token itself; ",
        _ => "",
    };
    let lead = format!(
        "Head {layer}.{head} {place}. {kind}{}rom {}",
        if kind.is_empty() { "F" } else { "f" },
        facts.token(facts.position)
    );
    Some(sentence(
        "attention",
        match row[at] {
            weight if weight < LOOKS => {
                format!("{lead} it looks at nothing in particular: no weight is above {weight:.2}.")
            }
            weight => format!("{lead} it looks most at {} (weight {weight:.2}).", facts.token(at)),
        },
    ))
}
