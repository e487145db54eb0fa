//! What another prompt changes.

use super::super::facts::{Facts, array, largest, number, value};
use super::{percent, sentence};
use crate::findings::found::Sentence;
use crate::text::excerpt;

/// A state has the difference if it brings back at least this share of it.
const MUCH: f32 = 0.5;

/// Characters of the other prompt that are named.
const LONGEST: usize = 80;

/// The answer there, and where the two prompts part.
pub(super) fn told(facts: &Facts) -> Vec<Sentence> {
    [there(facts), apart(facts)].into_iter().flatten().collect()
}

fn there(facts: &Facts) -> Option<Sentence> {
    let entry = facts.entry("contrast")?;
    let ((answer, here), own) = (facts.answer()?, facts.first_choice("contrast")?);
    let (p, rank) = (number(entry, "p_target")?, value(entry, "rank")?.as_u64()?);
    let lead = format!("After the other prompt, “{}”,", excerpt(value(entry, "prompt")?.as_str()?, LONGEST));
    let (before, after) = (percent(here), percent(p));
    Some(sentence(
        "contrast",
        match rank {
            1 => format!("{lead} the first choice is {answer} as well, with {after} where it is {before} here."),
            _ => format!("{lead} the first choice is {own}; {answer} goes from {before} to {after} (rank {rank})."),
        },
    ))
}

/// Where the difference is, layer by layer: at a token that differs, later at the position that answers.
fn apart(facts: &Facts) -> Option<Sentence> {
    let grid =
        array(facts.entry("patching")?, "grid").filter(|grid| grid.values.iter().any(|share| share.is_finite()))?;
    let &[_, cells] = &grid.shape[..] else { return None };
    let rows: Vec<&[f32]> = grid.values.chunks(cells).collect();
    let before = |row: &[f32]| {
        let cell = largest(row.get(..facts.position)?)?;
        Some((cell, row[cell]))
    };
    let early = rows.iter().enumerate().rev().find_map(|(layer, row)| {
        before(row).filter(|(_, share)| *share >= MUCH).map(|(cell, share)| (layer, cell, share))
    });
    let late = rows
        .iter()
        .enumerate()
        .find_map(|(layer, row)| row.get(facts.position).filter(|share| **share >= MUCH).map(|share| (layer, *share)));
    let lead = "If this prompt's states, what a layer holds at a token, are put into the other prompt one at a time (patching),";
    Some(sentence(
        "apart",
        match (early, late) {
            (Some((layer, cell, share)), Some((from, all))) => format!(
                "{lead} the one at {} alone brings back {share:.2} of the difference as late as layer {layer}; the one at the last position brings back {all:.2} of it from layer {from} on.",
                facts.token(cell)
            ),
            (None, Some((from, all))) => format!(
                "{lead} none before the last position brings back half of the difference; the one there brings back {all:.2} of it from layer {from} on."
            ),
            (Some((layer, cell, share)), None) => format!(
                "{lead} the one at {} alone brings back {share:.2} of the difference as late as layer {layer}; the one at the last position never half.",
                facts.token(cell)
            ),
            (None, None) => format!("{lead} none brings back half of the difference."),
        },
    ))
}
