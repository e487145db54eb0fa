//! A decoder-only transformer put together from parts: what all families but GPT-2 have in common. A family's own file says which
//! parts its blocks have, and what its tensors are called.

mod attention;
mod fields;
mod tensors;

pub(super) use attention::{Attention, Projection, QkNorm};
pub(super) use fields::Fields;
use tensors::Head;
pub(super) use tensors::{Layout, Tensors};

use super::labels::SCORE;
use super::norm::Norm;
use super::ops::{Linear, Weight, add, multiply};
use super::{Activation as At, Classes, End, Model, Nonlinearity, Segments, Spec, Tap, visit_rows};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};

/// The MLP of a block.
pub(super) struct Mlp {
    /// What the pointwise function is applied to, where another matrix makes what it gates.
    pub gate: Option<Linear>,
    /// From the residual stream.
    pub up: Linear,
    /// Back to it.
    pub down: Linear,
    /// The pointwise function.
    pub nonlinearity: Nonlinearity,
}

impl Mlp {
    /// `[rows, d]` → `[rows, d]`.
    fn forward(&self, x: &Tensor, fused: bool) -> Result<Tensor> {
        let up = self.up.forward(x)?; // [rows, d_mlp]
        let hidden = match &self.gate {
            Some(gate) => multiply(&self.nonlinearity.forward(&gate.forward(x)?, fused)?, &up, fused)?,
            None => self.nonlinearity.forward(&up, fused)?,
        };
        Ok(self.down.forward(&hidden)?)
    }
}

/// One block: where a norm is none, there is none at that place.
pub(super) struct Block {
    pub before_attention: Option<Norm>,
    pub attention: Attention,
    pub after_attention: Option<Norm>,
    pub before_mlp: Option<Norm>,
    pub mlp: Mlp,
    pub after_mlp: Option<Norm>,
    /// Attention and MLP read the same residual, so that there is none between them.
    pub parallel: bool,
}

/// The model.
pub(super) struct Decoder {
    pub spec: Spec,
    pub fused: bool,
    /// Token embeddings, `[vocab, d]`.
    pub embedding: Weight,
    /// What they are multiplied by.
    pub embedding_scale: Option<f64>,
    /// Embeddings of positions, `[context, d]`.
    pub positions: Option<Weight>,
    pub blocks: Vec<Block>,
    pub norm: Norm,
    /// None where the architecture has no language-model head.
    pub head: Option<Linear>,
    /// A sequence classifier's head, and its classes.
    pub score: Option<(Linear, Classes)>,
    /// What logits are kept below.
    pub logit_cap: Option<f64>,
    pub architecture: Option<String>,
    pub remarks: Vec<String>,
}

/// What a config says of the model as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    /// Its sizes.
    pub spec: Spec,
    /// What was assumed, a line each, for people.
    pub remarks: Vec<String>,
    tied: bool,
    architecture: Option<String>,
    /// Of a sequence classifier, its classes.
    classes: Option<Classes>,
}

impl Decoder {
    /// All parts together, once each block is read: no positions, no scale and no cap, which few have.
    ///
    /// # Errors
    /// A head that must be there and is not, tensors that nobody asked for.
    pub fn of(
        held: &Tensors,
        whole: &Whole,
        embedding: Weight,
        head: &str,
        norm: Norm,
        block: impl Fn(usize) -> Result<Block>,
    ) -> Result<Self> {
        let Whole { spec, remarks, tied, architecture, classes } = whole;
        let blocks = (0..spec.layers).map(block).collect::<Result<_>>()?;
        let shape = [spec.vocab, spec.d_model];
        let of = Head { architecture: architecture.as_deref(), tied: *tied, shape };
        let head = held.head(head, &embedding, of)?;
        let score = match classes.as_ref().filter(|_| held.has(SCORE)) {
            Some(classes) => {
                let weight = held.weight(SCORE, &[classes.labels.len(), spec.d_model])?;
                Some((Linear { weight, bias: None, transposed: true }, classes.clone()))
            }
            None => None,
        };
        let remarks = [&remarks[..], &held.finish(spec.layers)?].concat();
        Ok(Self {
            spec: spec.clone(),
            fused: held.is_fused(),
            embedding,
            embedding_scale: None,
            positions: None,
            blocks,
            norm,
            head,
            score,
            logit_cap: None,
            architecture: architecture.clone(),
            remarks,
        })
    }

    fn head(&self) -> Result<&Linear> {
        let architecture = self.architecture.as_deref().unwrap_or("this model");
        self.head.as_ref().ok_or_else(|| {
            Error::usage(format!("{architecture} has no language-model head, and so no next tokens"))
                .hint(
                    "its attention, heads and mix can be looked at, and with a score.weight a sequence classifier's saliency; what \
                     explains a next token needs a ForCausalLM",
                )
        })
    }
}

fn normed(norm: Option<&Norm>, x: &Tensor) -> Result<Tensor> {
    Ok(norm.map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))?)
}

impl Model for Decoder {
    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn has_logits(&self) -> bool {
        self.head.is_some()
    }

    fn branches(&self) -> bool {
        self.fused
    }

    fn classes(&self) -> Option<&Classes> {
        self.score.as_ref().map(|(_, classes)| classes)
    }

    fn shows(&self, at: At) -> bool {
        at != At::ResidMid || !self.blocks.iter().any(|block| block.parallel)
    }

    fn adds_by_head(&self) -> bool {
        self.blocks.iter().all(|block| block.after_attention.is_none())
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let vocab = self.spec.vocab;
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
            return Err(Error::usage(format!("token id {id} is outside the model's vocabulary of {vocab}"))
                .hint("this tokenizer and this model do not belong together, or the id was mistyped"));
        }
        let rows = self.embedding.gather(ids)?.tensor()?;
        Ok(match self.embedding_scale {
            Some(scale) => (rows * scale)?,
            None => rows,
        })
    }

    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor> {
        let context = self.spec.context;
        if let Some(beyond) = segments.iter().find(|s| s.position + s.len > context) {
            let beyond = context.max(beyond.position);
            return Err(Error::usage(format!("position {beyond} is beyond the model's context of {context}"))
                .hint("shorten the prompt"));
        }
        let Some(weight) = &self.positions else { return Ok(embeddings.clone()) };
        let positions: Vec<u32> =
            segments.iter().flat_map(|s| s.position as u32..(s.position + s.len) as u32).collect();
        Ok((embeddings + weight.gather(&positions)?.tensor()?.to_dtype(embeddings.dtype())?)?)
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let (block, fused) = (&self.blocks[layer], self.fused);
        let resid = visit_rows(tap, At::ResidPre, layer, segments, resid.clone())?; // [rows, d]
        let read = normed(block.before_attention.as_ref(), &resid)?;
        let z = block.attention.forward(&read, layer, segments, tap, fused)?; // [rows, heads · d_head]
        let attn_out = normed(block.after_attention.as_ref(), &block.attention.out.forward(&z)?)?;
        let attn_out = visit_rows(tap, At::AttnOut, layer, segments, attn_out)?;
        let mut mid = add(&resid, &attn_out, fused)?;
        if !block.parallel {
            mid = visit_rows(tap, At::ResidMid, layer, segments, mid)?;
        }
        let read = normed(block.before_mlp.as_ref(), if block.parallel { &resid } else { &mid })?;
        let mlp_out = normed(block.after_mlp.as_ref(), &block.mlp.forward(&read, fused)?)?;
        let mlp_out = visit_rows(tap, At::MlpOut, layer, segments, mlp_out)?; // [rows, d]
        visit_rows(tap, At::ResidPost, layer, segments, add(&mid, &mlp_out, fused)?)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        Ok(self.norm.forward(resid)?)
    }

    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        Ok(self.norm.pull_back(resid, row)?)
    }

    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        let logits = self.unembed_uncapped(normed, ids)?;
        Ok(match self.logit_cap {
            Some(cap) => ((logits / cap)?.tanh()? * cap)?,
            None => logits,
        })
    }

    fn logit_cap(&self) -> Option<f64> {
        self.logit_cap
    }

    fn answer(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        match &self.score {
            Some((score, _)) => Ok(score.of_outputs(normed, ids)?), // no cap is on them
            None => self.unembed(normed, ids),
        }
    }

    fn unembed_uncapped(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        Ok(self.head()?.of_outputs(normed, ids)?)
    }

    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        let block = &self.blocks[layer];
        if block.after_attention.is_some() {
            return Err(Error::usage(
                "this model norms what its heads add together, so that none of them adds anything by itself",
            )
            .hint("what needs the part of one head is not defined here; attention, saliency, lens and patch are"));
        }
        block.attention.head_out(z)
    }

    fn head_adds(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        let Block { attention, after_attention, .. } = &self.blocks[layer];
        let parts = attention.head_out(z)?; // [heads, rows, d]
        match after_attention {
            None => Ok(parts),
            Some(norm) => {
                Ok(norm.of_parts(&attention.out.forward(&z.flatten_from(1)?)?, &parts)?.to_dtype(z.dtype())?)
            }
        }
    }

    fn head_in(
        &self,
        (layer, head, end): (usize, usize, End),
        first: usize,
        resid: &Tensor,
        written: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let block = &self.blocks[layer];
        block.attention.head_in((head, end), first, block.before_attention.as_ref(), resid, written)
    }

    fn attn_constant(&self, layer: usize) -> Result<Option<Tensor>> {
        let Block { attention, after_attention, .. } = &self.blocks[layer];
        let bias = attention.out.bias.as_ref();
        match (after_attention, bias) {
            (None, bias) => Ok(bias.map(Weight::tensor).transpose()?),
            (Some(norm), None) => Ok(norm.bias()?.map(|bias| bias.to_dtype(DType::F32)).transpose()?),
            (Some(_), Some(_)) => {
                Err(Error::usage("this model's attention adds a bias before it is normed: it is no constant")
                    .hint("what needs the parts of what attention adds is not defined here"))
            }
        }
    }
}
