//! Sentences for people, each of numbers that were measured here. What the numbers do not support is not said.

use super::Options;
use super::facts::{Facts, array, column, largest, number, value};
use crate::analysis::agreement::spearman;
use crate::export::Entry;
use crate::findings::found::Sentence;
use crate::findings::subject::percent;

/// From this rank correlation on, methods agree.
const AGREE: f64 = 0.6;
/// Writers of the answer that are named.
const WRITERS: usize = 3;
/// A head looks at a token with at least this weight, or at nothing in particular.
const LOOKS: f32 = 0.3;

/// The story, in the order in which it is told.
pub(super) fn tell(facts: &Facts, options: &Options) -> Vec<Sentence> {
    let told = [predicted(facts, options), words(facts), trusted(facts), formed(facts), written(facts)];
    let told = told.into_iter().flatten().chain(carriers(facts));
    told.chain(without(facts)).chain(surprise(facts)).chain([not_shown()]).collect()
}

fn sentence(panel: &'static str, text: impl Into<String>) -> Sentence {
    Sentence { panel, text: text.into() }
}

fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn signed(x: f32) -> String {
    format!("{x:+.2}").replace('-', "−")
}

/// What the model says, and how sure it is.
fn predicted(facts: &Facts, options: &Options) -> Option<Sentence> {
    let (answer, p) = facts.answer()?;
    let after = facts.token(facts.position);
    let own = column(facts.entry("lens")?, "top", facts.position).and_then(|ids| ids.last().copied());
    let own = own.map(|id| format!("“{}”", (facts.label)(id as u32)));
    let share = percent(p);
    Some(sentence(
        "lens",
        match own {
            Some(own) if options.target.target.is_some() && own != answer => {
                format!(
                    "After {after} the model gives {answer} a probability of {share}; its own first choice is {own}."
                )
            }
            _ if p >= 0.9 => format!("After {after} the model is almost certain of {answer}: it gives it {share}."),
            _ if p >= 0.5 => {
                format!("After {after} the model expects {answer}: it gives it {share}, more than all else together.")
            }
            _ => format!(
                "After {after} the model's first choice is {answer}, but it is not sure: it gives it only {share}."
            ),
        },
    ))
}

/// Which tokens moved it, as far as the methods agree.
fn words(facts: &Facts) -> Option<Sentence> {
    let scores: Vec<&[f32]> = facts.saliency().filter_map(|entry| Some(&array(entry, "scores")?.values[..])).collect();
    let tops: Vec<usize> =
        scores.iter().filter_map(|own| largest(&own.iter().map(|x| x.abs()).collect::<Vec<_>>())).collect();
    if scores.len() < 2 || tops.len() < scores.len() || facts.tokens.len() < 3 {
        return None;
    }
    let pairs = (0..scores.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let all: Vec<f64> = pairs.map(|(a, b)| spearman(scores[a], scores[b])).collect();
    let agreement = all.iter().sum::<f64>() / all.len() as f64;
    let (count, correlation) = (scores.len(), format!("{agreement:.2}").replace('-', "−"));
    let same = tops.iter().all(|top| *top == tops[0]);
    Some(sentence(
        "saliency",
        match (same, agreement >= AGREE) {
            (true, true) => format!(
                "All {count} methods of attribution name {} as the token that moved this answer most, and they order the others alike (mean rank correlation {correlation}).",
                facts.token(tops[0])
            ),
            (true, false) => format!(
                "All {count} methods of attribution name {} as the token that moved this answer most, but they order the others differently (mean rank correlation {correlation}).",
                facts.token(tops[0])
            ),
            (false, true) => format!(
                "The methods of attribution order the tokens alike (mean rank correlation {correlation}), though they do not put the same one first."
            ),
            (false, false) => format!(
                "The methods of attribution do not agree on which tokens mattered (mean rank correlation {correlation}), so none is named here."
            ),
        },
    ))
}

/// Which of the methods passes the test of taking tokens away.
fn trusted(facts: &Facts) -> Option<Sentence> {
    let said = value(facts.entry("faithfulness")?, "conclusion")?.as_str()?;
    Some(sentence("saliency", format!("Put to the test: {}", lowered(said))))
}

fn lowered(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// From which layer on it is the first choice.
fn formed(facts: &Facts) -> Option<Sentence> {
    let (entry, (answer, _)) = (facts.entry("lens")?, facts.answer()?);
    let ranks = column(entry, "rank", facts.position)?;
    let last = ranks.len().checked_sub(1)?;
    let name =
        |row: usize| value(entry, "rows").and_then(|rows| rows.get(row)?.as_str()).unwrap_or("that layer").to_owned();
    let end = *ranks.last()?;
    if end != 1.0 {
        return Some(sentence(
            "lens",
            format!("Read layer by layer, {answer} ends at rank {end:.0} and is not what the model would say."),
        ));
    }
    let from = ranks.iter().rposition(|rank| *rank != 1.0).map_or(0, |row| row + 1);
    Some(sentence(
        "lens",
        match from {
            0 => format!("Read layer by layer, {answer} is the first choice from the very beginning."),
            _ if from == last => format!(
                "Read layer by layer, {answer} becomes the first choice only at the end, after {}; one step before it is at rank {:.0}.",
                name(last),
                ranks[last - 1]
            ),
            _ => format!(
                "Read layer by layer, {answer} is the first choice after {} and stays it to the end.",
                name(from)
            ),
        },
    ))
}

/// A writer of the answer: its name, what it wrote, and which head it is.
struct Writer {
    name: String,
    wrote: f32,
    head: Option<[usize; 2]>,
}

/// All heads and MLPs by what they wrote towards the answer, the most first.
fn writers(entry: &Entry) -> Option<Vec<Writer>> {
    let heads = array(entry, "parts_centred.heads")?;
    let &[_, columns] = &heads.shape[..] else { return None };
    let head = |(at, wrote): (usize, &f32)| {
        let place = [at / columns, at % columns];
        Writer { name: format!("head {}.{}", place[0], place[1]), wrote: *wrote, head: Some(place) }
    };
    let mlp = |(layer, wrote): (usize, &f32)| Writer { name: format!("MLP {layer}"), wrote: *wrote, head: None };
    let mlps = array(entry, "parts_centred.mlp")?.values.iter().enumerate().map(mlp);
    let mut all: Vec<Writer> = heads.values.iter().enumerate().map(head).chain(mlps).collect();
    all.sort_by(|a, b| b.wrote.total_cmp(&a.wrote));
    Some(all)
}

/// Who wrote it.
fn written(facts: &Facts) -> Option<Sentence> {
    let entry = facts.entry("direct-logit-attribution")?;
    let (answer, _) = facts.answer()?;
    let total = *array(entry, "parts_centred.total")?.values.first()?;
    let above = facts.foil().unwrap_or_else(|| "the average token".to_owned());
    if total <= 0.0 {
        return Some(sentence("direct", format!("The logit of {answer} is not above {above} ({}).", signed(total))));
    }
    let all = writers(entry)?;
    let named: Vec<String> = all
        .iter()
        .take(WRITERS)
        .filter(|w| w.wrote > 0.0)
        .map(|w| format!("{} ({})", w.name, signed(w.wrote)))
        .collect();
    (!named.is_empty()).then(|| {
        sentence(
            "direct",
            format!("Of what lifts {answer} above {above} ({} in logits), {} wrote most.", signed(total), list(&named)),
        )
    })
}

/// The heads that wrote most towards the answer, and how many are taken out.
pub(super) fn best_heads(entry: &Entry) -> Vec<[usize; 2]> {
    let all = writers(entry).unwrap_or_default().into_iter().filter(|writer| writer.wrote > 0.0);
    all.filter_map(|writer| writer.head).take(WRITERS).collect()
}

/// What becomes of the answer without the heads that wrote it.
fn without(facts: &Facts) -> Option<Sentence> {
    let (entry, (answer, _)) = (facts.entry("ablation")?, facts.answer()?);
    let heads: Vec<String> = serde_json::from_value(value(entry, "ablated")?.clone()).ok()?;
    let of = |when: &str| {
        let found = value(entry, when)?;
        Some((found.get("logprob")?.as_f64()?.exp(), found.get("rank")?.as_u64()?))
    };
    let ((before, was), (after, is)) = (of("before")?, of("after")?);
    let noun = if heads.len() == 1 { "head" } else { "heads" };
    let what = format!("Without {noun} {} (set to zero)", list(&heads));
    let (p, q) = (percent(before), percent(after));
    Some(sentence(
        "without",
        match (after < before / 2.0, after > before) {
            (true, _) => {
                format!("{what}, {answer} falls from {p} (rank {was}) to {q} (rank {is}): they carry much of it.")
            }
            (_, true) => format!(
                "{what}, {answer} does not fall: {p} (rank {was}) becomes {q} (rank {is}), so that others can do without them."
            ),
            _ => format!("{what}, {answer} goes from {p} (rank {was}) to {q} (rank {is}): others carry most of it."),
        },
    ))
}

/// What the heads among them do, and where they look.
fn carriers(facts: &Facts) -> Vec<Sentence> {
    let Some(all) = facts.entry("direct-logit-attribution").and_then(writers) else { return Vec::new() };
    let heads = all.into_iter().filter(|writer| writer.wrote > 0.0).filter_map(|writer| writer.head).take(2);
    heads.filter_map(|head| carrier(facts, head)).collect()
}

fn carrier(facts: &Facts, [layer, head]: [usize; 2]) -> Option<Sentence> {
    let weights = array(facts.entry("attention")?, "attention")?;
    let &[_, heads, queries, keys] = &weights.shape[..] else { return None };
    let row = ((layer * heads + head) * queries + facts.position) * keys;
    let row = weights.values.get(row..row + facts.position + 1)?;
    let at = largest(row)?;
    let label = value(facts.entry("heads")?, "label")?.get(layer)?.get(head)?.as_str()?;
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

/// How surprising the prompt was.
fn surprise(facts: &Facts) -> Option<Sentence> {
    let entry = facts.entry("surprisal")?;
    let bits = &array(entry, "bits")?.values;
    let at = largest(bits)?;
    let mean = number(entry, "mean")?;
    Some(sentence(
        "surprisal",
        format!(
            "The prompt itself cost the model {mean:.2} bits a token; {} surprised it most ({:.1} bits).",
            facts.token(at),
            bits[at]
        ),
    ))
}

fn not_shown() -> Sentence {
    sentence(
        "attention",
        "Not shown by this: attention says where heads read, not that it mattered; attribution depends on what stands for a missing token; \
         the lens reads early layers in the last one's terms; and who wrote a logit is not who could be spared. All of it is about this one prompt.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Array;
    use crate::findings::{Target, Token};
    use serde_json::{Map, Value, json};

    fn entry(method: &str, fields: Value, arrays: &[(&str, &[usize], &[f32])]) -> Entry {
        let array = |(name, shape, values): &(&str, &[usize], &[f32])| Array {
            name: (*name).into(),
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        let fields = fields.as_object().cloned().unwrap_or_default();
        Entry { method: method.into(), settings: Map::new(), fields, arrays: arrays.iter().map(array).collect() }
    }

    fn scores(p: f64, values: &[f32; 3]) -> Entry {
        entry("a", json!({ "target": 7, "p_target": p }), &[("scores", &[3], values)])
    }

    /// Ranks of three rows at the last of three positions.
    fn lens(ranks: [f32; 3], own: f32) -> Entry {
        let spread: Vec<f32> = ranks.iter().flat_map(|rank| [9.0, 9.0, *rank]).collect();
        let top = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, own];
        let rows = json!({ "rows": ["embedding", "layer 0", "layer 1"] });
        entry("lens", rows, &[("rank", &[3, 3], &spread), ("top", &[3, 3], &top)])
    }

    /// One layer of two heads.
    fn direct(heads: [f32; 2], mlp: f32) -> Entry {
        let arrays: [(&str, &[usize], &[f32]); 3] = [
            ("parts_centred.heads", &[1, 2], &heads),
            ("parts_centred.mlp", &[1], &[mlp]),
            ("parts_centred.total", &[], &[heads[0] + heads[1] + mlp]),
        ];
        entry("direct-logit-attribution", Value::Null, &arrays)
    }

    fn attention(last: [f32; 3], label: &str) -> [Entry; 2] {
        let mut weights = vec![0.0; 18];
        weights[6..9].copy_from_slice(&last);
        let map = entry("attention", Value::Null, &[("attention", &[1, 2, 3, 3], &weights)]);
        [map, entry("heads", json!({ "label": [[label, "broad"]] }), &[])]
    }

    /// What is told of these, in one text.
    fn told(results: &[Entry], target: Option<u32>) -> String {
        let results: Vec<&Entry> = results.iter().collect();
        let tokens = ["a", "b", "c"].map(String::from);
        let facts = Facts { results: &results, tokens: &tokens, position: 2, label: &|id| format!("w{id}") };
        let target = Target { target: target.map(Token::Id), ..Target::default() };
        let all = tell(&facts, &Options { target, ..Options::default() });
        all.iter().map(|sentence| format!("{}: {}\n", sentence.panel, sentence.text)).collect()
    }

    #[test]
    fn how_sure_the_model_is_follows_the_probability() {
        let said = |p| told(&[scores(p, &[1.0, 2.0, 3.0]), lens([5.0, 2.0, 1.0], 7.0)], None);
        assert!(said(0.95).contains("almost certain of “w7”: it gives it 95 %"), "{}", said(0.95));
        assert!(said(0.6).contains("more than all else together"));
        assert!(said(0.2).contains("it is not sure"));
        let other = told(&[scores(0.01, &[1.0, 2.0, 3.0]), lens([5.0, 2.0, 3.0], 4.0)], Some(7));
        assert!(other.contains("its own first choice is “w4”") && other.contains("ends at rank 3"), "{other}");
    }

    #[test]
    fn no_token_is_named_where_methods_do_not_agree() {
        let said = |a, b| told(&[scores(0.5, &a), scores(0.5, &b)], None);
        let same = said([0.1, 0.2, 3.0], [0.2, 0.3, 9.0]);
        assert!(same.contains("name “c” (2)") && same.contains("order the others alike"), "{same}");
        let first = said([0.2, 0.1, -3.0], [0.1, 0.2, 9.0]);
        assert!(first.contains("name “c” (2)") && first.contains("order the others differently"), "{first}");
        let apart = said([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]);
        assert!(apart.contains("do not agree") && !apart.contains("name “"), "{apart}");
        assert!(
            !told(&[scores(0.5, &[1.0, 2.0, 3.0])], None).contains("attribution name"),
            "one method agrees with none"
        );
    }

    #[test]
    fn the_layer_at_which_an_answer_forms_is_where_it_stays_first() {
        let said = |ranks| told(&[scores(0.9, &[1.0, 2.0, 3.0]), lens(ranks, 7.0)], None);
        assert!(said([1.0, 1.0, 1.0]).contains("from the very beginning"));
        assert!(said([1.0, 4.0, 1.0]).contains("only at the end, after layer 1; one step before it is at rank 4"));
        assert!(said([8.0, 1.0, 1.0]).contains("after layer 0 and stays it to the end"));
        assert!(said([1.0, 1.0, 2.0]).contains("ends at rank 2"));
    }

    #[test]
    fn only_parts_that_lift_the_answer_are_said_to_write_it() {
        let base = scores(0.9, &[1.0, 2.0, 3.0]);
        let said = |heads, mlp| told(&[base.clone(), direct(heads, mlp)], None);
        let all = said([2.0, -1.0], 0.5);
        assert!(all.contains("(+1.50 in logits), head 0.0 (+2.00) and MLP 0 (+0.50) wrote most"), "{all}");
        assert!(said([-2.0, -1.0], 0.5).contains("is not above the average token (−2.50)"));
        let [map, heads] = attention([0.1, 0.8, 0.1], "induction");
        let looks = told(&[base.clone(), direct([2.0, -1.0], 0.5), map, heads], None);
        assert!(
            looks.contains(
                "Head 0.0, an induction head on this prompt, looks from “c” (2) most at “b” (1) (weight 0.80)"
            ),
            "{looks}"
        );
        let [map, heads] = attention([0.1, 0.2, 0.1], "broad");
        let vague = told(&[base.clone(), direct([2.0, -1.0], 0.5), map, heads], None);
        assert!(vague.contains("looks at nothing in particular") && !vague.contains("Head 0.1"), "{vague}");
    }

    #[test]
    fn what_taking_heads_out_does_is_said_as_it_is() {
        let said = |after: f64, rank: u32| {
            let of = |p: f64, rank: u32| json!({ "logprob": p.ln(), "rank": rank });
            let fields = json!({ "ablated": ["4.2", "4.1"], "before": of(0.5, 1), "after": of(after, rank) });
            told(&[scores(0.5, &[1.0, 2.0, 3.0]), entry("ablation", fields, &[])], None)
        };
        let falls = said(0.02, 7);
        assert!(
            falls.contains("Without heads 4.2 and 4.1 (set to zero), “w7” falls from 50 % (rank 1) to 2.0 % (rank 7)"),
            "{falls}"
        );
        assert!(said(0.4, 1).contains("others carry most of it"));
        assert!(said(0.6, 1).contains("does not fall"));
    }

    #[test]
    fn what_was_not_measured_is_not_told() {
        let nothing = told(&[], None);
        assert!(nothing.starts_with("attention: Not shown by this") && nothing.lines().count() == 1, "{nothing}");
        let test = entry("faithfulness", json!({ "conclusion": "On this prompt no method does." }), &[]);
        assert!(told(&[test], None).contains("saliency: Put to the test: on this prompt no method does."));
        let bits = entry("surprisal", json!({ "mean": 4.0 }), &[("bits", &[3], &[f32::NAN, 2.0, 6.0])]);
        assert!(told(&[bits], None).contains("4.00 bits a token; “c” (2) surprised it most (6.0 bits)"));
    }
}
