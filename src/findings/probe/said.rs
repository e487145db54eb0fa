//! What figures and people are told of the rows of a suite.

use super::rows::{Bad, Sample};

/// Rows that cannot be used which are named one by one.
const NAMED: usize = 8;

/// What people are told of rows that cannot be used.
pub(in crate::findings) fn unusable<'a>(bad: impl Iterator<Item = &'a Bad>) -> Vec<String> {
    let bad: Vec<String> = bad.map(ToString::to_string).collect();
    let more = bad.len().saturating_sub(NAMED);
    let rest = (more > 0).then(|| format!("and {} that cannot be used", crate::text::count(more, "more row")));
    bad.into_iter().take(NAMED).chain(rest).collect()
}

/// What a figure says of the rows that are in no number: those that were not drawn of `all`, and those that cannot be used.
pub(in crate::findings) fn left_out(sample: Sample, taken: usize, all: usize, bad: usize) -> Vec<String> {
    let drawn = sample.limit.filter(|_| taken < all).map(|limit| {
        format!("a sample of {} of each file, of {all} in all (seed {})", crate::text::count(limit, "row"), sample.seed)
    });
    let bad = (bad > 0).then(|| format!("{} could not be used and are in no number", crate::text::count(bad, "row")));
    drawn.into_iter().chain(bad).collect()
}
