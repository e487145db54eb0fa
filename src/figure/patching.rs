//! The figure of `patch`: the effect of every cell, and estimates beside what they are estimates of.

use super::scale::decimals;
use super::{Column, Heatmap, Matrix, Panel, Scale, Table};

/// With more columns than this, cells have no numbers.
const NUMBERED: usize = 24;

/// The texts around a map.
pub struct Labels {
    /// One per column.
    pub cells: Vec<String>,
    /// What a column is.
    pub axis: String,
}

/// Effects `[layer][cell]`.
pub fn map(values: Vec<f32>, Labels { cells, axis }: Labels, scale: Scale) -> Panel {
    let layers = values.len() / cells.len().max(1);
    let numbers =
        if cells.len() <= NUMBERED { values.iter().map(|x| decimals(*x, scale.max, 2)).collect() } else { Vec::new() };
    Panel::Heatmap(Heatmap {
        values: Matrix::new(layers, cells.len(), values),
        row_labels: (0..layers).map(|layer| layer.to_string()).collect(),
        col_labels: cells,
        row_axis: "layer".into(),
        col_axis: axis,
        cell_labels: numbers,
        whole_texts: true,
        scale,
        ..Heatmap::default()
    })
}

/// An estimate and what it is an estimate of.
pub struct Confirmed {
    /// Where it is.
    pub place: String,
    /// The estimate.
    pub estimate: f32,
    /// The effect itself.
    pub exact: f32,
}

/// Estimates beside the effects; none without any.
pub fn confirmed(rows: &[Confirmed]) -> Option<Panel> {
    let numbers = |of: fn(&Confirmed) -> f32| rows.iter().map(of).collect::<Vec<_>>();
    let columns = vec![
        Column::texts("largest estimates", rows.iter().map(|row| row.place.clone()).collect()),
        Column::numbers("estimate", &numbers(|row| row.estimate)),
        Column::numbers("patched", &numbers(|row| row.exact)),
        Column::numbers("off by", &numbers(|row| row.estimate - row.exact)),
    ];
    let title = "Estimated, and patched".into();
    (!rows.is_empty()).then(|| Panel::Table(Table { title, columns, note: String::new() }))
}
