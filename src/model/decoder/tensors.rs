//! The tensors of one model among the weights, under whatever its names are wrapped in; what is left over in a block is refused.

use crate::error::{Error, Result};
use crate::model::gpt2::{WRAPPERS, within};
use crate::model::norm::{Norm, RmsNorm};
use crate::model::ops::{Backend, LayerNorm, Linear, Weight};
use crate::weights::{Param, Weights};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// How a family names its tensors.
pub(in crate::model) struct Layout {
    /// What the family is called.
    pub family: &'static str,
    /// What the list of blocks is called.
    pub blocks: &'static str,
    /// A matrix that every block has.
    pub tell: &'static str,
    /// What blocks may hold and nobody needs: masks, and speeds of rotation.
    pub spare: &'static [&'static str],
    /// What the config calls the number of layers.
    pub layers: &'static str,
}

/// The tensors, found.
pub(in crate::model) struct Tensors<'a> {
    weights: &'a Weights,
    backend: &'a Backend,
    layout: &'a Layout,
    /// From names without what they are wrapped in to those of the files.
    names: BTreeMap<String, &'a str>,
    prefix: String,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Tensors<'a> {
    /// Finds out what names are wrapped in; nothing is read but names.
    ///
    /// # Errors
    /// Names of another architecture; two models in one.
    pub fn find(weights: &'a Weights, layout: &'a Layout, backend: &'a Backend) -> Result<Self> {
        let bare = |name: &str| name.split('.').filter(|part| !WRAPPERS.contains(part)).collect::<Vec<_>>().join(".");
        let mut all: Vec<(String, &str)> = weights.names().map(|name| (bare(name), name)).collect();
        all.sort();
        let prefixes: BTreeSet<&str> = all.iter().filter_map(|(name, _)| before_block(name, layout)).collect();
        let origin = weights.origin();
        let prefix = match prefixes.iter().collect::<Vec<_>>()[..] {
            [prefix] => (*prefix).to_owned(),
            [first, second, ..] => {
                let blocks = layout.blocks;
                return Err(Error::failed(format!(
                    "{origin} holds more than one model: tensors {first}{blocks}… and {second}{blocks}…"
                ))
                .hint("save the one that is meant by itself"));
            }
            [] => {
                let (wanted, first) = (format!("{}.0.{}", layout.blocks, layout.tell), all.first());
                let begins = first.map_or("it has none".to_owned(), |(_, name)| format!("it begins with {name}"));
                return Err(Error::failed(format!("{origin} has no tensor {wanted}, under whatever prefix; {begins}"))
                    .hint(format!(
                        "attnviz reads the names of transformers' {} checkpoints: load the model in its own library, then \
                         save_pretrained(dir)",
                        layout.family
                    )));
            }
        };
        let mut names = BTreeMap::new();
        for (name, actual) in all {
            if let Some(other) = names.insert(within(&name, &prefix).to_owned(), actual) {
                return Err(Error::failed(format!("{origin}: tensors {other} and {actual} are one and the same"))
                    .hint("save the one that is meant by itself"));
            }
        }
        Ok(Self { weights, backend, layout, names, prefix, read: RefCell::default() })
    }

    /// Whether our own operations compute the model.
    pub fn is_fused(&self) -> bool {
        matches!(self.backend, Backend::Fused)
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// A tensor as it lies.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn param(&self, name: &str, shape: &[usize]) -> Result<Param> {
        self.read.borrow_mut().insert(name.to_owned());
        match self.names.get(name) {
            Some(actual) => self.weights.get(actual, shape),
            None => self.weights.get(&format!("{}{name}", self.prefix), shape),
        }
    }

    /// A tensor as the operations want it.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn weight(&self, name: &str, shape: &[usize]) -> Result<Weight> {
        Ok(self.backend.weight(self.param(name, shape)?)?)
    }

    /// A matrix `[outputs, inputs]`, with its bias where it is to have one.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize, biased: bool) -> Result<Linear> {
        let bias = || self.weight(&format!("{name}.bias"), &[outputs]);
        Ok(Linear {
            weight: self.weight(&format!("{name}.weight"), &[outputs, inputs])?,
            bias: biased.then(bias).transpose()?,
            transposed: true,
        })
    }

    /// An RMSNorm.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn rms(&self, name: &str, d: usize, eps: f64) -> Result<RmsNorm> {
        Ok(RmsNorm { weight: self.weight(&format!("{name}.weight"), &[d])?, eps })
    }

    /// An RMSNorm that multiplies by 1 + w.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn rms_above_one(&self, name: &str, d: usize, eps: f64) -> Result<RmsNorm> {
        let weight = self.param(&format!("{name}.weight"), &[d])?.plus(1.0);
        Ok(RmsNorm { weight: self.backend.weight(weight)?, eps })
    }

    /// A LayerNorm with a bias.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn layer_norm(&self, name: &str, d: usize, eps: f64) -> Result<Norm> {
        let of = |part: &str| self.weight(&format!("{name}.{part}"), &[d]);
        Ok(Norm::Layer(LayerNorm { weight: of("weight")?, bias: of("bias")?, eps }))
    }

    /// The language-model head, if the model has one: its own, or the embedding that it is tied to. As in transformers 5 a head that the
    /// file holds is used even where the config ties it.
    ///
    /// # Errors
    /// A head that must be there and is not.
    pub fn head(&self, name: &str, embedding: &Weight, head: Head) -> Result<Option<Linear>> {
        let key = format!("{name}.weight");
        let (own, class) = (self.has(&key), head.architecture.unwrap_or("ForCausalLM"));
        let weight = match (own, class) {
            (true, _) => self.weight(&key, &head.shape)?,
            (false, _) if head.tied && (class.ends_with("CausalLM") || class.ends_with("Model")) => embedding.clone(),
            (false, _) if class.ends_with("CausalLM") => self.backend.weight(self.weights.get(&key, &head.shape)?)?, // it is missing
            (false, _) => return Ok(None),
        };
        let bias = self.has(&format!("{name}.bias"));
        if bias {
            return Err(Error::failed(format!("{}: tensor {name}.bias: the head has no bias", self.weights.origin()))
                .hint("the checkpoint is of another architecture, whatever its config.json says"));
        }
        Ok(Some(Linear { weight, bias: None, transposed: true }))
    }

    /// What is said of the tensors that nobody asked for.
    ///
    /// # Errors
    /// One in a block: a part that is not computed, or a layer that the config does not know of.
    pub fn finish(&self, layers: usize) -> Result<Vec<String>> {
        let (origin, mut unread) = (self.weights.origin(), Vec::new());
        let read = self.read.borrow();
        for (name, actual) in self.names.iter().filter(|(name, _)| !read.contains(*name)) {
            let Some((layer, part)) = self.in_block(name) else {
                unread.push(actual);
                continue;
            };
            if layer >= layers {
                let field = self.layout.layers;
                return Err(Error::failed(format!("{origin}: tensor {actual} is of a layer beyond {field} {layers}"))
                    .hint("config.json and the weights are not of the same model"));
            }
            if !self.layout.spare.contains(&part) {
                let family = self.layout.family;
                return Err(Error::failed(format!("{origin}: tensor {actual} belongs to no part of a {family}'s block"))
                    .hint("the checkpoint is of another architecture, or an adapter that is not merged, whatever its config.json says"));
            }
        }
        let mut remarks = Vec::new();
        let known = |name: &&&str| !SPARE.iter().any(|spare| name.ends_with(spare));
        let unread: Vec<&&str> = unread.into_iter().filter(known).collect();
        if let [first, ..] = unread[..] {
            let (family, count) = (self.layout.family, unread.len());
            remarks.push(format!(
                "{origin}: tensors that a {family} does not have are not read: {first} ({count} in all)"
            ));
        }
        if self.weights.has_doubles() {
            remarks.push(format!("{origin}: weights of double precision are narrowed to f32"));
        }
        Ok(remarks)
    }

    fn in_block<'n>(&self, name: &'n str) -> Option<(usize, &'n str)> {
        let (layer, part) = name.strip_prefix(self.layout.blocks)?.strip_prefix('.')?.split_once('.')?;
        Some((layer.parse().ok()?, part))
    }
}

/// What decides whether a model has a head.
pub(in crate::model) struct Head<'a> {
    /// The class of transformers that the checkpoint was saved by, where it is named.
    pub architecture: Option<&'a str>,
    /// Whether the config ties it to the embedding.
    pub tied: bool,
    /// Ids and the width of the residual stream.
    pub shape: [usize; 2],
}

/// What may stand beside the blocks and nobody needs.
const SPARE: [&str; 1] = ["rotary_emb.inv_freq"];

/// What stands before the blocks.
fn before_block<'n>(name: &'n str, layout: &Layout) -> Option<&'n str> {
    let (blocks, layer) = name.strip_suffix(layout.tell)?.strip_suffix('.')?.rsplit_once('.')?;
    layer.parse::<usize>().ok()?;
    blocks.strip_suffix(layout.blocks).filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}
