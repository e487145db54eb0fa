//! The figure of how large the residual grows: its norms, and what stands out of them.

use super::number::number;
use super::{Column, Heatmap, Matrix, Panel, Scale, Table};
use crate::analysis::residuals::{LARGEST, Residuals};

/// The norm at each position, `[depth, position]`.
pub fn norms(values: Vec<f32>, rows: Vec<String>, tokens: Vec<String>, scale: Scale) -> Panel {
    Panel::Heatmap(Heatmap {
        cell_labels: values.iter().map(|norm| number(*norm)).collect(),
        values: Matrix::new(rows.len(), tokens.len(), values),
        row_labels: rows,
        col_labels: tokens,
        row_axis: "residual after".into(),
        col_axis: "token".into(),
        whole_texts: true,
        scale,
        ..Heatmap::default()
    })
}

/// A row for each depth: the attention on the first token in that layer, the usual size of a number, and the largest ones by name.
pub fn summary(found: &Residuals, rows: Vec<String>, largest: [Vec<String>; LARGEST]) -> Panel {
    // Nothing has looked at anything before the first layer.
    let first: Vec<f32> = [f32::NAN].into_iter().chain(found.first.iter().copied()).collect();
    let medians: Vec<f32> = found.depths.iter().map(|depth| depth.median).collect();
    let scale = Scale { unit: "attention on the first token".into(), ..Scale::default() };
    let mut columns = vec![
        Column::texts("after", rows),
        Column::shaded("on the first token", first, scale),
        Column::numbers("median size", &medians),
    ];
    let heads = ["largest dimension", "second", "third"];
    columns.extend(
        heads.into_iter().zip(largest).map(|(head, cells)| Column { right: true, ..Column::texts(head, cells) }),
    );
    let note = "on the first token: the share of the layer’s attention, the mean over heads and queries from the second on; dimensions with \
                their largest number and where it is; median: of the sizes of all numbers there";
    Panel::Table(Table { title: String::new(), columns, note: note.into() })
}
