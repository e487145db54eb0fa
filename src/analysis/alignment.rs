//! Which tokens of two prompts belong together: the fewest edits that make one of the other.

use crate::error::{Error, Result};

/// A place on the common axis of two sequences: a token of both, kept or replaced, or of one of them only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The position in the first sequence.
    pub a: Option<usize>,
    /// The position in the second sequence.
    pub b: Option<usize>,
    /// Whether both have the same token here.
    pub same: bool,
}

/// Two sequences side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alignment {
    /// Every position of either once, in order.
    pub slots: Vec<Slot>,
}

/// The largest table of edits, in cells (a byte each): 16 thousand tokens against as many, ends that agree left out.
const MOST_CELLS: usize = 1 << 28;

/// How a cell of the table was reached.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Move {
    Pair,
    Remove,
    Add,
}

impl Alignment {
    /// How many slots have a token of both that is the same, of both that is not, of the first only, and of the second only.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for slot in &self.slots {
            counts[match (slot.a, slot.b) {
                (Some(_), Some(_)) => usize::from(!slot.same),
                (Some(_), None) => 2,
                _ => 3,
            }] += 1;
        }
        counts
    }
}

/// Aligns two sequences by edit distance (Levenshtein; Wagner and Fischer 1974: replacing, removing and adding a token cost 1 each). Of
/// alignments with equally few edits, one that keeps the most tokens.
///
/// # Errors
/// Sequences so long, and so different, that the table of edits would not fit into memory.
pub fn align<T: PartialEq>(a: &[T], b: &[T]) -> Result<Alignment> {
    let same = |(a, b): &(&T, &T)| a == b;
    // Ends that agree are paired in some best alignment: a pair there never costs more than what it replaces.
    let front = a.iter().zip(b).take_while(same).count();
    let back = a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(same).count();
    let (middle_a, middle_b) = (&a[front..a.len() - back], &b[front..b.len() - back]);
    let mut slots: Vec<Slot> = (0..front).map(|at| Slot { a: Some(at), b: Some(at), same: true }).collect();
    let (mut i, mut j) = (front, front);
    for step in steps(middle_a, middle_b)? {
        let (takes_a, takes_b) = (!matches!(step, Move::Add), !matches!(step, Move::Remove));
        let (at_a, at_b) = (takes_a.then_some(i), takes_b.then_some(j));
        slots.push(Slot { a: at_a, b: at_b, same: takes_a && takes_b && a[i] == b[j] });
        i += usize::from(takes_a);
        j += usize::from(takes_b);
    }
    slots.extend((0..back).map(|at| Slot { a: Some(i + at), b: Some(j + at), same: true }));
    Ok(Alignment { slots })
}

/// The steps from the beginning of both to their ends.
fn steps<T: PartialEq>(a: &[T], b: &[T]) -> Result<Vec<Move>> {
    let width = b.len() + 1;
    let cells = (a.len() + 1).checked_mul(width).filter(|cells| *cells <= MOST_CELLS).ok_or_else(|| {
        Error::usage(format!("{} and {} tokens that differ are too many to align", a.len(), b.len()))
            .hint("compare shorter prompts, or ones that begin or end alike")
    })?;
    // Edits weigh more than any number of kept tokens.
    let edit = (a.len().min(b.len()) + 1) as i64;
    let mut table = vec![Move::Add; cells];
    let mut row: Vec<i64> = (0..width).map(|j| j as i64 * edit).collect(); // costs of one row
    for (i, token) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] += edit;
        table[(i + 1) * width] = Move::Remove;
        for (j, other) in b.iter().enumerate() {
            let pair = diagonal + if token == other { -1 } else { edit };
            let (remove, add) = (row[j + 1] + edit, row[j] + edit);
            diagonal = row[j + 1];
            let (cost, step) = [(pair, Move::Pair), (remove, Move::Remove), (add, Move::Add)]
                .into_iter()
                .reduce(|best, next| if next.0 < best.0 { next } else { best })
                .unwrap_or((pair, Move::Pair));
            row[j + 1] = cost;
            table[(i + 1) * width + j + 1] = step;
        }
    }
    let (mut i, mut j, mut steps) = (a.len(), b.len(), Vec::new());
    while i > 0 || j > 0 {
        let step = table[i * width + j];
        steps.push(step);
        i -= usize::from(!matches!(step, Move::Add));
        j -= usize::from(!matches!(step, Move::Remove));
    }
    steps.reverse();
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest edits, and with them the most tokens kept: by trying everything.
    fn by_trying(a: &[u8], b: &[u8]) -> (usize, isize) {
        let ([x, rest_a @ ..], [y, rest_b @ ..]) = (a, b) else { return (a.len() + b.len(), 0) };
        let add = |(edits, lost): (usize, isize), edit, kept| (edits + edit, lost - kept);
        let pair = if x == y { add(by_trying(rest_a, rest_b), 0, 1) } else { add(by_trying(rest_a, rest_b), 1, 0) };
        pair.min(add(by_trying(rest_a, b), 1, 0)).min(add(by_trying(a, rest_b), 1, 0))
    }

    /// All sequences of up to `length` tokens out of three.
    fn all(length: usize) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut last = all.clone();
        for _ in 0..length {
            last = last.iter().flat_map(|s| (0..3).map(move |t| [&s[..], &[t]].concat())).collect();
            all.extend(last.clone());
        }
        all
    }

    #[test]
    fn no_alignment_has_fewer_edits_or_with_as_few_keeps_more() {
        for a in all(4) {
            for b in all(4) {
                let found = align(&a, &b).unwrap();
                let [kept, replaced, removed, added] = found.counts();
                let (edits, lost) = by_trying(&a, &b);
                assert_eq!((replaced + removed + added, -(kept as isize)), (edits, lost), "{a:?} {b:?}: {found:?}");
                // Every position once and in order, and what is called the same is.
                assert!(found.slots.iter().filter_map(|slot| slot.a).eq(0..a.len()), "{a:?} {b:?}: {found:?}");
                assert!(found.slots.iter().filter_map(|slot| slot.b).eq(0..b.len()), "{a:?} {b:?}: {found:?}");
                for slot in &found.slots {
                    let pair = slot.a.zip(slot.b);
                    assert_eq!(slot.same, pair.is_some_and(|(i, j)| a[i] == b[j]));
                    assert!(slot.a.is_some() || slot.b.is_some());
                }
            }
        }
    }

    #[test]
    fn an_inserted_token_moves_what_follows() {
        let found = align(&["The", " cat", " sat"], &["The", " old", " cat", " lay"]).unwrap();
        let places: Vec<_> = found.slots.iter().map(|slot| (slot.a, slot.b, slot.same)).collect();
        assert_eq!(
            places,
            [(Some(0), Some(0), true), (None, Some(1), false), (Some(1), Some(2), true), (Some(2), Some(3), false)]
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_unless_ends_agree() {
        let (a, mut b) = (vec![0u8; 30_000], vec![1u8; 30_000]);
        assert!(align(&a, &b).is_err());
        b = a.clone();
        b[15_000] = 1;
        assert_eq!(align(&a, &b).unwrap().counts(), [29_999, 1, 0, 0]);
    }
}
