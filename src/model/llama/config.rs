//! `config.json` of a Llama and its kin: every field that changes the numbers is honoured or refused by name.

use crate::error::{Error, Result};
use crate::model::decoder::{Fields, Whole};
use crate::model::rotary::{Rotary, Usual};
use crate::model::{Nonlinearity, Spec};

/// What a Llama, or one of its kin, is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfig {
    /// What is said of it as a whole.
    pub whole: Whole,
    pub(super) family: &'static str,
    pub(super) nonlinearity: Nonlinearity,
    pub(super) eps: f64,
    pub(super) rotary: Rotary,
    /// How many keys a query sees, by layer.
    pub(super) windows: Vec<usize>,
    pub(super) qkv_bias: bool,
    pub(super) out_bias: bool,
    pub(super) mlp_bias: bool,
    /// A norm of queries and keys, where there is one: over all heads together, or over each.
    pub(super) qk_norm: Option<bool>,
    /// Norms stand behind attention and MLP, not before them.
    pub(super) post_norms: bool,
    /// Queries, keys and values are rows of one matrix, and so are the two of the MLP.
    pub(super) fused_matrices: bool,
}

/// Which of them.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Olmo2,
    Phi3,
}

impl LlamaConfig {
    /// Every `model_type` that [`Self::parse`] reads.
    pub const MODEL_TYPES: &[&str] = &["llama", "mistral", "qwen2", "qwen3", "olmo2", "phi3"];

    /// Reads a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// What is no JSON object of such fields, and every field that would change the numbers in a way that is not known here.
    pub fn parse(bytes: &[u8], origin: &str, model_type: &str) -> Result<Self> {
        let (kind, family) = match model_type {
            "mistral" => (Kind::Mistral, "Mistral"),
            "qwen2" => (Kind::Qwen2, "Qwen2"),
            "qwen3" => (Kind::Qwen3, "Qwen3"),
            "olmo2" => (Kind::Olmo2, "OLMo2"),
            "phi3" => (Kind::Phi3, "Phi-3"),
            _ => (Kind::Llama, "Llama"),
        };
        let fields = Fields::parse(bytes, origin, family)?;
        let spec = kind.spec(&fields)?;
        let own_bias =
            |kinds: &[Kind], name: &str| if kinds.contains(&kind) { fields.or(name, false) } else { Ok(false) };
        let attention_bias = own_bias(&[Kind::Llama, Kind::Qwen3, Kind::Olmo2], "attention_bias")?;
        let eps = if kind == Kind::Olmo2 || kind == Kind::Phi3 { 1e-5 } else { 1e-6 };
        let usual = match kind {
            Kind::Phi3 => Usual { partial: Some(("partial_rotary_factor", 1.0)), ..Usual::LLAMA },
            _ => Usual::LLAMA,
        };
        let mut config = Self {
            family,
            nonlinearity: fields.nonlinearity("hidden_act", "silu")?,
            eps: fields.eps("rms_norm_eps", eps)?,
            whole: fields.whole(&spec, false, kind.padding())?,
            rotary: Rotary::of(&fields, &usual, spec.d_head, spec.context)?,
            windows: kind.windows(&fields, spec.layers)?,
            qkv_bias: attention_bias || kind == Kind::Qwen2,
            out_bias: attention_bias,
            mlp_bias: own_bias(&[Kind::Llama], "mlp_bias")?,
            qk_norm: match kind {
                Kind::Olmo2 => Some(true),
                Kind::Qwen3 => Some(false),
                _ => None,
            },
            post_norms: kind == Kind::Olmo2,
            fused_matrices: kind == Kind::Phi3,
        };
        config.whole.remarks = fields.finish(kind.without_effect())?;
        Ok(config)
    }
}

impl Kind {
    /// The token that fills texts up, where the config names none.
    fn padding(self) -> Option<u32> {
        match self {
            Self::Phi3 => Some(32000),
            Self::Olmo2 => Some(1),
            _ => None,
        }
    }

    /// The sizes of the model, with transformers' defaults.
    fn spec(self, fields: &Fields) -> Result<Spec> {
        let [d, d_mlp, layers, heads, vocab, context] = match self {
            Self::Llama => [4096, 11008, 32, 32, 32000, 2048],
            Self::Mistral => [4096, 14336, 32, 32, 32000, 131_072],
            Self::Qwen2 | Self::Qwen3 => [4096, 22016, 32, 32, 151_936, 32768],
            Self::Olmo2 => [4096, 11008, 32, 32, 50304, 2048],
            Self::Phi3 => [3072, 8192, 32, 32, 32064, 4096],
        };
        let d_model = fields.size("hidden_size", d)?;
        let heads = fields.parts("num_attention_heads", heads)?;
        let usual_kv = if self == Self::Mistral { 8 } else { heads };
        let kv_heads = fields.given("num_key_value_heads", Some(usual_kv))?.unwrap_or(heads);
        let usual = match fields.get::<usize>("head_dim")? {
            None if self != Self::Qwen3 => fields.divided(d_model, "num_attention_heads", heads)?,
            _ => 128,
        };
        let vocab = fields.size("vocab_size", vocab)?;
        let bos = matches!(self, Self::Llama | Self::Mistral | Self::Phi3).then_some(1);
        Ok(Spec {
            layers: fields.parts("num_hidden_layers", layers)?,
            heads,
            kv_heads: fields.shared(kv_heads, heads)?,
            d_model,
            d_head: fields.size_or_null("head_dim", usual)?,
            d_mlp: fields.size("intermediate_size", d_mlp)?,
            vocab,
            context: fields.size("max_position_embeddings", context)?,
            bos: fields.bos(vocab, bos)?,
        })
    }

    /// How many keys a query sees, by layer.
    fn windows(self, fields: &Fields, layers: usize) -> Result<Vec<usize>> {
        let types = fields.layer_types(layers)?;
        let used = matches!(self, Self::Qwen2 | Self::Qwen3) && fields.or("use_sliding_window", false)?;
        let asked = match self {
            Self::Llama | Self::Olmo2 => None,
            Self::Mistral => fields.given("sliding_window", Some(4096))?,
            Self::Phi3 => fields.get("sliding_window")?,
            Self::Qwen2 | Self::Qwen3 => {
                let window = fields.given("sliding_window", Some(4096))?;
                window.filter(|_| used)
            }
        };
        if asked == Some(0) {
            return Err(fields.refuse("sliding_window", "a token sees itself at least"));
        }
        let first = match self {
            Self::Qwen2 | Self::Qwen3 => fields.or("max_window_layers", 28)?,
            _ => 0,
        };
        let usual = |layer: usize| asked.filter(|_| layer >= first).unwrap_or(usize::MAX);
        let Some(types) = types else { return Ok((0..layers).map(usual).collect()) };
        let by_type = |(layer, of): (usize, &String)| {
            let window = match of.as_str() {
                "full_attention" => Some(usize::MAX),
                "sliding_attention" => asked,
                _ => None,
            };
            // Only Qwen goes by the types; of the others they must say what it does anyway.
            match window.filter(|window| matches!(self, Self::Qwen2 | Self::Qwen3) || *window == usual(layer)) {
                Some(window) => Ok(window),
                None => Err(Error::failed(format!("{}: layer_types: layer {layer} is of {of}", fields.origin)).hint(
                    format!(
                        "attnviz knows {}'s full attention, and its sliding_window where it has one",
                        fields.family
                    ),
                )),
            }
        };
        types.iter().enumerate().map(by_type).collect()
    }

    /// Fields that are its own and change no number.
    fn without_effect(self) -> &'static [&'static str] {
        match self {
            Self::Phi3 => &["original_max_position_embeddings", "attention_bias"],
            Self::Llama => &["rope_interleaved", "sliding_window"],
            Self::Qwen2 => &["use_mrope", "attention_bias"],
            _ => &[],
        }
    }
}
