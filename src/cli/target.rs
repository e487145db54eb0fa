//! `--target`, `--foil` and `--position`: which of the model's predictions is looked at.

use super::subject::{NEXT, Subject};
use attnviz::analysis::{Objective, Of, Prediction, next_tokens};
use attnviz::error::{Error, Result};
use attnviz::model::NoTap;
use attnviz::prompt::{Prompt, Tokenizer, label_of};
use attnviz::trace::forward;
use candle_core::Tensor;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

/// Tokens that an error shows of a text that is several.
const SHOWN: usize = 12;

/// Which prediction.
#[derive(Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// The next token to explain: its text, such as " time", or its id; `text:12` is the text 12
    /// [default: what the model itself would say]
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// Explain the target rather than this token
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub foil: Option<String>,
    /// The position whose next token is meant; negative ones count from the end [default: the last]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub position: Option<i64>,
}

/// `--of`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OfArg {
    /// The logit
    Logit,
    /// The natural logarithm of the probability
    Logprob,
    /// The probability
    Prob,
}

impl OfArg {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logit => "logit",
            Self::Logprob => "logprob",
            Self::Prob => "prob",
        }
    }
}

impl From<OfArg> for Of {
    fn from(of: OfArg) -> Self {
        match of {
            OfArg::Logit => Self::Logit,
            OfArg::Logprob => Self::LogProb,
            OfArg::Prob => Self::Probability,
        }
    }
}

/// A prediction as meant; without a target, the model's own.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub target: Option<u32>,
    pub foil: Option<u32>,
    pub position: usize,
}

/// A number to explain, and what the model says at its position.
pub struct Explained {
    pub objective: Objective,
    /// The most probable next tokens.
    pub next: Vec<Prediction>,
    /// Of the next token, `[1, vocab]`.
    pub logits: Tensor,
}

/// Nothing is explained where both are one token.
pub fn foil_is_own() -> Error {
    Error::usage("--foil is what the model itself would say").hint("name a --target, too")
}

impl TargetArgs {
    /// What is meant in a prompt.
    pub fn resolve(&self, subject: &Subject) -> Result<Wanted> {
        let (tokenizer, vocab) = (&subject.session.tokenizer, subject.session.model.spec().vocab);
        let one = |flag, typed: &Option<String>| typed.as_deref().map(|text| token(flag, text, tokenizer, vocab));
        let (target, foil) = (one("--target", &self.target).transpose()?, one("--foil", &self.foil).transpose()?);
        if target.is_some() && target == foil {
            return Err(Error::usage("--target and --foil are the same token").hint("name two different tokens"));
        }
        let (len, typed) = (subject.prompt.ids.len(), self.position.unwrap_or(-1));
        let from_start = if typed < 0 { typed.saturating_add(len as i64) } else { typed };
        let position = usize::try_from(from_start).ok().filter(|at| *at < len).ok_or_else(|| {
            Error::usage(format!("--position {typed}: the prompt has {len} tokens"))
                .hint(format!("positions are 0 to {}; -1 is the last", len.saturating_sub(1)))
        })?;
        Ok(Wanted { target, foil, position })
    }

    /// The number to explain; without a target, that of the model's own answer.
    pub fn explained(&self, subject: &Subject, of: OfArg) -> Result<Explained> {
        let Wanted { target, foil, position } = self.resolve(subject)?;
        let session = subject.session;
        let resid = forward(&*session.model, &[&subject.prompt.ids[..=position]], &mut NoTap)?;
        let logits = session.next_logits(&[&resid])?;
        let next = next_tokens(&logits, NEXT)?;
        let own = next.first().ok_or_else(|| Error::failed("the model's vocabulary is empty"))?.id;
        let target = target.unwrap_or(own);
        if foil == Some(target) {
            return Err(foil_is_own());
        }
        Ok(Explained { objective: Objective { position, target, foil, of: of.into() }, next, logits })
    }
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

/// A bare integer is a token id, everything else the text of exactly one token; `text:` forces a text.
fn token(flag: &str, typed: &str, tokenizer: &Tokenizer, vocab: usize) -> Result<u32> {
    if let Ok(id) = typed.parse::<u32>() {
        return Some(id).filter(|id| (*id as usize) < vocab).ok_or_else(|| {
            Error::usage(format!("{flag} {id}: the model has the token ids 0 to {}", vocab - 1))
                .hint(format!("a number is an id; for the text write {flag} text:{id}"))
        });
    }
    let text = typed.strip_prefix("text:").unwrap_or(typed);
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
        [_] => format!("with a space in front it is one: {flag} {spaced:?}"),
        _ => "name one of them, or a token id".into(),
    };
    let more = if count > SHOWN { " …" } else { "" };
    Err(Error::usage(format!("{flag} \"{}\" is {count} tokens:{labels}{more}", label_of(text))).hint(hint))
}
