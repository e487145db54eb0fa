//! What analyses know of a model: its sizes, its layers, and one hook. What the model knows of analyses: nothing.

mod activation;
pub mod attend;
mod gpt2;
mod kernel;
mod memory;
pub mod ops;
mod packed;
mod vector;

pub use activation::Activation;
pub use gpt2::{Backend, Gpt2};
pub use memory::keep_freed_memory;

use crate::error::Result;
use crate::trace::Tap;
use candle_core::Tensor;
use std::sync::Arc;

/// The sizes of a model and the switches of its config.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Blocks.
    pub layers: usize,
    /// Attention heads in each block.
    pub heads: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of one head.
    pub d_head: usize,
    /// Width of the MLP.
    pub d_mlp: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// The longest prompt, in tokens.
    pub context: usize,
    /// The MLP's pointwise function.
    pub activation: Activation,
    /// Added to the variance in every LayerNorm.
    pub eps: f64,
    /// Scores are divided by `√d_head`.
    pub scale_by_width: bool,
    /// Scores are divided by `layer + 1`.
    pub scale_by_layer: bool,
    /// The unembedding is the embedding.
    pub tied: bool,
    /// The token that begins a text, where the config names one.
    pub bos: Option<u32>,
}

impl Spec {
    /// What the scores of a layer are multiplied by.
    pub fn score_scale(&self, layer: usize) -> f64 {
        let width = if self.scale_by_width { (self.d_head as f64).sqrt() } else { 1.0 };
        let depth = if self.scale_by_layer { (layer + 1) as f64 } else { 1.0 };
        1.0 / (width * depth)
    }
}

/// One prompt among the packed rows of a batch.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its first row.
    pub start: usize,
    /// How many rows it has.
    pub len: usize,
    /// The position of its first row.
    pub position: usize,
    /// What came before and is not computed again.
    pub past: Option<Arc<Past>>,
}

/// Keys and values of earlier positions, per layer: each `[positions, heads, d_head]`.
#[derive(Clone, Debug)]
pub struct Past {
    /// One tensor a layer.
    pub keys: Vec<Tensor>,
    /// One tensor a layer.
    pub values: Vec<Tensor>,
}

impl Past {
    /// Its first positions only, without a copy.
    pub fn first(&self, positions: usize) -> Result<Self> {
        let cut = |all: &[Tensor]| all.iter().map(|x| Ok(x.narrow(0, 0, positions)?)).collect::<Result<_>>();
        Ok(Self { keys: cut(&self.keys)?, values: cut(&self.values)? })
    }
}

/// How the rows `[rows, d]` of a batch divide into prompts: packed one after another, never padded.
#[derive(Clone, Debug, Default)]
pub struct Segments(Vec<Segment>);

impl Segments {
    /// Prompts of these lengths, each from position 0.
    pub fn packed(lengths: &[usize]) -> Self {
        Self::each_continued(lengths.iter().map(|len| (None, *len)))
    }

    /// One prompt that continues `past`.
    pub fn continued(past: Arc<Past>, len: usize) -> Self {
        Self::each_continued([(Some(past), len)])
    }

    /// Prompts that each continue a past of their own, or none, by so many rows.
    pub fn each_continued(prompts: impl IntoIterator<Item = (Option<Arc<Past>>, usize)>) -> Self {
        let mut start = 0;
        let segment = |(past, len): (Option<Arc<Past>>, usize)| {
            start += len;
            let position = past.as_ref().and_then(|past| past.keys.first()).map_or(0, |k| k.dims()[0]);
            Segment { start: start - len, len, position, past }
        };
        Self(prompts.into_iter().map(segment).collect())
    }

    /// All rows together.
    pub fn rows(&self) -> usize {
        self.0.iter().map(|s| s.len).sum()
    }
}

impl std::ops::Deref for Segments {
    type Target = [Segment];
    fn deref(&self) -> &[Segment] {
        &self.0
    }
}

/// A decoder-only transformer, open between its blocks.
///
/// Activations are `[rows, d_model]`; a batch is packed (see [`Segments`]), and a prompt's numbers do not depend on its
/// neighbours, bit for bit. A forward is `embed`, `start`, every `block`, `final_norm`, `unembed`; analyses may begin or
/// stop anywhere.
pub trait Model: Send + Sync {
    /// Sizes and switches.
    fn spec(&self) -> &Spec;
    /// Token embeddings only, `[ids, d_model]`: where attribution enters.
    fn embed(&self, ids: &[u32]) -> Result<Tensor>;
    /// Embeddings plus positions: `resid_pre` of layer 0, `[rows, d_model]`.
    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor>;
    /// One block: `resid_pre` → `resid_post`, both `[rows, d_model]`.
    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor>;
    /// The LayerNorm before the unembedding, `[rows, d_model]`.
    fn final_norm(&self, resid: &Tensor) -> Result<Tensor>;
    /// Logits of all ids `[rows, vocab]`, or of the given ones `[rows, ids]`.
    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor>;
    /// `z_h W_O^h` for each head: z `[rows, heads, d_head]` → `[heads, rows, d_model]`.
    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor>;
    /// `b_O` of a layer, `[d_model]`.
    fn attn_bias(&self, layer: usize) -> Result<Tensor>;
    /// Weight and bias of the final LayerNorm, `[d_model]` each.
    fn final_norm_params(&self) -> Result<(Tensor, Tensor)>;

    /// All blocks: `resid_pre` of layer 0 → the last `resid_post`.
    fn blocks(&self, resid: Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        (0..self.spec().layers).try_fold(resid, |resid, layer| self.block(layer, &resid, segments, tap))
    }
}
