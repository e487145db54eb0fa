//! One map from queries to keys: with the sink hidden, gathered to words, pooled to a picture's pixels, combined with others.

use super::{Reduction, Sink};
use std::ops::Range;

/// A row that keeps less than this share of its mass is empty: what is left is rounding, and rescaled it would look like attention.
const LEAST_LEFT: f32 = 1e-3;
/// A row that keeps less than this share is faint: rescaled, it would look like any other.
const LITTLE_LEFT: f32 = 0.05;

/// A map from queries to keys, row by row. Where no query can see a key, a full map holds 0, and a pooled one NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Queries, or blocks of them. Where there are fewer than keys in causal attention, they are the last positions.
    pub rows: usize,
    /// Keys, or blocks of them.
    pub cols: usize,
    /// `[query, key]`.
    pub values: Vec<f32>,
    /// The rows that were rescaled though less than a twentieth of them was left, or nothing, `[query]`; none where no row was rescaled.
    pub faint: Vec<bool>,
}

/// How many queries and keys there are, and which keys a query can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub queries: usize,
    /// Columns; of causal attention at least as many as queries.
    pub keys: usize,
    /// Whether a query sees only itself and what comes before it; the last query is at the last key.
    pub causal: bool,
}

impl Extent {
    /// A model's own pattern of `n` tokens.
    pub fn causal(n: usize) -> Self {
        Self { queries: n, keys: n, causal: true }
    }

    /// The keys before the first query, where queries are keys.
    pub fn past(&self) -> usize {
        if self.causal { self.keys - self.queries } else { 0 }
    }

    /// How many keys, from the first, a query can see.
    pub fn seen(&self, query: usize) -> usize {
        if self.causal { self.past() + query + 1 } else { self.keys }
    }

    /// How many queries can see a key.
    pub fn seers(&self, key: usize) -> usize {
        if self.causal { self.queries - key.saturating_sub(self.past()) } else { self.queries }
    }
}

/// Applies the sink policy to a pattern. Returns how many rows have nothing left, of the queries that see others, too.
pub fn hide_sink(values: &mut [f32], extent: Extent, sink: Sink) -> usize {
    let mut empty = 0;
    if sink == Sink::Keep {
        return empty;
    }
    for (query, row) in values.chunks_exact_mut(extent.keys).enumerate().filter(|(_, row)| !row[0].is_nan()) {
        let hidden = std::mem::take(&mut row[0]);
        if sink == Sink::Mask {
            continue;
        }
        let rest: f32 = row.iter().sum();
        if rest < LEAST_LEFT * (hidden + rest) {
            row.fill(0.0);
            empty += usize::from(extent.seen(query) > 1);
        } else if rest > 0.0 {
            row.iter_mut().for_each(|a| *a /= rest);
        }
    }
    empty
}

/// The rows of which less than a twentieth is not on the first key, `[query]`; none unless the policy rescales them.
pub(super) fn faint_rows(values: &[f32], extent: Extent, sink: Sink) -> Vec<bool> {
    let rows = values.chunks_exact(extent.keys).filter(|_| sink == Sink::Renorm);
    rows.map(|row| row[1..].iter().sum::<f32>() < LITTLE_LEFT * row.iter().sum::<f32>()).collect()
}

/// Keys of one word summed, queries of one word averaged: rows still sum to what they did. The words are ranges of keys, and of
/// queries where these are no keys; one that has no query has no row. Rows that are absent count as none.
pub fn gather_words(
    values: &[f32],
    faint: &[bool],
    extent: Extent,
    words: &[Range<usize>],
    rows: Option<&[Range<usize>]>,
) -> Map {
    let (cols, past) = (words.len(), extent.past());
    let own = || words.iter().filter(|word| word.end > past).map(|word| word.start.max(past) - past..word.end - past);
    let rows = rows.map_or_else(|| own().collect(), <[_]>::to_vec);
    let mut out = vec![0.0; cols * rows.len()];
    let mut faint_words = Vec::new();
    for (row, queries) in out.chunks_exact_mut(cols.max(1)).zip(rows) {
        faint_words.extend(faint.get(queries.clone()).map(|faint| faint.iter().all(|faint| *faint)));
        let mut there = 0;
        for values in queries.map(|i| &values[i * extent.keys..][..extent.keys]).filter(|values| !values[0].is_nan()) {
            there += 1;
            for (cell, keys) in row.iter_mut().zip(words) {
                *cell += values[keys.clone()].iter().sum::<f32>();
            }
        }
        row.iter_mut().for_each(|cell| *cell /= there as f32);
    }
    Map { rows: out.len() / cols.max(1), cols, values: out, faint: faint_words }
}

impl Map {
    /// Combines another map into this one, element by element.
    pub(super) fn combine(&mut self, map: &Map, how: Reduction) {
        for (a, b) in self.values.iter_mut().zip(&map.values) {
            *a = match how {
                Reduction::Mean => *a + b,
                Reduction::Max => a.max(*b),
            };
        }
        self.faint.iter_mut().zip(&map.faint).for_each(|(a, b)| *a &= b);
    }

    /// Completes the reduction after `count` maps were combined.
    pub(super) fn finish(&mut self, count: usize, how: Reduction) {
        if how == Reduction::Mean {
            self.values.iter_mut().for_each(|a| *a /= count as f32);
        }
    }

    /// The map with at most so many rows and columns.
    pub(super) fn pooled(mut self, causal: bool, most: Option<usize>) -> Map {
        match most {
            Some(most) if most < self.cols => {
                // What is hardly there would weigh as much as its neighbours.
                let rows = self.values.chunks_exact_mut(self.cols).zip(&self.faint);
                rows.filter(|(_, faint)| **faint).for_each(|(row, _)| row.fill(f32::NAN));
                pool_rows(&self.values, Extent { queries: self.rows, keys: self.cols, causal }, most)
            }
            _ => self,
        }
    }
}

/// Block means with the smallest whole block that brings the keys to at most `most`, over what a query can see and what is there; NaN
/// where a block has nothing of it.
pub(super) fn pool_rows(values: &[f32], extent: Extent, most: usize) -> Map {
    let Extent { queries, keys, .. } = extent;
    let block = keys.div_ceil(most.max(1)).max(1);
    let (rows, cols) = (queries.div_ceil(block), keys.div_ceil(block));
    let mut out = vec![f32::NAN; rows * cols];
    let mut sums = vec![0.0f32; keys];
    for (index, row) in out.chunks_exact_mut(cols).enumerate() {
        let queries = (index * block)..((index + 1) * block).min(queries);
        let there = |i: &usize| !values[i * keys].is_nan();
        sums.fill(0.0);
        for i in queries.clone().filter(there) {
            let seen = &values[i * keys..][..extent.seen(i)];
            sums.iter_mut().zip(seen).for_each(|(sum, a)| *sum += a);
        }
        for (col, (cell, sums)) in row.iter_mut().zip(sums.chunks(block)).enumerate() {
            let seen = |i: usize| extent.seen(i).saturating_sub(col * block).min(sums.len());
            let count: usize = queries.clone().filter(there).map(seen).sum();
            if count > 0 {
                *cell = sums.iter().sum::<f32>() / count as f32;
            }
        }
    }
    Map { rows, cols, values: out, faint: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(queries: usize, keys: usize) -> (Vec<f32>, Extent) {
        let extent = Extent { queries, keys, causal: true };
        let value = |at: usize| if at % keys < extent.seen(at / keys) { (at + 1) as f32 } else { 0.0 };
        ((0..queries * keys).map(value).collect(), extent)
    }

    #[test]
    fn pooling_takes_the_mean_of_what_a_query_sees_and_hides_the_rest() {
        let (values, extent) = counted(5, 5);
        let map = pool_rows(&values, extent, 2); // rows and columns 0..3, 3..5
        assert_eq!((map.rows, map.cols, map.values[0]), (2, 2, (1 + 6 + 7 + 11 + 12 + 13) as f32 / 6.0));
        assert!(map.values[1].is_nan());
        assert_eq!(&map.values[2..], &[(16 + 17 + 18 + 21 + 22 + 23) as f32 / 6.0, (19 + 24 + 25) as f32 / 3.0]);
        let open = pool_rows(&values, Extent { causal: false, ..extent }, 2);
        assert_eq!(open.values, [50.0 / 9.0, 0.0, 117.0 / 6.0, 68.0 / 4.0]);
    }

    #[test]
    fn a_pooled_map_is_as_dark_as_the_whole_one() {
        let n = 64;
        let even: Vec<f32> =
            (0..n * n).map(|at| if at % n <= at / n { 1.0 / (at / n + 1) as f32 } else { 0.0 }).collect();
        let pooled = pool_rows(&even, Extent::causal(n), 16);
        let last = &pooled.values[15 * 16..];
        assert!(last.iter().all(|a| (a - 1.0 / 62.5).abs() < 1e-3), "{last:?}");
    }

    #[test]
    fn rows_that_keep_less_than_a_twentieth_are_faint_and_not_pooled() {
        let extent = Extent::causal(3);
        let values = [1.0, 0.0, 0.0, 0.96, 0.04, 0.0, 0.5, 0.25, 0.25];
        assert_eq!(faint_rows(&values, extent, Sink::Renorm), [true, true, false]);
        assert!(faint_rows(&values, extent, Sink::Mask).is_empty());
        let mut hidden = values.to_vec();
        hide_sink(&mut hidden, extent, Sink::Renorm);
        let map = Map { rows: 3, cols: 3, values: hidden, faint: vec![true, true, false] };
        assert_eq!(map.pooled(true, Some(1)).values, [1.0 / 3.0]);
    }

    #[test]
    fn fewer_queries_than_keys_are_the_last_ones() {
        let (values, extent) = counted(2, 5); // queries 3 and 4
        assert_eq!((extent.seen(0), extent.seers(3), extent.seers(4), extent.seers(0)), (4, 2, 1, 2));
        let map = pool_rows(&values, extent, 3);
        assert_eq!((map.rows, map.cols, map.values), (1, 3, vec![4.0, 6.0, 10.0]));
        let words = gather_words(&values, &[], extent, &[0..1, 1..4, 4..5], None);
        assert_eq!((words.rows, words.cols), (2, 3)); // the second word has one query of its three tokens
        assert_eq!(words.values, [1.0, 2.0 + 3.0 + 4.0, 0.0, 6.0, 7.0 + 8.0 + 9.0, 10.0]);
    }

    #[test]
    fn a_row_that_is_absent_is_no_row_of_zeros() {
        let (nan, extent) = (f32::NAN, Extent { queries: 3, keys: 2, causal: false });
        let values = [nan, nan, 0.25, 0.75, nan, nan];
        let map = gather_words(&values, &[], extent, &[0..1, 1..2], Some(&[0..2, 2..3]));
        assert_eq!((map.rows, &map.values[..2]), (2, &[0.25, 0.75][..]));
        assert!(map.values[2..].iter().all(|value| value.is_nan()));
        let map = pool_rows(&values, extent, 1); // blocks of two
        assert!(map.values[0] == 0.5 && map.values[1].is_nan(), "{map:?}");
        let mut hidden = values;
        assert_eq!(hide_sink(&mut hidden, extent, Sink::Renorm), 0);
        assert!(hidden[0].is_nan() && hidden[2..4] == [0.0, 1.0]);
    }

    #[test]
    fn words_keep_the_mass_of_every_row() {
        let values = [1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.25, 0.25, 0.5, 0.0, 0.1, 0.2, 0.3, 0.4];
        let map = gather_words(&values, &[], Extent::causal(4), &[0..1, 1..3, 3..4], None);
        assert_eq!((map.rows, map.cols), (3, 3));
        for row in map.values.chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert!((map.values[3] - 0.375).abs() < 1e-6);
    }

    #[test]
    fn a_row_of_which_less_than_a_thousandth_is_left_is_empty() {
        let pattern = [1.0, 0.0, 0.0, 0.99901, 0.00099, 0.0, 0.99899, 0.00061, 0.0004];
        let hidden = |scale: f32, sink: Sink| {
            let mut values = pattern.map(|a| scale * a);
            let empty = hide_sink(&mut values, Extent::causal(3), sink);
            (values, empty)
        };
        // The first query sees nothing else: its row is empty whatever the model, and is not counted.
        let (values, empty) = hidden(1.0, Sink::Renorm);
        assert_eq!((&values[..6], empty), (&[0.0; 6][..], 1));
        assert!((values[7] - 0.61 / 1.01).abs() < 1e-4 && (values[8] - 0.4 / 1.01).abs() < 1e-4, "{values:?}");
        // A share of the row, whatever it sums to: percentages too.
        let (percent, empty) = hidden(100.0, Sink::Renorm);
        assert!(percent.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-5) && empty == 1, "{percent:?}");
        // Where nothing is rescaled, nothing is lost.
        assert_eq!(hidden(1.0, Sink::Mask), ([0.0, 0.0, 0.0, 0.0, 0.00099, 0.0, 0.0, 0.00061, 0.0004], 0));
        assert_eq!(hidden(1.0, Sink::Keep), (pattern, 0));
    }
}
