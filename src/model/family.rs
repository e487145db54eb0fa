//! Which family of models a config describes: the one place that reads its `model_type`.

use super::gemma::{self, GemmaConfig};
use super::gpt_neo::{self, GptNeoConfig};
use super::gpt2::{Gpt2, Gpt2Config};
use super::llama::{self, LlamaConfig};
use super::neox::{self, NeoXConfig};
use super::{Backend, Model, Spec};
use crate::error::{Error, Result};
use crate::json;
use crate::weights::Weights;
use serde::Deserialize;

/// A family of models, with what a config says of one of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Family {
    /// GPT-2, and what was trained with its architecture.
    Gpt2(Gpt2Config),
    /// Llama, and those that changed a part of it.
    Llama(LlamaConfig),
    /// GPT-NeoX, and Pythia.
    NeoX(NeoXConfig),
    /// Gemma.
    Gemma(GemmaConfig),
    /// GPT-Neo, and TinyStories.
    GptNeo(GptNeoConfig),
}

const GPT2: &str = "gpt2";
const NEOX: &str = "gpt_neox";
const NEO: &str = "gpt_neo";

#[derive(Deserialize)]
struct Named {
    model_type: Option<String>,
}

/// Parts of a `model_type`, and why a model of it is not read.
const OTHERS: [(&str, &str); 10] = [
    ("mixtral", "its MLPs are experts, of which each token takes a few"),
    ("moe", "its MLPs are experts, of which each token takes a few"),
    ("mamba", "its layers have a state and no attention"),
    ("rwkv", "its layers have a state and no attention"),
    ("jamba", "some of its layers have a state and no attention"),
    ("qwen3_next", "some of its layers have linear attention"),
    ("qwen3_5", "some of its layers have linear attention"),
    ("lfm2", "some of its layers are convolutions"),
    ("bert", "it is no decoder: its tokens see what comes after them"),
    ("t5", "it has an encoder and a decoder"),
];

impl Family {
    /// Every `model_type` that [`Self::parse`] reads.
    pub const MODEL_TYPES: &[&str] =
        &[GPT2, "llama", "mistral", "qwen2", "qwen3", "olmo2", "phi3", "gemma", "gemma2", "gemma3_text", NEOX, NEO];

    /// The model that a `config.json` describes; `origin` names it in errors. One that names no type is a GPT-2's, as the oldest are.
    ///
    /// # Errors
    /// A `model_type` of no family here; whatever the family refuses.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        // What cannot be read here, the family cannot read either: it says why.
        let named = json::parse(bytes).unwrap_or(Named { model_type: None });
        match named.model_type.as_deref() {
            None | Some(GPT2) => Gpt2Config::parse(bytes, origin).map(Self::Gpt2),
            Some(name) if LlamaConfig::MODEL_TYPES.contains(&name) => {
                LlamaConfig::parse(bytes, origin, name).map(Self::Llama)
            }
            Some(name) if GemmaConfig::MODEL_TYPES.contains(&name) => {
                GemmaConfig::parse(bytes, origin, name).map(Self::Gemma)
            }
            Some(NEO) => GptNeoConfig::parse(bytes, origin).map(Self::GptNeo),
            Some(NEOX) => NeoXConfig::parse(bytes, origin).map(Self::NeoX),
            Some(other) => {
                let why = OTHERS.iter().find(|(part, _)| other.contains(part)).map(|(_, why)| format!(": {why}"));
                let why = why.unwrap_or_default();
                Err(Error::failed(format!("{origin}: model_type is {other:?}{why}")).hint(format!(
                    "attnviz reads {}; draw other models' saved attention instead",
                    Self::MODEL_TYPES.join(", ")
                )))
            }
        }
    }

    /// The model's sizes.
    pub fn spec(&self) -> &Spec {
        match self {
            Self::Gpt2(config) => &config.spec,
            Self::Llama(config) => &config.whole.spec,
            Self::NeoX(config) => &config.whole.spec,
            Self::Gemma(config) => &config.whole.spec,
            Self::GptNeo(config) => &config.whole.spec,
        }
    }

    /// Adds to what was assumed, a line for people.
    pub fn remark(&mut self, assumed: String) {
        let remarks = match self {
            Self::Gpt2(config) => &mut config.remarks,
            Self::Llama(config) => &mut config.whole.remarks,
            Self::NeoX(config) => &mut config.whole.remarks,
            Self::Gemma(config) => &mut config.whole.remarks,
            Self::GptNeo(config) => &mut config.whole.remarks,
        };
        remarks.push(assumed);
    }

    /// The model, from its weights.
    ///
    /// # Errors
    /// Weights that are not those the config describes.
    pub fn load(&self, weights: &Weights, backend: &Backend) -> Result<Box<dyn Model>> {
        Ok(match self {
            Self::Gpt2(config) => Box::new(Gpt2::load(weights, config.clone(), backend)?),
            Self::Llama(config) => Box::new(llama::load(weights, config, backend)?),
            Self::NeoX(config) => Box::new(neox::load(weights, config, backend)?),
            Self::Gemma(config) => Box::new(gemma::load(weights, config, backend)?),
            Self::GptNeo(config) => Box::new(gpt_neo::load(weights, config, backend)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_offered_is_read_and_no_other() {
        let read = |model_type: &str| Family::parse(format!("{{\"model_type\": {model_type:?}}}").as_bytes(), "config");
        for name in Family::MODEL_TYPES {
            assert!(read(name).is_ok(), "{name}: {:?}", read(name));
        }
        let error = read("bloom").unwrap_err();
        assert_eq!(error.message, "config: model_type is \"bloom\"");
        assert!(Family::MODEL_TYPES.iter().all(|name| error.hint.as_deref().unwrap().contains(name)), "{error}");
        for (name, why) in [("qwen3_moe", "experts"), ("qwen3_next", "linear attention"), ("falcon_mamba", "state")] {
            assert!(read(name).unwrap_err().message.contains(why), "{name}");
        }
        assert_eq!(Family::parse(b"{}", "config").unwrap(), read("gpt2").unwrap());
    }
}
