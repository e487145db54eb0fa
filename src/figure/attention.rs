//! The figures of `attention`: maps of layers and heads, and the words ranked by the attention that they receive.

use super::{Bars, Colormap, Grid, Heatmap, Matrix, Panel, Scale, ScaleKind, Sheet, SheetMap};
use crate::analysis::attention::Map;
use crate::analysis::attention::received::Rank;
use std::collections::HashMap;

/// Bars shown beside a map.
const MOST_BARS: usize = 12;

/// The map as a figure's matrix: of causal attention, NaN where no query can see a key.
pub fn matrix(map: &Map, causal: bool) -> Matrix {
    let mut values = map.values.clone();
    let past = map.cols.saturating_sub(map.rows);
    for (row, values) in values.chunks_mut(map.cols.max(1)).enumerate().filter(|_| causal) {
        // Pooled maps have their NaNs already, and their diagonal may lie a block further right.
        values.iter_mut().skip(past + row + 1).filter(|value| **value == 0.0).for_each(|value| *value = f32::NAN);
    }
    Matrix::new(map.rows, map.cols, values)
}

/// The same where a policy hides the attention on the first key: its column is hidden, if it is one, and the rows in which hardly
/// anything is left.
pub fn without_sink(mut values: Matrix, map: &Map, column: bool) -> Matrix {
    for (row, cells) in values.data.chunks_mut(map.cols.max(1)).enumerate() {
        let faint = map.faint.get(row).is_some_and(|faint| *faint);
        let seen = cells.iter_mut().enumerate().filter(|(col, cell)| (faint || column && *col == 0) && !cell.is_nan());
        seen.for_each(|(_, cell)| *cell = Matrix::HIDDEN);
    }
    values
}

/// A scale from 0 over all numbers of some maps.
pub fn scale(kind: ScaleKind, colormap: Option<Colormap>, maps: &[Map]) -> Scale {
    let numbers = maps.iter().flat_map(|map| &map.values).copied().filter(|number| number.is_finite());
    let max = numbers.fold(0.0, f32::max);
    let max = if max > 0.0 { max } else { 1.0 };
    Scale { kind, colormap: colormap.unwrap_or_default(), max, unit: "attention".into(), ..Scale::default() }
}

/// One map as a large labelled heatmap, several as a sheet of layers × heads, by their names.
pub fn panel(layers: &[String], heads: &[String], mut maps: Vec<Matrix>, labels: &[String], scale: Scale) -> Panel {
    match maps.len() {
        1 => heatmap(maps.remove(0), labels, scale),
        _ => {
            let titles = |what: &str, names: &[String]| names.iter().map(|name| format!("{what} {name}")).collect();
            let (mut rows, mut cols): (Vec<_>, Vec<_>) = (titles("layer", layers), titles("head", heads));
            if cols.len() == 1 {
                std::mem::swap(&mut rows, &mut cols); // layers side by side rather than a tower
            }
            // Maps may be pooled already.
            let pooled = labels.len().div_ceil(maps.first().map_or(1, |map| map.cols.max(1)));
            Panel::Grid(Grid {
                row_titles: rows,
                col_titles: cols,
                row_labels: last(labels, maps.first().map_or(0, |map| map.rows * pooled)),
                col_labels: labels.to_vec(),
                row_axis: "queries".into(),
                col_axis: "keys".into(),
                pooled,
                cells: maps,
                scale,
                ..Grid::default()
            })
        }
    }
}

/// Small multiples of heads by layer and number, in this order.
pub fn multiples(picked: &[(usize, usize)], maps: Vec<Matrix>, labels: &[String], scale: Scale) -> Panel {
    let name = |(layer, head): &(usize, usize)| format!("layer {layer}, head {head}");
    Panel::Sheet(Sheet {
        row_labels: last(labels, maps.first().map_or(0, |map| map.rows)),
        col_labels: labels.to_vec(),
        row_axis: "query".into(),
        col_axis: "key".into(),
        maps: picked
            .iter()
            .zip(maps)
            .map(|(place, values)| SheetMap { name: name(place), values, ..SheetMap::default() })
            .collect(),
        scale,
        ..Sheet::default()
    })
}

/// One map with a label on each row and column. The labels are those of the keys; the queries are the last of them.
pub fn heatmap(values: Matrix, labels: &[String], scale: Scale) -> Panel {
    Panel::Heatmap(Heatmap {
        row_labels: last(labels, values.rows),
        col_labels: labels.to_vec(),
        row_axis: "query".into(),
        col_axis: "key".into(),
        values,
        scale,
        ..Heatmap::default()
    })
}

/// So many labels, the last ones.
fn last(labels: &[String], count: usize) -> Vec<String> {
    labels[labels.len().saturating_sub(count)..].to_vec()
}

/// The same map with labels of its own for the queries, which are not among the keys.
pub fn with_queries(panel: Panel, labels: Vec<String>) -> Panel {
    match panel {
        Panel::Heatmap(map) => Panel::Heatmap(Heatmap { row_labels: labels, ..map }),
        Panel::Grid(grid) => Panel::Grid(Grid { row_labels: labels, ..grid }),
        Panel::Sheet(sheet) => Panel::Sheet(Sheet { row_labels: labels, ..sheet }),
        other => other,
    }
}

/// The same map with a word on what its hidden cells are.
pub fn hatched(panel: Panel, what: String) -> Panel {
    match panel {
        Panel::Heatmap(map) => Panel::Heatmap(Heatmap { hatched: what, ..map }),
        Panel::Grid(grid) => Panel::Grid(Grid { hatched: what, ..grid }),
        Panel::Sheet(sheet) => Panel::Sheet(Sheet { hatched: what, ..sheet }),
        other => other,
    }
}

/// The ranked words as bars, with a remark on the first token, which is none of them.
pub fn bars(ranks: &[Rank], note: String, most: Option<usize>) -> Panel {
    let shown = &ranks[..ranks.len().min(most.unwrap_or(MOST_BARS))];
    let mut counts = HashMap::new();
    ranks.iter().for_each(|rank| *counts.entry(&rank.word.label).or_insert(0) += 1);
    // Of words that are there twice, which one is meant.
    let label = |rank: &Rank| match counts[&rank.word.label] {
        1 => rank.word.label.clone(),
        _ => format!("{} {}", rank.word.label, rank.first_token()),
    };
    Panel::Bars(Bars {
        title: "Attention received".into(),
        labels: shown.iter().map(label).collect(),
        values: shown.iter().map(|rank| rank.received.lift() as f32).collect(),
        unit: "times what an even spread would give".into(),
        more: ranks.len() - shown.len(),
        note,
    })
}
