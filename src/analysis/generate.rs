//! What the model writes next, a token at a time: the most probable one, or one drawn by its probability.

use super::attribution::Dice;
use super::next::next_tokens;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Past, Segments};
use crate::trace::Recorder;
use candle_core::Tensor;
use std::sync::Arc;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// The most probable one; ties go to the smaller id.
    Greedy,
    /// Drawn from the probabilities.
    Sampled {
        /// Logits are divided by it: below 1 the probable becomes more probable. More than 0.
        temperature: f64,
        /// Only the most probable tokens that together have this probability are drawn from.
        top_p: f64,
        /// Where chance begins.
        seed: u64,
    },
}

/// Continues a prompt by up to `count` tokens; `stop` ends it early and is part of the result.
///
/// Keys and values are kept, so that every token is computed once.
///
/// # Errors
/// A prompt that, with so many tokens, is longer than the model's context.
pub fn generate(model: &dyn Model, ids: &[u32], count: usize, choice: Choice, stop: Option<u32>) -> Result<Vec<u32>> {
    let (len, context) = (ids.len(), model.spec().context);
    // The last token is written but not read.
    if len + count > context + 1 {
        return Err(Error::usage(format!(
            "{len} tokens and {count} more are longer than the model's context of {context}"
        ))
        .hint(format!("ask for at most {}, or shorten the prompt", (context + 1).saturating_sub(len))));
    }
    let mut past: Option<Arc<Past>> = None;
    let (mut written, mut unread): (Vec<u32>, Vec<u32>) = (Vec::new(), ids.to_vec());
    while written.len() < count {
        let segments = Segments::each_continued([(past.clone(), unread.len())]);
        let mut recorder = Recorder::new().keep(Activation::K).keep(Activation::V);
        let resid = model.blocks(model.start(&model.embed(&unread)?, &segments)?, &segments, &mut recorder)?;
        let last = model.final_norm(&resid.narrow(0, unread.len() - 1, 1)?)?;
        let id = choose(&model.unembed(&last, None)?, choice, written.len())?;
        written.push(id);
        if stop == Some(id) {
            break;
        }
        unread = vec![id];
        let new = recorder.trace().past(model.spec().layers, 0)?;
        past = Some(match past {
            None => new,
            Some(old) => Arc::new(Past { keys: join(&old.keys, &new.keys)?, values: join(&old.values, &new.values)? }),
        });
    }
    Ok(written)
}

fn join(old: &[Tensor], new: &[Tensor]) -> Result<Vec<Tensor>> {
    old.iter().zip(new).map(|(old, new)| Ok(Tensor::cat(&[old, new], 0)?)).collect()
}

/// The token at this place of the continuation, from logits `[1, vocab]`.
fn choose(logits: &Tensor, choice: Choice, place: usize) -> Result<u32> {
    let none = || Error::failed("the model's vocabulary is empty");
    let Choice::Sampled { temperature, top_p, seed } = choice else {
        return Ok(next_tokens(logits, 1)?.first().ok_or_else(none)?.id);
    };
    let ranked = next_tokens(&(logits / temperature)?, usize::MAX)?;
    let mut mass = 0.0;
    // The token that reaches the mass is the last one kept.
    let enough = ranked.iter().position(|next| {
        mass += next.probability;
        mass >= top_p
    });
    let kept = enough.map_or(ranked.len(), |last| last + 1);
    let kept = &ranked[..kept.max(1).min(ranked.len())];
    let total: f64 = kept.iter().map(|next| next.probability).sum();
    let mut left = Dice::new(seed, place as u64).unit() * total;
    let drawn = kept.iter().find(|next| {
        left -= next.probability;
        left < 0.0
    });
    Ok(drawn.or(kept.last()).ok_or_else(none)?.id)
}
