//! A figure in words, for whoever cannot see it: what it is, and where its numbers are largest.

use super::number::number;
use super::{Figure, Matrix, Panel};
use std::borrow::Cow;

/// How many of the strongest cells are named.
const STRONGEST: usize = 3;

/// A map of a figure with the names of its parts.
pub(crate) struct Map<'a> {
    /// Which of several it is; empty for the only one.
    name: String,
    rows: Cow<'a, [String]>,
    cols: Cow<'a, [String]>,
    pub(crate) values: &'a Matrix,
}

impl<'a> Map<'a> {
    fn new(name: &str, rows: &'a [String], cols: &'a [String], values: &'a Matrix) -> Self {
        Self { name: name.to_owned(), rows: rows.into(), cols: cols.into(), values }
    }

    /// The same with its names written otherwise, each once however many cells it names.
    pub(crate) fn named(&self, write: impl Fn(&str) -> String) -> Self {
        let all = |labels: &[String]| labels.iter().map(|label| write(label)).collect();
        Self { name: write(&self.name), rows: all(&self.rows), cols: all(&self.cols), values: self.values }
    }

    /// One cell with its number, such as `·fox → The: 0.42`; nothing for what is not there, and where no label is a cell's own.
    pub(crate) fn cell(&self, row: usize, col: usize) -> Option<String> {
        let value = self.values.at(row, col);
        if (self.rows.len(), self.cols.len()) != (self.values.rows, self.values.cols) || !value.is_finite() {
            return None;
        }
        let (of, colon) = (&self.name, if self.name.is_empty() { "" } else { ": " });
        Some(format!("{of}{colon}{} → {}: {}", self.rows[row], self.cols[col], number(value)))
    }

    /// The cells of rows that hold a choice, with the size of their numbers.
    fn sizes(&self) -> impl Iterator<Item = (f32, usize, usize)> {
        let cols = self.values.cols.max(1);
        let rows = self.values.data.chunks(cols).take(self.values.rows).enumerate();
        let chosen = rows.filter(|(_, row)| row.iter().filter(|value| value.is_finite()).count() > 1);
        chosen.flat_map(|(row, values)| values.iter().enumerate().map(move |(col, value)| (value.abs(), row, col)))
    }
}

impl Figure {
    /// Its maps, in order.
    pub(crate) fn maps(&self) -> Vec<Map<'_>> {
        let mut all = Vec::new();
        for panel in &self.panels {
            match panel {
                Panel::Heatmap(map) => {
                    all.push(Map::new(&map.title, &map.row_labels, &map.col_labels, &map.values));
                }
                Panel::Sheet(sheet) => {
                    let (rows, cols) = (&sheet.row_labels, &sheet.col_labels);
                    all.extend(sheet.maps.iter().map(|map| Map::new(&map.name, rows, cols, &map.values)));
                }
                Panel::Grid(grid) => {
                    let titles = grid
                        .row_titles
                        .iter()
                        .flat_map(|row| grid.col_titles.iter().map(move |col| format!("{row}, {col}")));
                    let (rows, cols) = (&grid.row_labels, &grid.col_labels);
                    all.extend(titles.zip(&grid.cells).map(|(title, values)| Map::new(&title, rows, cols, values)));
                }
                _ => {}
            }
        }
        all
    }

    /// What it shows, in a few sentences: what stands under its headline, and its strongest cells or longest bars.
    pub fn described(&self) -> String {
        let maps = self.maps();
        let mut cells: Vec<(f32, usize, usize, usize)> = Vec::new();
        for (i, map) in maps.iter().enumerate() {
            for (size, row, col) in map.sizes().filter(|(size, ..)| size.is_finite() && *size > 0.0) {
                if cells.len() < STRONGEST || size > cells[STRONGEST - 1].0 {
                    let at = cells.partition_point(|(other, ..)| *other >= size);
                    cells.insert(at, (size, i, row, col));
                    cells.truncate(STRONGEST);
                }
            }
        }
        let cells: Vec<String> = cells.iter().filter_map(|(_, map, row, col)| maps[*map].cell(*row, *col)).collect();
        let strongest = (!cells.is_empty()).then(|| format!("strongest, row to column: {}", cells.join("; ")));
        let longest =
            self.panels.iter().find_map(|panel| if let Panel::Bars(bars) = panel { Some(bars) } else { None });
        let longest = longest.filter(|bars| !bars.labels.is_empty()).map(|bars| {
            let bar = |(label, value): (&String, &f32)| format!("{label} {}", number(*value));
            let first: Vec<String> = bars.labels.iter().zip(&bars.values).take(STRONGEST).map(bar).collect();
            format!("{}: {}", bars.title, first.join("; "))
        });
        let said = self.subtitle.iter().cloned().chain(strongest).chain(longest);
        said.map(|line| line.trim_end_matches('.').to_owned() + ".").collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Heatmap;

    #[test]
    fn the_strongest_cells_are_named_and_rows_without_a_choice_are_not() {
        let labels: Vec<String> = ["The", "·fox", "·sat"].map(String::from).to_vec();
        let values = Matrix::causal(3, vec![1.0, 0.0, 0.0, 0.8, 0.2, 0.0, 0.1, 0.6, 0.3]);
        let map = Heatmap { values, row_labels: labels.clone(), col_labels: labels, ..Heatmap::default() };
        let subtitle = vec!["a model".to_owned()];
        let figure = Figure { subtitle, panels: vec![Panel::Heatmap(map)], ..Figure::default() };
        let said = "a model. strongest, row to column: ·fox → The: 0.8; ·sat → ·fox: 0.6; ·sat → ·sat: 0.3.";
        assert_eq!(figure.described(), said);
    }
}
