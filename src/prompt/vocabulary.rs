//! The model of a tokenizer: byte-pair encoding as it is [listed](Listed), or what the `tokenizers` crate makes of a file.
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use tokenizers::models::bpe::BPE;
use tokenizers::{
    AddedToken, DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    Result, Token, TokenizerImpl, Trainer,
};

use super::listed::Listed;

/// The crate's tokenizer around a vocabulary.
pub(super) type Engine =
    TokenizerImpl<Vocabulary, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// How pieces of a text become tokens.
#[derive(Clone)]
pub(super) enum Vocabulary {
    Listed(Listed),
    Whole(ModelWrapper),
}

impl Vocabulary {
    /// The settings of byte-pair encoding, if it is that.
    pub(super) fn pairs(&self) -> Option<&BPE> {
        match self {
            Self::Listed(listed) => Some(&listed.settings),
            Self::Whole(ModelWrapper::BPE(pairs)) => Some(pairs),
            Self::Whole(_) => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn pairs_mut(&mut self) -> Option<&mut BPE> {
        match self {
            Self::Listed(listed) => Some(&mut listed.settings),
            Self::Whole(ModelWrapper::BPE(pairs)) => Some(pairs),
            Self::Whole(_) => None,
        }
    }
}

impl<T: Into<ModelWrapper>> From<T> for Vocabulary {
    fn from(model: T) -> Self {
        Self::Whole(model.into())
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        ModelWrapper::deserialize(deserializer).map(Self::Whole)
    }
}

impl Model for Vocabulary {
    type Trainer = Untrained;

    fn tokenize(&self, piece: &str) -> Result<Vec<Token>> {
        match self {
            Self::Listed(listed) => listed.tokenize(piece),
            Self::Whole(model) => model.tokenize(piece),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Listed(listed) => listed.id(token),
            Self::Whole(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::Listed(listed) => listed.token(id).map(str::to_owned),
            Self::Whole(model) => model.id_to_token(id),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            Self::Listed(listed) => listed.all().map(|(token, id)| (token.to_owned(), id)).collect(),
            Self::Whole(model) => model.get_vocab(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            Self::Listed(listed) => listed.len(),
            Self::Whole(model) => model.get_vocab_size(),
        }
    }

    fn save(&self, _: &Path, _: Option<&str>) -> Result<Vec<PathBuf>> {
        Err("a tokenizer is read, not written".into())
    }

    fn get_trainer(&self) -> Untrained {
        Untrained
    }
}

/// What the crate's trait asks for: nothing is trained here.
pub(super) struct Untrained;

impl Trainer for Untrained {
    type Model = Vocabulary;

    fn should_show_progress(&self) -> bool {
        false
    }

    fn train(&self, _: &mut Vocabulary) -> Result<Vec<AddedToken>> {
        Err("a tokenizer is read, not trained".into())
    }

    fn feed<I, S, F>(&mut self, _: I, _: F) -> Result<()>
    where
        I: Iterator<Item = S> + Send,
        S: AsRef<str> + Send,
        F: Fn(&str) -> Result<Vec<String>> + Sync,
    {
        Err("a tokenizer is read, not trained".into())
    }
}
