//! What comes next, after the prompt and after another one.

use super::Found;
use super::options::Options;
use crate::analysis::Prediction;
use crate::analysis::next::{next_tokens, probability, rank};
use crate::error::{Error, Result};
use crate::export::{Array, Entry};
use crate::figure::{Bars, Column, Panel, Scale, Table};
use crate::findings::subject::Subject;
use crate::findings::target::{foil_is_own, settings};
use crate::findings::{Style, Words};
use crate::model::NoTap;
use crate::model::Odds;
use crate::prompt::Prompt;
use crate::text::excerpt;
use crate::trace::forward;
use candle_core::Tensor;
use serde_json::{Map, json};

/// Next tokens that are shown.
const SHOWN: usize = 10;

/// What the model says after a prompt.
pub(super) struct Next {
    logits: Tensor,
    /// The most probable tokens, the best first.
    pub top: Vec<Prediction>,
    position: usize,
}

impl Next {
    /// Of a prompt that stands for itself, at a position.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn of(subject: &Subject, ids: &[u32], position: usize) -> Result<Self> {
        let resid = forward(subject.model(), &[ids], &mut NoTap)?;
        let logits = subject.session.next_logits(&[&resid.narrow(0, 0, position + 1)?])?.get(0)?;
        let top = next_tokens(&logits, SHOWN)?;
        Ok(Self { logits, top, position })
    }

    /// Its first choice.
    ///
    /// # Errors
    /// A model without a vocabulary.
    pub fn own(&self) -> Result<u32> {
        self.top.first().map(|next| next.id).ok_or_else(|| Error::failed("the model's vocabulary is empty"))
    }

    fn probability(&self, id: u32) -> Result<f64> {
        probability(&self.logits, Odds::OneOf, id)
    }

    /// What every file says of it.
    fn fields(&self, subject: &Subject, target: u32) -> Result<Map<String, serde_json::Value>> {
        let token =
            |next: &Prediction| json!({ "token": next.id, "label": subject.label(next.id), "p": next.probability });
        Ok(Map::from_iter([
            ("p_target".into(), json!(self.probability(target)?)),
            ("rank".into(), json!(rank(&self.logits.to_vec1::<f32>()?, target))),
            ("next".into(), self.top.iter().map(token).collect()),
        ]))
    }

    fn array(&self) -> Array {
        let values: Vec<f32> = self.top.iter().map(|next| next.probability as f32).collect();
        Array { name: "p_next".into(), shape: vec![values.len()], values }
    }
}

/// What comes next after the prompt, the section of it, and the token that is explained.
///
/// # Errors
/// A foil that is the model's own answer.
pub(super) fn next(options: &Options, subject: &Subject) -> Result<(Next, Found, u32)> {
    let wanted = options.target.within(subject)?;
    let next = Next::of(subject, &subject.prompt.ids, wanted.position)?;
    let target = wanted.target.map_or_else(|| next.own(), Ok)?;
    if wanted.foil == Some(target) {
        return Err(foil_is_own());
    }
    let fields = next.fields(subject, target)?;
    let mut settings = settings(subject, target, wanted.foil, wanted.position);
    settings.insert("bos".into(), options.reading.bos.into());
    let bars = Panel::Bars(Bars {
        title: "Most probable next tokens".into(),
        labels: next.top.iter().map(|next| subject.label(next.id)).collect(),
        values: next.top.iter().map(|next| 100.0 * next.probability as f32).collect(),
        unit: "probability, %".into(),
        ..Bars::default()
    });
    let figure = options.style_within().figure(subject, Vec::new(), vec![bars]);
    let entry = Entry { method: "next-token".into(), settings, fields, arrays: vec![next.array()] };
    Ok((next, Found { id: "next", title: "What may come next", figure, results: vec![entry] }, target))
}

/// Another prompt, and what comes next there.
pub(super) struct Versus {
    pub prompt: Prompt,
    pub next: Next,
}

impl Versus {
    /// The other prompt, read as the first was.
    ///
    /// # Errors
    /// A text that cannot be read, or that is the prompt.
    pub fn of(options: &Options, text: &str, subject: &Subject) -> Result<Self> {
        let session = subject.session;
        let prompt = options
            .reading
            .read(Words::Text(text.to_owned()), &session.tokenizer, session.spec())
            .map_err(|error| error.option("versus"))?;
        if prompt.ids == subject.prompt.ids {
            return Err(Error::usage("both prompts are the same tokens").hint("change a word").option("versus"));
        }
        let next = Next::of(subject, &prompt.ids, prompt.last())?;
        Ok(Self { prompt, next })
    }

    /// Both prompts' next tokens in one table.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn found(&self, options: &Options, subject: &Subject, here: &Next, target: u32) -> Result<Found> {
        let mut ids: Vec<u32> = vec![target];
        for id in here.top.iter().zip(&self.next.top).flat_map(|(a, b)| [a.id, b.id]) {
            if !ids.contains(&id) && ids.len() < SHOWN {
                ids.push(id);
            }
        }
        let percents = |next: &Next| -> Result<Vec<f32>> {
            ids.iter().map(|id| Ok(100.0 * next.probability(*id)? as f32)).collect()
        };
        let scale = Scale { min: 0.0, max: 100.0, unit: "probability, %".into(), ..Scale::default() };
        let table = Table {
            title: "Next tokens after both prompts, %".into(),
            columns: vec![
                Column::texts("token", ids.iter().map(|id| subject.label(*id)).collect()),
                Column::shaded("the prompt", percents(here)?, scale.clone()),
                Column::shaded("the other", percents(&self.next)?, scale),
            ],
            note: format!("the other: {}", excerpt(&self.prompt.written(), 200)),
        };
        let mut settings = settings(subject, target, None, self.next.position);
        settings.insert("bos".into(), options.reading.bos.into());
        let mut fields = self.next.fields(subject, target)?;
        fields.insert("prompt".into(), self.prompt.written().into());
        fields.insert("tokens".into(), self.prompt.tokens.iter().map(|token| json!(token.text)).collect());
        let style: Style = options.style_within();
        let figure = style.figure(subject, Vec::new(), vec![Panel::Table(table)]);
        let entry = Entry { method: "contrast".into(), settings, fields, arrays: vec![self.next.array()] };
        Ok(Found { id: "contrast", title: "What another prompt changes", figure, results: vec![entry] })
    }
}
