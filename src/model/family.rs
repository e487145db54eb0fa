//! Which family of models a config describes: the one place that reads its `model_type`.

use super::gpt2::{Gpt2, Gpt2Config};
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
}

const GPT2: &str = "gpt2";

#[derive(Deserialize)]
struct Named {
    model_type: Option<String>,
}

impl Family {
    /// Every `model_type` that [`Self::parse`] reads.
    pub const MODEL_TYPES: &[&str] = &[GPT2];

    /// The model that a `config.json` describes; `origin` names it in errors. One that names no type is a GPT-2's, as the oldest are.
    ///
    /// # Errors
    /// A `model_type` of no family here; whatever the family refuses.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        // What cannot be read here, the family cannot read either: it says why.
        let named = json::parse(bytes).unwrap_or(Named { model_type: None });
        match named.model_type.as_deref() {
            None | Some(GPT2) => Gpt2Config::parse(bytes, origin).map(Self::Gpt2),
            Some(other) => Err(Error::failed(format!("{origin}: model_type is {other:?}"))
                .hint("attnviz reads GPT-2; draw other models' saved attention instead")),
        }
    }

    /// The model's sizes.
    pub fn spec(&self) -> &Spec {
        match self {
            Self::Gpt2(config) => &config.spec,
        }
    }

    /// Adds to what was assumed, a line for people.
    pub fn remark(&mut self, assumed: String) {
        match self {
            Self::Gpt2(config) => config.remarks.push(assumed),
        }
    }

    /// The model, from its weights.
    ///
    /// # Errors
    /// Weights that are not those the config describes.
    pub fn load(&self, weights: &Weights, backend: &Backend) -> Result<Box<dyn Model>> {
        Ok(match self {
            Self::Gpt2(config) => Box::new(Gpt2::load(weights, config.clone(), backend)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_offered_is_read_and_no_other() {
        let read = |model_type: &str| Family::parse(format!("{{\"model_type\": {model_type:?}}}").as_bytes(), "config");
        Family::MODEL_TYPES.iter().for_each(|name| assert!(read(name).is_ok(), "{name}"));
        assert_eq!(read("bert").unwrap_err().message, "config: model_type is \"bert\"");
        assert_eq!(Family::parse(b"{}", "config").unwrap(), read("gpt2").unwrap());
    }
}
