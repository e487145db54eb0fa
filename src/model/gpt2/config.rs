//! `config.json` of a GPT-2: every field that changes the numbers is honoured or refused by name.

use crate::error::{Error, Result};
use crate::model::{Nonlinearity, Spec};
use serde::Deserialize;
use serde_json::Value;

/// What only a GPT-2 has, and its sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpt2Config {
    /// Its sizes.
    pub spec: Spec,
    /// The MLP's pointwise function.
    pub nonlinearity: Nonlinearity,
    /// Added to the variance in every LayerNorm.
    pub eps: f64,
    /// Scores are divided by `√d_head`.
    pub scale_by_width: bool,
    /// Scores are divided by `layer + 1`.
    pub scale_by_layer: bool,
    /// The unembedding is the embedding.
    pub tied: bool,
}

impl Gpt2Config {
    /// Reads a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// What is no JSON object of such fields, and every field that would change the numbers in a way that is not known here.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        let config: Fields = serde_json::from_slice(bytes).map_err(|e| {
            match culprit(bytes) {
                Some((field, value, why)) => Error::failed(format!("{origin}: {field} is {value}: {why}")),
                None => Error::failed(format!("{origin} is not a GPT-2 config: {e}")),
            }
            .hint("it should be the config.json of a GPT-2 checkpoint")
        })?;
        let refuse = |what: String, hint: &str| Err(Error::failed(format!("{origin}: {what}")).hint(hint));
        if config.add_cross_attention {
            return refuse("add_cross_attention is true".into(), "attnviz reads decoder-only GPT-2 checkpoints");
        }
        let Some(nonlinearity) = Nonlinearity::named(&config.activation_function) else {
            let known = "relu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, silu, swish, tanh";
            return refuse(
                format!("activation_function {:?} is unknown", config.activation_function),
                &format!("known are {known}"),
            );
        };
        let d_mlp = config.n_inner.unwrap_or(4 * config.n_embd.min(MOST));
        let sizes = [
            ("n_layer", config.n_layer, MOST_PARTS),
            ("n_head", config.n_head, MOST_PARTS),
            ("n_embd", config.n_embd, MOST),
            ("n_inner", d_mlp, 4 * MOST),
            ("n_positions", config.n_positions, MOST),
            ("vocab_size", config.vocab_size, MOST),
        ];
        if let Some((field, value, most)) = sizes.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            return refuse(format!("{field} is {value}"), &format!("it must be a number from 1 to {most}"));
        }
        if !config.n_embd.is_multiple_of(config.n_head) {
            return refuse(
                format!("n_embd {} is not divisible by n_head {}", config.n_embd, config.n_head),
                "every head has n_embd / n_head dimensions",
            );
        }
        if !(config.layer_norm_epsilon.is_finite() && config.layer_norm_epsilon >= 0.0) {
            return refuse("layer_norm_epsilon is not a small positive number".into(), "GPT-2 uses 1e-5");
        }
        let bos = config.bos_token_id.as_u64().and_then(|id| u32::try_from(id).ok());
        let spec = Spec {
            layers: config.n_layer,
            heads: config.n_head,
            kv_heads: config.n_head,
            d_model: config.n_embd,
            d_head: config.n_embd / config.n_head,
            d_mlp,
            vocab: config.vocab_size,
            context: config.n_positions,
            bos: bos.filter(|id| (*id as usize) < config.vocab_size),
        };
        Ok(Self {
            spec,
            nonlinearity,
            eps: config.layer_norm_epsilon,
            scale_by_width: config.scale_attn_weights,
            scale_by_layer: config.scale_attn_by_inverse_layer_idx,
            tied: config.tie_word_embeddings,
        })
    }

    /// What the scores of a layer are multiplied by.
    pub fn score_scale(&self, layer: usize) -> f64 {
        let width = if self.scale_by_width { (self.spec.d_head as f64).sqrt() } else { 1.0 };
        let depth = if self.scale_by_layer { (layer + 1) as f64 } else { 1.0 };
        1.0 / (width * depth)
    }
}

/// The fields of a Hugging Face GPT-2 config that matter in a forward pass; the defaults are transformers'.
#[derive(Deserialize)]
#[serde(default)]
struct Fields {
    /// What chose this family; here for its type only, which is named in errors like that of any other field.
    #[serde(rename = "model_type")]
    _model_type: Option<String>,
    n_layer: usize,
    n_head: usize,
    n_embd: usize,
    n_inner: Option<usize>,
    n_positions: usize,
    vocab_size: usize,
    activation_function: String,
    layer_norm_epsilon: f64,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    tie_word_embeddings: bool,
    add_cross_attention: bool,
    bos_token_id: Value,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            _model_type: None,
            n_layer: 12,
            n_head: 12,
            n_embd: 768,
            n_inner: None,
            n_positions: 1024,
            vocab_size: 50257,
            activation_function: "gelu_new".into(),
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
            add_cross_attention: false,
            bos_token_id: Value::from(50256),
        }
    }
}

/// The largest dimension that a config may name: far above any GPT-2, far below what overflows.
const MOST: usize = 1 << 24;
/// The most layers, and the most heads of one: there are lists of them before there are weights.
const MOST_PARTS: usize = 1 << 12;

/// The field that cannot be read and why: serde names neither, so each is read alone.
fn culprit(bytes: &[u8]) -> Option<(String, Value, serde_json::Error)> {
    let fields: serde_json::Map<String, Value> = serde_json::from_slice(bytes).ok()?;
    fields.into_iter().find_map(|(field, value)| {
        let alone = Value::Object([(field.clone(), value.clone())].into_iter().collect());
        serde_json::from_value::<Fields>(alone).err().map(|why| (field, value, why))
    })
}
