//! Sentences for people, each of numbers that were measured here. What the numbers do not support is not said.

mod carriers;
mod contrast;

use super::Options;
use super::facts::{Facts, array, column, largest, number, value};
use crate::analysis::agreement::spearman;
use crate::export::Entry;
use crate::findings::found::Sentence;
use crate::findings::subject;

/// From this rank correlation on, methods agree.
const AGREE: f64 = 0.6;
/// Writers of the answer that are named.
const WRITERS: usize = 3;
/// Who wrote less than this share of what lifts the answer did not write it.
const LEAST: f32 = 0.01;

/// The story, in the order in which it is told.
pub(super) fn tell(facts: &Facts, options: &Options) -> Vec<Sentence> {
    let told = [predicted(facts, options), words(facts), trusted(facts), reached(facts), formed(facts), written(facts)];
    let told = told.into_iter().flatten().chain(carriers::told(facts)).chain(without(facts));
    told.chain(surprise(facts)).chain(contrast::told(facts)).chain([not_shown()]).collect()
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

/// A probability in words: one that is not nothing is not written as nothing.
fn percent(p: f64) -> String {
    if p > 0.0 && p < 0.0005 { "less than 0.1 %".into() } else { subject::percent(p) }
}

/// What the model says, and how sure it is.
fn predicted(facts: &Facts, options: &Options) -> Option<Sentence> {
    let (answer, p) = facts.answer()?;
    let after = facts.token(facts.position);
    let own = facts.first_choice("next-token");
    let share = percent(p);
    Some(sentence(
        "next",
        match own {
            Some(own) if options.target.target.is_some() && own != answer => {
                format!(
                    "After {after} the model gives {answer} a probability of {share}; its own first choice is {own}."
                )
            }
            _ if p >= 0.9 => {
                format!(
                    "After {after} the model is almost certain that {answer} comes next: its probability is {share}."
                )
            }
            _ if p > 0.5 => format!(
                "After {after} the model expects {answer}: its probability is {share}, more than that of all other tokens together."
            ),
            _ => format!(
                "After {after} the model's first choice is {answer}, but it is not sure: its probability is {share}."
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
    if !agreement.is_finite() {
        return None;
    }
    let correlation = format!("mean rank correlation {agreement:.2}; one would be the same order").replace('-', "−");
    let top = format!("All {} methods of attribution name {} as", scores.len(), facts.token(tops[0]));
    let same = tops.iter().all(|top| *top == tops[0]);
    Some(sentence(
        "saliency",
        match (same, agreement >= AGREE) {
            (true, true) => format!(
                "{top} the token that moved this answer most, and they put all tokens in much the same order ({correlation})."
            ),
            (true, false) => format!(
                "{top} the token that moved this answer most, but they put the tokens in different orders ({correlation})."
            ),
            (false, true) => format!(
                "The methods of attribution put the tokens in much the same order by how they moved this answer ({correlation}), though not the same one first."
            ),
            (false, false) => format!(
                "The methods of attribution do not agree on which tokens moved this answer ({correlation}), so none is named here."
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
    let ranks = column(entry, "rank", facts.position).filter(|ranks| ranks.iter().all(|rank| rank.is_finite()))?;
    let last = ranks.len().checked_sub(1)?;
    let name =
        |row: usize| value(entry, "rows").and_then(|rows| rows.get(row)?.as_str()).unwrap_or("that layer").to_owned();
    let end = *ranks.last()?;
    if end != 1.0 {
        return Some(sentence(
            "lens",
            format!(
                "Read layer by layer (logit lens), {answer} ends at rank {end:.0}: it is not the model's first choice."
            ),
        ));
    }
    let from = ranks.iter().rposition(|rank| *rank != 1.0).map_or(0, |row| row + 1);
    Some(sentence(
        "lens",
        match from {
            0 => format!("Read layer by layer (logit lens), {answer} is the first choice from the very beginning."),
            _ if from == last => format!(
                "Read layer by layer (logit lens), {answer} becomes the first choice only at the end, after {}; one step before it was at rank {:.0}.",
                name(last),
                ranks[last - 1]
            ),
            _ => format!(
                "Read layer by layer (logit lens), {answer} is the first choice after {} and remains so to the end.",
                name(from)
            ),
        },
    ))
}

/// A writer of the answer: its name, what it wrote, and which head it is.
pub(super) struct Writer {
    pub name: String,
    pub wrote: f32,
    head: Option<[usize; 2]>,
}

/// All heads and MLPs by what they wrote towards the answer, the most first.
pub(super) fn writers(entry: &Entry) -> Option<Vec<Writer>> {
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
    let total = *array(entry, "parts_centred.total")?.values.first().filter(|total| total.is_finite())?;
    let above = facts.foil().unwrap_or_else(|| "the average token".to_owned());
    if total <= 0.0 {
        let text = format!(
            "The logit of {answer}, the score that becomes its probability, is not above that of {above} ({}).",
            signed(total)
        );
        return Some(sentence("direct", text));
    }
    let named: Vec<String> =
        lifting(entry)?.iter().take(WRITERS).map(|w| format!("{} ({})", w.name, signed(w.wrote))).collect();
    let lifted =
        format!("The logit of {answer}, the score that becomes its probability, is {total:.2} above that of {above}.");
    let parts = "attention heads and MLPs, the two kinds of parts of a layer,";
    Some(sentence(
        "direct",
        match &named[..] {
            [] => format!("{lifted} Of the {parts} none wrote a hundredth of that."),
            [one] => format!("{lifted} Of the {parts} {one} wrote the largest share."),
            all => format!("{lifted} Of the {parts} {} wrote the largest shares.", list(all)),
        },
    ))
}

/// Those who wrote some of what lifts the answer, the most first.
fn lifting(entry: &Entry) -> Option<Vec<Writer>> {
    let total = *array(entry, "parts_centred.total")?.values.first()?;
    let mut all = writers(entry)?;
    all.retain(|writer| writer.wrote > 0.0 && writer.wrote >= LEAST * total);
    Some(all)
}

/// The heads that wrote most towards the answer, and how many are taken out.
pub(super) fn best_heads(entry: &Entry) -> Vec<[usize; 2]> {
    lifting(entry).unwrap_or_default().into_iter().filter_map(|writer| writer.head).take(WRITERS).collect()
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
                format!(
                    "{what}, {answer} falls from {p} (rank {was}) to {q} (rank {is}): less than half of its probability is left."
                )
            }
            (_, true) => format!(
                "{what}, {answer} does not fall: {p} (rank {was}) becomes {q} (rank {is}). What they wrote is not needed here."
            ),
            _ => {
                format!(
                    "{what}, {answer} goes from {p} (rank {was}) to {q} (rank {is}): at least half of its probability is left."
                )
            }
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
            "The prompt itself surprised the model by {mean:.2} bits a token on average (one bit is the toss of a coin), and most at {}, by {:.1} bits.",
            facts.token(at),
            bits[at]
        ),
    ))
}

/// Where what is read at the end comes from, by attention alone.
fn reached(facts: &Facts) -> Option<Sentence> {
    let entry = facts.entry("rollout")?;
    let map = array(entry, "map")?;
    let &[_, keys] = &map.shape[..] else { return None };
    let row = map.values.get(facts.position * keys..)?.get(..=facts.position)?;
    // What stays at its own place is no news, and the first token is where heads rest.
    let at = largest(row.get(1..facts.position)?)? + 1;
    Some(sentence(
        "mixing",
        format!(
            "Following attention alone back through all layers (rollout), the first token has a share of {:.2} in what stands at {}; of those between, {} has the most, {:.2}.",
            row[0],
            facts.token(facts.position),
            facts.token(at),
            row[at]
        ),
    ))
}

fn not_shown() -> Sentence {
    sentence(
        "next",
        "Not shown by this: attention says where a head reads, not that what it read mattered; attribution depends on what is put in place of a \
         missing token; the logit lens reads early layers as if they were the last; and a part that wrote much of the answer may be one that the \
         model could do without. All of it is about this one prompt.",
    )
}

#[cfg(test)]
mod tests;
