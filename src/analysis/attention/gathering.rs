//! From the patterns of one layer after the other to maps and sums: each number is read once.

use super::map::{faint_rows, gather_words, hide_sink, pool_rows};
use super::{Attention, Extent, Map, Received, Request, Sink};
use crate::error::{Error, Result};
use rayon::prelude::*;

/// Maps and sums that grow layer by layer.
pub(super) struct Gathering<'a> {
    request: &'a Request,
    extent: Extent,
    rows: Vec<Vec<Map>>,
    /// Attention on each key, summed over queries, heads and layers.
    columns: Vec<f64>,
    /// What each query gives to every key but the first that it sees, were it the same, summed over heads and layers, `[query]`.
    even: Vec<f64>,
    /// Attention on the first key, summed over the queries that see others, too.
    sink: f64,
    empty_rows: usize,
    faint_rows: usize,
    absent_rows: usize,
    /// How many of the queries that can see each key are absent; nothing where all are there.
    missing: Vec<u32>,
    row_sums: (f32, f32),
    deepest: usize,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(request: &'a Request, extent: Extent) -> Self {
        let (rows, columns) = (vec![Vec::new(); request.layers.len()], vec![0.0; extent.keys]);
        let row_sums = (f32::INFINITY, f32::NEG_INFINITY);
        let (even, empty_rows, faint_rows, absent_rows, missing) = (vec![0.0; extent.queries], 0, 0, 0, Vec::new());
        Self {
            request,
            extent,
            rows,
            columns,
            even,
            sink: 0.0,
            empty_rows,
            faint_rows,
            absent_rows,
            missing,
            row_sums,
            deepest: 0,
        }
    }

    /// Adds the heads at these indices of one layer, `[head, query, key]`. Rows must sum to 1 within the tolerance; where there is none,
    /// rows of NaN are absent.
    pub(super) fn layer(&mut self, layer: usize, values: &[f32], heads: &[usize], tolerance: f32) -> Result<()> {
        let Self { request, extent, .. } = *self;
        self.deepest += 1;
        // A map that is reduced further must keep its resolution.
        let pool = request.pool.filter(|_| request.heads_to.is_none() && request.layers_to.is_none());
        let size = extent.queries * extent.keys;
        let is_wanted = |head: usize| request.picked.is_empty() || request.picked.contains(&(layer, head));
        let wanted: Vec<(usize, usize)> =
            heads.iter().copied().zip(request.heads.iter().copied()).filter(|(_, head)| is_wanted(*head)).collect();
        let heads: Vec<Head> = wanted
            .par_iter()
            .map(|(at, _)| Head::gather(&values[at * size..][..size], extent, request, pool))
            .collect();
        let mut maps = Vec::with_capacity(heads.len());
        for (head, (_, number)) in heads.into_iter().zip(&wanted) {
            let nan = if tolerance.is_finite() && !head.absent.is_empty() { f32::NAN } else { 1.0 };
            for sum in [head.row_sums.0, head.row_sums.1, nan] {
                if sum.is_nan() || (sum - 1.0).abs() > tolerance {
                    return Err(Error::failed(format!(
                        "attention of layer {layer}, head {number} does not sum to 1 (it is {sum})"
                    )));
                }
            }
            let absent = head.absent.iter().filter(|_| tolerance.is_infinite());
            for query in absent {
                self.absent_rows += 1;
                self.missing.resize(extent.keys, 0);
                self.missing[..extent.seen(*query)].iter_mut().for_each(|count| *count += 1);
            }
            self.row_sums = (self.row_sums.0.min(head.row_sums.0), self.row_sums.1.max(head.row_sums.1));
            self.sink += f64::from(head.sink);
            self.empty_rows += head.empty_rows;
            self.faint_rows += head.faint;
            self.columns.iter_mut().zip(&head.columns).for_each(|(sum, column)| *sum += f64::from(*column));
            self.even.iter_mut().zip(&head.even).for_each(|(sum, even)| *sum += f64::from(*even));
            maps.push(head.map);
        }
        if let Some(how) = request.heads_to {
            let count = maps.len();
            let mut one = maps.remove(0);
            maps.iter().for_each(|map| one.combine(map, how));
            one.finish(count, how);
            maps = vec![one];
        }
        match request.layers_to {
            None => {
                if request.pool.is_some() && pool.is_none() {
                    maps = maps.into_iter().map(|map| map.pooled(extent.causal, request.pool)).collect();
                }
                // A layer asked for twice is shown twice.
                for (row, _) in request.layers.iter().enumerate().filter(|(_, wanted)| **wanted == layer) {
                    self.rows[row] = maps.clone();
                }
            }
            Some(how) => {
                for (head, map) in maps.into_iter().enumerate() {
                    match self.rows[0].get_mut(head) {
                        Some(sum) => sum.combine(&map, how),
                        None => self.rows[0].push(map),
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Attention {
        let Self { request, extent, .. } = self;
        let mut maps: Vec<Map> = self.rows.into_iter().flatten().collect();
        if let Some(how) = request.layers_to {
            maps.iter_mut().for_each(|map| map.finish(self.deepest, how));
            maps = maps.into_iter().map(|map| map.pooled(extent.causal, request.pool)).collect();
        }
        if !request.picked.is_empty() {
            // They came in the order of layers and heads.
            let order = request.layers.iter().flat_map(|layer| request.heads.iter().map(move |head| (*layer, *head)));
            let came: Vec<_> = order.filter(|place| request.picked.contains(place)).collect();
            let of = |place| came.iter().position(|other| other == place).map(|at| maps[at].clone());
            maps = request.picked.iter().filter_map(of).collect();
        }
        let all = if request.picked.is_empty() { self.deepest * request.heads.len() } else { request.picked.len() };
        let patterns = all.max(1) as f64;
        // Means are over the rows that are there.
        let there = |count: usize, key: usize| match self.missing.get(key) {
            Some(missing) => (count as f64 * patterns - f64::from(*missing)).max(1.0) / patterns,
            None => count as f64,
        };
        let queries = (0..extent.queries).filter(|query| extent.seen(*query) > 1).count();
        // Whoever sees the second key sees the first one and another.
        let sink_share = if queries > 0 { (self.sink / patterns / there(queries, 1)) as f32 } else { 0.0 };
        let received = received(&self.columns, &self.even, extent);
        Attention {
            layers: request.layers.clone(),
            heads: request.heads.clone(),
            picked: request.picked.clone(),
            layers_to: request.layers_to,
            heads_to: request.heads_to,
            extent,
            maps,
            received,
            sink_share,
            empty_rows: self.empty_rows,
            faint_rows: self.faint_rows,
            absent_rows: self.absent_rows,
            row_sums: self.row_sums,
        }
    }
}

/// One head's pattern, read once.
struct Head {
    map: Map,
    /// Attention on each key, summed over all queries, before the sink policy.
    columns: Vec<f32>,
    /// What each query would give to every key but the first that it sees, were it the same, `[query]`.
    even: Vec<f32>,
    /// Attention on the first key, summed over the queries that see others, too.
    sink: f32,
    /// Rows in which the sink policy left nothing.
    empty_rows: usize,
    /// Rows of which it left less than a twentieth.
    faint: usize,
    /// The queries whose rows are NaN throughout.
    absent: Vec<usize>,
    /// The least and the most that another row sums to; NaN if one does.
    row_sums: (f32, f32),
}

impl Head {
    fn gather(pattern: &[f32], extent: Extent, request: &Request, pool: Option<usize>) -> Self {
        let Extent { queries, keys, .. } = extent;
        let (mut columns, mut sink) = (vec![0.0f32; keys], 0.0);
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        let (mut absent, mut even) = (Vec::new(), vec![0.0f32; queries]);
        for (i, row) in pattern.chunks_exact(keys).enumerate() {
            let seen = &row[..extent.seen(i)];
            let sum = lane_sum(seen);
            if sum.is_nan() && row.iter().all(|a| a.is_nan()) {
                absent.push(i);
                continue;
            }
            // A comparison alone would drop NaN.
            least = if sum < least || sum.is_nan() { sum } else { least };
            most = if sum > most || sum.is_nan() { sum } else { most };
            if seen.len() > 1 {
                sink += seen[0];
                even[i] = (sum - seen[0]) / (seen.len() - 1) as f32;
            }
            columns.iter_mut().zip(seen).for_each(|(c, a)| *c += a);
        }
        let plain = request.sink == Sink::Keep && request.words.is_none();
        let (mut empty_rows, mut faint) = (0, 0);
        let map = match pool {
            Some(most) if plain && most < keys => pool_rows(pattern, extent, most),
            _ => {
                let mut values = pattern.to_vec();
                let rows = faint_rows(&values, extent, request.sink);
                faint = rows.iter().enumerate().filter(|(query, is)| **is && extent.seen(*query) > 1).count();
                empty_rows = hide_sink(&mut values, extent, request.sink);
                let map = match &request.words {
                    Some(words) => gather_words(&values, &rows, extent, words, request.query_words.as_deref()),
                    None => Map { rows: queries, cols: keys, values, faint: rows },
                };
                map.pooled(extent.causal, pool)
            }
        };
        Self { map, columns, even, sink, empty_rows, faint, absent, row_sums: (least, most) }
    }
}

/// What each key receives of sums over columns, and of what every query would give evenly.
fn received(columns: &[f64], even: &[f64], extent: Extent) -> Vec<Received> {
    let mass: f64 = columns.iter().sum();
    let mut all: Vec<Received> = columns
        .iter()
        .map(|sum| Received { sum: *sum, even: 0.0, share: if mass > 0.0 { sum / mass } else { 0.0 } })
        .collect();
    // A key gets it of every query that sees so far.
    even.iter().enumerate().for_each(|(query, even)| all[extent.seen(query) - 1].even += even);
    for key in (1..all.len()).rev() {
        all[key - 1].even += all[key].even;
    }
    all
}

/// A sum in sixteen lanes, which vectorises: every number of every pattern passes here.
fn lane_sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0f32; 16];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, a)| *lane += a);
    }
    lanes.iter().chain(rest).sum()
}
