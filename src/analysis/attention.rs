//! Attention patterns of a prompt, from a model as it runs or from a file: selected, with the sink hidden, gathered to words,
//! reduced over heads and layers, and pooled to a picture's pixels. Each layer is taken as it is computed, so that a picture
//! never needs the patterns of all layers in memory.

mod extra;
mod map;
pub mod received;

pub use extra::{Extra, extras};
pub(super) use map::hide_sink;
pub use map::{Extent, Map};

use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::named::Named;
use crate::trace::{Recorder, Trace, forward};
use candle_core::Tensor;
use map::{gather_words, pool_rows};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What to do about the attention on the first token, where GPT-2 puts most of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    /// The pattern as it is.
    #[default]
    Keep,
    /// The first key's column becomes 0.
    Mask,
    /// The first key's column becomes 0 and each row is rescaled to sum to 1; a row left with less than a thousandth of its mass
    /// becomes 0.
    Renorm,
}

/// How several maps become one, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduction {
    /// Their mean: rows still sum to 1.
    Mean,
    /// Their maximum.
    Max,
}

impl Named for Sink {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Keep, "keep", "Show it"),
        (Self::Mask, "mask", "Hide its column"),
        (Self::Renorm, "renorm", "Hide its column and rescale each row to 1"),
    ];
}

impl Named for Reduction {
    const ALL: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Mean, "mean", "Their mean"), (Self::Max, "max", "Their maximum")];
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
    /// The tokens of each pattern, before they were gathered or pooled.
    pub extent: Extent,
    /// `[layer, head]` of `[query, key]`.
    pub maps: Vec<Map>,
    /// For each token: the attention it receives, a mean over the queries that can see it, the heads and the layers; for the first
    /// token, which the first query must look at, that is `sink_share`.
    pub received: Vec<f32>,
    /// The share of all attention that lies on the first token, a mean over the queries that see others too, the heads and the
    /// layers.
    pub sink_share: f32,
    /// In how many rows of patterns the sink policy left nothing, though their queries see other tokens, too.
    pub empty_rows: usize,
    /// The least and the most that a row of a pattern sums to.
    pub row_sums: (f32, f32),
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
        Some(how) => vec![how.name().into()],
    }
}

/// The end of a forward pass: its last residual stream and the activations that were kept.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The last `resid_post`, `[len, d_model]`.
    pub resid: Tensor,
    /// What [`Request::keep`] asked for.
    pub trace: Trace,
}

/// Runs the model over one prompt and gathers its patterns.
///
/// # Errors
/// If a row of a pattern is not finite or does not sum to 1 within 1e-4: then the checkpoint is broken.
pub fn attention(model: &dyn Model, ids: &[u32], request: &Request) -> Result<(Attention, Pass)> {
    packed(model, &[ids], std::slice::from_ref(request))?.remove(0)
}

/// Runs the model once over several prompts, packed, and gathers the patterns of each as [`attention`] does, bit for bit. All requests ask
/// for the same layers and activations.
///
/// # Errors
/// If the model fails. That the patterns of one prompt are broken is an error of that prompt.
pub fn packed(model: &dyn Model, prompts: &[&[u32]], requests: &[Request]) -> Result<Vec<Result<(Attention, Pass)>>> {
    let Some(first) = requests.first() else { return Ok(Vec::new()) };
    let start = |(ids, request)| Ok(Gathering::new(request, Extent::causal(<[u32]>::len(ids))));
    let mut gatherings: Vec<Result<Gathering>> = prompts.iter().copied().zip(requests).map(start).collect();
    let keep = first.keep.iter().fold(Recorder::new(), |recorder, at| recorder.keep(*at));
    let mut recorder = keep.reduce(Activation::Pattern, &first.layers, |site, pattern| {
        let (storage, layout) = pattern.storage_and_layout();
        let (candle_core::Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
            return Err(Error::failed("a pattern must be contiguous and on the CPU"));
        };
        let (values, slot) = (&storage.as_slice::<f32>()?[start..end], &mut gatherings[site.segment]);
        if let Ok(gathering) = slot
            && let Err(error) = gathering.layer(site.layer, values, &requests[site.segment].heads, 1e-4)
        {
            *slot = Err(error);
        }
        Ok(None)
    });
    let resid = forward(model, prompts, &mut recorder)?;
    let mut traces = recorder.trace().into_segments(prompts.len());
    let mut row = 0;
    let finish = |((segment, gathering), ids): ((usize, Result<Gathering>), &&[u32])| {
        let resid = resid.narrow(0, row, ids.len());
        row += ids.len();
        Ok((gathering?.finish(), Pass { resid: resid?, trace: std::mem::take(&mut traces[segment]) }))
    };
    Ok(gatherings.into_iter().enumerate().zip(prompts).map(finish).collect())
}

/// Patterns that any program recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// `[layer, head, query, key]`, finite.
    pub values: &'a [f32],
    /// The number of each layer that is there.
    pub layers: &'a [usize],
    /// The number of each head that is there.
    pub heads: &'a [usize],
    /// Queries and keys.
    pub extent: Extent,
}

/// Gathers recorded patterns as [`attention`] does those of a model. Their rows may sum to anything: [`Attention::row_sums`].
///
/// # Errors
/// A negative number, or a layer or head that is not there.
pub fn recorded(patterns: &Recorded, request: &Request) -> Result<Attention> {
    let find = |all: &[usize], what: &str, wanted: usize| {
        all.iter().position(|number| *number == wanted).ok_or_else(|| {
            let there: Vec<String> = all.iter().map(usize::to_string).collect();
            Error::usage(format!("{what} {wanted} was not recorded"))
                .hint(format!("{what}s that were: {}", there.join(", ")))
        })
    };
    let heads = request.heads.iter().map(|head| find(patterns.heads, "head", *head)).collect::<Result<Vec<_>>>()?;
    let size = patterns.heads.len() * patterns.extent.queries * patterns.extent.keys;
    let mut gathering = Gathering::new(request, patterns.extent);
    request.layers.iter().try_for_each(|layer| find(patterns.layers, "layer", *layer).map(drop))?;
    let wanted = patterns.layers.iter().enumerate().filter(|(_, layer)| request.layers.contains(layer));
    for (place, layer) in wanted {
        let values = &patterns.values[place * size..][..size];
        if let Some(weight) = values.iter().find(|weight| **weight < 0.0) {
            return Err(Error::failed(format!("layer {layer} has a weight of {weight}"))
                .hint("attention weights are not negative: save them after the softmax"));
        }
        gathering.layer(*layer, values, &heads, f32::INFINITY)?;
    }
    Ok(gathering.finish())
}

/// Maps and sums that grow layer by layer.
struct Gathering<'a> {
    request: &'a Request,
    extent: Extent,
    rows: Vec<Vec<Map>>,
    /// Attention on each key, summed over queries, heads and layers.
    columns: Vec<f64>,
    /// Attention on the first key, summed over the queries that see others, too.
    sink: f64,
    empty_rows: usize,
    row_sums: (f32, f32),
    deepest: usize,
}

impl<'a> Gathering<'a> {
    fn new(request: &'a Request, extent: Extent) -> Self {
        let (rows, columns) = (vec![Vec::new(); request.layers.len()], vec![0.0; extent.keys]);
        let row_sums = (f32::INFINITY, f32::NEG_INFINITY);
        Self { request, extent, rows, columns, sink: 0.0, empty_rows: 0, row_sums, deepest: 0 }
    }

    /// Adds the heads at these indices of one layer, `[head, query, key]`. Rows must sum to 1 within the tolerance.
    fn layer(&mut self, layer: usize, values: &[f32], heads: &[usize], tolerance: f32) -> Result<()> {
        let Self { request, extent, .. } = *self;
        self.deepest += 1;
        // A map that is reduced further must keep its resolution.
        let pool = request.pool.filter(|_| request.heads_to.is_none() && request.layers_to.is_none());
        let size = extent.queries * extent.keys;
        let heads: Vec<Head> =
            heads.par_iter().map(|at| Head::gather(&values[at * size..][..size], extent, request, pool)).collect();
        let mut maps = Vec::with_capacity(heads.len());
        for (head, number) in heads.into_iter().zip(&request.heads) {
            for sum in [head.row_sums.0, head.row_sums.1] {
                if sum.is_nan() || (sum - 1.0).abs() > tolerance {
                    return Err(Error::failed(format!(
                        "attention of layer {layer}, head {number} does not sum to 1 (it is {sum})"
                    )));
                }
            }
            self.row_sums = (self.row_sums.0.min(head.row_sums.0), self.row_sums.1.max(head.row_sums.1));
            self.sink += f64::from(head.sink);
            self.empty_rows += head.empty_rows;
            self.columns.iter_mut().zip(&head.columns).for_each(|(sum, column)| *sum += f64::from(*column));
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

    fn finish(self) -> Attention {
        let Self { request, extent, .. } = self;
        let mut maps: Vec<Map> = self.rows.into_iter().flatten().collect();
        if let Some(how) = request.layers_to {
            maps.iter_mut().for_each(|map| map.finish(self.deepest, how));
            maps = maps.into_iter().map(|map| map.pooled(extent.causal, request.pool)).collect();
        }
        let patterns = (self.deepest * request.heads.len()).max(1) as f64;
        let mean = |(key, sum): (usize, &f64)| (sum / extent.seers(key) as f64 / patterns) as f32;
        let queries = (0..extent.queries).filter(|query| extent.seen(*query) > 1).count();
        let sink_share = if queries > 0 { (self.sink / patterns / queries as f64) as f32 } else { 0.0 };
        let mut received: Vec<f32> = self.columns.iter().enumerate().map(mean).collect();
        received.iter_mut().take(1).for_each(|first| *first = sink_share);
        Attention {
            layers: request.layers.clone(),
            heads: request.heads.clone(),
            layers_to: request.layers_to,
            heads_to: request.heads_to,
            extent,
            maps,
            received,
            sink_share,
            empty_rows: self.empty_rows,
            row_sums: self.row_sums,
        }
    }
}

/// One head's pattern, read once.
struct Head {
    map: Map,
    /// Attention on each key, summed over all queries, before the sink policy.
    columns: Vec<f32>,
    /// Attention on the first key, summed over the queries that see others, too.
    sink: f32,
    /// Rows in which the sink policy left nothing.
    empty_rows: usize,
    /// The least and the most that a row sums to; NaN if one does.
    row_sums: (f32, f32),
}

impl Head {
    fn gather(pattern: &[f32], extent: Extent, request: &Request, pool: Option<usize>) -> Self {
        let Extent { queries, keys, .. } = extent;
        let (mut columns, mut sink) = (vec![0.0f32; keys], 0.0);
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        for (i, row) in pattern.chunks_exact(keys).enumerate() {
            let seen = &row[..extent.seen(i)];
            let sum = lane_sum(seen);
            // A comparison alone would drop NaN.
            least = if sum < least || sum.is_nan() { sum } else { least };
            most = if sum > most || sum.is_nan() { sum } else { most };
            if seen.len() > 1 {
                sink += seen[0];
            }
            columns.iter_mut().zip(seen).for_each(|(c, a)| *c += a);
        }
        let (plain, mut empty_rows) = (request.sink == Sink::Keep && request.words.is_none(), 0);
        let map = match pool {
            Some(most) if plain && most < keys => pool_rows(pattern, extent, most),
            _ => {
                let mut values = pattern.to_vec();
                empty_rows = hide_sink(&mut values, extent, request.sink);
                let map = match &request.words {
                    Some(words) => gather_words(&values, extent, words),
                    None => Map { rows: queries, cols: keys, values },
                };
                map.pooled(extent.causal, pool)
            }
        };
        Self { map, columns, sink, empty_rows, row_sums: (least, most) }
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
