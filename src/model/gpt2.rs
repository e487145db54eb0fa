//! GPT-2, whole: a config, weights under the checkpoint's own names, and a forward that a tap can watch and change.

use super::attend::{causal_softmax, mix, pattern, scores};
use super::ops::{LayerNorm, Linear, Weight, add};
use super::{Model, Segment, Segments, Spec, packed};
use crate::checkpoint::{Param, Weights};
use crate::error::{Error, Result};
use crate::trace::{Activation as At, Site, Tap};
use candle_core::{DType, Device, Tensor};
use std::collections::HashSet;

/// Which operations compute the model.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Ours, in f32 on the CPU, from weights read in place.
    Fused,
    /// candle's own, on any device, in any float type: the reference for ours.
    Composite(DType, Device),
}

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
    spec: Spec,
    fused: bool,
    wte: Weight,
    wpe: Weight,
    h: Vec<Block>,
    ln_f: LayerNorm,
    lm_head: Linear,
}

impl Gpt2 {
    /// Finds every tensor that the spec asks for, under `transformer.` or without it.
    pub fn load(weights: &Weights, spec: Spec, backend: &Backend) -> Result<Self> {
        let prefix = if weights.names().any(|name| name.starts_with("transformer.h.")) { "transformer." } else { "" };
        check_depth(weights, prefix, spec.layers)?;
        let bring = |param: Param| -> Result<Weight> {
            Ok(match backend {
                Backend::Fused => Weight::Mapped(param),
                Backend::Composite(dtype, device) => {
                    Weight::Dense(Weight::Mapped(param).tensor()?.to_dtype(*dtype)?.to_device(device)?)
                }
            })
        };
        let get = |name: &str, shape: &[usize]| bring(weights.get(&format!("{prefix}{name}"), shape)?);
        let (d, eps) = (spec.d_model, spec.eps);
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
        let own_head = !spec.tied || weights.contains("lm_head.weight");
        let unembedding = if own_head { bring(weights.get("lm_head.weight", &[spec.vocab, d])?)? } else { wte.clone() };
        let lm_head = Linear { weight: unembedding, bias: None, transposed: true };
        Ok(Self { spec, fused: matches!(backend, Backend::Fused), wte, wpe, h, ln_f, lm_head })
    }

    /// Causal self-attention of one segment's rows: qkv `[len, 3 d]` → z `[len, d]`.
    fn attend(&self, layer: usize, index: usize, segment: &Segment, qkv: &Tensor, tap: &mut dyn Tap) -> Result<Tensor> {
        let Spec { heads, d_head, d_model, .. } = self.spec;
        let qkv = qkv.reshape((segment.len, 3, heads, d_head))?; // [len, 3, heads, d_head]
        let mut part = |which: usize, at: At| -> Result<Tensor> {
            visit(tap, Site { at, layer, segment: index }, qkv.narrow(1, which, 1)?.squeeze(1)?) // [len, heads, d_head]
        };
        let (q, mut k, mut v) = (part(0, At::Q)?, part(1, At::K)?, part(2, At::V)?);
        if let Some(past) = &segment.past {
            k = Tensor::cat(&[&past.keys[layer], &k], 0)?; // [keys, heads, d_head]
            v = Tensor::cat(&[&past.values[layer], &v], 0)?;
        }
        let scale = self.spec.score_scale(layer);
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
        &self.spec
    }

    fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.spec.vocab) {
            return Err(Error::usage(format!(
                "token id {id} is outside the model's vocabulary of {}",
                self.spec.vocab
            ))
            .hint("this tokenizer and this model do not belong together, or the id was mistyped"));
        }
        Ok(self.wte.gather(ids)?.tensor()?)
    }

    fn start(&self, embeddings: &Tensor, segments: &Segments) -> Result<Tensor> {
        let positions: Vec<u32> =
            segments.iter().flat_map(|s| s.position as u32..(s.position + s.len) as u32).collect();
        if let Some(beyond) = positions.iter().find(|p| **p as usize >= self.spec.context) {
            return Err(Error::usage(format!(
                "position {beyond} is beyond the model's context of {}",
                self.spec.context
            ))
            .hint("shorten the prompt"));
        }
        Ok((embeddings + self.wpe.gather(&positions)?.tensor()?)?)
    }

    fn block(&self, layer: usize, resid: &Tensor, segments: &Segments, tap: &mut dyn Tap) -> Result<Tensor> {
        let block = &self.h[layer];
        let resid = by_segment(tap, At::ResidPre, layer, segments, resid.clone())?; // [rows, d]
        let qkv = block.c_attn.forward(&block.ln_1.forward(&resid)?)?; // [rows, 3 d]
        let z = if self.fused && segments.iter().all(|s| s.past.is_none()) && !watches_attention(tap, layer, segments) {
            packed::attention(&qkv, segments, self.spec.heads, self.spec.score_scale(layer))? // [rows, d]
        } else {
            let mut z = Vec::with_capacity(segments.len());
            for (index, segment) in segments.iter().enumerate() {
                z.push(self.attend(layer, index, segment, &qkv.narrow(0, segment.start, segment.len)?, tap)?);
            }
            if z.len() == 1 { z.remove(0) } else { Tensor::cat(&z, 0)? } // [rows, d]
        };
        let attn_out = by_segment(tap, At::AttnOut, layer, segments, block.attn_c_proj.forward(&z)?)?;
        let resid = by_segment(tap, At::ResidMid, layer, segments, add(&resid, &attn_out, self.fused)?)?;
        let hidden = block.c_fc.forward(&block.ln_2.forward(&resid)?)?; // [rows, d_mlp]
        let hidden = self.spec.activation.forward(&hidden, self.fused)?;
        let mlp_out = by_segment(tap, At::MlpOut, layer, segments, block.mlp_c_proj.forward(&hidden)?)?; // [rows, d]
        by_segment(tap, At::ResidPost, layer, segments, add(&resid, &mlp_out, self.fused)?)
    }

    fn final_norm(&self, resid: &Tensor) -> Result<Tensor> {
        Ok(self.ln_f.forward(resid)?)
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
        let d = self.spec.d_head;
        let of_head = |head: usize| -> Result<Tensor> {
            let weight = self.h[layer].attn_c_proj.weight.rows(head * d, d)?;
            let z = z.narrow(1, head, 1)?.squeeze(1)?; // [rows, d_head]
            Ok(Linear { weight, bias: None, transposed: false }.forward(&z)?)
        };
        let heads = (0..self.spec.heads).map(of_head).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::stack(&heads, 0)?) // [heads, rows, d]
    }

    fn attn_bias(&self, layer: usize) -> Result<Tensor> {
        match &self.h[layer].attn_c_proj.bias {
            Some(bias) => Ok(bias.tensor()?),
            None => Err(Error::failed(format!("layer {layer} has no attention bias"))),
        }
    }

    fn final_norm_params(&self) -> Result<(Tensor, Tensor)> {
        Ok((self.ln_f.weight.tensor()?, self.ln_f.bias.tensor()?))
    }
}

/// Whether the tap wants anything between the queries, keys and values of a layer and what its heads carry.
fn watches_attention(tap: &dyn Tap, layer: usize, segments: &Segments) -> bool {
    let inside = [At::Q, At::K, At::V, At::Scores, At::Pattern, At::Z];
    (0..segments.len()).any(|segment| inside.iter().any(|at| tap.wants(Site { at: *at, layer, segment })))
}

/// The tap's answer, where it wants to be asked.
fn visit(tap: &mut dyn Tap, site: Site, x: Tensor) -> Result<Tensor> {
    if tap.wants(site) { tap.visit(site, x) } else { Ok(x) }
}

/// A row-wise activation, shown to the tap one segment at a time.
fn by_segment(tap: &mut dyn Tap, at: At, layer: usize, segments: &Segments, x: Tensor) -> Result<Tensor> {
    let site = |segment: usize| Site { at, layer, segment };
    if !(0..segments.len()).any(|segment| tap.wants(site(segment))) {
        return Ok(x);
    }
    let mut parts = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        parts.push(visit(tap, site(index), x.narrow(0, segment.start, segment.len)?)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 0)? })
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
