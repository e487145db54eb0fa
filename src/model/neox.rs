//! GPT-NeoX, and Pythia: a part of each head is turned, attention and MLP read the same residual, the unembedding is its own.

use super::decoder::{Attention, Block, Decoder, Fields, Layout, Mlp, Projection, Tensors, Whole};
use super::ops::Backend;
use super::rotary::{Rotary, Usual};
use super::weighing::Weighing;
use super::{Nonlinearity, Spec};
use crate::error::Result;
use crate::weights::Weights;

/// What a GPT-NeoX is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct NeoXConfig {
    /// What is said of it as a whole.
    pub whole: Whole,
    nonlinearity: Nonlinearity,
    eps: f64,
    rotary: Rotary,
    parallel: bool,
    attention_bias: bool,
}

impl NeoXConfig {
    /// Reads a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// What is no JSON object of such fields, and every field that would change the numbers in a way that is not known here.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        let fields = Fields::parse(bytes, origin, LAYOUT.family)?;
        let d_model = fields.size("hidden_size", 6144)?;
        let heads = fields.parts("num_attention_heads", 64)?;
        let vocab = fields.size("vocab_size", 50432)?;
        let spec = Spec {
            layers: fields.parts("num_hidden_layers", 44)?,
            heads,
            kv_heads: heads,
            d_model,
            d_head: fields.divided(d_model, "num_attention_heads", heads)?,
            d_mlp: fields.size("intermediate_size", 24576)?,
            vocab,
            context: fields.size("max_position_embeddings", 2048)?,
            bos: fields.bos(vocab, Some(0))?,
        };
        let usual = Usual { theta: "rotary_emb_base", partial: Some(("rotary_pct", 0.25)), ..Usual::LLAMA };
        let mut config = Self {
            nonlinearity: fields.nonlinearity("hidden_act", "gelu")?,
            eps: fields.eps("layer_norm_eps", 1e-5)?,
            whole: fields.whole(&spec, false, None)?,
            rotary: Rotary::of(&fields, &usual, spec.d_head, spec.context)?,
            parallel: fields.or("use_parallel_residual", true)?,
            attention_bias: fields.or("attention_bias", true)?,
        };
        config.whole.remarks = fields.finish(&[])?;
        Ok(config)
    }
}

const LAYOUT: Layout = Layout {
    family: "GPT-NeoX",
    blocks: "layers",
    tell: "attention.query_key_value.weight",
    spare: &["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
    layers: "num_hidden_layers",
};

/// Finds every tensor that the config asks for.
///
/// # Errors
/// A tensor that is missing, of another shape or type, or of no part of a block.
pub(super) fn load(weights: &Weights, config: &NeoXConfig, backend: &Backend) -> Result<Decoder> {
    let Spec { vocab, d_model: d, .. } = config.whole.spec;
    let held = Tensors::find(weights, &LAYOUT, backend)?;
    let embedding = held.weight("embed_in.weight", &[vocab, d])?;
    let norm = held.layer_norm("final_layer_norm", d, config.eps)?;
    Decoder::of(&held, &config.whole, embedding, "embed_out", norm, |layer| block(&held, config, layer))
}

fn block(held: &Tensors, config: &NeoXConfig, layer: usize) -> Result<Block> {
    let Spec { d_model: d, d_head, d_mlp, heads, .. } = config.whole.spec;
    let at = |name: &str| format!("layers.{layer}.{name}");
    let linear = |name: &str, inputs, outputs, biased| held.linear(&at(name), inputs, outputs, biased);
    Ok(Block {
        before_attention: Some(held.layer_norm(&at("input_layernorm"), d, config.eps)?),
        attention: Attention {
            heads: [heads, heads],
            d_head,
            qkv: Projection::Interleaved(linear("attention.query_key_value", d, 3 * d, config.attention_bias)?),
            qk_norm: None,
            rotary: Some(config.rotary.clone()),
            by: Weighing::plain(1.0 / (d_head as f64).sqrt()),
            out: linear("attention.dense", d, d, config.attention_bias)?,
        },
        after_attention: None,
        before_mlp: Some(held.layer_norm(&at("post_attention_layernorm"), d, config.eps)?),
        mlp: Mlp {
            gate: None,
            up: linear("mlp.dense_h_to_4h", d, d_mlp, true)?,
            down: linear("mlp.dense_4h_to_h", d_mlp, d, true)?,
            nonlinearity: config.nonlinearity,
        },
        after_mlp: None,
        parallel: config.parallel,
    })
}
