//! Llama, and those that changed a part of it: Mistral, Qwen 2 and 3, OLMo 2, Phi 3, SmolLM.

mod config;

pub use config::LlamaConfig;

use super::Spec;
use super::decoder::{Attention, Block, Decoder, Layout, Mlp, Projection, QkNorm, Tensors};
use super::norm::Norm;
use super::ops::{Backend, Linear};
use super::weighing::Weighing;
use crate::error::Result;
use crate::weights::Weights;

const LAYOUT: Layout = Layout {
    family: "Llama",
    blocks: "layers",
    tell: "self_attn.o_proj.weight",
    spare: &["self_attn.rotary_emb.inv_freq"],
    layers: "num_hidden_layers",
};

/// Finds every tensor that the config asks for.
///
/// # Errors
/// A tensor that is missing, of another shape or type, or of no part of a block.
pub(super) fn load(weights: &Weights, config: &LlamaConfig, backend: &Backend) -> Result<Decoder> {
    let spec = &config.whole.spec;
    let layout = Layout { family: config.family, ..LAYOUT };
    let held = Tensors::find(weights, &layout, backend)?;
    let embedding = held.weight("embed_tokens.weight", &[spec.vocab, spec.d_model])?;
    let norm = Norm::Rms(held.rms("norm", spec.d_model, config.eps)?);
    Decoder::of(&held, &config.whole, embedding, "lm_head", norm, |layer| block(&held, config, layer))
}

fn block(held: &Tensors, config: &LlamaConfig, layer: usize) -> Result<Block> {
    let Spec { d_model: d, d_head, heads, kv_heads, .. } = config.whole.spec;
    let at = |name: &str| format!("layers.{layer}.{name}");
    let norm = |name: &str| held.rms(&at(name), d, config.eps).map(|norm| Some(Norm::Rms(norm)));
    let qk_norm = |width: [usize; 2], whole: bool| -> Result<Option<QkNorm>> {
        let of = |name: &str, width: usize| held.rms(&at(name), width, config.eps);
        Ok(Some(QkNorm { query: of("self_attn.q_norm", width[0])?, key: of("self_attn.k_norm", width[1])?, whole }))
    };
    let post = config.post_norms;
    Ok(Block {
        before_attention: if post { None } else { norm("input_layernorm")? },
        attention: Attention {
            heads: [heads, kv_heads],
            d_head,
            qkv: Projection::Apart(Box::new(projections(held, config, &at)?)),
            qk_norm: match config.qk_norm {
                None => None,
                Some(true) => qk_norm([heads * d_head, kv_heads * d_head], true)?,
                Some(false) => qk_norm([d_head, d_head], false)?,
            },
            rotary: Some(config.rotary.clone()),
            by: Weighing { scale: 1.0 / (d_head as f64).sqrt(), cap: None, window: config.windows[layer] },
            out: held.linear(&at("self_attn.o_proj"), heads * d_head, d, config.out_bias)?,
        },
        after_attention: if post { norm("post_attention_layernorm")? } else { None },
        before_mlp: if post { None } else { norm("post_attention_layernorm")? },
        mlp: mlp(held, config, &at)?,
        after_mlp: if post { norm("post_feedforward_layernorm")? } else { None },
        parallel: false,
    })
}

/// Queries, keys and values: matrices of their own, or rows of one, as Phi 3 has them.
fn projections(held: &Tensors, config: &LlamaConfig, at: &dyn Fn(&str) -> String) -> Result<[Linear; 3]> {
    let Spec { d_model: d, d_head, heads, kv_heads, .. } = config.whole.spec;
    let [q, kv] = [heads * d_head, kv_heads * d_head];
    if config.fused_matrices {
        let all = held.linear(&at("self_attn.qkv_proj"), d, q + 2 * kv, false)?;
        return Ok([rows(&all, 0, q)?, rows(&all, q, kv)?, rows(&all, q + kv, kv)?]);
    }
    let linear = |name: &str, outputs: usize| held.linear(&at(name), d, outputs, config.qkv_bias);
    Ok([linear("self_attn.q_proj", q)?, linear("self_attn.k_proj", kv)?, linear("self_attn.v_proj", kv)?])
}

fn mlp(held: &Tensors, config: &LlamaConfig, at: &dyn Fn(&str) -> String) -> Result<Mlp> {
    let (d, d_mlp, biased) = (config.whole.spec.d_model, config.whole.spec.d_mlp, config.mlp_bias);
    let [gate, up] = if config.fused_matrices {
        let both = held.linear(&at("mlp.gate_up_proj"), d, 2 * d_mlp, false)?;
        [rows(&both, 0, d_mlp)?, rows(&both, d_mlp, d_mlp)?]
    } else {
        [held.linear(&at("mlp.gate_proj"), d, d_mlp, biased)?, held.linear(&at("mlp.up_proj"), d, d_mlp, biased)?]
    };
    let down = held.linear(&at("mlp.down_proj"), d_mlp, d, biased)?;
    Ok(Mlp { gate: Some(gate), up, down, nonlinearity: config.nonlinearity })
}

/// Some outputs of a matrix without biases.
fn rows(of: &Linear, first: usize, len: usize) -> Result<Linear> {
    Ok(Linear { weight: of.weight.rows(first, len)?, ..of.clone() })
}
