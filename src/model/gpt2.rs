//! GPT-2, whole: a config, weights under the checkpoint's own names, and a forward that a tap can watch and change.

mod config;

pub use config::Gpt2Config;

use super::attend::{causal_softmax, mix, pattern, scores};
use super::ops::{Backend, LayerNorm, Linear, Weight, add};
use super::{Activation as At, Model, Segment, Segments, Site, Spec, Tap, packed, visit, visit_rows};
use crate::error::{Error, Result};
use crate::weights::Weights;
use candle_core::{DType, Tensor};
use std::collections::HashSet;

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
    lm_head: Linear,
}

impl Gpt2 {
    /// Finds every tensor that the config asks for, under `transformer.` or without it.
    ///
    /// # Errors
    /// A tensor that is missing, of another shape or type, or a number of layers that is not the config's.
    pub fn load(weights: &Weights, config: Gpt2Config, backend: &Backend) -> Result<Self> {
        let spec = &config.spec;
        let prefix = if weights.names().any(|name| name.starts_with("transformer.h.")) { "transformer." } else { "" };
        check_depth(weights, prefix, spec.layers)?;
        let bring = |name: &str, shape: &[usize]| -> Result<Weight> { Ok(backend.weight(weights.get(name, shape)?)?) };
        let get = |name: &str, shape: &[usize]| bring(&format!("{prefix}{name}"), shape);
        let (d, eps) = (spec.d_model, config.eps);
        let norm = |name: &str| -> Result<LayerNorm> {
            Ok(LayerNorm {
                weight: get(&format!("{name}.weight"), &[d])?,
                bias: get(&format!("{name}.bias"), &[d])?,
                eps,
            })
        };
        let linear = |name: &str, inputs: usize, outputs: usize| -> Result<Linear> {
            let weight = get(&format!("{name}.weight"), &[inputs, outputs])?;
            Ok(Linear { weight, bias: Some(get(&format!("{name}.bias"), &[outputs])?), transposed: false })
        };
        let wte = get("wte.weight", &[spec.vocab, d])?;
        let wpe = get("wpe.weight", &[spec.context, d])?;
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
        let own_head = !config.tied || weights.contains("lm_head.weight");
        let unembedding = if own_head { bring("lm_head.weight", &[spec.vocab, d])? } else { wte.clone() };
        let lm_head = Linear { weight: unembedding, bias: None, transposed: true };
        Ok(Self { config, fused: matches!(backend, Backend::Fused), wte, wpe, h, ln_f, lm_head })
    }

    /// Causal self-attention of one segment's rows: qkv `[len, 3 d]` → z `[len, d]`.
    fn attend(&self, layer: usize, index: usize, segment: &Segment, qkv: &Tensor, tap: &mut dyn Tap) -> Result<Tensor> {
        let Spec { heads, d_head, d_model, .. } = self.config.spec;
        let qkv = qkv.reshape((segment.len, 3, heads, d_head))?; // [len, 3, heads, d_head]
        let mut part = |which: usize, at: At| -> Result<Tensor> {
            visit(tap, Site { at, layer, segment: index }, qkv.narrow(1, which, 1)?.squeeze(1)?) // [len, heads, d_head]
        };
        let (q, mut k, mut v) = (part(0, At::Q)?, part(1, At::K)?, part(2, At::V)?);
        if let Some(past) = &segment.past {
            k = Tensor::cat(&[&past.keys[layer], &k], 0)?; // [keys, heads, d_head]
            v = Tensor::cat(&[&past.values[layer], &v], 0)?;
        }
        let scale = self.config.score_scale(layer);
        let at_scores = Site { at: At::Scores, layer, segment: index };
        let pattern = if tap.wants(at_scores) {
            causal_softmax(&tap.visit(at_scores, scores(&q, &k, scale)?)?, self.fused)?
        } else {
            pattern(&q, &k, scale, self.fused)? // [heads, len, keys]
        };
        let pattern = visit(tap, Site { at: At::Pattern, layer, segment: index }, pattern)?;
        let z = visit(tap, Site { at: At::Z, layer, segment: index }, mix(&pattern, &v, self.fused)?)?; // [len, heads, d_head]
        Ok(z.reshape((segment.len, d_model))?)
    }
}

impl Model for Gpt2 {
    fn spec(&self) -> &Spec {
        &self.config.spec
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
        Ok((embeddings + self.wpe.gather(&positions)?.tensor()?)?)
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let block = &self.h[layer];
        let resid = visit_rows(tap, At::ResidPre, layer, segments, resid.clone())?; // [rows, d]
        let qkv = block.c_attn.forward(&block.ln_1.forward(&resid)?)?; // [rows, 3 d]
        let z = if self.fused && segments.iter().all(|s| s.past.is_none()) && !watches_attention(tap, layer, segments) {
            packed::attention(&qkv, segments, self.config.spec.heads, self.config.score_scale(layer))? // [rows, d]
        } else {
            let mut z = Vec::with_capacity(segments.len());
            for (index, segment) in segments.iter().enumerate() {
                z.push(self.attend(layer, index, segment, &qkv.narrow(0, segment.start, segment.len)?, tap)?);
            }
            if z.len() == 1 { z.remove(0) } else { Tensor::cat(&z, 0)? } // [rows, d]
        };
        let attn_out = visit_rows(tap, At::AttnOut, layer, segments, block.attn_c_proj.forward(&z)?)?;
        let resid = visit_rows(tap, At::ResidMid, layer, segments, add(&resid, &attn_out, self.fused)?)?;
        let hidden = block.c_fc.forward(&block.ln_2.forward(&resid)?)?; // [rows, d_mlp]
        let hidden = self.config.nonlinearity.forward(&hidden, self.fused)?;
        let mlp_out = visit_rows(tap, At::MlpOut, layer, segments, block.mlp_c_proj.forward(&hidden)?)?; // [rows, d]
        visit_rows(tap, At::ResidPost, layer, segments, add(&resid, &mlp_out, self.fused)?)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        Ok(self.ln_f.forward(resid)?)
    }

    /// LayerNorm's scale is a statistic; its centring is linear, and so belongs to the direction.
    fn pull_back(&self, resid: &[f64], row: &[f64]) -> Result<(Vec<f64>, f64)> {
        let numbers = |weight: &Weight| weight.tensor()?.to_dtype(DType::F64)?.to_vec1::<f64>();
        let (weight, bias) = (numbers(&self.ln_f.weight)?, numbers(&self.ln_f.bias)?);
        let centre = mean(resid);
        let variance = resid.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / resid.len() as f64;
        let scale = 1.0 / (variance + self.ln_f.eps).sqrt();
        let weighted: Vec<f64> = weight.iter().zip(row).map(|(weight, row)| weight * row).collect();
        let centre = mean(&weighted);
        let direction = weighted.iter().map(|x| scale * (x - centre)).collect();
        Ok((direction, bias.iter().zip(row).map(|(bias, row)| bias * row).sum()))
    }

    fn unembed(&self, normed: &Tensor, ids: Option<&[u32]>) -> Result<Tensor> {
        Ok(match ids {
            None => self.lm_head.forward(normed)?,
            Some(ids) => {
                let weight = self.lm_head.weight.gather(ids)?;
                Linear { weight, ..self.lm_head.clone() }.forward(normed)?
            }
        })
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

    fn attn_constant(&self, layer: usize) -> Result<Option<Tensor>> {
        Ok(self.h[layer].attn_c_proj.bias.as_ref().map(Weight::tensor).transpose()?)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Whether the tap wants anything between the queries, keys and values of a layer and what its heads carry.
fn watches_attention(tap: &dyn Tap, layer: usize, segments: &Segments) -> bool {
    let inside = [At::Q, At::K, At::V, At::Scores, At::Pattern, At::Z];
    (0..segments.len()).any(|segment| inside.iter().any(|at| tap.wants(Site { at: *at, layer, segment })))
}

/// A config that names fewer layers than the weights hold would draw a wrong picture without a word.
fn check_depth(weights: &Weights, prefix: &str, layers: usize) -> Result<()> {
    let of_name = |name: &str| name.strip_prefix(prefix)?.strip_prefix("h.")?.split('.').next()?.parse::<usize>().ok();
    let found = weights.names().filter_map(of_name).collect::<HashSet<_>>().len();
    if found != layers {
        let weights = weights.origin();
        return Err(Error::failed(format!("{weights} has {found} layers, config.json says n_layer {layers}"))
            .hint("config.json and the weights are not of the same model"));
    }
    Ok(())
}
