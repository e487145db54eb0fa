//! What is lost without a token.

use super::{Numbers, Probe};
use crate::error::Result;
use crate::model::{Activation, NoTap, Past, Segments};
use crate::trace::Recorder;
use candle_core::Tensor;
use std::sync::Arc;

/// Rows of a batch.
const ROWS: usize = 512;

/// `y(x) − y(x with e_i replaced by the baseline)`. What stands before token i is computed once for all.
pub fn drops(probe: &Probe) -> Result<Numbers> {
    let (len, e) = (probe.visible(), probe.embeddings());
    let mut recorder = Recorder::new().keep(Activation::K).keep(Activation::V);
    let whole = probe.logits(e, &Segments::packed(&[len]), &mut recorder)?;
    let value = probe.measure(&whole)?.0[0];
    let past = recorder.trace().past(probe.model().spec().layers, 0)?;
    let mut scores = Vec::with_capacity(len);
    probe.batches(len, ROWS / len, &mut |tokens| {
        let (mut rows, mut prompts) = (Vec::new(), Vec::new());
        for i in tokens {
            rows.push(probe.baseline().narrow(0, i, 1)?);
            rows.push(e.narrow(0, i + 1, len - i - 1)?);
            let before: Option<Past> = if i == 0 { None } else { Some(past.first(i)?) };
            prompts.push((before.map(Arc::new), len - i));
        }
        let logits = probe.logits(&Tensor::cat(&rows, 0)?, &Segments::each_continued(prompts), &mut NoTap)?;
        scores.extend(probe.measure(&logits)?.0.into_iter().map(|without| value - without));
        Ok(())
    })?;
    Ok(Numbers::Scores(scores))
}
