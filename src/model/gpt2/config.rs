//! `config.json` of a GPT-2: every field that changes the numbers is honoured or refused by name.

use super::fields::{refused, unknown};
use crate::error::{Error, Result};
use crate::json;
use crate::model::labels::classes;
use crate::model::{Classes, Nonlinearity, Spec};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

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
    /// The class of transformers that the checkpoint was saved by, where it is named.
    pub architecture: Option<String>,
    /// Of a sequence classifier, its classes.
    pub classes: Option<Classes>,
    /// What was assumed, a line each, for people.
    pub remarks: Vec<String>,
}

impl Gpt2Config {
    /// Reads a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// What is no JSON object of such fields, and every field that would change the numbers in a way that is not known here.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        let config: Fields = json::parse(bytes).map_err(|e| {
            match culprit(bytes) {
                Some((field, value, why)) => Error::failed(format!("{origin}: {field} is {value}: {why}")),
                None => Error::failed(format!("{origin} is not a GPT-2 config: {e}")),
            }
            .hint("it should be the config.json of a GPT-2 checkpoint")
        })?;
        let all: Map<String, Value> = json::parse(bytes).unwrap_or_default();
        let refuse = |what: String, hint: &str| Err(Error::failed(format!("{origin}: {what}")).hint(hint));
        let other = refused(&all);
        if !other.is_empty() {
            return refuse(
                other.join(", "),
                "attnviz computes what transformers' GPT-2 does, and this asks for something else; draw the attention that the \
                 model's own code saved instead",
            );
        }
        let Some(nonlinearity) = Nonlinearity::named(&config.activation_function) else {
            let known = "relu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, silu, swish, tanh";
            return refuse(
                format!("activation_function {:?} is unknown", config.activation_function),
                &format!("known are {known}"),
            );
        };
        if !(config.layer_norm_epsilon.is_finite() && config.layer_norm_epsilon >= 0.0) {
            return refuse("layer_norm_epsilon is not a small positive number".into(), "GPT-2 uses 1e-5");
        }
        let spec = config.spec(origin)?;
        let architecture = config.architectures.and_then(|all| all.into_iter().next());
        let mut remarks = remarks(origin, &all, architecture.as_deref());
        let classes = match architecture.as_deref() {
            Some(CLASSIFIER) => {
                let (classes, assumed) = classes(&all, origin, None)?;
                remarks.extend(assumed);
                Some(classes)
            }
            _ => None,
        };
        Ok(Self {
            spec,
            nonlinearity,
            eps: config.layer_norm_epsilon,
            scale_by_width: config.scale_attn_weights,
            scale_by_layer: config.scale_attn_by_inverse_layer_idx,
            tied: config.tie_word_embeddings,
            remarks,
            architecture,
            classes,
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
    architectures: Option<Vec<String>>,
    #[serde(deserialize_with = "given")]
    n_layer: Option<usize>,
    #[serde(deserialize_with = "given")]
    num_hidden_layers: Option<usize>,
    #[serde(deserialize_with = "given")]
    n_head: Option<usize>,
    #[serde(deserialize_with = "given")]
    num_attention_heads: Option<usize>,
    #[serde(deserialize_with = "given")]
    n_embd: Option<usize>,
    #[serde(deserialize_with = "given")]
    hidden_size: Option<usize>,
    n_inner: Option<usize>,
    #[serde(deserialize_with = "given")]
    n_positions: Option<usize>,
    #[serde(deserialize_with = "given")]
    max_position_embeddings: Option<usize>,
    vocab_size: usize,
    activation_function: String,
    layer_norm_epsilon: f64,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    tie_word_embeddings: bool,
    bos_token_id: Value,
}

impl Fields {
    /// The sizes of the model.
    fn spec(&self, origin: &str) -> Result<Spec> {
        let refuse = |what: String, hint: String| Err(Error::failed(format!("{origin}: {what}")).hint(hint));
        let size =
            |name, own, other_name, other, default| one_size(origin, [(name, own), (other_name, other)], default);
        let (layers, n_layer) = size("n_layer", self.n_layer, "num_hidden_layers", self.num_hidden_layers, 12)?;
        let (heads, n_head) = size("n_head", self.n_head, "num_attention_heads", self.num_attention_heads, 12)?;
        let (width, n_embd) = size("n_embd", self.n_embd, "hidden_size", self.hidden_size, 768)?;
        let positions = self.max_position_embeddings;
        let (context, n_positions) = size("n_positions", self.n_positions, "max_position_embeddings", positions, 1024)?;
        let d_mlp = self.n_inner.unwrap_or(4 * n_embd.min(MOST));
        let sizes = [
            (layers, n_layer, MOST_PARTS),
            (heads, n_head, MOST_PARTS),
            (width, n_embd, MOST),
            ("n_inner", d_mlp, 4 * MOST),
            (context, n_positions, MOST),
            ("vocab_size", self.vocab_size, MOST),
        ];
        if let Some((field, value, most)) = sizes.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            return refuse(format!("{field} is {value}"), format!("it must be a number from 1 to {most}"));
        }
        if !n_embd.is_multiple_of(n_head) {
            return refuse(
                format!("{width} {n_embd} is not divisible by {heads} {n_head}"),
                format!("every head has {width} / {heads} dimensions"),
            );
        }
        let bos = self.bos_token_id.as_u64().and_then(|id| u32::try_from(id).ok());
        Ok(Spec {
            layers: n_layer,
            heads: n_head,
            kv_heads: n_head,
            d_model: n_embd,
            d_head: n_embd / n_head,
            d_mlp,
            vocab: self.vocab_size,
            context: n_positions,
            bos: bos.filter(|id| (*id as usize) < self.vocab_size),
        })
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            _model_type: None,
            architectures: None,
            n_layer: None,
            num_hidden_layers: None,
            n_head: None,
            num_attention_heads: None,
            n_embd: None,
            hidden_size: None,
            n_inner: None,
            n_positions: None,
            max_position_embeddings: None,
            vocab_size: 50257,
            activation_function: "gelu_new".into(),
            layer_norm_epsilon: 1e-5,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            tie_word_embeddings: true,
            bos_token_id: Value::from(50256),
        }
    }
}

/// The class of transformers whose logits are of the whole text.
pub(super) const CLASSIFIER: &str = "GPT2ForSequenceClassification";
/// transformers' classes that have a GPT-2's blocks.
const CLASSES: [&str; 6] = [
    "GPT2LMHeadModel",
    "GPT2DoubleHeadsModel",
    "GPT2Model",
    CLASSIFIER,
    "GPT2ForTokenClassification",
    "GPT2ForQuestionAnswering",
];
/// The largest dimension that a config may name: far above any GPT-2, far below what overflows.
const MOST: usize = 1 << 24;
/// The most layers, and the most heads of one: there are lists of them before there are weights.
const MOST_PARTS: usize = 1 << 12;

/// A size that may be left out, but not be null.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
    usize::deserialize(value).map(Some)
}

/// A size that has two names, and the name that it was given under.
fn one_size(origin: &str, named: [(&'static str, Option<usize>); 2], default: usize) -> Result<(&'static str, usize)> {
    let [(name, own), (other_name, other)] = named;
    match (own, other) {
        (Some(own), Some(other)) if own != other => {
            Err(Error::failed(format!("{origin}: {name} is {own}, and {other_name}, its other name, is {other}"))
                .hint("leave out the one that is not meant"))
        }
        (None, Some(other)) => Ok((other_name, other)),
        _ => Ok((name, own.unwrap_or(default))),
    }
}

/// What is assumed where a config says nothing, or something that is not understood.
fn remarks(origin: &str, config: &Map<String, Value>, architecture: Option<&str>) -> Vec<String> {
    let mut remarks = Vec::new();
    let unknown = unknown(config);
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        remarks.push(format!("{origin}: fields that GPT-2 does not have are taken to have no effect: {unknown}"));
    }
    if !config.contains_key("activation_function") {
        remarks.push(format!(
            "{origin} names no activation_function: gelu_new is assumed, as in GPT-2; nanoGPT's is gelu"
        ));
    }
    if let Some(other) = architecture.filter(|name| !CLASSES.contains(name)) {
        remarks.push(format!("{origin}: {other} is no class of transformers' GPT-2, and is read as if it were one"));
    }
    remarks
}

/// The field that cannot be read and why: serde names neither, so each is read alone.
fn culprit(bytes: &[u8]) -> Option<(String, Value, serde_json::Error)> {
    let fields: Map<String, Value> = json::parse(bytes).ok()?;
    fields.into_iter().find_map(|(field, value)| {
        let alone = Value::Object([(field.clone(), value.clone())].into_iter().collect());
        serde_json::from_value::<Fields>(alone).err().map(|why| (field, value, why))
    })
}
