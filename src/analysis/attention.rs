//! Attention patterns of a prompt: selected, freed of the sink, gathered to words, reduced over heads and layers, and pooled to a
//! picture's pixels, each layer as it is computed, so that 1024 tokens × 144 heads never stand in memory for a picture.

use crate::error::{Error, Result};
use crate::model::Model;
use crate::trace::{Activation, Recorder, Trace, forward};
use candle_core::Tensor;
use rayon::prelude::*;
use std::ops::Range;

/// What to do about the attention on the first token, where GPT-2 puts most of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// The pattern as it is.
    #[default]
    Keep,
    /// The first key's column becomes 0.
    Mask,
    /// The first key's column becomes 0 and each row is rescaled to sum to 1; a row left with no mass stays 0.
    Renorm,
}

/// How several maps become one, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean: rows still sum to 1.
    Mean,
    /// Their maximum.
    Max,
}

/// What is asked of a forward pass.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Layers, in the order wanted.
    pub layers: Vec<usize>,
    /// Heads, in the order wanted.
    pub heads: Vec<usize>,
    /// The sink policy, applied to tokens before anything else.
    pub sink: Sink,
    /// The tokens of each word: keys of one word are summed, queries of one word averaged.
    pub words: Option<Vec<Range<usize>>>,
    /// Makes one map of each layer's heads.
    pub heads_to: Option<Reduction>,
    /// Makes one map of all layers.
    pub layers_to: Option<Reduction>,
    /// Activations to record besides, of every layer.
    pub keep: Vec<Activation>,
    /// Pools every map to at most this many rows and columns, by block maximum.
    pub pool: Option<usize>,
}

/// A map from queries to keys, row by row. Above the diagonal a full map holds 0, a pooled one NaN where no pair is visible.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Rows and columns.
    pub side: usize,
    /// `[query, key]`.
    pub values: Vec<f32>,
}

/// The attention of one prompt.
#[derive(Clone, Debug)]
pub struct Attention {
    /// The layers that were looked at: the rows of `maps`, unless they were reduced to one.
    pub layers: Vec<usize>,
    /// The heads that were looked at: the columns of `maps`, unless they were reduced to one.
    pub heads: Vec<usize>,
    /// How the layers were reduced.
    pub layers_to: Option<Reduction>,
    /// How the heads were reduced.
    pub heads_to: Option<Reduction>,
    /// `[layer, head]` of `[query, key]`.
    pub maps: Vec<Map>,
    /// For each token: the attention it receives, a mean over the queries that can see it, the heads and the layers.
    pub received: Vec<f32>,
    /// The share of all attention that lies on the first token, a mean over the queries after it, the heads and the layers.
    pub sink_share: f32,
    /// The last `resid_post`, `[len, d_model]`.
    pub resid: Tensor,
    /// What `keep` asked for.
    pub trace: Trace,
}

impl Attention {
    /// What each row of maps is: a layer's number, or how the layers were reduced.
    pub fn layer_names(&self) -> Vec<String> {
        names(&self.layers, self.layers_to)
    }

    /// What each column of maps is: a head's number, or how the heads were reduced.
    pub fn head_names(&self) -> Vec<String> {
        names(&self.heads, self.heads_to)
    }
}

fn names(indices: &[usize], reduced: Option<Reduction>) -> Vec<String> {
    match reduced {
        None => indices.iter().map(usize::to_string).collect(),
        Some(Reduction::Mean) => vec!["mean".into()],
        Some(Reduction::Max) => vec!["max".into()],
    }
}

/// Runs the model over one prompt and gathers its patterns.
///
/// # Errors
/// If a row of a pattern is not finite or does not sum to 1 within 1e-4: then the checkpoint is broken.
pub fn attention(model: &dyn Model, ids: &[u32], request: &Request) -> Result<Attention> {
    let n = ids.len();
    let mut rows: Vec<Vec<Map>> = vec![Vec::new(); request.layers.len()];
    let mut columns = vec![0.0f64; n];
    let mut deepest = 0;
    let keep = request.keep.iter().fold(Recorder::new(), |recorder, at| recorder.keep(*at));
    let mut recorder = keep.reduce(Activation::Pattern, &request.layers, |site, pattern| {
        let (storage, layout) = pattern.storage_and_layout();
        let (candle_core::Storage::Cpu(storage), Some((first, last))) = (&*storage, layout.contiguous_offsets()) else {
            return Err(Error::failed("a pattern must be contiguous and on the CPU"));
        };
        let values = &storage.as_slice::<f32>()?[first..last];
        deepest += 1;
        // A map that is reduced further must keep its resolution.
        let pool = request.pool.filter(|_| request.heads_to.is_none() && request.layers_to.is_none());
        let heads: Vec<Result<Head>> = request
            .heads
            .par_iter()
            .map(|head| Head::gather(&values[head * n * n..(head + 1) * n * n], n, request, pool, site.layer, *head))
            .collect();
        let mut maps = Vec::with_capacity(heads.len());
        for head in heads {
            let head = head?;
            columns.iter_mut().zip(&head.columns).for_each(|(sum, column)| *sum += f64::from(*column));
            maps.push(head.map);
        }
        if let Some(how) = request.heads_to {
            let count = maps.len();
            let mut one = maps.remove(0);
            maps.iter().for_each(|map| combine(&mut one, map, how));
            finish(&mut one, count, how);
            maps = vec![one];
        }
        match request.layers_to {
            None => {
                if request.pool.is_some() && pool.is_none() {
                    maps.iter_mut().for_each(|map| *map = pooled(map, request.pool));
                }
                // A layer asked for twice is shown twice.
                for (row, _) in request.layers.iter().enumerate().filter(|(_, layer)| **layer == site.layer) {
                    rows[row] = maps.clone();
                }
            }
            Some(how) => {
                for (head, map) in maps.into_iter().enumerate() {
                    match rows[0].get_mut(head) {
                        Some(sum) => combine(sum, &map, how),
                        None => rows[0].push(map),
                    }
                }
            }
        }
        Ok(None)
    });
    let resid = forward(model, &[ids], &mut recorder)?;
    let trace = recorder.trace();
    let mut maps: Vec<Map> = rows.into_iter().flatten().collect();
    if let Some(how) = request.layers_to {
        for map in &mut maps {
            finish(map, deepest, how);
            *map = pooled(map, request.pool);
        }
    }
    let patterns = (deepest * request.heads.len()).max(1) as f64;
    let received: Vec<f32> =
        columns.iter().enumerate().map(|(j, sum)| (sum / (n - j) as f64 / patterns) as f32).collect();
    // The first query can see nothing else; it says nothing about a sink.
    let sink_share = if n > 1 { ((columns[0] / patterns - 1.0) / (n - 1) as f64) as f32 } else { 0.0 };
    Ok(Attention {
        layers: request.layers.clone(),
        heads: request.heads.clone(),
        layers_to: request.layers_to,
        heads_to: request.heads_to,
        maps,
        received,
        sink_share,
        resid,
        trace,
    })
}

/// One head's pattern, read once.
struct Head {
    map: Map,
    /// What each key receives from all queries, before the sink policy.
    columns: Vec<f32>,
}

impl Head {
    fn gather(
        pattern: &[f32],
        n: usize,
        request: &Request,
        pool: Option<usize>,
        layer: usize,
        head: usize,
    ) -> Result<Self> {
        let mut columns = vec![0.0f32; n];
        for (i, row) in pattern.chunks_exact(n).enumerate() {
            let seen = &row[..=i];
            let sum = lane_sum(seen);
            if sum.is_nan() || (sum - 1.0).abs() > 1e-4 {
                return Err(Error::failed(format!(
                    "attention of layer {layer}, head {head} does not sum to 1 (it is {sum})"
                )));
            }
            columns.iter_mut().zip(seen).for_each(|(c, a)| *c += a);
        }
        let plain = request.sink == Sink::Keep && request.words.is_none();
        let map = if plain {
            match pool {
                Some(most) if most < n => pool_rows(pattern, n, most),
                _ => Map { side: n, values: pattern.to_vec() },
            }
        } else {
            let mut values = pattern.to_vec();
            hide_sink(&mut values, n, request.sink);
            let map = match &request.words {
                Some(words) => gather_words(&values, n, words),
                None => Map { side: n, values },
            };
            pooled(&map, pool)
        };
        Ok(Self { map, columns })
    }
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

/// Applies the sink policy to a pattern `[n, n]`.
pub fn hide_sink(values: &mut [f32], n: usize, sink: Sink) {
    if sink == Sink::Keep {
        return;
    }
    for row in values.chunks_exact_mut(n) {
        row[0] = 0.0;
        let rest: f32 = row.iter().sum();
        if sink == Sink::Renorm && rest > 0.0 {
            row.iter_mut().for_each(|a| *a /= rest);
        }
    }
}

/// Keys of one word summed, queries of one word averaged: rows still sum to what they did.
pub fn gather_words(values: &[f32], n: usize, words: &[Range<usize>]) -> Map {
    let side = words.len();
    let mut out = vec![0.0; side * side];
    for (row, queries) in out.chunks_exact_mut(side.max(1)).zip(words) {
        for i in queries.clone() {
            for (cell, keys) in row.iter_mut().zip(words) {
                *cell += values[i * n..][keys.clone()].iter().sum::<f32>();
            }
        }
        row.iter_mut().for_each(|cell| *cell /= queries.len().max(1) as f32);
    }
    Map { side, values: out }
}

fn combine(sum: &mut Map, map: &Map, how: Reduction) {
    for (a, b) in sum.values.iter_mut().zip(&map.values) {
        *a = match how {
            Reduction::Mean => *a + b,
            Reduction::Max => a.max(*b),
        };
    }
}

fn finish(map: &mut Map, count: usize, how: Reduction) {
    if how == Reduction::Mean {
        map.values.iter_mut().for_each(|a| *a /= count as f32);
    }
}

fn pooled(map: &Map, most: Option<usize>) -> Map {
    match most {
        Some(most) if most < map.side => pool_rows(&map.values, map.side, most),
        _ => map.clone(),
    }
}

/// Block maximum of a lower triangle `[n, n]` with the smallest whole block that brings it to at most `most`, NaN where a
/// block lies above the diagonal.
fn pool_rows(values: &[f32], n: usize, most: usize) -> Map {
    let block = n.div_ceil(most.max(1)).max(1);
    let side = n.div_ceil(block);
    let mut out = vec![f32::NAN; side * side];
    let mut peaks = vec![0.0f32; n];
    for (index, row) in out.chunks_exact_mut(side).enumerate() {
        let (first, end) = (index * block, ((index + 1) * block).min(n));
        peaks[..end].fill(0.0);
        for i in first..end {
            let seen = &values[i * n..=i * n + i];
            peaks.iter_mut().zip(seen).for_each(|(peak, a)| *peak = if *a > *peak { *a } else { *peak });
        }
        for (cell, peaks) in row.iter_mut().zip(peaks[..end].chunks(block)) {
            *cell = peaks.iter().copied().fold(0.0, f32::max);
        }
    }
    Map { side, values: out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_keeps_the_largest_of_each_block_and_hides_what_no_query_sees() {
        let n = 5;
        let values: Vec<f32> = (0..n * n).map(|at| if at % n <= at / n { (at + 1) as f32 } else { 0.0 }).collect();
        let map = pool_rows(&values, n, 2);
        assert_eq!((map.side, map.values[0]), (2, 13.0)); // rows 0..3, columns 0..3
        assert!(map.values[1].is_nan());
        assert_eq!(&map.values[2..], &[23.0, 25.0]);
    }

    #[test]
    fn words_keep_the_mass_of_every_row() {
        let n = 4;
        let values = [1.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.25, 0.25, 0.5, 0.0, 0.1, 0.2, 0.3, 0.4];
        let map = gather_words(&values, n, &[0..1, 1..3, 3..4]);
        assert_eq!(map.side, 3);
        for row in map.values.chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
        assert!((map.values[3] - 0.375).abs() < 1e-6);
    }

    #[test]
    fn a_row_left_without_mass_stays_zero() {
        let mut values = [1.0, 0.0, 0.4, 0.6];
        hide_sink(&mut values, 2, Sink::Renorm);
        assert_eq!(values, [0.0, 0.0, 0.0, 1.0]);
    }
}
