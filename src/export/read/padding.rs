//! What of the positions of a file is there: padding is left out, rows of NaN are absent, any other number that is none is an error.
use super::Patterns;
use super::labels::Said;
use crate::axes::place;
use crate::error::{Error, Result};

/// Which positions of an axis are tokens, and the name of the mask that says so.
pub(super) struct Kept(pub(super) &'static str, pub(super) Vec<bool>);

impl Kept {
    /// What a mask says of an axis of so many positions; none where all of them are tokens.
    pub(super) fn of(mask: Said<bool>, count: usize, axis: &str) -> Result<Option<Self>> {
        let Some((name, mask)) = mask else { return Ok(None) };
        if mask.len() != count {
            return Err(miscounted(name, mask.len(), count, axis));
        }
        match mask.iter().filter(|kept| **kept).count() {
            0 => {
                Err(Error::failed(format!("{name} calls all of the {axis} padding")).hint("1 is a token, 0 is padding"))
            }
            kept => Ok((kept < count).then_some(Self(name, mask))),
        }
    }

    fn count(&self) -> usize {
        self.1.iter().filter(|kept| **kept).count()
    }
}

/// What is said of an axis, an entry for each position that is kept.
pub(super) fn fit<T>(said: Said<T>, count: usize, kept: Option<&Kept>, axis: &str) -> Result<Option<Vec<T>>> {
    let Some((name, all)) = said else { return Ok(None) };
    match kept {
        Some(kept) if all.len() == count => {
            Ok(Some(all.into_iter().zip(&kept.1).filter(|(_, kept)| **kept).map(|(one, _)| one).collect()))
        }
        Some(kept) if all.len() == kept.count() => Ok(Some(all)),
        None if all.len() == count => Ok(Some(all)),
        _ => Err(miscounted(name, all.len(), count, axis)),
    }
}

fn miscounted(name: &str, there: usize, count: usize, axis: &str) -> Error {
    let one = axis.trim_end_matches('s').replace("querie", "query");
    Error::failed(format!("{name} has {there} entries, but attention has {count} {axis}"))
        .hint(format!("give {name} one entry for each {one}, or leave it out"))
}

/// Whether a position is kept.
fn is_kept(kept: Option<&Kept>, at: usize) -> bool {
    kept.is_none_or(|kept| kept.1[at])
}

impl Patterns {
    /// Fails where a number that is kept is none, but for rows of nothing else.
    pub(super) fn check_numbers(&self, kept: Option<&Kept>, kept_queries: Option<&Kept>) -> Result<()> {
        let [_, heads, queries, keys] = self.shape;
        let rows = self.attention.chunks_exact(keys).enumerate();
        let mut all_absent = true;
        for (row, weights) in rows.filter(|(row, _)| is_kept(kept_queries, row % queries)) {
            let mut there = weights.iter().enumerate().filter(|(at, _)| is_kept(kept, *at));
            let Some((at, weight)) = there.clone().find(|(_, weight)| !weight.is_finite()) else {
                all_absent = false;
                continue;
            };
            if !there.all(|(_, weight)| weight.is_nan()) {
                let place = place(row * keys + at, &[usize::MAX, heads, queries, keys]);
                return Err(Error::failed(format!(
                    "attention holds {weight} at [layer, head, query, key] = {place:?}"
                ))
                .hint("save the weights after the softmax; of padding, only whole rows may be NaN"));
            }
        }
        if all_absent {
            return Err(Error::failed("attention holds nothing but NaN").hint("save the weights after the softmax"));
        }
        Ok(())
    }

    /// Leaves out what is padding.
    pub(super) fn cut(&mut self, keys: Option<&Kept>, queries: Option<&Kept>) {
        let [.., rows, cols] = self.shape;
        for (kept, axis, count) in [(keys, "keys", cols), (queries, "queries", rows)] {
            if let Some(kept) = kept {
                let padding = count - kept.count();
                self.left_out.push(format!("{padding} of {count} {axis} are padding and left out ({})", kept.0));
            }
        }
        if keys.is_none() && queries.is_none() {
            return;
        }
        let whole = std::mem::take(&mut self.attention);
        let rows_kept = whole.chunks_exact(cols).enumerate().filter(|(row, _)| is_kept(queries, row % rows));
        self.attention = rows_kept
            .flat_map(|(_, row)| row.iter().enumerate().filter(|(at, _)| is_kept(keys, *at)).map(|(_, weight)| *weight))
            .collect();
        self.shape[2] = queries.map_or(rows, Kept::count);
        self.shape[3] = keys.map_or(cols, Kept::count);
    }
}
