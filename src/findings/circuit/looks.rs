//! What circuits of prompts need: tokens by their texts, and attention from one position to another.

use crate::error::{Error, Result};
use crate::model::Activation;
use crate::session::Session;
use crate::trace::{Recorder, forward};
use candle_core::DType;

/// The id of a text that GPT-2's tokenizer writes as one token.
pub(super) fn token(session: &Session, text: &str) -> Result<u32> {
    match session.tokenizer.encode(text)?[..] {
        [id] if (id as usize) < session.spec().vocab => Ok(id),
        ref ids => Err(Error::usage(format!(
            "{text:?} is {} to this tokenizer: the circuit's prompts are for GPT-2's own",
            crate::text::count(ids.len(), "token")
        ))
        .hint("check induction, which needs no text, or give GPT-2's tokenizer")
        .option("tokenizer")),
    }
}

/// A head, by layer and number, with the query and the key of each prompt.
pub(super) type Look<'a> = (usize, usize, &'a dyn Fn(usize) -> (usize, usize));

/// The mean attention of each look over the prompts.
pub(super) fn attention(session: &Session, prompts: &[Vec<u32>], looks: &[Look]) -> Result<Vec<f64>> {
    let mut layers: Vec<usize> = looks.iter().map(|look| look.0).collect();
    layers.sort_unstable();
    layers.dedup();
    let mut sums = vec![0.0; looks.len()];
    let mut recorder = Recorder::new().reduce(Activation::Pattern, &layers, |site, x| {
        for ((layer, head, at), sum) in looks.iter().zip(&mut sums) {
            if *layer == site.layer {
                let (query, key) = at(site.segment);
                *sum += x.get(*head)?.get(query)?.get(key)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            }
        }
        Ok(None)
    });
    forward(session.model(), &prompts.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut recorder)?;
    drop(recorder);
    Ok(sums.into_iter().map(|sum| sum / prompts.len() as f64).collect())
}
