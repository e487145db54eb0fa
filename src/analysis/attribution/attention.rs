//! Relevance through the attention patterns (Chefer, Gur & Wolf, ICCV 2021).

use super::evaluator::cut;
use super::{Evaluator, Numbers};
use crate::analysis::numbers::numbers;
use crate::error::Result;
use crate::model::{Activation, Segments, Site, Tap};
use crate::trace::Recorder;
use candle_core::{Tensor, Var};

/// Adds a zero to a pattern, where the gradient can be read, and keeps the pattern.
#[derive(Default)]
struct Leaf(Option<(Var, Tensor)>);

impl Tap for Leaf {
    fn wants(&self, site: Site) -> bool {
        site.at == Activation::Pattern
    }

    fn visit(&mut self, _: Site, pattern: Tensor) -> Result<Tensor> {
        let zero = Var::zeros(pattern.shape(), pattern.dtype(), pattern.device())?;
        let sum = (&pattern + zero.as_tensor())?;
        self.0 = Some((zero, pattern.detach()));
        Ok(sum)
    }
}

/// The objective's row of R: `R ← R + Ā_l R` from `R = I`, first layer first, `Ā_l = mean_h max(0, ∂y/∂A ⊙ A)`.
///
/// One row of a product of matrices needs no matrix: it is multiplied by `I + Ā_l`, last layer first. So the gradient comes down layer by
/// layer, each run once more: what all of them need to be followed backwards would be gigabytes for a thousand tokens.
pub fn relevance(evaluator: &Evaluator) -> Result<Numbers> {
    let (model, len) = (evaluator.model(), evaluator.visible());
    let segments = Segments::packed(&[len]);
    let mut row = vec![0.0f64; len];
    row[len - 1] = 1.0;
    evaluator.batches(1, 1, &mut |_| {
        let mut recorder = Recorder::new().keep(Activation::ResidPre);
        let start = model.start(evaluator.embeddings(), &segments)?;
        let last = Var::from_tensor(&model.blocks(start, &segments, &mut recorder)?)?; // [len, d]
        let trace = recorder.trace();
        let logits = evaluator.answered(&last.narrow(0, len - 1, 1)?)?;
        let mut above = evaluator.objective_of(&logits)?.1.backward()?.remove(&last).ok_or_else(cut)?;
        for layer in (0..model.spec().layers).rev() {
            let (below, mut leaf) = (Var::from_tensor(trace.get(Activation::ResidPre, layer, 0)?)?, Leaf::default());
            let after = model.block(layer, below.as_tensor(), &segments, &mut leaf)?;
            let mut gradients = (after * above)?.sum_all()?.backward()?;
            above = gradients.remove(&below).ok_or_else(cut)?;
            let (zero, pattern) = leaf.0.ok_or_else(cut)?;
            let gradient = gradients.remove(&zero).ok_or_else(cut)?;
            let map = numbers(&(gradient * pattern)?.relu()?.mean(0)?)?; // [len, len]
            let later = row.clone();
            for (weight, from) in later.iter().zip(map.chunks(len)) {
                row.iter_mut().zip(from).for_each(|(row, a)| *row += weight * a);
            }
        }
        Ok(())
    })?;
    Ok(Numbers::Scores(row))
}
