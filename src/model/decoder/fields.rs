//! A config's fields, each read by name: what is left over is known to be without effect, refused, or said.

use super::Whole;
use crate::error::{Error, Result};
use crate::json;
use crate::model::gpt2::{Meaning, meaning};
use crate::model::labels::{classes, is_classifier};
use crate::model::{Nonlinearity, Spec};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The largest dimension that a config may name: far above any model, far below what overflows.
const MOST: usize = 1 << 24;
/// The most layers, and the most heads of one: there are lists of them before there are weights.
const MOST_PARTS: usize = 1 << 12;

/// The object of a config, or one in it.
pub(in crate::model) struct Fields {
    /// What errors call it.
    pub origin: String,
    /// What the family is called.
    pub family: &'static str,
    all: Map<String, Value>,
    read: RefCell<BTreeSet<String>>,
    assumed: RefCell<Vec<String>>,
}

impl Fields {
    /// A whole config.
    ///
    /// # Errors
    /// What is no JSON object.
    pub fn parse(bytes: &[u8], origin: &str, family: &'static str) -> Result<Self> {
        let all = json::parse(bytes).map_err(|e| {
            Error::failed(format!("{origin} is not a {family} config: {e}"))
                .hint(format!("it should be the config.json of a {family} checkpoint"))
        })?;
        let fields = Self::of(origin.to_owned(), family, all);
        fields.mark("model_type");
        Ok(fields)
    }

    fn of(origin: String, family: &'static str, all: Map<String, Value>) -> Self {
        Self { origin, family, all, read: RefCell::default(), assumed: RefCell::default() }
    }

    /// No fields, of the same config.
    pub fn empty(of: &Fields) -> Self {
        Self::of(of.origin.clone(), of.family, Map::new())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    fn mark(&self, name: &str) {
        self.read.borrow_mut().insert(name.to_owned());
    }

    /// The field as what it is to be; none where it is null or not there.
    ///
    /// # Errors
    /// A value of another type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.mark(name);
        match self.all.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match serde_json::from_value(value.clone()) {
                Ok(value) => Ok(Some(value)),
                Err(why) => Err(self.refuse(name, &why.to_string())),
            },
        }
    }

    /// The field; where it is not there, what transformers takes, and where it is null none.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn given<T: DeserializeOwned>(&self, name: &str, default: Option<T>) -> Result<Option<T>> {
        if self.all.contains_key(name) { self.get(name) } else { Ok(default) }
    }

    /// The field, or what transformers takes where it is not there.
    ///
    /// # Errors
    /// As [`Self::get`], and null.
    pub fn or<T: DeserializeOwned>(&self, name: &str, default: T) -> Result<T> {
        self.given(name, Some(default))?.ok_or_else(|| self.refuse(name, "leave it out, or give it a value"))
    }

    /// An object in it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn object(&self, name: &str) -> Result<Option<Fields>> {
        let all: Option<Map<String, Value>> = self.get(name)?;
        let origin = format!("{}: {name}", self.origin);
        Ok(all.map(|all| Self::of(origin, self.family, all)))
    }

    /// A dimension.
    ///
    /// # Errors
    /// What is no number of a size that a model can have.
    pub fn size(&self, name: &str, default: usize) -> Result<usize> {
        self.at_most(name, default, MOST)
    }

    /// A dimension that null leaves to the model.
    ///
    /// # Errors
    /// As [`Self::size`].
    pub fn size_or_null(&self, name: &str, default: usize) -> Result<usize> {
        if self.get::<Value>(name)?.is_none() { Ok(default) } else { self.size(name, default) }
    }

    /// A number of layers or heads.
    ///
    /// # Errors
    /// As [`Self::size`].
    pub fn parts(&self, name: &str, default: usize) -> Result<usize> {
        self.at_most(name, default, MOST_PARTS)
    }

    /// The width of a head, where so many of this name divide the residual stream among them.
    ///
    /// # Errors
    /// A stream that they cannot divide.
    pub fn divided(&self, d_model: usize, name: &str, heads: usize) -> Result<usize> {
        match d_model.is_multiple_of(heads) {
            true => Ok(d_model / heads),
            false => Err(self.refuse("hidden_size", &format!("it must be divisible by {name} {heads}"))),
        }
    }

    /// Heads of keys and values, each of which serves as many heads.
    ///
    /// # Errors
    /// A number that heads cannot share.
    pub fn shared(&self, kv_heads: usize, heads: usize) -> Result<usize> {
        match kv_heads > 0 && heads.is_multiple_of(kv_heads) {
            true => Ok(kv_heads),
            false => Err(self.refuse("num_key_value_heads", &format!("{heads} heads cannot share so many evenly"))),
        }
    }

    /// The kind of each layer, where it is said.
    ///
    /// # Errors
    /// As [`Self::get`], and more or fewer than there are layers.
    pub fn layer_types(&self, layers: usize) -> Result<Option<Vec<String>>> {
        let types: Option<Vec<String>> = self.get("layer_types")?;
        match types.as_ref().is_none_or(|types| types.len() == layers) {
            true => Ok(types),
            false => Err(self.refuse("layer_types", &format!("it must have one entry for each of {layers} layers"))),
        }
    }

    fn at_most(&self, name: &str, default: usize, most: usize) -> Result<usize> {
        let value = self.or(name, default)?;
        if !(1..=most).contains(&value) {
            return Err(self.refuse(name, &format!("it must be a number from 1 to {most}")));
        }
        Ok(value)
    }

    /// What is added where a norm divides.
    ///
    /// # Errors
    /// What is no small positive number.
    pub fn eps(&self, name: &str, default: f64) -> Result<f64> {
        let eps = self.or(name, default)?;
        if !(eps.is_finite() && (0.0..1.0).contains(&eps)) {
            return Err(self.refuse(name, "it must be a small positive number, such as 1e-5"));
        }
        Ok(eps)
    }

    /// The MLP's pointwise function.
    ///
    /// # Errors
    /// A name that is not known.
    pub fn nonlinearity(&self, name: &str, default: &str) -> Result<Nonlinearity> {
        let function: String = self.or(name, default.to_owned())?;
        Nonlinearity::named(&function).ok_or_else(|| {
            let known = "relu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, silu, swish, tanh";
            Error::failed(format!("{}: {name} {function:?} is unknown", self.origin)).hint(format!("known are {known}"))
        })
    }

    /// The token that begins a text, where the model has it.
    ///
    /// # Errors
    /// None.
    pub fn bos(&self, vocab: usize, default: Option<u32>) -> Result<Option<u32>> {
        self.mark("bos_token_id");
        let own = match self.all.get("bos_token_id") {
            None => default,
            Some(value) => value.as_u64().and_then(|id| u32::try_from(id).ok()),
        };
        Ok(own.filter(|id| (*id as usize) < vocab))
    }

    /// The class of transformers that the checkpoint was saved by.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn architecture(&self) -> Result<Option<String>> {
        Ok(self.get::<Vec<String>>("architectures")?.and_then(|all| all.into_iter().next()))
    }

    /// What is said of the model as a whole, with these sizes; where the config is silent, whether it is tied, and the token that fills texts
    /// up. Nothing is assumed so far.
    ///
    /// # Errors
    /// As [`Self::get`], and a classifier's classes that cannot be read.
    pub fn whole(&self, spec: &Spec, tied: bool, padding: Option<u32>) -> Result<Whole> {
        let (tied, architecture) = (self.or("tie_word_embeddings", tied)?, self.architecture()?);
        let classes = match architecture.as_deref() {
            Some(class) if is_classifier(class) => {
                let (classes, assumed) = classes(&self.all, &self.origin, padding)?;
                self.assumed.borrow_mut().extend(assumed);
                Some(classes)
            }
            _ => None,
        };
        Ok(Whole { spec: spec.clone(), remarks: Vec::new(), tied, architecture, classes })
    }

    /// That the value of a field is not what can be computed.
    pub fn refuse(&self, name: &str, hint: &str) -> Error {
        let value = self.all.get(name).map_or_else(|| "missing".to_owned(), Value::to_string);
        Error::failed(format!("{}: {name} is {value}", self.origin)).hint(hint)
    }

    /// What is said of the fields that nobody asked for. `without_effect` are those that are this family's own and change no number.
    ///
    /// # Errors
    /// One that would change the numbers.
    pub fn finish(&self, without_effect: &[&str]) -> Result<Vec<String>> {
        let left: Vec<(&String, &Value)> =
            self.all.iter().filter(|(name, _)| !self.read.borrow().contains(*name)).collect();
        let refused = |(name, value): &&(&String, &Value)| {
            let refuses =
                matches!(meaning(name), Some(Meaning::Refused(means_nothing)) if !means_nothing(value, &self.all));
            refuses && !value.is_null() && !without_effect.contains(&name.as_str())
        };
        let refused: Vec<String> =
            left.iter().filter(refused).map(|(name, value)| format!("{name} is {value}")).collect();
        if !refused.is_empty() {
            return Err(Error::failed(format!("{}: {}", self.origin, refused.join(", "))).hint(format!(
                "attnviz computes what transformers' {} does, and this asks for something else; draw the attention that the model's own \
                 code saved instead",
                self.family
            )));
        }
        let known = |name: &str| {
            let elsewhere = matches!(meaning(name), Some(Meaning::WithoutEffect | Meaning::Refused(_)));
            elsewhere || name.starts_with('_') || without_effect.contains(&name) || COMMON.contains(&name)
        };
        let unknown: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).filter(|name| !known(name)).collect();
        let (origin, family, mut remarks) = (&self.origin, self.family, self.assumed.take());
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            remarks
                .push(format!("{origin}: fields that {family} does not have are taken to have no effect: {unknown}"));
        }
        let plain = |name: &str| name.to_lowercase().replace('-', "");
        if let Some(other) = self.architecture()?.filter(|name| !plain(name).starts_with(&plain(family))) {
            remarks.push(format!(
                "{origin}: {other} is no class of transformers' {family}, and is read as if it were one"
            ));
        }
        Ok(remarks)
    }
}

/// Fields of most families that change no number: training, and how products are split.
const COMMON: [&str; 7] = [
    "attention_dropout",
    "pretraining_tp",
    "pad_token_id",
    "id2label",
    "num_labels",
    "problem_type",
    "hidden_dropout_prob",
];
