//! Gemma 1, 2 and 3 (text): norms that multiply by 1 + w, embeddings scaled by √d; 2 and 3 have norms behind attention and MLP as well,
//! layers that see a window only, and caps on scores and logits.

mod config;

pub use config::GemmaConfig;

use super::Spec;
use super::decoder::{Attention, Block, Decoder, Layout, Mlp, Projection, QkNorm, Tensors};
use super::norm::Norm;
use super::ops::Backend;
use super::weighing::Weighing;
use crate::error::Result;
use crate::weights::Weights;

const LAYOUT: Layout = Layout {
    family: "Gemma",
    blocks: "layers",
    tell: "self_attn.o_proj.weight",
    spare: &["self_attn.rotary_emb.inv_freq"],
    layers: "num_hidden_layers",
};

/// Finds every tensor that the config asks for.
///
/// # Errors
/// A tensor that is missing, of another shape or type, or of no part of a block.
pub(super) fn load(weights: &Weights, config: &GemmaConfig, backend: &Backend) -> Result<Decoder> {
    let Spec { vocab, d_model: d, .. } = config.whole.spec;
    let held = Tensors::find(weights, &LAYOUT, backend)?;
    let embedding = held.weight("embed_tokens.weight", &[vocab, d])?;
    let norm = Norm::Rms(held.rms_above_one("norm", d, config.eps)?);
    Ok(Decoder {
        embedding_scale: Some(f64::from((d as f64).sqrt() as f32)),
        logit_cap: config.logit_cap,
        ..Decoder::of(&held, &config.whole, embedding, "lm_head", norm, |layer| block(&held, config, layer))?
    })
}

fn block(held: &Tensors, config: &GemmaConfig, layer: usize) -> Result<Block> {
    let Spec { d_model: d, d_head, d_mlp, heads, kv_heads, .. } = config.whole.spec;
    let at = |name: &str| format!("layers.{layer}.{name}");
    let rms = |name: &str, d: usize| held.rms_above_one(&at(name), d, config.eps);
    let norm = |name: &str| rms(name, d).map(|norm| Some(Norm::Rms(norm)));
    let attention = |name: &str, inputs: usize, outputs: usize| {
        held.linear(&at(&format!("self_attn.{name}")), inputs, outputs, config.attention_bias)
    };
    let mlp =
        |name: &str, inputs: usize, outputs: usize| held.linear(&at(&format!("mlp.{name}")), inputs, outputs, false);
    let of_layer = &config.layers[layer];
    let qk_norm = || -> Result<QkNorm> {
        let (query, key) = (rms("self_attn.q_norm", d_head)?, rms("self_attn.k_norm", d_head)?);
        Ok(QkNorm { query, key, whole: false })
    };
    let before_mlp = if config.post_norms { "pre_feedforward_layernorm" } else { "post_attention_layernorm" };
    Ok(Block {
        before_attention: norm("input_layernorm")?,
        attention: Attention {
            heads: [heads, kv_heads],
            d_head,
            qkv: Projection::Apart(Box::new([
                attention("q_proj", d, heads * d_head)?,
                attention("k_proj", d, kv_heads * d_head)?,
                attention("v_proj", d, kv_heads * d_head)?,
            ])),
            qk_norm: config.qk_norm.then(qk_norm).transpose()?,
            rotary: Some(of_layer.rotary.clone()),
            by: Weighing { scale: config.scale, cap: config.score_cap, window: of_layer.window },
            out: attention("o_proj", heads * d_head, d)?,
        },
        after_attention: if config.post_norms { norm("post_attention_layernorm")? } else { None },
        before_mlp: norm(before_mlp)?,
        mlp: Mlp {
            gate: Some(mlp("gate_proj", d, d_mlp)?),
            up: mlp("up_proj", d, d_mlp)?,
            down: mlp("down_proj", d_mlp, d)?,
            nonlinearity: config.nonlinearity,
        },
        after_mlp: if config.post_norms { norm("post_feedforward_layernorm")? } else { None },
        parallel: false,
    })
}
