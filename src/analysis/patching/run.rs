//! Exact patching: each run starts at the layer that is patched, and many go through the model together.

use super::{By, Direction, LEAST, Metric, Question, Where};
use crate::analysis::logits::Softmax;
use crate::analysis::numbers::numbers;
use crate::error::{Error, Result};
use crate::model::{Activation, Model, Past, Segments, Site, Tap};
use crate::trace::{Recorder, Trace};
use candle_core::Tensor;
use std::sync::Arc;

/// Rows that go through the model together.
const ROWS: usize = 512;

/// What is replaced of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A position.
    Position(usize),
    /// A head.
    Head(usize),
    /// Everything.
    All,
}

/// Two runs of as many tokens, and what is asked of them.
pub struct Pair<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) question: Question,
    /// The run that is patched, and what it is patched with.
    pub(super) base: Run,
    pub(super) source: Run,
    /// The clean run's log-probabilities, where the metric needs them.
    pub(super) clean: Vec<f64>,
    past: Arc<Past>,
}

/// One of the two runs.
pub(super) struct Run {
    pub trace: Trace,
    /// What is measured of it.
    pub value: f64,
    /// The tokens that can matter.
    pub ids: Vec<u32>,
}

impl<'a> Pair<'a> {
    /// Runs both prompts, up to the position that predicts, and keeps what is at these sites.
    ///
    /// # Errors
    /// Prompts of unequal length; two runs whose answers hardly differ; what the model refuses.
    pub fn new(
        model: &'a dyn Model,
        [clean, corrupt]: [&[u32]; 2],
        question: Question,
        sites: &[Where],
        direction: Direction,
    ) -> Result<Self> {
        sites.iter().try_for_each(|at| at.within(model))?;
        let len = question.position + 1;
        if clean.len() != corrupt.len() || len > clean.len() {
            return Err(Error::usage(format!("{} and {} tokens cannot be patched", clean.len(), corrupt.len())));
        }
        let mut known = Vec::new();
        let mut run = |ids: &[u32]| -> Result<Run> {
            let mut recorder = Recorder::new().keep(Activation::ResidPre).keep(Activation::K).keep(Activation::V);
            for at in sites.iter().map(|at| at.activation()) {
                if ![Activation::ResidPre, Activation::K, Activation::V].contains(&at) {
                    recorder = recorder.keep(at);
                }
            }
            let resid = crate::trace::forward(model, &[&ids[..len]], &mut recorder)?;
            let last = model.final_norm(&resid.narrow(0, len - 1, 1)?)?;
            let logits = numbers(&model.unembed(&last, question.ids().as_deref())?)?;
            if question.metric == Metric::Kl && known.is_empty() {
                let softmax = Softmax::new(&logits)?;
                known = logits.iter().map(|x| softmax.log_probability(*x)).collect();
            }
            let value = question.measure(&logits, &known)?.0;
            Ok(Run { trace: recorder.trace(), value, ids: ids[..len].to_vec() })
        };
        let (clean, corrupt) = (run(clean)?, run(corrupt)?);
        let (base, source) = match direction {
            Direction::Denoising => (corrupt, clean),
            Direction::Noising => (clean, corrupt),
        };
        let past = base.trace.past(model.spec().layers, 0)?;
        Ok(Self { model, question, base, source, clean: known, past })
    }

    /// Fails where the two runs' answers hardly differ, so that a share of the difference would say nothing.
    ///
    /// # Errors
    /// A difference under [`LEAST`].
    pub fn differs(&self) -> Result<()> {
        differ(self.values())
    }

    /// What is measured of the run that is patched, and of the one that it is patched with.
    pub fn values(&self) -> [f64; 2] {
        [self.base.value, self.source.value]
    }

    /// How many tokens can matter.
    pub fn visible(&self) -> usize {
        self.base.ids.len()
    }

    /// The cells of a layer at a site.
    pub fn cells(&self, at: Where, by: By) -> Vec<Cell> {
        match by {
            By::Position => (0..self.visible()).map(Cell::Position).collect(),
            By::Head => (0..at.heads(self.model.spec())).map(Cell::Head).collect(),
        }
    }

    /// A measured number as a share of the way from the patched run to the other.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.base.value) / (self.source.value - self.base.value)
    }

    /// What is measured with these cells of a layer replaced, one at a time, at one of the sites that are kept.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn patched(&self, at: Where, layer: usize, cells: &[Cell]) -> Result<Vec<f64>> {
        let logits = self.logits(at, layer, cells, self.question.ids().as_deref())?;
        let width = logits.dims2()?.1;
        numbers(&logits)?.chunks(width).map(|row| Ok(self.question.measure(row, &self.clean)?.0)).collect()
    }

    /// The logits with these cells of a layer replaced, `[cells, vocab]`, or only those of the given ids.
    ///
    /// # Errors
    /// A cell that there is not.
    pub fn logits(&self, at: Where, layer: usize, cells: &[Cell], ids: Option<&[u32]>) -> Result<Tensor> {
        let mut found = Vec::new();
        let mut rest = cells;
        while !rest.is_empty() {
            let mut rows = 0;
            let fits = |cell: &&Cell| {
                rows += self.visible() - self.first(**cell);
                rows <= ROWS
            };
            let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
            found.push(self.together(at, layer, now, ids)?);
            rest = later;
        }
        Ok(Tensor::cat(&found, 0)?)
    }

    /// The first position that a cell can change.
    fn first(&self, cell: Cell) -> usize {
        if let Cell::Position(at) = cell { at } else { 0 }
    }

    fn together(&self, at: Where, layer: usize, cells: &[Cell], ids: Option<&[u32]>) -> Result<Tensor> {
        let (model, len) = (self.model, self.visible());
        let resid = self.base.trace.get(Activation::ResidPre, layer, 0)?;
        let mut parts = Vec::with_capacity(cells.len());
        let mut segments = Vec::with_capacity(cells.len());
        for cell in cells {
            let first = self.first(*cell);
            parts.push(resid.narrow(0, first, len - first)?);
            let past = if first > 0 { Some(Arc::new(self.past.first(first)?)) } else { None };
            segments.push((past, len - first));
        }
        let segments = Segments::each_continued(segments);
        let mut patch = Patch {
            at: at.activation(),
            layer,
            cells,
            first: &cells.iter().map(|cell| self.first(*cell)).collect::<Vec<_>>(),
            source: self.source.trace.get(at.activation(), layer, 0)?,
        };
        let start = Tensor::cat(&parts, 0)?;
        let resid = (layer..model.spec().layers)
            .try_fold(start, |resid, layer| model.block(layer, &resid, &segments, &mut patch))?;
        let last: Vec<u32> = segments.iter().map(|s| (s.start + s.len - 1) as u32).collect();
        let last = resid.index_select(&Tensor::new(last, resid.device())?, 0)?;
        model.unembed(&model.final_norm(&last)?, ids)
    }
}

/// Fails where two runs' answers hardly differ.
pub(super) fn differ([base, source]: [f64; 2]) -> Result<()> {
    let apart = source - base;
    if apart.abs() >= LEAST {
        return Ok(());
    }
    Err(Error::usage(format!("the two prompts' answers differ by {apart:.1e} only: shares of that mean nothing"))
        .hint("name an answer and a foil on which the prompts disagree, or another metric")
        .option("answer"))
}

/// Replaces a cell of each prompt by the source's.
struct Patch<'a> {
    at: Activation,
    layer: usize,
    cells: &'a [Cell],
    /// The position of each prompt's first row.
    first: &'a [usize],
    source: &'a Tensor,
}

impl Tap for Patch<'_> {
    fn wants(&self, site: Site) -> bool {
        site.at == self.at && site.layer == self.layer
    }

    fn visit(&mut self, site: Site, x: Tensor) -> Result<Tensor> {
        // Patterns are [heads, queries, keys], all else is [positions, …].
        let (of_position, of_head) = if self.at == Activation::Pattern { (1, 0) } else { (0, 1) };
        let (source, first) = (self.source, self.first[site.segment]);
        match self.cells[site.segment] {
            Cell::Position(at) => replaced(&x, source, of_position, at - first, at),
            Cell::Head(head) => replaced(&x, source, of_head, head, head),
            Cell::All => Ok(source.clone()),
        }
    }
}

/// The same with one slice along a dimension taken from another tensor.
pub(super) fn replaced(x: &Tensor, source: &Tensor, dim: usize, at: usize, of: usize) -> Result<Tensor> {
    let (len, one) = (x.dims()[dim], source.narrow(dim, of, 1)?);
    let mut parts = Vec::with_capacity(3);
    if at > 0 {
        parts.push(x.narrow(dim, 0, at)?);
    }
    parts.push(one);
    if at + 1 < len {
        parts.push(x.narrow(dim, at + 1, len - at - 1)?);
    }
    Ok(Tensor::cat(&parts, dim)?)
}
