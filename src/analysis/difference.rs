//! How far the attention of two runs is apart: of two prompts, of two models, or of two files.

use super::alignment::Alignment;
use super::attention::{Attention, Map};
use crate::error::{Error, Result};
use crate::text;
use rayon::prelude::*;

/// The second minus the first, head by head, on the common axis of their tokens.
///
/// A key that only one of the two has gets no attention in the other, so that rows still add up: where both sum to 1, a row of
/// differences sums to 0. A query that only one of them has, or whose row is absent (NaN) in both, is not compared: its row is NaN.
#[derive(Clone, Debug)]
pub struct Difference {
    /// `[layer, head]` of `[query, key]`, both slots of the alignment; the queries are the last of them. A row is faint where it is in either.
    pub maps: Vec<Map>,
    /// Whether no query sees past its own slot.
    pub causal: bool,
    /// `[layer, head]`.
    pub heads: Vec<Change>,
    /// How many queries were compared.
    pub compared: usize,
}

/// How much one head changed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// The mean over the compared queries of the total variation distance `½ Σ_key |b − a|` (Levin and Peres, Markov Chains and
    /// Mixing Times, prop. 4.2): the share of attention that went elsewhere, from 0 to 1 where rows sum to 1.
    pub changed: f32,
    /// The largest difference of any weight, whatever its sign; infinite where a row is absent in one of the two only.
    pub max_abs: f32,
    /// The row and the column of that difference.
    pub at: (usize, usize),
    /// The attention on keys that only the first has, a mean over the compared queries.
    pub removed: f32,
    /// The attention on keys that only the second has, a mean over the compared queries.
    pub added: f32,
}

impl Difference {
    /// The heads by how much they changed, the most first.
    pub fn ranking(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.heads.len()).collect();
        order.sort_by(|a, b| self.heads[*b].changed.total_cmp(&self.heads[*a].changed));
        order
    }

    /// The largest finite difference of any weight.
    pub fn most(&self) -> f32 {
        self.heads.iter().map(|head| head.max_abs).filter(|most| most.is_finite()).fold(0.0, f32::max)
    }

    /// The size that all but about one in so many of the differences stay below, whatever their signs; equal numbers are no difference.
    pub fn below(&self, one_in: usize) -> f32 {
        const STEPS: usize = 4096;
        let most = self.most();
        let count = |map: &Map| {
            let mut counts = vec![0u64; STEPS];
            for size in map.values.iter().map(|value| value.abs()).filter(|size| *size > 0.0 && size.is_finite()) {
                counts[((size / most * STEPS as f32) as usize).min(STEPS - 1)] += 1;
            }
            counts
        };
        let sum = |a: Vec<u64>, b: Vec<u64>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
        let counts: Vec<u64> = self.maps.par_iter().map(count).reduce(|| vec![0; STEPS], sum);
        let (all, mut above) = (counts.iter().sum::<u64>(), 0);
        let most_above = all / one_in as u64;
        let step = counts.iter().rposition(|count| {
            above += count;
            above > most_above
        });
        step.map_or(most, |step| most * (step + 1) as f32 / STEPS as f32)
    }

    /// The head that has the largest difference of any weight.
    pub fn largest(&self) -> usize {
        let most = |best: usize, at: usize| if self.heads[at].max_abs > self.heads[best].max_abs { at } else { best };
        (1..self.heads.len()).fold(0, most)
    }
}

/// Compares two runs, whose layers and heads are the same, over an alignment of their keys. Maps are taken and given back one
/// by one, so that no more than two sets of them stand in memory.
///
/// # Errors
/// No query that both have, or another number of maps.
pub fn difference(a: Attention, b: Attention, alignment: &Alignment) -> Result<Difference> {
    if a.maps.len() != b.maps.len() || a.maps.is_empty() {
        return Err(Error::usage(format!(
            "{} cannot be compared with {}",
            text::count(a.maps.len(), "map"),
            b.maps.len()
        ))
        .hint("select the same layers and heads of both"));
    }
    let axis = Axis::new(&a.maps[0], &b.maps[0], alignment);
    if axis.compared == 0 {
        return Err(Error::usage("the two have no query in common").hint("compare prompts that end alike"));
    }
    let causal = a.extent.causal && b.extent.causal;
    let both = a.maps.into_par_iter().zip(b.maps.into_par_iter());
    let (maps, heads) = both.map(|(a, b)| axis.compare(&a, &b)).unzip();
    Ok(Difference { maps, causal, heads, compared: axis.compared })
}

/// The common axis of two maps.
struct Axis {
    /// The key of each map, for each slot.
    keys: Vec<(Option<usize>, Option<usize>)>,
    /// The query of each map, for the slots from the first one that is a query of either.
    queries: Vec<Option<(usize, usize)>>,
    compared: usize,
}

impl Axis {
    fn new(a: &Map, b: &Map, alignment: &Alignment) -> Self {
        let keys: Vec<_> = alignment.slots.iter().map(|slot| (slot.a, slot.b)).collect();
        let query = |map: &Map, key: Option<usize>| key.and_then(|key| key.checked_sub(map.cols - map.rows));
        let queries: Vec<_> = keys.iter().map(|(in_a, in_b)| (query(a, *in_a), query(b, *in_b))).collect();
        let first = queries.iter().position(|(a, b)| a.is_some() || b.is_some()).unwrap_or(queries.len());
        let queries: Vec<_> = queries[first..].iter().map(|(a, b)| a.zip(*b)).collect();
        let compared = queries.iter().flatten().count();
        Self { keys, queries, compared }
    }

    fn compare(&self, a: &Map, b: &Map) -> (Map, Change) {
        let (rows, cols) = (self.queries.len(), self.keys.len());
        let mut values = vec![f32::NAN; rows * cols];
        let (mut apart, mut removed, mut added, mut change) = (0.0f64, 0.0f64, 0.0f64, Change::default());
        let mut compared = 0;
        for (row, out) in values.chunks_mut(cols.max(1)).enumerate() {
            let Some((in_a, in_b)) = self.queries[row] else { continue };
            let (from, to) = (&a.values[in_a * a.cols..][..a.cols], &b.values[in_b * b.cols..][..b.cols]);
            match (from[0].is_nan(), to[0].is_nan()) {
                (false, false) => compared += 1,
                (true, true) => continue,
                _ => {
                    (change.max_abs, change.at) = (f32::INFINITY, (row, 0));
                    continue;
                }
            }
            for (col, (out, key)) in out.iter_mut().zip(&self.keys).enumerate() {
                *out = match *key {
                    (Some(in_a), Some(in_b)) => to[in_b] - from[in_a],
                    (Some(in_a), None) => {
                        removed += f64::from(from[in_a]);
                        -from[in_a]
                    }
                    (None, Some(in_b)) => {
                        added += f64::from(to[in_b]);
                        to[in_b]
                    }
                    (None, None) => 0.0,
                };
                apart += f64::from(out.abs());
                if out.abs() > change.max_abs {
                    (change.max_abs, change.at) = (out.abs(), (row, col));
                }
            }
        }
        let mean = |sum: f64| if compared > 0 { (sum / f64::from(compared)) as f32 } else { 0.0 };
        let is_faint = |map: &Map, query: usize| map.faint.get(query).is_some_and(|faint| *faint);
        let faint = |pair: &Option<(usize, usize)>| pair.is_some_and(|(at, to)| is_faint(a, at) || is_faint(b, to));
        let faint = self.queries.iter().filter(|_| !a.faint.is_empty()).map(faint).collect();
        (change.changed, change.removed, change.added) = (mean(apart / 2.0), mean(removed), mean(added));
        (Map { rows, cols, values, faint }, change)
    }
}

/// How far two lists of numbers are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Apart {
    /// How many numbers differ at all.
    pub count: usize,
    /// The largest difference; infinite where one side has a number and the other has none.
    pub max_abs: f32,
    /// Where that is.
    pub at: usize,
}

/// Compares two lists of the same length, number by number. NaN equals NaN: it stands for a missing number and for
/// infinities, which not every format can write.
pub fn apart(a: &[f32], b: &[f32]) -> Apart {
    let mut apart = Apart::default();
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        let nothing = !a.is_finite() && !b.is_finite() && (a.is_nan() || b.is_nan());
        let far = match (a - b).abs() {
            _ if a == b || nothing => continue,
            far if far.is_nan() => f32::INFINITY,
            far => far,
        };
        apart.count += 1;
        if far > apart.max_abs {
            (apart.max_abs, apart.at) = (far, at);
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::super::alignment::align;
    use super::super::attention::{Recorded, Request, recorded};
    use super::*;
    use crate::analysis::attention::Extent;

    fn one(values: &[f32], queries: usize, keys: usize) -> Attention {
        let extent = Extent { queries, keys, causal: true };
        let request = Request { layers: vec![0], heads: vec![0], ..Request::default() };
        recorded(&Recorded { values, layers: &[0], heads: &[0], picked: &[], extent }, &request).unwrap()
    }

    #[test]
    fn the_share_that_moved_is_what_it_is_by_hand() {
        // "x y z" against "x w y z": w is added, and takes .2 of y's and .4 of z's attention.
        let a = one(&[1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.5], 3, 3);
        let b = [1.0, 0.0, 0.0, 0.0, 0.7, 0.3, 0.0, 0.0, 0.4, 0.2, 0.4, 0.0, 0.25, 0.4, 0.25, 0.1];
        let found = difference(a, one(&b, 4, 4), &align(&["x", "y", "z"], &["x", "w", "y", "z"]).unwrap()).unwrap();
        assert_eq!((found.compared, found.causal), (3, true));
        let close = |x: f32, y: f32| (x - y).abs() < 1e-6 || (x.is_nan() && y.is_nan());
        let nan = f32::NAN;
        #[rustfmt::skip]
        let wanted = [
            0.0, 0.0, 0.0, 0.0,
            nan, nan, nan, nan,
            -0.1, 0.2, -0.1, 0.0,
            0.0, 0.4, 0.0, -0.4,
        ];
        assert!(found.maps[0].values.iter().zip(wanted).all(|(x, y)| close(*x, y)), "{:?}", found.maps[0]);
        let change = found.heads[0];
        assert!(close(change.changed, (0.0 + 0.2 + 0.4) / 3.0), "{change:?}");
        assert!(close(change.added, 0.6 / 3.0) && change.removed == 0.0, "{change:?}");
        assert!(close(change.max_abs, 0.4) && change.at == (3, 1), "{change:?}");
        // The other way round, what was added is removed, and the distance is the same.
        let back = difference(
            one(&b, 4, 4),
            one(&[1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.5], 3, 3),
            &align(&["x", "w", "y", "z"], &["x", "y", "z"]).unwrap(),
        );
        let back = back.unwrap().heads[0];
        assert!(close(back.changed, change.changed) && close(back.removed, change.added) && back.added == 0.0);
    }

    #[test]
    fn queries_of_one_side_only_are_not_compared() {
        // The first has only the last of its two queries.
        let (a, b) = (one(&[0.5, 0.5], 1, 2), one(&[1.0, 0.0, 0.25, 0.75], 2, 2));
        let found = difference(a, b, &align(&["x", "y"], &["x", "y"]).unwrap()).unwrap();
        assert_eq!((found.maps[0].rows, found.compared), (2, 1));
        assert!(found.maps[0].values[..2].iter().all(|x| x.is_nan()));
        assert_eq!((found.heads[0].changed, found.heads[0].max_abs), (0.25, 0.25));
    }

    #[test]
    fn nothing_is_like_nothing_and_unlike_any_number() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        assert_eq!(apart(&[1.0, nan, -inf, nan, inf], &[1.0, nan, -inf, -inf, inf]), Apart::default());
        assert_eq!(apart(&[1.0, 2.0], &[1.5, 4.0]), Apart { count: 2, max_abs: 2.0, at: 1 });
        assert_eq!(apart(&[0.0, 1.0], &[0.5, nan]), Apart { count: 2, max_abs: inf, at: 1 });
        assert_eq!(apart(&[inf], &[-inf]).max_abs, inf);
    }
}
