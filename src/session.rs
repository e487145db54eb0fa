//! A checkpoint ready to answer: model, tokenizer and identity, read at the same time.

use crate::checkpoint::{Checkpoint, Weights};
use crate::error::{Error, Result};
use crate::model::{Backend, Gpt2, Model, Spec};
use crate::prompt::Tokenizer;
use crate::record::Identity;
use candle_core::Tensor;

/// A loaded model with its tokenizer.
pub struct Session {
    /// What figures and files call the model.
    pub name: String,
    /// The commit of the hub's repository that it comes from, where it does.
    pub revision: Option<String>,
    /// XXH3-128 of its weights, in hexadecimal (see [`crate::checkpoint::Weights::hash`]).
    pub hash: String,
    /// The model.
    pub model: Gpt2,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    checkpoint: Checkpoint,
}

impl Session {
    /// Brings a checkpoint to life. One thread parses the tokenizer while others read the weights, hash them, which also brings them
    /// into memory, and make ready what the tokenizer will need.
    pub fn new(checkpoint: Checkpoint) -> Result<Self> {
        let weights = &checkpoint.weights;
        let load = || (Gpt2::load(weights, checkpoint.spec.clone(), &Backend::Fused), weights.hash());
        let (tokenizer, ((model, hash), ())) =
            rayon::join(|| tokenizer(&checkpoint), || rayon::join(load, Tokenizer::warm));
        let (name, revision) = (checkpoint.name.clone(), checkpoint.revision.clone());
        Ok(Self { name, revision, hash, model: model?, tokenizer: tokenizer?, checkpoint })
    }

    /// The model.
    pub fn model(&self) -> &dyn Model {
        &self.model
    }

    /// Its sizes.
    pub fn spec(&self) -> &Spec {
        self.model.spec()
    }

    /// What files say of the model.
    pub fn identity(&self) -> Identity {
        Identity { name: self.name.clone(), revision: self.revision.clone(), hash: self.hash.clone() }
    }

    /// Logits of the token after each prompt, `[prompt, vocab]`, from the last row of its last `resid_post`.
    pub fn next_logits(&self, resids: &[&Tensor]) -> Result<Tensor> {
        let last = resids.iter().map(|resid| resid.narrow(0, resid.dims()[0] - 1, 1)).collect::<Result<Vec<_>, _>>()?;
        self.model.unembed(&self.model.final_norm(&Tensor::cat(&last, 0)?)?, None)
    }

    /// All tensors, as they are in their files.
    pub fn weights(&self) -> &Weights {
        &self.checkpoint.weights
    }

    /// The same error, with the broken tensor named where the weights hold a NaN or an infinity.
    pub fn explain(&self, error: Error) -> Error {
        match self.checkpoint.weights.first_non_finite() {
            Some(tensor) => Error::failed(format!("model {}: tensor {tensor} holds a NaN or an infinity", self.name))
                .hint("the checkpoint is broken; download or train it again"),
            None if error.hint.is_none() => error
                .hint("no weight is broken by itself, but together they leave the range of f32: train the model again"),
            None => error,
        }
    }
}

/// `tokenizer.json`, or `vocab.json` and `merges.txt` where that is all there is.
fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer> {
    if let Some(json) = checkpoint.read("tokenizer.json")? {
        return Tokenizer::from_json(&json, &checkpoint.locate("tokenizer.json"));
    }
    let (vocab, merges) = (checkpoint.read("vocab.json")?, checkpoint.read("merges.txt")?);
    let added = checkpoint.read("added_tokens.json")?;
    match (vocab, merges) {
        (Some(vocab), Some(merges)) => {
            Tokenizer::from_vocab_merges(&vocab, &merges, added.as_deref(), &checkpoint.locate("vocab.json"))
        }
        _ => Err(Error::failed(format!("model {} has no tokenizer", checkpoint.name))
            .hint("its folder needs tokenizer.json, or vocab.json and merges.txt")),
    }
}
