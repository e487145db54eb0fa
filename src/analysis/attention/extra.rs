//! What can be had of a forward pass beside its patterns.

use super::{Attention, Pass};
use crate::error::Result;
use crate::export::Array;
use crate::model::{Activation, Model};
use crate::named::Named;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// One more array of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extra {
    /// Logits at every position, `[token, vocab]`.
    Logits,
    /// Hidden states before every layer and, after the final norm, of the last one: `[layer + 1, token, d_model]`.
    Hidden,
    /// Scaled scores of the selected layers and heads, `[layer, head, query, key]`; −∞ where the mask hides a key.
    Scores,
}

impl Named for Extra {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Logits, "logits", "Logits at every position"),
        (Self::Hidden, "hidden", "Hidden states before every layer and after the last"),
        (Self::Scores, "scores", "Scaled scores before the mask"),
    ];
}

impl Extra {
    /// What must be recorded for it.
    pub fn activation(self) -> Option<Activation> {
        match self {
            Self::Hidden => Some(Activation::ResidPre),
            Self::Scores => Some(Activation::Scores),
            Self::Logits => None,
        }
    }
}

/// The arrays that were asked for, from a pass that recorded them, in the order of [`Extra`].
///
/// # Errors
/// An activation that was not recorded.
pub fn extras(model: &dyn Model, attention: &Attention, pass: &Pass, asked: &[Extra]) -> Result<Vec<Array>> {
    let recorded = |at, layers: &[usize]| -> Result<Vec<Tensor>> {
        layers.iter().map(|layer| pass.trace.get(at, *layer, 0).cloned()).collect()
    };
    let mut arrays: Vec<Array> = Vec::new();
    for extra in Extra::all().filter(|extra| asked.contains(extra)) {
        let tensor = match extra {
            Extra::Logits => model.unembed(&model.final_norm(&pass.resid)?, None)?,
            Extra::Hidden => {
                let mut all = recorded(Activation::ResidPre, &(0..model.spec().layers).collect::<Vec<_>>())?;
                all.push(model.final_norm(&pass.resid)?);
                Tensor::stack(&all, 0)?
            }
            Extra::Scores => {
                let heads: Vec<u32> = attention.heads.iter().map(|head| *head as u32).collect();
                let all = Tensor::stack(&recorded(Activation::Scores, &attention.layers)?, 0)?;
                all.index_select(&Tensor::new(heads, all.device())?, 1)?
            }
        };
        let shape = tensor.dims().to_vec();
        let mut values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        if extra == Extra::Scores {
            let n = attention.received.len();
            for (row, scores) in values.chunks_mut(n).enumerate() {
                scores[row % n + 1..].fill(f32::NEG_INFINITY);
            }
        }
        arrays.push(Array { name: extra.name().into(), shape, values });
    }
    Ok(arrays)
}
