//! `config.json` of a Gemma: every field that changes the numbers is honoured or refused by name.

use crate::error::{Error, Result};
use crate::model::decoder::{Fields, Whole};
use crate::model::rotary::{Rotary, Usual};
use crate::model::{Nonlinearity, Spec};

/// What a Gemma is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct GemmaConfig {
    /// What is said of it as a whole.
    pub whole: Whole,
    pub(super) nonlinearity: Nonlinearity,
    pub(super) eps: f64,
    /// What scores are multiplied by.
    pub(super) scale: f64,
    /// What scores are kept below.
    pub(super) score_cap: Option<f64>,
    /// What logits are kept below.
    pub(super) logit_cap: Option<f64>,
    /// What differs between layers.
    pub(super) layers: Vec<Layer>,
    pub(super) attention_bias: bool,
    pub(super) qk_norm: bool,
    /// Norms stand behind attention and MLP as well.
    pub(super) post_norms: bool,
}

/// What one layer sees.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    /// How many keys a query sees.
    pub window: usize,
    /// How queries and keys are turned.
    pub rotary: Rotary,
}

/// Gemma 3's base of turning in layers that see all.
const GLOBAL: Usual = Usual { base: 1_000_000.0, ..Usual::LLAMA };
/// And in those that see a window.
const LOCAL: Usual = Usual { theta: "rope_local_base_freq", ..Usual::LLAMA };

impl GemmaConfig {
    /// Every `model_type` that [`Self::parse`] reads.
    pub const MODEL_TYPES: &[&str] = &["gemma", "gemma2", "gemma3_text"];

    /// Reads a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// What is no JSON object of such fields, and every field that would change the numbers in a way that is not known here.
    pub fn parse(bytes: &[u8], origin: &str, model_type: &str) -> Result<Self> {
        let which = Self::MODEL_TYPES.iter().position(|name| *name == model_type).map_or(1, |at| at + 1);
        let fields = Fields::parse(bytes, origin, "Gemma")?;
        let spec = spec(&fields, which)?;
        let activation = if which == 1 { "hidden_act" } else { "hidden_activation" };
        let width = if which == 1 { spec.d_head as f64 } else { fields.or("query_pre_attn_scalar", 256.0)? };
        if !(width.is_finite() && width > 0.0) {
            return Err(fields.refuse("query_pre_attn_scalar", "it must be a positive number"));
        }
        let cap = |name: &str, usual: Option<f64>| -> Result<Option<f64>> {
            match if which == 1 { None } else { fields.given(name, usual.filter(|_| which == 2))? } {
                Some(cap) if !(cap.is_finite() && cap > 0.0) => {
                    Err(fields.refuse(name, "it must be a positive number"))
                }
                cap => Ok(cap),
            }
        };
        let mut nonlinearity = fields.nonlinearity(activation, "gelu_pytorch_tanh")?;
        // The first releases name it so, and mean the other.
        let renamed = which == 1 && nonlinearity == Nonlinearity::Gelu;
        if renamed {
            nonlinearity = Nonlinearity::GeluNew;
        }
        let score_cap = cap("attn_logit_softcapping", Some(50.0))?;
        if which == 3 && score_cap.is_some() {
            return Err(
                fields.refuse("attn_logit_softcapping", "transformers leaves it out in a Gemma 3: null says so")
            );
        }
        let mut config = Self {
            nonlinearity,
            eps: fields.eps("rms_norm_eps", 1e-6)?,
            whole: fields.whole(&spec, true, Some(0))?,
            scale: width.sqrt().recip(),
            score_cap,
            logit_cap: cap("final_logit_softcapping", Some(30.0))?,
            layers: layers(&fields, which, &spec)?,
            attention_bias: fields.or("attention_bias", false)?,
            qk_norm: which == 3,
            post_norms: which > 1,
        };
        let unused: &[&str] = match which {
            1 => &["hidden_activation"],
            2 => &["hidden_act", "cache_implementation"],
            _ => &["hidden_act", "cache_implementation", "_sliding_window_pattern"],
        };
        config.whole.remarks = fields.finish(unused)?;
        if renamed {
            config.whole.remarks.push(format!(
                "{origin}: hidden_act gelu is taken for gelu_pytorch_tanh, as transformers does in a Gemma"
            ));
        }
        Ok(config)
    }
}

/// The sizes of the model, with transformers' defaults.
fn spec(fields: &Fields, which: usize) -> Result<Spec> {
    let [d, d_mlp, layers, heads, kv_heads, vocab, context] = match which {
        1 => [3072, 24576, 28, 16, 16, 256_000, 8192],
        2 => [2304, 9216, 26, 8, 4, 256_000, 8192],
        _ => [2304, 9216, 26, 8, 4, 262_208, 131_072],
    };
    let heads = fields.parts("num_attention_heads", heads)?;
    let kv_heads = fields.parts("num_key_value_heads", kv_heads.min(heads))?;
    let vocab = fields.size("vocab_size", vocab)?;
    Ok(Spec {
        layers: fields.parts("num_hidden_layers", layers)?,
        heads,
        kv_heads: fields.shared(kv_heads, heads)?,
        d_model: fields.size("hidden_size", d)?,
        d_head: fields.size("head_dim", 256)?,
        d_mlp: fields.size("intermediate_size", d_mlp)?,
        vocab,
        context: fields.size("max_position_embeddings", context)?,
        bos: fields.bos(vocab, Some(2))?,
    })
}

/// Windows and rotations by layer.
fn layers(fields: &Fields, which: usize, spec: &Spec) -> Result<Vec<Layer>> {
    let rotary = |local: bool| -> Result<Rotary> {
        match which {
            3 => rotary_of_3(fields, local, spec),
            _ => Rotary::of(fields, &Usual::LLAMA, spec.d_head, spec.context),
        }
    };
    let [global, local] = [rotary(false)?, rotary(true)?];
    let every = match which {
        1 => 1,
        2 => 2,
        _ => fields.size("sliding_window_pattern", 6)?,
    };
    let types = if which == 1 { None } else { fields.layer_types(spec.layers)? };
    let window: Option<usize> = if which == 1 { None } else { fields.given("sliding_window", Some(4096))? };
    let layer = |at: usize| {
        let usual = if (at + 1).is_multiple_of(every) { "full_attention" } else { "sliding_attention" };
        match (types.as_ref().map_or(usual, |types| types[at].as_str()), window) {
            ("full_attention", _) => Ok(Layer { window: usize::MAX, rotary: global.clone() }),
            ("sliding_attention", Some(window @ 1..)) => Ok(Layer { window, rotary: local.clone() }),
            ("sliding_attention", _) => {
                Err(fields.refuse("sliding_window", "some layers see a window only: it needs a width"))
            }
            (other, _) => Err(Error::failed(format!("{}: layer_types: layer {at} is of {other}", fields.origin))
                .hint("attnviz knows full_attention and sliding_attention")),
        }
    };
    (0..spec.layers).map(layer).collect()
}

/// Gemma 3 turns differently in layers that see all and in those that see a window; only the former are ever stretched by `rope_scaling`.
fn rotary_of_3(fields: &Fields, local: bool, spec: &Spec) -> Result<Rotary> {
    let (own, scaling) = (fields.object("rope_parameters")?, fields.object("rope_scaling")?);
    let (name, usual) = if local { ("sliding_attention", LOCAL) } else { ("full_attention", GLOBAL) };
    if let Some(other) = own.iter().flat_map(Fields::names).find(|name| !name.ends_with("_attention")) {
        return Err(
            fields.refuse("rope_parameters", &format!("{other} must stand in full_attention or sliding_attention"))
        );
    }
    let nested = own.as_ref().map(|own| own.object(name)).transpose()?.flatten();
    if scaling.is_some() && own.is_some() {
        return Err(
            fields.refuse("rope_scaling", "rope_parameters stands beside it: leave out the one that is not meant")
        );
    }
    let rope = nested.or(scaling.filter(|_| !local)).unwrap_or_else(|| Fields::empty(fields));
    Rotary::within(fields, &rope, &usual, spec.d_head, spec.context)
}
