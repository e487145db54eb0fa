//! Which of the model's predictions is looked at.

use super::answers::class;
use super::checks::position;
use super::found::Advice;
use super::subject::{NEXT, Subject, percent};
use crate::analysis::{Objective, Of, Prediction, predictions, probability};
use crate::error::{Error, Result};
use crate::model::{Classes, NoTap, Odds};
use crate::prompt::{Prompt, Tokenizer, label_of};
use crate::session::Session;
use crate::trace::forward;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Tokens that an error shows of a text that is several.
const SHOWN: usize = 12;

/// A probability below which a token is no answer that anybody expects.
const LIKELY: f64 = 1e-3;

/// Which prediction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// The next token to explain, or the class; none means what the model itself would say.
    pub target: Option<Token>,
    /// The token or class instead of which; none explains the target alone.
    pub foil: Option<Token>,
    /// The position whose next token is meant; negative ones count from the end, none means the last.
    pub position: Option<i64>,
}

/// A token or a class, by its number or by its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Token {
    /// Its id.
    Id(u32),
    /// The text of exactly one token.
    Text(String),
}

/// A prediction within a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The token; none means the model's own answer.
    pub target: Option<u32>,
    /// The token instead of which.
    pub foil: Option<u32>,
    /// The position that predicts.
    pub position: usize,
}

/// A number to explain, and what the model says at its position.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The number.
    pub objective: Objective,
    /// The target's probability, or its score where the model gives scores.
    pub probability: f64,
    /// The most probable next tokens, or classes.
    pub next: Vec<Prediction>,
}

/// Nothing is explained where both are one token.
pub fn foil_is_own() -> Error {
    Error::usage("the foil is what the model itself would say").hint("name a target, too").option("target")
}

impl Target {
    /// What is meant in a prompt.
    ///
    /// # Errors
    /// A text that is not one token, an id or a position that there is not, a foil that is the target.
    pub fn within(&self, subject: &Subject) -> Result<Wanted> {
        let (tokenizer, vocab) = (&subject.session.tokenizer, subject.session.spec().vocab);
        let [target, foil] = self.both("token", |option, token| {
            subject.session.has_next_tokens()?;
            token.id(option, tokenizer, vocab)
        })?;
        let len = subject.prompt.ids.len();
        let typed = self.position.unwrap_or(subject.prompt.last() as i64);
        Ok(Wanted { target, foil, position: position("position", typed, len)? })
    }

    /// Target and foil by their numbers.
    fn both(&self, kind: &str, one: impl Fn(&'static str, &Token) -> Result<u32>) -> Result<[Option<u32>; 2]> {
        let of = |option, token: &Option<Token>| token.as_ref().map(|token| one(option, token)).transpose();
        let (target, foil) = (of("target", &self.target)?, of("foil", &self.foil)?);
        if target.is_some() && target == foil {
            return Err(Error::usage(format!("target and foil are the same {kind}")).hint("name two that differ"));
        }
        Ok([target, foil])
    }

    /// That a target or foil was typed without the space that makes it likely.
    ///
    /// # Errors
    /// A model whose logits are not finite.
    pub fn advice(&self, subject: &Subject) -> Result<Vec<Advice>> {
        let position = || self.within(subject).map(|wanted| wanted.position);
        spaceless(subject.session, &subject.prompt.ids, position, &[("target", &self.target), ("foil", &self.foil)])
    }

    /// The number of a next token to explain; without a target, that of the model's own answer.
    ///
    /// # Errors
    /// As [`Self::within`]; a model whose logits are not finite, or that has no next tokens.
    pub fn explained(&self, subject: &Subject, of: Of) -> Result<Explained> {
        self.within(subject)?.explained(subject, of, Odds::OneOf, Session::next_logits)
    }

    /// The same of a class, where that is what the model answers with.
    ///
    /// # Errors
    /// As [`Self::explained`]; a class that there is not, a position, a probability of what has none.
    pub fn answered(&self, subject: &Subject, of: Of) -> Result<Explained> {
        let Some(classes) = subject.session.model().classes() else { return self.explained(subject, of) };
        let [target, foil] = self.both("class", |option, token| class(option, token, classes))?;
        if self.position.is_some() {
            return Err(Error::usage("position: a classifier answers once, for the whole text")
                .hint("leave it out, or shorten the text")
                .option("position"));
        }
        let of = of_class(of, classes)?;
        let position = classes.position(&subject.prompt.ids);
        Wanted { target, foil, position }.explained(subject, of, classes.odds, Session::answer_logits)
    }
}

impl Wanted {
    fn explained(
        self,
        subject: &Subject,
        of: Of,
        odds: Odds,
        logits: impl Fn(&Session, &[&Tensor]) -> Result<Tensor>,
    ) -> Result<Explained> {
        let Self { target, foil, position } = self;
        let resid = forward(subject.model(), &[&subject.prompt.ids[..=position]], &mut NoTap)?;
        let logits = logits(subject.session, &[&resid])?;
        let next = predictions(&logits, odds, NEXT)?;
        let own = next.first().ok_or_else(|| Error::failed("the model's vocabulary is empty"))?.id;
        let target = target.unwrap_or(own);
        if foil == Some(target) {
            return Err(foil_is_own());
        }
        let probability = probability(&logits, odds, target)?;
        Ok(Explained { objective: Objective { position, target, foil, of }, probability, next })
    }
}

/// What is explained of a class: of a score, which has no probability, the logit, which it is.
fn of_class(of: Of, classes: &Classes) -> Result<Of> {
    match (of, classes.odds) {
        (Of::Probability, Odds::Score) => {
            Err(Error::usage("of prob: this model gives scores, which are no probabilities")
                .hint("the score itself is the logit")
                .option("of"))
        }
        (_, Odds::Score) => Ok(Of::Logit),
        _ => Ok(of),
    }
}

/// That a token was typed without the space that makes it likely after these: both are tokens, and they are not the same one.
///
/// # Errors
/// A model whose logits are not finite; those of `position`.
pub(super) fn spaceless(
    session: &Session,
    ids: &[u32],
    position: impl Fn() -> Result<usize>,
    tokens: &[(&'static str, &Option<Token>)],
) -> Result<Vec<Advice>> {
    let model = session.model();
    let one = |text: &str| session.tokenizer.encode(text).ok().filter(|ids| ids.len() == 1).map(|ids| ids[0]);
    let mut doubts = Vec::new();
    for (option, token) in tokens {
        if let Some(Token::Text(text)) = token
            && !text.starts_with(char::is_whitespace)
            && let (Some(typed), Some(meant)) = (one(text), one(&format!(" {text}")))
            && typed != meant
        {
            doubts.push((*option, text, typed, meant));
        }
    }
    if doubts.is_empty() || model.classes().is_some() || !model.has_logits() {
        return Ok(Vec::new());
    }
    let logits = session.next_logits(&[&forward(model, &[&ids[..=position()?]], &mut NoTap)?])?;
    let mut advice = Vec::new();
    for (option, text, typed, meant) in doubts {
        let [typed, meant] = [typed, meant].map(|id| probability(&logits, Odds::OneOf, id));
        let (typed, meant) = (typed?, meant?);
        if meant > typed && meant >= LIKELY {
            let text = label_of(text);
            let effect = format!(
                "\" {text}\", with a space in front, is likelier here: {} against {} for \"{text}\"",
                percent(meant),
                percent(typed)
            );
            advice.push(Advice::new(option, "", effect));
        }
    }
    Ok(advice)
}

/// An answer and a foil by their ids, as far as they are named.
///
/// # Errors
/// A text that is not one token, an id that there is not, an answer that is the foil.
pub(super) fn answer_and_foil(session: &Session, tokens: [&Option<Token>; 2]) -> Result<[Option<u32>; 2]> {
    let id = |option, token: &Option<Token>| {
        token.as_ref().map(|token| token.id(option, &session.tokenizer, session.spec().vocab)).transpose()
    };
    let [answer, foil] = [id("answer", tokens[0])?, id("foil", tokens[1])?];
    if answer.is_some() && answer == foil {
        return Err(Error::usage("answer and foil are the same token").hint("name two that differ").option("foil"));
    }
    Ok([answer, foil])
}

/// The settings that say in a file what was explained.
pub fn settings(subject: &Subject, target: u32, foil: Option<u32>, position: usize) -> Map<String, Value> {
    let text = |id: u32| Prompt::from_ids(&subject.session.tokenizer, vec![id], None).tokens.remove(0).text;
    Map::from_iter([
        ("target".into(), json!(target)),
        ("target_token".into(), text(target).into()),
        ("foil".into(), json!(foil)),
        ("foil_token".into(), json!(foil.map(text))),
        ("position".into(), json!(position)),
    ])
}

impl Token {
    /// Its id; `option` names it in errors.
    pub(super) fn id(&self, option: &'static str, tokenizer: &Tokenizer, vocab: usize) -> Result<u32> {
        let text = match self {
            Self::Id(id) if (*id as usize) < vocab => return Ok(*id),
            Self::Id(id) => {
                return Err(Error::usage(format!("{option} {id}: the model has the token ids 0 to {}", vocab - 1))
                    .hint(format!("a number is an id; the text is text:{id}"))
                    .option(option));
            }
            Self::Text(text) => text,
        };
        let ids = tokenizer.encode(text)?;
        if let [id] = ids[..] {
            return Ok(id);
        }
        let count = ids.len();
        let mut labels = String::new();
        for token in Prompt::from_ids(tokenizer, ids, None).tokens.iter().take(SHOWN) {
            labels += &format!(" {}", token.label);
        }
        let spaced = format!(" {text}");
        let hint = match tokenizer.encode(&spaced)?[..] {
            [_] => format!("with a space in front it is one: {spaced:?}"),
            _ => "name one of them, or a token id".into(),
        };
        let more = if count > SHOWN { " …" } else { "" };
        Err(Error::usage(format!("{option} \"{}\" is {count} tokens:{labels}{more}", label_of(text)))
            .hint(hint)
            .option(option))
    }
}
