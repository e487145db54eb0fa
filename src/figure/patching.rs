//! The figure of `patch`: the effect of every cell, and estimates beside what they are estimates of.

use super::bias::round;
use super::number::decimals;
use super::{Column, Heatmap, IntervalRow, Intervals, Matrix, Panel, Scale, Table};

/// With more columns than this, cells have no numbers.
const NUMBERED: usize = 24;

/// The texts around a map.
pub struct Labels {
    /// One per column.
    pub cells: Vec<String>,
    /// What a column is.
    pub axis: String,
}

/// Whether the cells of so many columns have numbers.
pub fn has_numbers(columns: usize) -> bool {
    columns <= NUMBERED
}

/// Effects `[layer][cell]` under a title, if it is not empty; those that are `doubtful` stand in brackets.
pub fn map(title: &str, values: Vec<f32>, Labels { cells, axis }: Labels, doubtful: &[bool], scale: Scale) -> Panel {
    let layers = values.len() / cells.len().max(1);
    let number = |(at, x): (usize, &f32)| {
        let number = decimals(*x, scale.max, 2);
        if doubtful.get(at) == Some(&true) { format!("({number})") } else { number }
    };
    let numbers = if has_numbers(cells.len()) { values.iter().enumerate().map(number).collect() } else { Vec::new() };
    Panel::Heatmap(Heatmap {
        title: title.to_owned(),
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

/// Cells with their mean effect and its interval, the largest first.
pub fn intervals(cells: Vec<(String, [f32; 3])>) -> Panel {
    let end = round(cells.iter().flat_map(|(_, [_, low, high])| [low.abs(), high.abs()]).fold(0.0, f32::max));
    let row = |(label, estimate): (String, [f32; 3])| IntervalRow {
        label,
        strong: false,
        remark: format!(
            "{} [{}, {}]",
            decimals(estimate[0], 1.0, 3),
            decimals(estimate[1], 1.0, 3),
            decimals(estimate[2], 1.0, 3)
        ),
        estimates: vec![estimate],
    };
    Panel::Intervals(Intervals {
        title: "The largest effects".into(),
        series: vec!["mean effect".into()],
        reference: Some(0.0),
        bounds: [-end, end],
        unit: "effect, 95 % interval (Student); dashed: none".into(),
        note: String::new(),
        rows: cells.into_iter().map(row).collect(),
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
