//! The parts of a figure. An empty text draws nothing and takes no room.

use serde::{Deserialize, Serialize};

use super::number::decimals;
use super::{Graph, Matrix, Scale, ScaleKind};

/// One part of a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Panel {
    /// One large map with a label on each row and column.
    Heatmap(Heatmap),
    /// A contact sheet of small maps, such as layers × heads.
    Grid(Grid),
    /// A few maps beside one another, each with a name, such as methods on one prompt.
    Sheet(Sheet),
    /// Labels ranked by a number.
    Bars(Bars),
    /// A text whose tokens or words are coloured by scores.
    Strip(Strip),
    /// A line chart.
    Curves(Curves),
    /// Two columns of tokens with lines between them.
    Lines(Lines),
    /// Rows and columns of text and numbers.
    Table(Table),
    /// Estimates with their intervals, one row each.
    Intervals(Intervals),
    /// Nodes in ranks with edges between them.
    Graph(Graph),
}

/// One large map with a label on each row and column.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Heatmap {
    /// Stands above the map.
    pub title: String,
    /// The numbers.
    pub values: Matrix,
    /// One label per row, top first; missing ones stay empty.
    pub row_labels: Vec<String>,
    /// One label per column, left first; missing ones stay empty.
    pub col_labels: Vec<String>,
    /// What a row is, such as `query`.
    pub row_axis: String,
    /// What a column is, such as `key`.
    pub col_axis: String,
    /// One text per cell, row by row, such as the token whose probability its colour is. Cells are made wide enough for short
    /// ones; where that is too much to ask, texts are cut, or left out altogether.
    pub cell_labels: Vec<String>,
    /// Shorter texts for cells that are too small for those, as many.
    pub short_labels: Vec<String>,
    /// What the shorter ones mean; said under the map where they stand in it.
    pub short_said: String,
    /// What [hidden](Matrix::HIDDEN) cells are; said under the map.
    pub hatched: String,
    /// Whether a text that is cut would mislead, as numbers do: then all are left out, and that is said.
    pub whole_texts: bool,
    /// From numbers to colours.
    pub scale: Scale,
}

/// A contact sheet of small maps that share one scale.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Grid {
    /// The maps, row by row: `row_titles.len() × col_titles.len()` of them. They may be pooled already, see [`panel_pixels`](super::panel_pixels).
    pub cells: Vec<Matrix>,
    /// One title per row of maps, such as `layer 0`.
    pub row_titles: Vec<String>,
    /// One title per column of maps, such as `head 0`.
    pub col_titles: Vec<String>,
    /// One label per row of each map; drawn at the sheet's left edge, where cells are high enough.
    pub row_labels: Vec<String>,
    /// One label per column of each map; drawn under the sheet, where cells are wide enough.
    pub col_labels: Vec<String>,
    /// What the rows of each map are, such as `queries`.
    pub row_axis: String,
    /// What the columns of each map are, such as `keys`.
    pub col_axis: String,
    /// How many rows and columns each cell stands for, where the maps are pooled already.
    pub pooled: usize,
    /// What [hidden](Matrix::HIDDEN) cells are; said under the maps.
    pub hatched: String,
    /// From numbers to colours.
    pub scale: Scale,
}

impl Grid {
    /// What the rows and columns of each map are, in words.
    pub(crate) fn said(&self) -> String {
        let Self { row_axis, col_axis, .. } = self;
        if row_axis.is_empty() || col_axis.is_empty() {
            return String::new();
        }
        format!("in each map rows are {row_axis}, columns are {col_axis}")
    }
}

/// Labels ranked by a number, best first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bars {
    /// Stands above the bars.
    pub title: String,
    /// One label per bar.
    pub labels: Vec<String>,
    /// One number per bar; NaN draws none. Those of negative numbers grow to the other side of 0.
    #[serde(with = "super::nan")]
    pub values: Vec<f32>,
    /// What the numbers are, such as `attention`.
    pub unit: String,
    /// How many others there are that have no bar here.
    pub more: usize,
    /// A remark under the bars.
    pub note: String,
}

/// A few square or rectangular maps beside one another; they share labels and one scale.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sheet {
    /// Stands above the maps.
    pub title: String,
    /// The maps, in reading order; the layout chooses how many stand beside one another.
    pub maps: Vec<SheetMap>,
    /// One label per row of each map; drawn at the sheet's edge, where cells are high enough.
    pub row_labels: Vec<String>,
    /// One label per column of each map; drawn at the sheet's edge, where cells are wide enough.
    pub col_labels: Vec<String>,
    /// What a row is, such as `query`.
    pub row_axis: String,
    /// What a column is, such as `key`.
    pub col_axis: String,
    /// What [hidden](Matrix::HIDDEN) cells are; said under the maps.
    pub hatched: String,
    /// From numbers to colours.
    pub scale: Scale,
}

/// One map of a [`Sheet`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SheetMap {
    /// Stands above the map, such as a method.
    pub name: String,
    /// A remark after the name, such as `ρ 0.82`.
    pub note: String,
    /// The numbers.
    pub values: Matrix,
}

/// A text whose tokens or words are coloured by scores: one row per method, token under token where the text is short.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Strip {
    /// Stands above the text.
    pub title: String,
    /// The tokens or words.
    pub labels: Vec<String>,
    /// The scores, such as one row per method.
    pub rows: Vec<StripRow>,
    /// From scores to colours, for all rows that have no scale of their own. [`Scale::signed`] pins 0.
    pub scale: Scale,
}

/// The scores of one method in a [`Strip`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StripRow {
    /// Stands before or above the tokens, such as a method.
    pub name: String,
    /// One score per token; NaN, and what is missing, leaves a token without colour.
    #[serde(with = "super::nan")]
    pub values: Vec<f32>,
    /// A remark to the name, such as `gap 0.3 %`.
    pub note: String,
    /// The row's own scale, where methods have numbers of different size; `None` takes the strip's.
    pub scale: Option<Scale>,
}

/// A line chart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Curves {
    /// Stands above the chart.
    pub title: String,
    /// What x is, with its unit.
    pub x_axis: String,
    /// What y is, with its unit.
    pub y_axis: String,
    /// How numbers are spread along x.
    pub x_kind: ScaleKind,
    /// The lines. Up to seven have colours of their own, seven more are dashed.
    pub series: Vec<Series>,
    /// A remark under the chart.
    pub note: String,
}

/// One line of [`Curves`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Where its points are along x, in ascending order.
    #[serde(with = "super::nan")]
    pub xs: Vec<f32>,
    /// As many heights; a point that is not finite interrupts the line.
    #[serde(with = "super::nan")]
    pub ys: Vec<f32>,
    /// Drawn thin and grey, under the others: what they are compared with, such as a random order.
    pub faint: bool,
}

/// Two columns of tokens with lines between them, from queries on the left to keys on the right.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lines {
    /// One label per query.
    pub left: Vec<String>,
    /// One label per key.
    pub right: Vec<String>,
    /// What stands above the queries.
    pub left_axis: String,
    /// What stands above the keys.
    pub right_axis: String,
    /// The lines of each head; up to seven have colours of their own.
    pub series: Vec<Links>,
    /// The weight of a line in its full colour.
    pub most: f32,
    /// A remark under the lines, such as which there are.
    pub note: String,
}

/// The lines of one head.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Links {
    /// Its name.
    pub name: String,
    /// Its lines.
    pub links: Vec<Link>,
}

/// A line from a query to a key.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Link {
    /// The query.
    pub from: usize,
    /// The key.
    pub to: usize,
    /// How strong it is.
    pub weight: f32,
}

/// Rows and columns of text and numbers. A table that is too long ends with how many rows are left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// Stands above the table.
    pub title: String,
    /// The columns, left first.
    pub columns: Vec<Column>,
    /// A remark under the table.
    pub note: String,
}

/// One column of a [`Table`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    /// Stands above the column.
    pub head: String,
    /// One text per row.
    pub cells: Vec<String>,
    /// Whether cells end under one another, as numbers do, instead of beginning there.
    pub right: bool,
    /// One number per row, which colours its cell; empty for none.
    #[serde(with = "super::nan")]
    pub shades: Vec<f32>,
    /// From those numbers to colours.
    pub scale: Scale,
}

impl Column {
    /// A column of words.
    pub fn texts(head: impl Into<String>, cells: Vec<String>) -> Self {
        Self { head: head.into(), cells, ..Self::default() }
    }

    /// A column of numbers: all with as many decimals as the largest needs for three digits, `–` where there is none.
    pub fn numbers(head: impl Into<String>, values: &[f32]) -> Self {
        let largest = values.iter().filter(|v| v.is_finite()).fold(0.0f32, |most, v| most.max(v.abs()));
        let cells = values.iter().map(|v| decimals(*v, largest, 3)).collect();
        Self { head: head.into(), cells, right: true, ..Self::default() }
    }

    /// A column of numbers, each on its colour.
    pub fn shaded(head: impl Into<String>, values: Vec<f32>, scale: Scale) -> Self {
        Self { shades: values.clone(), scale, ..Self::numbers(head, &values) }
    }
}

/// Estimates with their intervals, one row each, on one axis. Rows that are too many end with how many are left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Intervals {
    /// Stands above the rows.
    pub title: String,
    /// The rows, top first.
    pub rows: Vec<IntervalRow>,
    /// What each estimate of a row is of, such as a model; the legend where there are several.
    pub series: Vec<String>,
    /// Where an estimate says nothing, such as chance.
    pub reference: Option<f32>,
    /// The ends of the axis.
    pub bounds: [f32; 2],
    /// What the numbers are.
    pub unit: String,
    /// A remark under the rows.
    pub note: String,
}

/// One row of [`Intervals`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IntervalRow {
    /// Stands before the row.
    pub label: String,
    /// Whether it stands for those under it.
    pub strong: bool,
    /// For each series the estimate and the two ends of its interval.
    pub estimates: Vec<[f32; 3]>,
    /// Stands behind the row, such as the numbers themselves.
    pub remark: String,
}
