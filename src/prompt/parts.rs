//! The parts that a tokenizer is put together from, whatever files they came from.
use serde::Deserialize;
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};

use super::vocabulary::{Engine, Vocabulary};

/// What a `tokenizer.json` holds, as far as it decides which ids a text becomes.
#[derive(Deserialize)]
pub(super) struct Parts {
    #[serde(default)]
    pub(super) version: Option<String>,
    pub(super) model: Vocabulary,
    #[serde(default)]
    pub(super) normalizer: Option<NormalizerWrapper>,
    #[serde(default)]
    pub(super) pre_tokenizer: Option<PreTokenizerWrapper>,
    #[serde(default)]
    pub(super) post_processor: Option<PostProcessorWrapper>,
    #[serde(default)]
    pub(super) decoder: Option<DecoderWrapper>,
    #[serde(default)]
    pub(super) added_tokens: Vec<Added>,
}

/// A token that was added to a vocabulary, and its id there.
#[derive(Clone, Deserialize)]
pub(super) struct Added {
    pub(super) id: u32,
    #[serde(flatten)]
    pub(super) token: AddedToken,
}

impl Parts {
    /// A vocabulary, and nothing around it.
    pub(super) fn of(model: impl Into<Vocabulary>) -> Self {
        let model = model.into();
        Self {
            version: None,
            model,
            normalizer: None,
            pre_tokenizer: None,
            post_processor: None,
            decoder: None,
            added_tokens: vec![],
        }
    }

    /// Those of a `tokenizer.json`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let parts: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match parts.version.as_deref() {
            None | Some("1.0") => Ok(parts),
            Some(version) => Err(format!("its version is {version:?}, not 1.0")),
        }
    }

    /// The tokenizer with these tokens added to it, in their order, and the ids of those that say theirs checked.
    pub(super) fn assemble(self, added: &[AddedToken]) -> Result<Engine, String> {
        let text = |error: tokenizers::Error| error.to_string();
        let mut tokenizer = Engine::new(self.model);
        tokenizer.with_normalizer(self.normalizer).map_err(text)?;
        tokenizer.with_pre_tokenizer(self.pre_tokenizer).with_decoder(self.decoder);
        tokenizer.with_post_processor(self.post_processor);
        tokenizer.add_tokens(self.added_tokens.iter().map(|added| added.token.clone())).map_err(text)?;
        check_ids(&tokenizer, self.added_tokens.iter().map(|Added { id, token }| (*id, token)))?;
        tokenizer.add_tokens(added.iter().cloned()).map_err(text)?;
        Ok(tokenizer)
    }

    /// Whether texts are split into bytes.
    pub(super) fn is_byte_level(&self) -> bool {
        let is_level = |part: &PreTokenizerWrapper| matches!(part, PreTokenizerWrapper::ByteLevel(_));
        let before = match &self.pre_tokenizer {
            Some(PreTokenizerWrapper::Sequence(all)) => all.as_ref().iter().any(is_level),
            Some(one) => is_level(one),
            None => false,
        };
        before || super::spelling::Spelling::of(self.decoder.as_ref(), None, &self.model).byte_level
    }
}

/// How many bytes a normalizer may make of one, at most.
pub(super) fn growth(normalizer: Option<&NormalizerWrapper>) -> f64 {
    let Some(NormalizerWrapper::Sequence(all)) = normalizer else { return normalizer.map_or(1.0, growth_of_one) };
    all.as_ref().iter().map(|one| growth(Some(one))).product()
}

fn growth_of_one(normalizer: &NormalizerWrapper) -> f64 {
    /// U+FDFA, of three bytes, is eighteen letters in full.
    const COMPATIBILITY: f64 = 11.0;
    match normalizer {
        NormalizerWrapper::NFKC(_) | NormalizerWrapper::NFKD(_) | NormalizerWrapper::Precompiled(_) => COMPATIBILITY,
        // A pattern may match nothing, before every character.
        NormalizerWrapper::Replace(replace) => 1.0 + replace.content.len() as f64,
        NormalizerWrapper::Prepend(prepend) => 1.0 + prepend.prepend.len() as f64,
        // Bytes spelled as letters, spaces around ideographs, letters taken apart.
        _ => 3.0,
    }
}

/// An added token that is listed with one id and gets another would be read as a token that the model never saw for it.
pub(super) fn check_ids<'a>(
    tokenizer: &Engine,
    listed: impl Iterator<Item = (u32, &'a AddedToken)>,
) -> Result<(), String> {
    for (id, AddedToken { content, .. }) in listed {
        match tokenizer.token_to_id(content) {
            Some(given) if given != id && !content.is_empty() => {
                return Err(format!("added token {content:?} is listed with the id {id}, but becomes {given}"));
            }
            _ => (),
        }
    }
    Ok(())
}
