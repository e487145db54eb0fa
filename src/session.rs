//! A model ready to answer, with its tokenizer and identity: from a checkpoint, whose parts are read at the same time, or of one's own.

use crate::checkpoint::identity::{self, Files};
use crate::checkpoint::{Checkpoint, Source, known};
use crate::error::{Error, Result};
use crate::json;
use crate::model::{Away, Backend, Family, Model, Spec};
use crate::place::Place;
use crate::prompt::Tokenizer;
use crate::record::Identity;
use crate::weights::Weights;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

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
    /// Whose it is, where that is another's.
    lent: Option<String>,
    /// Where it is computed.
    place: Place,
    remarks: Vec<String>,
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
    let mut family = Family::parse(&checkpoint.config, &checkpoint.config_origin())?;
    checkpoint.assumed().into_iter().for_each(|assumed| family.remark(assumed));
    Ok(family)
}

impl Session {
    /// Brings a checkpoint to life. One thread parses the tokenizer while others bring the weights into memory, hash them unless that is
    /// [known](known::hash), and make ready what the tokenizer will need.
    ///
    /// # Errors
    /// A config of no family here; weights that are missing, broken or of another model.
    pub fn new(checkpoint: Checkpoint) -> Result<Self> {
        let (family, weights) = (family(&checkpoint)?, checkpoint.weights()?);
        let files = Files::of(&checkpoint);
        let place = checkpoint.place;
        let backend = Backend::of(place)?;
        let load = || {
            weights.populate();
            (family.load(&weights, &backend), known::hash(&weights, known::folder().as_deref()))
        };
        let rest = || {
            Tokenizer::warm();
            identity::beside(&checkpoint)
        };
        let (tokenizer, ((model, weights_hash), beside)) =
            rayon::join(|| tokenizer(&checkpoint), || rayon::join(load, rest));
        let (mut model, hash) = (model?, weights_hash + &beside?);
        let mut remarks = [model.remarks(), tokenizer.remarks()].concat();
        if let Backend::Composite(_, device) = backend {
            model = Box::new(Away::new(model, device));
            remarks.push(format!("computed on {place}: not every last digit is that of the CPU"));
        }
        let lent = checkpoint.tokenizer_name().map(str::to_owned);
        let Checkpoint { name, revision, .. } = checkpoint;
        let session = Self {
            name,
            revision,
            hash,
            model,
            tokenizer,
            lent,
            place,
            remarks,
            weights: Some(weights),
            files: Some(files),
        };
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
        let remarks = [model.remarks(), tokenizer.remarks()].concat();
        Self {
            name: name.into(),
            revision,
            hash: hash.into(),
            model,
            tokenizer,
            lent: None,
            place: Place::default(),
            remarks,
            weights: None,
            files: None,
        }
    }

    /// The model.
    pub fn model(&self) -> &dyn Model {
        &*self.model
    }

    /// Its sizes.
    pub fn spec(&self) -> &Spec {
        self.model.spec()
    }

    /// The bytes of its weights, where they are those of a checkpoint.
    pub fn weight_bytes(&self) -> u64 {
        self.weights().map_or(0, Weights::bytes)
    }

    /// What files say of the model.
    pub fn identity(&self) -> Identity {
        let Spec { heads, kv_heads, .. } = *self.spec();
        Identity {
            name: self.name.clone(),
            revision: self.revision.clone(),
            hash: self.hash.clone(),
            tokenizer: self.lent.clone(),
            place: self.place,
            kv_heads: (kv_heads < heads).then_some(kv_heads),
        }
    }

    /// Logits of the token after each prompt, `[prompt, vocab]`, from the last row of its last `resid_post`.
    ///
    /// # Errors
    /// Those of the model.
    pub fn next_logits(&self, resids: &[&Tensor]) -> Result<Tensor> {
        self.model.unembed(&self.last_normed(resids)?, None)
    }

    /// The same of what the model answers with, `[prompt, answer]`: of classes where it has such.
    ///
    /// # Errors
    /// Those of the model.
    pub fn answer_logits(&self, resids: &[&Tensor]) -> Result<Tensor> {
        self.model.answer(&self.last_normed(resids)?, None)
    }

    fn last_normed(&self, resids: &[&Tensor]) -> Result<Tensor> {
        let last = resids.iter().map(|resid| resid.narrow(0, resid.dims()[0] - 1, 1)).collect::<Result<Vec<_>, _>>()?;
        self.model.final_norm(&Tensor::cat(&last, 0)?)
    }

    /// Fails where the model has no next tokens, as [`Model::unembed`] does.
    ///
    /// # Errors
    /// A model without a language-model head.
    pub fn has_next_tokens(&self) -> Result<()> {
        if self.model.has_logits() {
            return Ok(());
        }
        let row = Tensor::zeros((1, self.spec().d_model), DType::F32, &Device::Cpu)?;
        self.model.unembed(&row, Some(&[0])).map(drop)
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
        &self.remarks
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

/// A checkpoint's tokenizer, as [`Tokenizer::from_files`] makes it.
pub fn tokenizer(checkpoint: &Checkpoint) -> Tokenizer {
    let said: Said = checkpoint.read_beside("config.json").ok().flatten().map_or_else(Said::default, |config| {
        json::parse(&config).unwrap_or_default() // what is wrong with a model's config is said where it is read for the model
    });
    let (read, locate) = (|name: &str| checkpoint.read_beside(name), |name: &str| checkpoint.locate_beside(name));
    Tokenizer::from_files(&read, &locate, said.tokenizer_class.as_deref(), said.model_type.as_deref())
}

/// What a config says of the tokenizer.
#[derive(Default, Deserialize)]
struct Said {
    tokenizer_class: Option<String>,
    model_type: Option<String>,
}
