//! GPT-2, whole: a config, weights under the checkpoint's own names, and a forward that a tap can watch and change.

mod config;
mod fields;
mod layouts;
mod names;

pub use config::Gpt2Config;
pub(super) use fields::{Meaning, meaning};
pub(super) use names::{WRAPPERS, within};

use super::attend::{causal_softmax, mix, pattern, scores};
use super::labels::SCORE;
use super::ops::{Backend, LayerNorm, Linear, Weight, add, double};
use super::weighing::Weighing;
use super::{
    Activation as At, Classes, End, Model, Segment, Segments, Site, Slopes, Spec, Tap, packed, visit, visit_rows,
    watches_attention,
};
use crate::error::{Error, Result};
use crate::weights::{Param, Weights};
use candle_core::Tensor;
use layouts::{has_language_head, no_head};
use names::Held;

const WTE: &str = "wte.weight";
const HEAD: &str = "lm_head.weight";

struct Block {
    ln_1: LayerNorm,
    c_attn: Linear,
    attn_c_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    mlp_c_proj: Linear,
}

/// A GPT-2 checkpoint as a [`Model`].
pub struct Gpt2 {
    config: Gpt2Config,
    fused: bool,
    wte: Weight,
    wpe: Weight,
    h: Vec<Block>,
    ln_f: LayerNorm,
    /// None where the architecture has no language-model head.
    lm_head: Option<Linear>,
    /// A sequence classifier's head.
    score: Option<Linear>,
    remarks: Vec<String>,
}

impl Gpt2 {
    /// Finds every tensor that the config asks for, under whatever prefix and whichever way its matrices lie.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type, or of no GPT-2; a number of layers that is not the config's.
    pub fn load(weights: &Weights, config: Gpt2Config, backend: &Backend) -> Result<Self> {
        let spec = &config.spec;
        let mut held = Held::find(weights, &config)?;
        let [norm_biases, linear_biases] = biases(spec.layers);
        let norms_biased = held.biased("LayerNorm", &norm_biases)?;
        let linears_biased = held.biased("its matrices", &linear_biases)?;
        let weight = |param: Param| -> Result<Weight> { Ok(backend.weight(param)?) };
        let (d, eps) = (spec.d_model, config.eps);
        let norm = |name: &str| -> Result<LayerNorm> {
            let bias = if norms_biased { held.get(&format!("{name}.bias"), &[d])? } else { Param::zeros(&[d]) };
            Ok(LayerNorm { weight: weight(held.get(&format!("{name}.weight"), &[d])?)?, bias: weight(bias)?, eps })
        };
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<Linear> {
            let matrix = weight(held.matrix(&format!("{name}.weight"), inputs, outputs)?)?;
            let bias = || weight(held.get(&format!("{name}.bias"), &[outputs])?);
            Ok(Linear { weight: matrix, bias: linears_biased.then(bias).transpose()?, transposed: false })
        };
        // Either of a tied pair stands for both.
        let only_head = config.tied && !held.has(WTE) && held.has(HEAD);
        let wte = weight(held.get(if only_head { HEAD } else { WTE }, &[spec.vocab, d])?)?;
        let wpe = weight(held.get("wpe.weight", &[spec.context, d])?)?;
        let mut h = Vec::new();
        for layer in 0..spec.layers {
            let at = |name: &str| format!("h.{layer}.{name}");
            h.push(Block {
                ln_1: norm(&at("ln_1"))?,
                c_attn: linear(&at("attn.c_attn"), d, 3 * d)?,
                attn_c_proj: linear(&at("attn.c_proj"), d, d)?,
                ln_2: norm(&at("ln_2"))?,
                c_fc: linear(&at("mlp.c_fc"), d, spec.d_mlp)?,
                mlp_c_proj: linear(&at("mlp.c_proj"), spec.d_mlp, d)?,
            });
        }
        let ln_f = norm("ln_f")?;
        // Like transformers 5: a head that the file holds is used, even where the config ties it to the embedding.
        let own_head = !config.tied || held.has(HEAD);
        let lm_head = if has_language_head(config.architecture.as_deref(), config.tied, held.has(HEAD)) {
            let weight = if own_head { weight(held.get(HEAD, &[spec.vocab, d])?)? } else { wte.clone() };
            Some(Linear { weight, bias: None, transposed: true })
        } else {
            None
        };
        let score = match config.classes.as_ref().filter(|_| held.has(SCORE)) {
            Some(classes) => {
                let weight = weight(held.get(SCORE, &[classes.labels.len(), d])?)?;
                Some(Linear { weight, bias: None, transposed: true })
            }
            None => None,
        };
        let remarks = [config.remarks.clone(), held.remarks].concat();
        Ok(Self { config, fused: matches!(backend, Backend::Fused), wte, wpe, h, ln_f, lm_head, score, remarks })
    }

    fn head(&self) -> Result<&Linear> {
        let architecture = self.config.architecture.as_deref().unwrap_or("this model");
        self.lm_head.as_ref().map_or_else(|| no_head(architecture), Ok)
    }

    /// Causal self-attention of one segment's rows: qkv `[len, 3 d]` → z `[len, d]`.
    fn attend(&self, layer: usize, index: usize, segment: &Segment, qkv: &Tensor, tap: &mut dyn Tap) -> Result<Tensor> {
        let Spec { heads, d_head, d_model, .. } = self.config.spec;
        let qkv = qkv.reshape((segment.len, 3, heads, d_head))?; // [len, 3, heads, d_head]
        let mut part = |which: usize, at: At| -> Result<Tensor> {
            visit(tap, Site { at, layer, segment: index }, qkv.narrow(1, which, 1)?.squeeze(1)?) // [len, heads, d_head]
        };
        let (q, mut k, mut v) = (part(0, At::Q)?, part(1, At::K)?, part(2, At::V)?);
        let slopes = tap.slopes();
        if let Some(past) = &segment.past {
            k = Tensor::cat(&[&past.keys[layer], &k], 0)?; // [keys, heads, d_head]
            v = Tensor::cat(&[&past.values[layer], &v], 0)?;
        }
        let [q, k, v] = [slopes.factor(q)?, slopes.factor(k)?, slopes.factor(v)?];
        let scale = self.config.score_scale(layer);
        let at_scores = Site { at: At::Scores, layer, segment: index };
        let pattern = if tap.wants(at_scores) {
            causal_softmax(&tap.visit(at_scores, scores(&q, &k, scale)?)?, self.fused)?
        } else {
            pattern(&q, &k, scale, self.fused)? // [heads, len, keys]
        };
        let pattern = slopes.factor(visit(tap, Site { at: At::Pattern, layer, segment: index }, pattern)?)?;
        let z = visit(tap, Site { at: At::Z, layer, segment: index }, mix(&pattern, &v, self.fused)?)?; // [len, heads, d_head]
        Ok(z.reshape((segment.len, d_model))?)
    }
}

impl Model for Gpt2 {
    fn spec(&self) -> &Spec {
        &self.config.spec
    }

    fn has_logits(&self) -> bool {
        self.lm_head.is_some()
    }

    fn branches(&self) -> bool {
        self.fused
    }

    fn shares_out(&self) -> bool {
        true
    }

    fn classes(&self) -> Option<&Classes> {
        self.config.classes.as_ref().filter(|_| self.score.is_some())
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        let vocab = self.config.spec.vocab;
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocab) {
            return Err(Error::usage(format!("token id {id} is outside the model's vocabulary of {vocab}"))
                .hint("this tokenizer and this model do not belong together, or the id was mistyped"));
        }
        Ok(self.wte.gather(ids)?.tensor()?)
    }

    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor> {
        let positions: Vec<u32> =
            segments.iter().flat_map(|s| s.position as u32..(s.position + s.len) as u32).collect();
        let context = self.config.spec.context;
        if let Some(beyond) = positions.iter().find(|p| **p as usize >= context) {
            return Err(Error::usage(format!("position {beyond} is beyond the model's context of {context}"))
                .hint("shorten the prompt"));
        }
        Ok((embeddings + self.wpe.gather(&positions)?.tensor()?.to_dtype(embeddings.dtype())?)?)
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let (block, slopes) = (&self.h[layer], tap.slopes());
        let resid = visit_rows(tap, At::ResidPre, layer, segments, resid.clone())?; // [rows, d]
        let qkv = block.c_attn.forward(&slopes.norm(&block.ln_1, &resid)?)?; // [rows, 3 d]
        let (heads, by) = ([self.config.spec.heads; 2], Weighing::plain(self.config.score_scale(layer)));
        let unwatched = self.fused && slopes == Slopes::Exact && !watches_attention(tap, layer, segments);
        let z = if let Some(attention) = packed::together(unwatched, segments)? {
            attention(&qkv, segments, heads, by)? // [rows, d]
        } else {
            let mut z = Vec::with_capacity(segments.len());
            for (index, segment) in segments.iter().enumerate() {
                z.push(self.attend(layer, index, segment, &qkv.narrow(0, segment.start, segment.len)?, tap)?);
            }
            if z.len() == 1 { z.remove(0) } else { Tensor::cat(&z, 0)? } // [rows, d]
        };
        let attn_out = visit_rows(tap, At::AttnOut, layer, segments, block.attn_c_proj.forward(&z)?)?;
        let resid = visit_rows(tap, At::ResidMid, layer, segments, add(&resid, &attn_out, self.fused)?)?;
        let hidden = block.c_fc.forward(&slopes.norm(&block.ln_2, &resid)?)?; // [rows, d_mlp]
        let hidden = slopes.nonlinearity(self.config.nonlinearity, &hidden, self.fused)?;
        let mlp_out = visit_rows(tap, At::MlpOut, layer, segments, block.mlp_c_proj.forward(&hidden)?)?; // [rows, d]
        visit_rows(tap, At::ResidPost, layer, segments, add(&resid, &mlp_out, self.fused)?)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        Ok(self.ln_f.forward(resid)?)
    }

    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        Ok(self.ln_f.pull_back(resid, row)?)
    }

    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        Ok(self.head()?.of_outputs(normed, ids)?)
    }

    fn answer(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        Ok(self.score.as_ref().map_or_else(|| self.head(), Ok)?.of_outputs(normed, ids)?)
    }

    fn head_out(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        let Spec { heads, d_head: d, .. } = self.config.spec;
        let of_head = |head: usize| -> Result<Tensor> {
            let weight = self.h[layer].attn_c_proj.weight.rows(head * d, d)?;
            let z = z.narrow(1, head, 1)?.squeeze(1)?; // [rows, d_head]
            Ok(Linear { weight, bias: None, transposed: false }.forward(&z)?)
        };
        let heads = (0..heads).map(of_head).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::stack(&heads, 0)?) // [heads, rows, d]
    }

    fn head_in(
        &self,
        (layer, head, end): (usize, usize, End),
        _: usize, // positions are in the residual already
        resid: &Tensor,
        written: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let Spec { d_model, d_head, .. } = self.config.spec;
        let Block { ln_1, c_attn, .. } = &self.h[layer];
        let (first, scale) = match end {
            End::Query => (head * d_head, self.config.score_scale(layer)),
            End::Key => (d_model + head * d_head, 1.0),
            End::Value => (2 * d_model + head * d_head, 1.0),
        };
        let columns = |of: &Weight| double(&of.columns(first, d_head)?)? * scale;
        let weight = columns(&c_attn.weight)?; // [d, d_head]
        let mut constant = ln_1.bias.double()?.unsqueeze(0)?.matmul(&weight)?; // [1, d_head]
        if let Some(bias) = &c_attn.bias {
            constant = (constant + columns(bias)?)?;
        }
        let (parts, rows, d) = written.dims3()?;
        let read = ln_1.of_parts(resid, written)?.reshape((parts * rows, d))?.matmul(&weight)?;
        let constant = constant.expand((rows, d_head))?.contiguous()?;
        Ok((read.reshape((parts, rows, d_head))?, constant))
    }

    fn attn_constant(&self, layer: usize) -> Result<Option<Tensor>> {
        Ok(self.h[layer].attn_c_proj.bias.as_ref().map(Weight::tensor).transpose()?)
    }
}

/// The names of all biases: of the norms, and of the matrices.
fn biases(layers: usize) -> [Vec<String>; 2] {
    let of = |parts: &[&str]| -> Vec<String> {
        (0..layers).flat_map(|layer| parts.iter().map(move |part| format!("h.{layer}.{part}.bias"))).collect()
    };
    let norms = [of(&["ln_1", "ln_2"]), vec!["ln_f.bias".into()]].concat();
    [norms, of(&["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"])]
}
