//! GPT-Neo, and TinyStories: GPT-2 with scores that are not scaled, and every other layer seeing a window only.

use super::decoder::{Attention, Block, Decoder, Fields, Layout, Mlp, Projection, Tensors, Whole};
use super::ops::Backend;
use super::weighing::Weighing;
use super::{Nonlinearity, Spec};
use crate::error::{Error, Result};
use crate::weights::Weights;
use serde_json::Value;

/// What a GPT-Neo is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct GptNeoConfig {
    /// What is said of it as a whole.
    pub whole: Whole,
    nonlinearity: Nonlinearity,
    eps: f64,
    /// How many keys a query sees, by layer.
    windows: Vec<usize>,
}

impl GptNeoConfig {
    /// Reads a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// What is no JSON object of such fields, and every field that would change the numbers in a way that is not known here.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        let fields = Fields::parse(bytes, origin, LAYOUT.family)?;
        let d_model = fields.size("hidden_size", 2048)?;
        let layers = either(&fields, LAYOUT.layers, "num_hidden_layers", 24)?;
        let heads = either(&fields, "num_heads", "num_attention_heads", 16)?;
        let vocab = fields.size("vocab_size", 50257)?;
        let spec = Spec {
            layers,
            heads,
            kv_heads: heads,
            d_model,
            d_head: fields.divided(d_model, "num_heads", heads)?,
            d_mlp: fields.size_or_null("intermediate_size", 4 * d_model)?,
            vocab,
            context: fields.size("max_position_embeddings", 2048)?,
            bos: fields.bos(vocab, Some(50256))?,
        };
        let mut config = Self {
            nonlinearity: fields.nonlinearity("activation_function", "gelu_new")?,
            eps: fields.eps("layer_norm_epsilon", 1e-5)?,
            whole: fields.whole(&spec, true, None)?,
            windows: windows(&fields, layers)?,
        };
        config.whole.remarks = fields.finish(&["resid_dropout", "embed_dropout"])?;
        Ok(config)
    }
}

/// A number of parts that has two names.
fn either(fields: &Fields, name: &str, other: &str, default: usize) -> Result<usize> {
    let (own, theirs): (Option<usize>, Option<usize>) = (fields.get(name)?, fields.get(other)?);
    match (own, theirs) {
        (Some(own), Some(theirs)) if own != theirs => {
            Err(fields.refuse(name, &format!("{other}, its other name, says something else")))
        }
        (None, Some(_)) => fields.parts(other, default),
        _ => fields.parts(name, default),
    }
}

/// How many keys a query sees, by layer: `attention_types` lists patterns, and how often each is repeated.
fn windows(fields: &Fields, layers: usize) -> Result<Vec<usize>> {
    let usual = || vec![(vec!["global".to_owned(), "local".to_owned()], 12)];
    let patterns: Vec<(Vec<String>, usize)> = fields.get("attention_types")?.unwrap_or_else(usual);
    if patterns.iter().any(|(types, _)| types.is_empty()) {
        return Err(fields.refuse("attention_types", "a pattern is empty"));
    }
    let count = patterns.iter().map(|(types, times)| types.len().saturating_mul(*times)).fold(0, usize::saturating_add);
    if count != layers {
        return Err(fields.refuse("attention_types", &format!("it must make up {layers} layers, not {count}")));
    }
    let all: Vec<String> = patterns.into_iter().flat_map(|(types, times)| vec![types; times]).flatten().collect();
    if fields.get::<Vec<String>>("attention_layers")?.is_some_and(|listed| listed != all) {
        return Err(fields.refuse("attention_layers", "attention_types says something else"));
    }
    let window = fields.size("window_size", 256)?;
    let of = |(layer, of): (usize, &String)| match of.as_str() {
        "global" => Ok(usize::MAX),
        "local" => Ok(window),
        other => {
            let other = Value::from(other);
            Err(Error::failed(format!("{}: attention_types: layer {layer} is of {other}", fields.origin))
                .hint("attnviz knows global and local"))
        }
    };
    all.iter().enumerate().map(of).collect()
}

const LAYOUT: Layout = Layout {
    family: "GPT-Neo",
    blocks: "h",
    tell: "attn.attention.out_proj.weight",
    spare: &["attn.attention.bias", "attn.attention.masked_bias"],
    layers: "num_layers",
};

/// Finds every tensor that the config asks for.
///
/// # Errors
/// A tensor that is missing, of another shape or type, or of no part of a block.
pub(super) fn load(weights: &Weights, config: &GptNeoConfig, backend: &Backend) -> Result<Decoder> {
    let Spec { vocab, d_model: d, context, .. } = config.whole.spec;
    let held = Tensors::find(weights, &LAYOUT, backend)?;
    let embedding = held.weight("wte.weight", &[vocab, d])?;
    let positions = Some(held.weight("wpe.weight", &[context, d])?);
    let norm = held.layer_norm("ln_f", d, config.eps)?;
    let decoder = Decoder::of(&held, &config.whole, embedding, "lm_head", norm, |layer| block(&held, config, layer))?;
    Ok(Decoder { positions, ..decoder })
}

fn block(held: &Tensors, config: &GptNeoConfig, layer: usize) -> Result<Block> {
    let Spec { d_model: d, d_head, d_mlp, heads, .. } = config.whole.spec;
    let at = |name: &str| format!("h.{layer}.{name}");
    let linear = |name: &str, inputs, outputs, biased| held.linear(&at(name), inputs, outputs, biased);
    Ok(Block {
        before_attention: Some(held.layer_norm(&at("ln_1"), d, config.eps)?),
        attention: Attention {
            heads: [heads, heads],
            d_head,
            qkv: Projection::Apart(Box::new([
                linear("attn.attention.q_proj", d, d, false)?,
                linear("attn.attention.k_proj", d, d, false)?,
                linear("attn.attention.v_proj", d, d, false)?,
            ])),
            qk_norm: None,
            rotary: None,
            by: Weighing { scale: 1.0, cap: None, window: config.windows[layer] },
            out: linear("attn.attention.out_proj", d, d, true)?,
        },
        after_attention: None,
        before_mlp: Some(held.layer_norm(&at("ln_2"), d, config.eps)?),
        mlp: Mlp {
            gate: None,
            up: linear("mlp.c_fc", d, d_mlp, true)?,
            down: linear("mlp.c_proj", d_mlp, d, true)?,
            nonlinearity: config.nonlinearity,
        },
        after_mlp: None,
        parallel: false,
    })
}
