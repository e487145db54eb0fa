//! Occlusion: how much y drops when a token is replaced by the baseline.

use super::evaluator::ROWS;
use super::{Evaluator, Numbers};
use crate::error::Result;
use crate::model::{Activation, NoTap, Past, Segments};
use crate::trace::Recorder;
use candle_core::Tensor;
use std::ops::Range;
use std::sync::Arc;

/// `y(x) − y(x with e_i replaced by the baseline)`. What stands before token i is computed once for all; what comes after it is packed, as
/// many tokens as fill a batch.
pub fn drops(evaluator: &Evaluator) -> Result<Numbers> {
    let (len, e) = (evaluator.visible(), evaluator.embeddings());
    let mut recorder = Recorder::new().keep(Activation::K).keep(Activation::V);
    let value = evaluator.values_of(e, &Segments::packed(&[len]), &mut recorder)?[0];
    let past = recorder.trace().past(evaluator.model().spec().layers, 0)?;
    let mut scores = Vec::with_capacity(len);
    let rows = |tokens: &Range<usize>| tokens.clone().map(|i| len - i).sum::<usize>();
    evaluator.batches_of(len, &|tokens| rows(tokens) <= ROWS, &mut |tokens| {
        let (mut rows, mut prompts) = (Vec::new(), Vec::new());
        for i in tokens {
            rows.push(evaluator.baseline().narrow(0, i, 1)?);
            rows.push(e.narrow(0, i + 1, len - i - 1)?);
            let before: Option<Past> = if i == 0 { None } else { Some(past.first(i)?) };
            prompts.push((before.map(Arc::new), len - i));
        }
        let values = evaluator.values_of(&Tensor::cat(&rows, 0)?, &Segments::each_continued(prompts), &mut NoTap)?;
        scores.extend(values.into_iter().map(|without| value - without));
        Ok(())
    })?;
    Ok(Numbers::Scores(scores))
}
