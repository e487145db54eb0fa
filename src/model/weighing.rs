//! From a query's products with keys to the weights that it gives them: scaled, capped, masked, and made to sum to one.

use super::vector;
use candle_core::{Result, Tensor};
use std::ops::Range;

/// How a model weighs keys.
#[derive(Clone, Copy, Debug)]
pub struct Weighing {
    /// What products are multiplied by.
    pub scale: f64,
    /// What scores are kept below, by a tanh.
    pub cap: Option<f64>,
    /// How many keys a query sees, itself the last.
    pub window: usize,
}

impl Weighing {
    /// All keys up to the query's own, without a cap.
    pub fn plain(scale: f64) -> Self {
        Self { scale, cap: None, window: usize::MAX }
    }

    /// The keys that a query sees which is itself the last of so many.
    pub fn seen(&self, keys: usize) -> Range<usize> {
        keys.saturating_sub(self.window)..keys
    }

    /// Products become weights, zero where nothing is seen; the query is the last of `keys`.
    pub(super) fn weigh(&self, row: &mut [f32], keys: usize) {
        let seen = self.seen(keys);
        row[..seen.start].fill(0.0);
        row[seen.end..].fill(0.0);
        let row = &mut row[seen];
        let Some(cap) = self.cap else { return vector::softmax(row, self.scale as f32) };
        row.iter_mut().for_each(|x| *x = cap as f32 * self.bent(*x));
        vector::softmax(row, 1.0);
    }

    /// A score's share of its cap.
    fn bent(&self, product: f32) -> f32 {
        self.cap.map_or(0.0, |cap| ((self.scale / cap) as f32 * product).tanh())
    }

    /// The slope of a score by its product.
    pub(super) fn slope(&self, product: f32) -> f32 {
        let bent = self.bent(product);
        self.scale as f32 * (1.0 - bent * bent)
    }

    /// Scores `[heads, queries, keys]` below the cap, by candle's own operations.
    pub(super) fn capped(&self, scores: &Tensor) -> Result<Tensor> {
        match self.cap {
            Some(cap) => (scores / cap)?.tanh()? * cap,
            None => Ok(scores.clone()),
        }
    }
}
