//! A model ready to answer, with its tokenizer and identity: from a checkpoint, whose parts are read at the same time, or of one's own.

use crate::checkpoint::identity::{self, Files};
use crate::checkpoint::{Checkpoint, Source};
use crate::error::{Error, Result};
use crate::model::{Backend, Family, Model, Spec};
use crate::prompt::Tokenizer;
use crate::record::Identity;
use crate::weights::Weights;
use candle_core::Tensor;

/// A loaded model with its tokenizer.
pub struct Session {
    /// What figures and files call the model.
    pub name: String,
    /// The commit of the hub's repository that it comes from, where it does.
    pub revision: Option<String>,
    /// What tells it from other models: the hashes of its weights, config and tokenizer (see [`identity::beside`]).
    pub hash: String,
    model: Box<dyn Model>,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    weights: Option<Weights>,
    /// Its other files, where there are some.
    files: Option<Files>,
}

/// Opens a checkpoint that a session can be made of: what is wrong with its config or its weights' headers is said before anything
/// slow.
///
/// # Errors
/// Those of [`Checkpoint::open`], [`family`] and [`Checkpoint::weights`].
pub fn open(source: &Source) -> Result<Checkpoint> {
    let checkpoint = Checkpoint::open(source)?;
    family(&checkpoint)?;
    checkpoint.weights()?;
    Ok(checkpoint)
}

/// The family that a checkpoint's config describes, before anything is loaded.
///
/// # Errors
/// Those of [`Family::parse`].
pub fn family(checkpoint: &Checkpoint) -> Result<Family> {
    Family::parse(&checkpoint.config, &checkpoint.locate("config.json"))
}

impl Session {
    /// Brings a checkpoint to life. One thread parses the tokenizer while others read the weights, hash them, which also brings them
    /// into memory, and make ready what the tokenizer will need.
    ///
    /// # Errors
    /// A config of no family here; weights or a tokenizer that are missing, broken or of another model.
    pub fn new(checkpoint: Checkpoint) -> Result<Self> {
        let (family, weights) = (family(&checkpoint)?, checkpoint.weights()?);
        let files = Files::of(checkpoint.folder());
        let load = || (family.load(&weights, &Backend::Fused), weights.hash());
        let rest = || {
            Tokenizer::warm();
            identity::beside(&checkpoint)
        };
        let (tokenizer, ((model, weights_hash), beside)) =
            rayon::join(|| tokenizer(&checkpoint), || rayon::join(load, rest));
        let (model, tokenizer, hash) = (model?, tokenizer?, weights_hash + &beside?);
        let Checkpoint { name, revision, .. } = checkpoint;
        let session = Self { name, revision, hash, model, tokenizer, weights: Some(weights), files: Some(files) };
        session.unchanged()?;
        Ok(session)
    }

    /// A model of one's own. `name` is what figures call it, `hash` what tells it from others, for those who compare files;
    /// a commit is known only of what comes from the hub.
    pub fn of(
        name: impl Into<String>,
        revision: Option<String>,
        hash: impl Into<String>,
        model: Box<dyn Model>,
        tokenizer: Tokenizer,
    ) -> Self {
        Self { name: name.into(), revision, hash: hash.into(), model, tokenizer, weights: None, files: None }
    }

    /// The model.
    pub fn model(&self) -> &dyn Model {
        &*self.model
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
    ///
    /// # Errors
    /// Those of the model.
    pub fn next_logits(&self, resids: &[&Tensor]) -> Result<Tensor> {
        let last = resids.iter().map(|resid| resid.narrow(0, resid.dims()[0] - 1, 1)).collect::<Result<Vec<_>, _>>()?;
        self.model.unembed(&self.model.final_norm(&Tensor::cat(&last, 0)?)?, None)
    }

    /// Fails where a file of the model is no longer the one that was read. A model of one's own has none.
    ///
    /// # Errors
    /// A file that was written, replaced, cut short, added or removed.
    pub fn unchanged(&self) -> Result<()> {
        let weights = self.weights.as_ref().and_then(Weights::changed);
        let changed = weights.or_else(|| self.files.as_ref().and_then(Files::changed));
        changed.map_or(Ok(()), |file| Err(identity::changed(&self.name, file)))
    }

    /// What was assumed to read it, a line each, for people.
    pub fn remarks(&self) -> &[String] {
        self.model.remarks()
    }

    /// All tensors, as they are in their files; none of a model of one's own.
    pub fn weights(&self) -> Option<&Weights> {
        self.weights.as_ref()
    }

    /// The same error, with the broken tensor named where the weights hold a NaN or an infinity.
    pub fn explain(&self, error: Error) -> Error {
        let Some(weights) = &self.weights else { return error };
        match weights.first_non_finite() {
            Some(tensor) => Error::failed(format!("model {}: tensor {tensor} holds a NaN or an infinity", self.name))
                .hint("the checkpoint is broken; download or train it again"),
            None if error.hint.is_none() => error
                .hint("no weight is broken by itself, but together they leave the range of f32: train the model again"),
            None => error,
        }
    }
}

/// A checkpoint's tokenizer: `tokenizer.json`, or `vocab.json` and `merges.txt` where that is all there is.
///
/// # Errors
/// Neither is there, or they cannot be read.
pub fn tokenizer(checkpoint: &Checkpoint) -> Result<Tokenizer> {
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
