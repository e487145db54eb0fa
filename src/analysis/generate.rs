//! What the model writes next, a token at a time: the most probable one, or one drawn by its probability.

use super::logits::not_finite;
use super::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Past, Segments};
use crate::text;
use crate::trace::Recorder;
use candle_core::Tensor;
use candle_transformers::generation::{LogitsProcessor, Sampling};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How the next token is chosen.
///
/// In JSON: `"greedy"`, or `{"temperature": 0.8, "top_p": 0.9, "seed": 1}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The most probable one; ties go to the smaller id.
    Greedy,
    /// Drawn from the probabilities by candle's `LogitsProcessor`, in single precision.
    #[serde(untagged)]
    Sampled {
        /// Logits are divided by it: below 1 the probable becomes more probable. More than 0; below 1e-7 the choice is greedy.
        temperature: f64,
        /// Only the fewest most probable tokens that together have this probability are drawn from; 1 for all.
        top_p: f64,
        /// Seed of the random draws.
        seed: u64,
    },
}

/// Continues a prompt by up to `count` tokens; `stop` ends it early and is part of the result.
///
/// Keys and values are kept, so that every token is computed once.
///
/// # Errors
/// A prompt that, with so many tokens, is longer than the model's context; logits that are not finite.
pub fn generate(model: &dyn Model, ids: &[u32], count: usize, choice: Choice, stop: Option<u32>) -> Result<Vec<u32>> {
    let (len, context) = (ids.len(), model.spec().context);
    // The last token is written but not read.
    if len + count > context + 1 {
        return Err(Error::usage(format!(
            "{} and {count} more are longer than the model's context of {context}",
            text::count(len, "token")
        ))
        .hint(format!("ask for at most {}, or shorten the prompt", (context + 1).saturating_sub(len))));
    }
    let mut processor = processor(choice);
    let mut past: Option<Arc<Past>> = None;
    let (mut written, mut unread): (Vec<u32>, Vec<u32>) = (Vec::new(), ids.to_vec());
    while written.len() < count {
        let segments = Segments::each_continued([(past.clone(), unread.len())]);
        let mut recorder = Recorder::new().keep(Activation::K).keep(Activation::V);
        let resid = model.blocks(model.start(&model.embed(&unread)?, &segments)?, &segments, &mut recorder)?;
        let last = model.final_norm(&resid.narrow(0, unread.len() - 1, 1)?)?;
        let id = choose(&mut processor, &model.unembed(&last, None)?)?;
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

/// The sampler of a continuation's tokens.
fn processor(choice: Choice) -> LogitsProcessor {
    match choice {
        Choice::Greedy => LogitsProcessor::from_sampling(0, Sampling::ArgMax),
        Choice::Sampled { temperature, top_p, seed } => LogitsProcessor::new(seed, Some(temperature), Some(top_p)),
    }
}

/// The next token from logits `[1, vocab]`.
fn choose(processor: &mut LogitsProcessor, logits: &Tensor) -> Result<u32> {
    // The sampler would choose among NaNs without an error.
    if numbers(logits)?.iter().any(|x| !x.is_finite()) {
        return Err(not_finite());
    }
    Ok(processor.sample(&logits.squeeze(0)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    const DRAWS: usize = 20_000;

    fn logits(probabilities: &[f32]) -> Tensor {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        Tensor::new(vec![logits], &Device::Cpu).unwrap()
    }

    fn drawn(logits: &Tensor, choice: Choice, count: usize) -> Vec<u32> {
        let mut processor = processor(choice);
        (0..count).map(|_| choose(&mut processor, logits).unwrap()).collect()
    }

    fn frequencies(probabilities: &[f32], temperature: f64, top_p: f64) -> Vec<f64> {
        let drawn = drawn(&logits(probabilities), Choice::Sampled { temperature, top_p, seed: 3 }, DRAWS);
        let count = |id| drawn.iter().filter(|drawn| **drawn == id).count() as f64;
        (0..probabilities.len() as u32).map(|id| count(id) / DRAWS as f64).collect()
    }

    fn near(found: &[f64], expected: &[f64]) {
        // Four standard deviations of a share of so many draws are at most 0.014.
        let off = found.iter().zip(expected).any(|(a, b)| (a - b).abs() > 0.014 || (*b == 0.0 && *a > 0.0));
        assert!(!off, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_probable() {
        let p = [0.15, 0.5, 0.05, 0.3];
        near(&frequencies(&p, 1.0, 1.0), &[0.15, 0.5, 0.05, 0.3]);
        // At temperature 1/2 by the squares.
        near(&frequencies(&p, 0.5, 1.0), &[0.0225 / 0.365, 0.25 / 0.365, 0.0025 / 0.365, 0.09 / 0.365]);
    }

    #[test]
    fn top_p_keeps_the_fewest_tokens_that_reach_it() {
        let p = [0.15, 0.5, 0.05, 0.3];
        near(&frequencies(&p, 1.0, 0.75), &[0.0, 0.625, 0.0, 0.375]);
        near(&frequencies(&p, 1.0, 0.9), &[0.15 / 0.95, 0.5 / 0.95, 0.0, 0.3 / 0.95]);
        near(&frequencies(&p, 1.0, 1e-9), &[0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_seed_always_draws_the_same() {
        let even = logits(&[0.1; 10]);
        let of = |seed| drawn(&even, Choice::Sampled { temperature: 1.0, top_p: 1.0, seed }, 8);
        assert_eq!(of(7), [4, 0, 1, 3, 0, 1, 6, 5], "a new version of rand changes what --generate writes");
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn the_greedy_choice_takes_the_smaller_of_two_equal_tokens() {
        assert_eq!(drawn(&logits(&[0.1, 0.4, 0.1, 0.4]), Choice::Greedy, 2), [1, 1]);
    }

    #[test]
    fn logits_that_are_not_finite_are_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let logits = Tensor::new(vec![vec![0.0, bad]], &Device::Cpu).unwrap();
            let sampled = Choice::Sampled { temperature: 1.0, top_p: 1.0, seed: 0 };
            for choice in [Choice::Greedy, sampled] {
                assert!(choose(&mut processor(choice), &logits).is_err(), "{choice:?}, {bad}");
            }
        }
    }
}
