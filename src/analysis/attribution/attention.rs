//! Relevance through the attention patterns (Chefer, Gur & Wolf, ICCV 2021).

use super::evaluator::cut;
use super::{Evaluator, Numbers};
use crate::analysis::numbers::numbers;
use crate::error::Result;
use crate::model::{Activation, Segments, Site, Tap};
use candle_core::{Tensor, Var};

/// Adds a zero to each pattern, where the gradient can be read, and keeps the pattern.
#[derive(Default)]
struct Leaves(Vec<(Var, Tensor)>);

impl Tap for Leaves {
    fn wants(&self, site: Site) -> bool {
        site.at == Activation::Pattern
    }

    fn visit(&mut self, _: Site, pattern: Tensor) -> Result<Tensor> {
        let zero = Var::zeros(pattern.shape(), pattern.dtype(), pattern.device())?;
        let sum = (&pattern + zero.as_tensor())?;
        self.0.push((zero, pattern.detach()));
        Ok(sum)
    }
}

/// The objective's row of R: `R ← R + Ā_l R` from `R = I`, first layer first, `Ā_l = mean_h max(0, ∂y/∂A ⊙ A)`.
///
/// One row of a product of matrices needs no matrix: it is multiplied by `I + Ā_l`, last layer first.
pub fn relevance(evaluator: &Evaluator) -> Result<Numbers> {
    let len = evaluator.visible();
    let mut leaves = Leaves::default();
    let mut row = vec![0.0f64; len];
    row[len - 1] = 1.0;
    evaluator.batches(1, 1, &mut |_| {
        let logits = evaluator.logits(evaluator.embeddings(), &Segments::packed(&[len]), &mut leaves)?;
        let mut gradients = evaluator.objective_of(&logits)?.1.backward()?;
        for (leaf, pattern) in leaves.0.iter().rev() {
            let gradient = gradients.remove(leaf).ok_or_else(cut)?;
            let map = numbers(&(gradient * pattern)?.relu()?.mean(0)?)?; // [len, len]
            let above = row.clone();
            for (weight, from) in above.iter().zip(map.chunks(len)) {
                row.iter_mut().zip(from).for_each(|(row, a)| *row += weight * a);
            }
        }
        Ok(())
    })?;
    Ok(Numbers::Scores(row))
}
