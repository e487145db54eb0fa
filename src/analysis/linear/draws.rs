//! Which items a probe learns from, and what the control task asks.

use super::Part;
use crate::analysis::attribution::Dice;

/// One item of so many is dev, and one is test.
const FIFTHS: usize = 5;
/// Streams of the two draws.
const SPLIT: u64 = 1;
const CONTROL: u64 = 2;

/// The part of each item: a fifth is dev, a fifth is test, at least one each; an item is never divided.
pub fn split(items: usize, seed: u64) -> Vec<Part> {
    let share = (items / FIFTHS).max(1);
    let mut parts = vec![Part::Train; items];
    for (place, item) in Dice::new(seed, SPLIT).order(items).into_iter().take(2 * share).enumerate() {
        parts[item] = if place < share { Part::Test } else { Part::Dev };
    }
    parts
}

/// The labels of the control task (Hewitt and Liang 2019): each type has one, drawn by the frequencies of the true labels. `types` are
/// numbered from 0.
pub fn control(types: &[usize], labels: &[usize], seed: u64) -> Vec<usize> {
    let mut dice = Dice::new(seed, CONTROL);
    let count = types.iter().max().map_or(0, |most| most + 1);
    let drawn: Vec<usize> = (0..count).map(|_| labels[dice.below(labels.len())]).collect();
    types.iter().map(|own| drawn[*own]).collect()
}
