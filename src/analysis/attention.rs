//! Attention patterns of a prompt, from a model as it runs or from a file: selected, with the sink hidden, gathered to words,
//! reduced over heads and layers, and pooled to a picture's pixels. Each layer is taken as it is computed, so that a picture
//! never needs the patterns of all layers in memory.

mod extra;
mod gathering;
mod layers;
mod map;
pub mod received;

pub use extra::Extra;
pub use layers::Layers;
pub(super) use map::hide_sink;
pub use map::{Extent, Map};

use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::named::Named;
use crate::trace::{Recorder, Trace, forward};
use candle_core::Tensor;
use gathering::Gathering;
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
    /// Layers and heads in the order wanted, where that is not each of these heads of each of these layers; else empty.
    pub picked: Vec<(usize, usize)>,
    /// The sink policy, applied to tokens before anything else.
    pub sink: Sink,
    /// The tokens of each word: keys of one word are summed, queries of one word averaged.
    pub words: Option<Vec<Range<usize>>>,
    /// The queries of each word, where they are not the last of the keys.
    pub query_words: Option<Vec<Range<usize>>>,
    /// Makes one map of each layer's heads.
    pub heads_to: Option<Reduction>,
    /// Makes one map of all layers.
    pub layers_to: Option<Reduction>,
    /// Activations to record besides, of every layer.
    pub keep: Vec<Activation>,
    /// Activations that are computed for themselves and not kept: what comes of them may differ in its last bits from what is computed at
    /// one go.
    pub see: Vec<Activation>,
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
    /// The layer and head of each map, where these are not all heads of those layers; else empty.
    pub picked: Vec<(usize, usize)>,
    /// How the layers were reduced.
    pub layers_to: Option<Reduction>,
    /// How the heads were reduced.
    pub heads_to: Option<Reduction>,
    /// The tokens of each pattern, before they were gathered or pooled.
    pub extent: Extent,
    /// `[layer, head]` of `[query, key]`.
    pub maps: Vec<Map>,
    /// What each token receives, `[key]`.
    pub received: Vec<Received>,
    /// The share of all attention that lies on the first token, a mean over the queries that see others too, the heads and the
    /// layers.
    pub sink_share: f32,
    /// In how many rows of patterns the sink policy left nothing, though their queries see other tokens, too.
    pub empty_rows: usize,
    /// In how many rows, of these queries, it left less than a twentieth, the empty ones among them.
    pub faint_rows: usize,
    /// How many rows of recorded patterns are NaN throughout: they stand for nothing.
    pub absent_rows: usize,
    /// The least and the most that another row of a pattern sums to.
    pub row_sums: (f32, f32),
}

/// The attention that a token, or several together, receive, summed over queries, heads and layers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Received {
    /// What it is, over the queries that see more than the first token.
    pub sum: f64,
    /// What it would be if each of these queries spread what it does not give to the first token evenly over the others that it sees.
    pub even: f64,
    /// Its part of all attention of all queries: those of all tokens sum to 1.
    pub share: f64,
}

impl Received {
    /// How many times an even spread it is: 1 is no more than that, wherever the token stands.
    pub fn lift(&self) -> f64 {
        if self.even > 0.0 { self.sum / self.even } else { 0.0 }
    }
}

impl std::iter::Sum for Received {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self { sum: a.sum + b.sum, even: a.even + b.even, share: a.share + b.share })
    }
}

/// Rows whose sums are further than this from 1 are no shares; bf16 alone takes them half as far.
const LOOSE: f32 = 0.01;

impl Attention {
    /// Whether the weights are shares: every row that is there sums to 1, as nearly as half precision can.
    pub fn has_shares(&self) -> bool {
        let (least, most) = self.row_sums;
        // No row at all has no sum.
        least >= 1.0 - LOOSE && most <= 1.0 + LOOSE || least > most
    }

    /// The layer and head of each map, by name.
    pub fn places(&self) -> Vec<(String, String)> {
        if !self.picked.is_empty() {
            return self.picked.iter().map(|(layer, head)| (layer.to_string(), head.to_string())).collect();
        }
        let (layers, heads) = (self.layer_names(), self.head_names());
        layers.iter().flat_map(|layer| heads.iter().map(move |head| (layer.clone(), head.clone()))).collect()
    }

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
    let seen = first.see.iter().fold(keep, |recorder, at| recorder.reduce(*at, &first.layers, |_, _| Ok(None)));
    let mut recorder = seen.reduce(Activation::Pattern, &first.layers, |site, pattern| {
        values_of(pattern, |values| {
            let slot = &mut gatherings[site.segment];
            if let Ok(gathering) = slot
                && let Err(error) = gathering.layer(site.layer, values, &requests[site.segment].heads, 1e-4)
            {
                *slot = Err(error);
            }
            Ok(None)
        })
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

/// Reads a tensor's numbers where they lie.
fn values_of<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    let (candle_core::Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        return Err(Error::failed("activations must be contiguous and on the CPU"));
    };
    read(&storage.as_slice::<f32>()?[start..end])
}

/// Patterns that any program recorded.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// `[layer, head, query, key]`, finite but for rows of NaN, which are absent.
    pub values: &'a [f32],
    /// The number of each layer that is there.
    pub layers: &'a [usize],
    /// The number of each head that is there.
    pub heads: &'a [usize],
    /// The layer and head of each map, where these are not all heads of those layers: `values` are `[map, query, key]` then; else empty.
    pub picked: &'a [(usize, usize)],
    /// Queries and keys.
    pub extent: Extent,
}

/// Gathers recorded patterns as [`attention`] does those of a model. Their rows may sum to anything: [`Attention::row_sums`].
///
/// # Errors
/// A negative number, or a layer or head that is not there.
pub fn recorded(patterns: &Recorded, request: &Request) -> Result<Attention> {
    if !patterns.picked.is_empty() {
        return of_single_heads(patterns, request);
    }
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
        check_weights(*layer, values)?;
        gathering.layer(*layer, values, &heads, f32::INFINITY)?;
    }
    Ok(gathering.finish())
}

/// The same of single heads, in the order in which a model comes to their layers.
fn of_single_heads(patterns: &Recorded, request: &Request) -> Result<Attention> {
    let place = |layer, head| patterns.picked.iter().position(|one| *one == (layer, head));
    let size = patterns.extent.queries * patterns.extent.keys;
    let mut gathering = Gathering::new(request, patterns.extent);
    let mut layers = request.layers.clone();
    layers.sort_unstable();
    layers.dedup();
    for layer in layers {
        let is_wanted = |head| request.picked.is_empty() || request.picked.contains(&(layer, head));
        let mut heads = Vec::with_capacity(request.heads.len());
        for head in &request.heads {
            let at = match place(layer, *head) {
                Some(at) => at,
                None if is_wanted(*head) => {
                    let there: Vec<String> =
                        patterns.picked.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
                    return Err(Error::usage(format!("head {layer}.{head} was not recorded"))
                        .hint(format!("heads that were: {}", there.join(", "))));
                }
                None => 0, // nothing looks at it
            };
            if is_wanted(*head) {
                check_weights(layer, &patterns.values[at * size..][..size])?;
            }
            heads.push(at);
        }
        gathering.layer(layer, patterns.values, &heads, f32::INFINITY)?;
    }
    Ok(gathering.finish())
}

fn check_weights(layer: usize, values: &[f32]) -> Result<()> {
    match values.iter().find(|weight| **weight < 0.0) {
        None => Ok(()),
        Some(weight) => Err(Error::failed(format!("layer {layer} has a weight of {weight}"))
            .hint("attention weights are not negative: save them after the softmax")),
    }
}
