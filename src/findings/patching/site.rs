//! What is found at one site: the effect of every cell, exact or estimated, and of some of them both.

use crate::analysis::patching::{By, Cell, Pair, Where};
use crate::error::Result;

/// What was found at a site.
pub(super) struct OfSite {
    pub site: Where,
    pub by: By,
    /// The share of every cell, `[layer][cell]`: exact, or estimated.
    pub grid: Vec<Vec<f64>>,
    /// Layer and cell of what was estimated and then patched, with the exact share.
    pub confirmed: Vec<(usize, usize, f64)>,
}

impl OfSite {
    /// How far the estimates are off where they were confirmed.
    pub fn off(&self) -> Vec<f64> {
        self.confirmed.iter().map(|(layer, cell, exact)| (self.grid[*layer][*cell] - exact).abs()).collect()
    }
}

/// The shares of some cells of a layer.
fn shares(pair: &Pair, site: Where, layer: usize, cells: &[Cell]) -> Result<Vec<f64>> {
    Ok(pair.patched(site, layer, cells)?.into_iter().map(|value| pair.share(value)).collect())
}

/// The share of every cell of a site, `[layer][cell]`, of two prompts that differ from a position on; `done` is called after each layer.
pub(super) fn exact(
    pair: &Pair,
    (site, by): (Where, By),
    layers: usize,
    first: usize,
    done: &dyn Fn(),
) -> Result<Vec<Vec<f64>>> {
    let cells = pair.cells(site, by);
    // Before the first difference a cell is what it was, bit for bit.
    let same = if by == By::Position { first.min(cells.len()) } else { 0 };
    let layer = |layer| {
        let row = [vec![0.0; same], shares(pair, site, layer, &cells[same..])?].concat();
        done();
        Ok(row)
    };
    (0..layers).map(layer).collect()
}

/// The shares of some cells by layer and number, in their order; those of a layer go through the model together.
pub(super) fn exactly(pair: &Pair, (site, by): (Where, By), order: &[(usize, usize)]) -> Result<Vec<f64>> {
    let (cells, mut all) = (pair.cells(site, by), vec![f64::NAN; order.len()]);
    for (first, (layer, _)) in order.iter().enumerate() {
        if order[..first].iter().any(|(earlier, _)| earlier == layer) {
            continue;
        }
        let own: Vec<usize> = (first..order.len()).filter(|at| order[*at].0 == *layer).collect();
        let wanted: Vec<Cell> = own.iter().map(|at| cells[order[*at].1]).collect();
        own.iter().zip(shares(pair, site, *layer, &wanted)?).for_each(|(at, share)| all[*at] = share);
    }
    Ok(all)
}
