//! The residual stream at chosen places of many texts.

use crate::error::{Error, Result};
use crate::model::{Activation, Model};
use crate::named::Named;
use crate::trace::{Recorder, forward};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Rows of a forward.
const ROWS: usize = 768;

/// What stands for a word of several tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// Its last token, which has seen all of it.
    #[default]
    Last,
    /// The mean of its tokens.
    Mean,
}

impl Named for Pool {
    const ALL: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Last, "last", "Its last token"), (Self::Mean, "mean", "The mean of its tokens")];
}

/// A text, and the tokens of each example in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the model reads.
    pub ids: Vec<u32>,
    /// Of each example.
    pub examples: Vec<Range<usize>>,
}

/// The sites of a model, from the embedding on: `resid_pre` of each layer, and the last `resid_post`.
pub fn sites(layers: usize) -> Vec<String> {
    let pre = (0..layers).map(|layer| format!("resid_pre {layer}"));
    pre.chain(layers.checked_sub(1).map(|last| format!("resid_post {last}"))).collect()
}

/// The residual of each example at each site, `[site][example, d]`; `done` is told how many texts were read.
///
/// # Errors
/// A text longer than the model's context, an id that it does not have; residuals that are not finite.
pub fn residuals(model: &dyn Model, texts: &[Reading], pool: Pool, done: &dyn Fn(usize)) -> Result<Vec<Vec<f32>>> {
    let (layers, d) = (model.spec().layers, model.spec().d_model);
    let mut found = vec![Vec::new(); layers + 1];
    let mut rest = texts;
    while !rest.is_empty() {
        let mut rows = 0;
        let fitting = rest.iter().take_while(|text| {
            rows += text.ids.len();
            rows <= ROWS
        });
        let (batch, after) = rest.split_at(fitting.count().max(1));
        rest = after;
        let prompts: Vec<&[u32]> = batch.iter().map(|text| &text.ids[..]).collect();
        let mut recorder = Recorder::new().keep(Activation::ResidPre);
        let last = forward(model, &prompts, &mut recorder)?;
        let trace = recorder.trace();
        let mut start = 0;
        for (segment, text) in batch.iter().enumerate() {
            for (site, found) in found.iter_mut().enumerate() {
                let resid = match site == layers {
                    true => last.narrow(0, start, text.ids.len())?,
                    false => trace.get(Activation::ResidPre, site, segment)?.clone(),
                };
                gather(&resid, d, &text.examples, pool, found)?;
            }
            start += text.ids.len();
        }
        done(batch.len());
    }
    match found.iter().flatten().all(|x| x.is_finite()) {
        true => Ok(found),
        false => Err(Error::failed("the model's residual stream holds a NaN or an infinity")),
    }
}

/// Adds the rows of a text's examples.
fn gather(resid: &Tensor, d: usize, examples: &[Range<usize>], pool: Pool, found: &mut Vec<f32>) -> Result<()> {
    let resid = resid.flatten_all()?.to_vec1::<f32>()?;
    for tokens in examples {
        let last = &resid[(tokens.end - 1) * d..tokens.end * d];
        match pool {
            Pool::Last => found.extend(last),
            Pool::Mean => {
                let sum = |column: usize| tokens.clone().map(|row| f64::from(resid[row * d + column])).sum::<f64>();
                found.extend((0..d).map(|column| (sum(column) / tokens.len() as f64) as f32));
            }
        }
    }
    Ok(())
}
