//! What analyses know of a model: its sizes, its layers, and one hook. What the model knows of analyses: nothing.

pub mod attend;
mod away;
mod branched;
mod classes;
mod decoder;
mod family;
mod gemma;
mod gpt2;
mod gpt_neo;
pub(crate) mod kernel;
mod labels;
mod llama;
mod memory;
mod neox;
mod nonlinearity;
mod norm;
pub mod ops;
mod packed;
mod relevance;
mod rotary;
mod tap;
pub(crate) mod vector;
mod weighing;

pub use away::Away;
pub use classes::{Classes, Odds};
pub use decoder::Whole;
pub use family::Family;
pub use gemma::GemmaConfig;
pub use gpt_neo::GptNeoConfig;
pub use gpt2::{Gpt2, Gpt2Config};
pub use llama::LlamaConfig;
pub use memory::keep_freed_memory;
pub use neox::NeoXConfig;
pub use nonlinearity::Nonlinearity;
pub use ops::Backend;
pub use relevance::Slopes;
use tap::watches_attention;
pub use tap::{Activation, NoTap, Site, Tap, visit, visit_rows};
pub use weighing::Weighing;

use crate::error::Result;
use candle_core::Tensor;
use std::sync::Arc;

/// The sizes of a model, whatever its family.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Blocks.
    pub layers: usize,
    /// Attention heads in each block, as many as there are patterns.
    pub heads: usize,
    /// Heads of the keys and values. `heads / kv_heads` neighbouring heads share one: grouped attention where that is more than 1.
    pub kv_heads: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of one head, not always `d_model / heads`.
    pub d_head: usize,
    /// Width of the MLP.
    pub d_mlp: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// The longest prompt, in tokens.
    pub context: usize,
    /// The token that begins a text, where the config names one.
    pub bos: Option<u32>,
}

/// What a head reads: one of the two ends of its score, or what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Where it looks from.
    Query,
    /// Where it looks at.
    Key,
    /// What it takes from there.
    Value,
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
    /// The row of the same batch that its first row follows, where it goes on from another prompt's beginning. Only for models
    /// that say so in [`Model::branches`].
    pub after: Option<usize>,
}

/// Keys and values of earlier positions, per layer: each `[positions, kv_heads, d_head]`, as a tap sees them.
#[derive(Clone, Debug)]
pub struct Past {
    /// One tensor a layer.
    pub keys: Vec<Tensor>,
    /// One tensor a layer.
    pub values: Vec<Tensor>,
}

impl Past {
    /// Its first positions only, without a copy.
    ///
    /// # Errors
    /// More positions than there are.
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
            Segment { start: start - len, len, position, past, after: None }
        };
        Self(prompts.into_iter().map(segment).collect())
    }

    /// Prompts with common beginnings, which are computed once: each goes on after a row of an earlier one, or begins by itself, for
    /// so many rows.
    ///
    /// # Panics
    /// A row that is not an earlier prompt's.
    pub fn branching(prompts: impl IntoIterator<Item = (Option<usize>, usize)>) -> Self {
        let (mut all, mut positions) = (Vec::new(), Vec::<usize>::new());
        for (after, len) in prompts {
            let (start, position) = (positions.len(), after.map_or(0, |row| positions[row] + 1));
            positions.extend(position..position + len);
            all.push(Segment { start, len, position, past: None, after });
        }
        Self(all)
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
/// stop anywhere. They take gradients from the logits back to the embeddings and to what a tap adds, so that every operation needs a
/// backward (candle's own fused norms, softmax and rotary embedding have none); and they read f32 on the CPU, patterns contiguous.
///
/// Every method fails where the tensors do: shapes that do not fit, a device without room.
pub trait Model: Send + Sync {
    /// Its sizes.
    fn spec(&self) -> &Spec;
    /// The model that this one stands before, where it is none by itself: what that one says of itself, this one says too.
    fn behind(&self) -> Option<&dyn Model> {
        None
    }
    /// Whether it has a language-model head. Where it has none, [`Self::unembed`] and what needs it say so.
    fn has_logits(&self) -> bool {
        self.behind().is_none_or(Model::has_logits)
    }
    /// Whether its blocks know of prompts that go on after a row of another one (see [`Segments::branching`]).
    fn branches(&self) -> bool {
        self.behind().is_some_and(Model::branches)
    }
    /// Whether its backward pass knows of [`Slopes::Relevance`].
    fn shares_out(&self) -> bool {
        self.behind().is_some_and(Model::shares_out)
    }
    /// Whether its blocks show this activation. Where attention and MLP read the same residual, there is no `ResidMid` between them.
    fn shows(&self, at: Activation) -> bool {
        self.behind().is_none_or(|model| model.shows(at))
    }
    /// Whether what attention adds is the sum of what each head adds. Where it is normed on its way, [`Self::head_out`] has no answer.
    fn adds_by_head(&self) -> bool {
        self.behind().is_none_or(Model::adds_by_head)
    }
    /// The classes that it sorts whole texts into, where that is what its head is for.
    fn classes(&self) -> Option<&Classes> {
        self.behind().and_then(Model::classes)
    }
    /// What was assumed to read its config and its weights, a line each, for people.
    fn remarks(&self) -> &[String] {
        self.behind().map_or(&[], Model::remarks)
    }
    /// Token embeddings only, `[ids, d_model]`: where attribution enters.
    ///
    /// # Errors
    /// An id outside the vocabulary, as a usage error.
    fn embed(&self, ids: &[u32]) -> Result<Tensor>;
    /// `resid_pre` of layer 0, `[rows, d_model]`: the embeddings, plus those of the positions where the model has such.
    ///
    /// # Errors
    /// A position beyond the context, as a usage error. Blocks refuse none: an analysis may give them rows that are no text.
    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor>;
    /// One block: `resid_pre` → `resid_post`, both `[rows, d_model]`. It shows every [`Activation`] to the tap, by way of
    /// [`visit`] and [`visit_rows`], and goes on with the answer.
    ///
    /// # Errors
    /// Those of the tap.
    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor>;
    /// The norm before the unembedding, `[rows, d_model]`.
    ///
    /// # Errors
    /// Rows of another width.
    fn final_norm(&self, resid: &Tensor) -> Result<Tensor>;
    /// With the final norm's statistics fixed at a residual `[d_model]`, `row · normed(x)` as `direction · x + constant`: the
    /// direction `[d_model]` and the constant.
    ///
    /// # Errors
    /// Weights that cannot be read as numbers.
    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)>;
    /// Logits of all ids `[rows, vocab]`, or of the given ones `[rows, ids]`: linear, without a constant, but for [`Self::logit_cap`].
    ///
    /// # Errors
    /// An id that the model does not have, rows of another width; a model without a language-model head, as a usage error.
    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor>;
    /// What logits are kept below, by a tanh.
    fn logit_cap(&self) -> Option<f64> {
        self.behind().and_then(Model::logit_cap)
    }
    /// The same before any cap: linear in any case.
    ///
    /// # Errors
    /// As [`Self::unembed`].
    fn unembed_uncapped(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        self.behind().map_or_else(|| self.unembed(normed, ids), |model| model.unembed_uncapped(normed, ids))
    }
    /// Logits of what it answers with, as [`Self::unembed`]: of its classes where it has such, else of next tokens.
    ///
    /// # Errors
    /// As [`Self::unembed`].
    fn answer(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        self.behind().map_or_else(|| self.unembed(normed, ids), |model| model.answer(normed, ids))
    }
    /// `z_h W_O^h` for each head: z `[rows, heads, d_head]` → `[heads, rows, d_model]`.
    ///
    /// # Errors
    /// A layer that there is not, heads of another width; a model that norms what its heads add together, as a usage error.
    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor>;
    /// What each head adds to the residual stream where all of them together carry z `[rows, heads, d_head]`: `[heads, rows, d_model]`, as
    /// [`Self::head_out`]; where what they add is normed together, with the statistics of that norm fixed at all of it.
    ///
    /// # Errors
    /// As [`Self::head_out`].
    fn head_adds(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        self.behind().map_or_else(|| self.head_out(layer, z), |model| model.head_adds(layer, z))
    }
    /// A head's queries, keys or values as sums, the statistics of the norm before them fixed at residuals `[rows, d_model]` that stand at
    /// positions `first..`: what each of `written` `[parts, rows, d_model]` comes to, `[parts, rows, d_head]`, and what is there
    /// whatever was written, `[rows, d_head]`. Queries are scaled and both turned as scores need them: a query times a key, summed,
    /// is the score. In double precision, with a backward, also of the statistics.
    ///
    /// # Errors
    /// A layer or head that there is not, rows of another width.
    fn head_in(
        &self,
        of: (usize, usize, End),
        first: usize,
        resid: &Tensor,
        written: &Tensor,
    ) -> Result<(Tensor, Tensor)>;
    /// What a layer's attention adds whatever its heads carry, `[d_model]`; none where it adds nothing.
    ///
    /// # Errors
    /// A layer that there is not.
    fn attn_constant(&self, layer: usize) -> Result<Option<Tensor>>;

    /// What each head would add of each token at full weight: v `[rows, kv_heads, d_head]` → `[heads, rows, d_model]`.
    ///
    /// # Errors
    /// As [`Self::head_out`].
    fn value_out(&self, layer: usize, v: &Tensor) -> Result<Tensor> {
        self.head_out(layer, &attend::shared(v, self.spec().heads)?)
    }

    /// All blocks: `resid_pre` of layer 0 → the last `resid_post`.
    ///
    /// # Errors
    /// Those of [`Self::block`].
    fn blocks(&self, resid: Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        (0..self.spec().layers).try_fold(resid, |resid, layer| self.block(layer, &resid, segments, tap))
    }
}
