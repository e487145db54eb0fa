//! Scores of whole sentences, by one of the conventions that people use.

use super::rows::Bad;
use crate::analysis::scoring::{Beside, Scored, Text, Watch, score};
use crate::error::{Error, Result};
use crate::findings::reading::begin;
use crate::named::Named;
use crate::session::Session;
use serde::{Deserialize, Serialize};

/// How a sentence is scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// The sum over all tokens, after the beginning-of-text token.
    #[default]
    LmEval,
    /// The mean over all tokens but the first, with nothing before them.
    Minicons,
    /// The mean over all tokens, after the beginning-of-text token.
    Normalized,
}

impl Named for Convention {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::LmEval, "lm-eval", "Sum of log p over all tokens, after the model's BOS"),
        (Self::Minicons, "minicons", "Mean of log p over all tokens but the first, without BOS"),
        (Self::Normalized, "normalized", "Mean of log p over all tokens, after the model's BOS"),
    ];
}

impl Convention {
    /// What it does, for a figure.
    pub fn said(self) -> &'static str {
        match self {
            Self::LmEval => "lm-eval: Σ log p of all tokens, after BOS",
            Self::Minicons => "minicons: mean log p without the first token, no BOS",
            Self::Normalized => "normalized: mean log p of all tokens, after BOS",
        }
    }

    fn has_bos(self) -> bool {
        self != Self::Minicons
    }

    /// A sentence's score from the logarithms of its tokens' probabilities.
    pub fn score(self, tokens: &[f64]) -> f64 {
        let sum: f64 = tokens.iter().sum();
        if self == Self::LmEval { sum } else { sum / tokens.len() as f64 }
    }
}

/// A sentence as ids, or why it cannot be scored.
pub(super) type Encoded<T = Vec<u32>> = Result<T, String>;

/// Turns sentences into what the model reads under a convention.
pub(super) struct Encoder<'a> {
    session: &'a Session,
    bos: Option<u32>,
}

impl<'a> Encoder<'a> {
    /// # Errors
    /// A model without next tokens, without a tokenizer, or without the token that is to begin a text.
    pub fn new(session: &'a Session, convention: Convention) -> Result<Self> {
        session.has_next_tokens()?;
        if let Some(why) = session.tokenizer.missing() {
            return Err(why.clone());
        }
        let bos = if convention.has_bos() {
            begin(&session.tokenizer, session.spec())
                .map_err(|error| {
                    Error { option: None, ..error }
                        .hint("take the minicons convention, which needs none")
                        .option("convention")
                })?
                .0
        } else {
            None
        };
        Ok(Self { session, bos })
    }

    /// A sentence, of which at least one token is scored.
    pub fn encode(&self, text: &str) -> Encoded {
        let own = self.session.tokenizer.encode(text).map_err(|error| error.message)?;
        let ids: Vec<u32> = self.bos.into_iter().chain(own).collect();
        let context = self.session.spec().context;
        match ids.len() {
            0 | 1 => Err("it has no token that can be scored".into()),
            // The last token is not read.
            length if length > context + 1 => {
                Err(format!("it has {length} tokens, but the model's context holds {context}"))
            }
            _ => Ok(ids),
        }
    }
}

/// The sentences of the items that a model can read, in order.
#[derive(Default)]
pub(super) struct Sentences {
    /// The ids of each.
    pub ids: Vec<Vec<u32>>,
    /// The items that they are of, each once.
    pub places: Vec<usize>,
    /// The other items.
    pub bad: Vec<Bad>,
}

impl Encoder<'_> {
    /// The sentences of items, each with its file and its line; an item is read whole or not at all.
    pub fn items<'t>(&self, items: impl Iterator<Item = (&'t [String], &'t str, usize)>) -> Sentences {
        let mut read = Sentences::default();
        for (place, (texts, file, line)) in items.enumerate() {
            let own: Encoded<Vec<Vec<u32>>> = texts.iter().map(|text| self.encode(text)).collect();
            match own {
                Ok(own) => {
                    read.ids.extend(own);
                    read.places.push(place);
                }
                Err(why) => read.bad.push(Bad { file: file.to_owned(), line, why }),
            }
        }
        read
    }
}

/// The logarithms of the probabilities of each sentence's tokens.
///
/// # Errors
/// Those of [`score`].
pub(super) fn scored(session: &Session, sentences: &[&[u32]], watch: Watch) -> Result<Vec<Scored>> {
    let texts: Vec<Text> = sentences.iter().map(|ids| Text::new(ids)).collect();
    score(session.model(), &texts, Beside::default(), watch)
}

/// The same as StereoSet scores sentences, which begin with the beginning-of-text token: the first token after that one alone, the
/// others without it.
///
/// # Errors
/// Those of [`score`].
pub(super) fn scored_apart(session: &Session, sentences: &[&[u32]], watch: Watch) -> Result<Vec<Vec<f64>>> {
    let texts: Vec<Text> = sentences.iter().flat_map(|ids| [Text::new(&ids[..2]), Text::new(&ids[1..])]).collect();
    let scored = score(session.model(), &texts, Beside::default(), watch)?;
    Ok(scored.chunks(2).map(|parts| parts.iter().flat_map(|part| &part.tokens).copied().collect()).collect())
}
