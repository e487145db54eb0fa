//! How a checkpoint names and lays out a GPT-2's tensors: what its names are wrapped in, which way matrices lie, which biases it has.

use super::Gpt2Config;
use super::layouts::not_gpt2;
use crate::error::{Error, Result};
use crate::weights::{Param, Weights};
use std::collections::{BTreeMap, BTreeSet};

/// Parts of names that programs put around a module, wherever it is: torch.compile, data parallelism, sharding, checkpointing.
pub(in crate::model) const WRAPPERS: [&str; 5] =
    ["_orig_mod", "module", "_fsdp_wrapped_module", "_forward_module", "_checkpoint_wrapped_module"];
/// What transformers' own names begin with, or nothing.
const USUAL: [&str; 2] = ["", "transformer."];
/// The causal mask, which older programs saved with each block.
const MASKS: [&str; 4] = ["attn.bias", "attn.masked_bias", "attn.mask", "attn.causal_mask"];
/// Heads that answer other questions than which token is next.
const OTHER_HEADS: [&str; 7] =
    ["score", "classifier", "qa_outputs", "multiple_choice_head", "summary", "v_head", "value_head"];

/// The tensors of one GPT-2 among the weights.
pub(super) struct Held<'a> {
    weights: &'a Weights,
    /// From names as transformers' `GPT2Model` has them to those of the files.
    names: BTreeMap<String, &'a str>,
    prefix: String,
    /// Whether matrices are `[outputs, inputs]`, as PyTorch's Linear has them, not `[inputs, outputs]` as GPT-2's Conv1D.
    turned: bool,
    /// What was assumed, a line each.
    pub remarks: Vec<String>,
}

impl<'a> Held<'a> {
    /// Finds out; nothing is read but names and shapes.
    ///
    /// # Errors
    /// Names of an adapter or of another architecture; two models in one; more or fewer layers than the config has; a tensor in a block
    /// that no GPT-2 has.
    pub fn find(weights: &'a Weights, config: &Gpt2Config) -> Result<Self> {
        let bare = |name: &'a str| {
            let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
            (parts.join("."), name)
        };
        let mut all: Vec<(String, &str)> = weights.names().map(bare).collect();
        all.sort();
        let prefixes: BTreeSet<&str> = all.iter().filter_map(|(name, _)| before_block(name)).collect();
        let is_adapter = |(name, _): &(String, &str)| name.contains(".lora_") || name.contains(".base_layer.");
        let prefix = match prefixes.iter().collect::<Vec<_>>()[..] {
            [prefix] if !all.iter().any(is_adapter) => (*prefix).to_owned(),
            [first, second, ..] => {
                return Err(Error::failed(format!(
                    "{} holds more than one model: tensors {first}h.… and {second}h.…",
                    weights.origin()
                ))
                .hint("save the one that is meant by itself"));
            }
            _ => return Err(not_gpt2(weights)),
        };
        let mut names = BTreeMap::new();
        for (name, actual) in all {
            let own = within(&name, &prefix).to_owned();
            if let Some(other) = names.insert(own, actual) {
                return Err(Error::failed(format!(
                    "{}: tensors {other} and {actual} are one and the same in a GPT-2",
                    weights.origin()
                ))
                .hint("save the one that is meant by itself"));
            }
        }
        let mut held = Self { weights, names, prefix, turned: false, remarks: Vec::new() };
        held.check_blocks(config.spec.layers)?;
        held.turned = held.lies_turned(config);
        held.remark_on_names();
        Ok(held)
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// A tensor as it lies.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Param> {
        match self.names.get(name) {
            Some(actual) => self.weights.get(actual, shape),
            None if name.starts_with("lm_head") => self.weights.get(name, shape),
            None => self.weights.get(&format!("{}{name}", self.prefix), shape),
        }
    }

    /// A block's matrix as `[inputs, outputs]`.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn matrix(&self, name: &str, inputs: usize, outputs: usize) -> Result<Param> {
        if self.turned { Ok(self.get(name, &[outputs, inputs])?.turned()) } else { self.get(name, &[inputs, outputs]) }
    }

    /// Whether there are biases of these names: all, or none, which is said. `what` names what they belong to.
    ///
    /// # Errors
    /// Some of them are there, and some are not.
    pub fn biased(&mut self, what: &str, names: &[String]) -> Result<bool> {
        let missing: Vec<&String> = names.iter().filter(|name| !self.has(name)).collect();
        match missing[..] {
            [] => Ok(true),
            _ if missing.len() == names.len() => {
                self.remarks.push(format!("{} has no biases of {what}: they are zero", self.weights.origin()));
                Ok(false)
            }
            [first, ..] => self.get(first, &[]).map(|_| true), // which says that it is missing
        }
    }

    /// A config that names fewer layers than the weights hold would draw a wrong picture without a word, and so would a block with
    /// a part that is not computed.
    fn check_blocks(&self, layers: usize) -> Result<()> {
        let weights = self.weights.origin();
        let mut found = BTreeSet::new();
        for (name, actual) in &self.names {
            let Some((layer, part)) = name.strip_prefix("h.").and_then(|rest| rest.split_once('.')) else { continue };
            let parts = ["ln_1", "ln_2", "attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"];
            let known = part
                .rsplit_once('.')
                .is_some_and(|(of, kind)| parts.contains(&of) && ["weight", "bias"].contains(&kind));
            if !known && !MASKS.contains(&part) {
                return Err(Error::failed(format!("{weights}: tensor {actual} belongs to no part of a GPT-2's block"))
                    .hint("the checkpoint is of another architecture, whatever its config.json says"));
            }
            found.extend(layer.parse::<usize>());
        }
        if found.len() != layers {
            return Err(Error::failed(format!(
                "{weights} has {} layers, not n_layer {layers} as its config.json",
                found.len()
            ))
            .hint("config.json and the weights are not of the same model"));
        }
        if let Some(bias) = self.names.get("lm_head.bias") {
            return Err(Error::failed(format!("{weights}: tensor {bias}: a GPT-2's head has no bias"))
                .hint("the checkpoint is of another architecture, whatever its config.json says"));
        }
        Ok(())
    }

    /// The first projection is three times as wide as it is high, so that its shape tells how all matrices lie, square ones too.
    fn lies_turned(&self, config: &Gpt2Config) -> bool {
        let d = config.spec.d_model;
        let shape = self.names.get("h.0.attn.c_attn.weight").and_then(|actual| self.weights.shape(actual));
        shape == Some(&[3 * d, d][..])
    }

    fn remark_on_names(&mut self) {
        let origin = self.weights.origin();
        if let Some(actual) = self.names.get("h.0.ln_1.weight") {
            let wrapping = actual.strip_suffix("h.0.ln_1.weight").unwrap_or(actual);
            if !USUAL.contains(&wrapping) {
                self.remarks.push(format!(
                    "{origin}: tensors are named {actual} and the like; what is not GPT-2's own is left out"
                ));
            }
        }
        if self.turned {
            self.remarks.push(format!("{origin}: matrices are [outputs, inputs], as Linear has them, and are turned"));
        }
        if self.weights.has_doubles() {
            self.remarks.push(format!("{origin}: weights of double precision are narrowed to f32"));
        }
        let outside = |name: &&String| {
            let of = name.split('.').next().unwrap_or_default();
            !["h", "wte", "wpe", "ln_f", "lm_head"].contains(&of) && !OTHER_HEADS.contains(&of)
        };
        let unread: Vec<&String> = self.names.keys().filter(outside).collect();
        if let [first, ..] = unread[..] {
            let count = unread.len();
            self.remarks
                .push(format!("{origin}: tensors that a GPT-2 does not have are not read: {first} ({count} in all)"));
        }
    }
}

/// What stands before `h.N.ln_1.weight`, which every block has.
fn before_block(name: &str) -> Option<&str> {
    let (blocks, layer) = name.strip_suffix(".ln_1.weight")?.rsplit_once('.')?;
    layer.parse::<usize>().ok()?;
    blocks.strip_suffix('h').filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

/// A name without the prefix of the blocks, or without as much of it as a head's name has.
pub(in crate::model) fn within<'n>(name: &'n str, prefix: &str) -> &'n str {
    let mut ends = prefix.match_indices('.').map(|(at, _)| at + 1).rev();
    ends.find_map(|end| name.strip_prefix(&prefix[..end])).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_the_blocks_are_wrapped_in() {
        assert_eq!(before_block("h.0.ln_1.weight"), Some(""));
        assert_eq!(before_block("model.transformer.h.11.ln_1.weight"), Some("model.transformer."));
        for other in ["h.x.ln_1.weight", "graph.0.ln_1.weight", "h.0.ln_1.bias", "ln_1.weight"] {
            assert_eq!(before_block(other), None, "{other}");
        }
        assert_eq!(within("model.transformer.wte.weight", "model.transformer."), "wte.weight");
        assert_eq!(within("model.lm_head.weight", "model.transformer."), "lm_head.weight");
        assert_eq!(within("lm_head.weight", "transformer."), "lm_head.weight");
        assert_eq!(within("h.0.ln_1.weight", ""), "h.0.ln_1.weight");
    }
}
