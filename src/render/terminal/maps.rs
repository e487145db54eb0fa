//! Maps: one large, or many beside one another.

use super::text::{columns, fit, pad, short};
use super::{Cell, Page};
use crate::figure::{Grid, Heatmap, Ink, Matrix, Scale, Sheet};
use crate::render::visible;

/// A cell of at least this many columns has its number, or its text, in it.
const NUMBERED: usize = 5;
const WIDEST_CELL: usize = 8;
const WIDEST_TEXT: usize = 12;
const WIDEST_LABEL: usize = 18;
/// A map of more rows than this gets two of them into a line.
const MOST_ROWS: usize = 64;
/// A map of a sheet takes at least this many columns.
const LEAST_MAP: usize = 24;

impl Page {
    pub(super) fn heatmap(&mut self, map: &Heatmap) {
        let (rows, cols) = (map.values.rows, map.values.cols);
        if rows == 0 || cols == 0 {
            return;
        }
        self.lines(&map.title, Ink::Strong);
        let longest =
            map.row_labels.iter().take(400).map(|label| columns(&fit(label, WIDEST_LABEL))).max().unwrap_or(0);
        let left = longest.min(self.width / 3) + 1;
        let room = self.width - left;
        let wide = (room / cols).min(if map.cell_labels.is_empty() { WIDEST_CELL } else { WIDEST_TEXT });
        let label = |row: usize| map.row_labels.get(row).map_or("", String::as_str);
        if wide >= 2 && rows <= MOST_ROWS {
            if wide >= NUMBERED {
                self.pen.plain(&" ".repeat(left));
                for col in map.col_labels.iter().take(cols) {
                    self.pen.plain(&pad(&fit(col, wide - 1), wide, true));
                }
                self.pen.end();
            }
            for row in 0..rows {
                self.pen.plain(&pad(&fit(label(row), left - 1), left - 1, true));
                self.pen.plain(" ");
                for col in 0..cols {
                    let value = map.values.at(row, col);
                    let cell = self.tone(value, &map.scale);
                    let text = map.cell_labels.get(row * cols + col);
                    match cell {
                        Some(_) if wide >= NUMBERED => {
                            let text = text.map_or_else(|| short(value), String::clone);
                            self.pen.on(cell, &pad(&fit(&text, wide - 1), wide - 1, true));
                            self.pen.on(cell, " ");
                        }
                        _ => self.pen.cell(cell, wide),
                    }
                }
                self.pen.end();
            }
        } else {
            let pooled = map.values.pool_to(rows.min(room), room);
            let per_line = rows.div_ceil(pooled.rows.max(1)) * 2;
            for line in 0..pooled.rows.div_ceil(2) {
                self.pen.plain(&pad(&fit(label(line * per_line), left - 1), left - 1, true));
                self.pen.plain(" ");
                for col in 0..pooled.cols {
                    let half = |row| self.tone(pooled.at(row, col), &map.scale);
                    let (top, bottom) = (half(2 * line), half(2 * line + 1));
                    self.pen.halves(top, bottom);
                }
                self.pen.end();
            }
        }
        let axes = axes(&map.row_axis, &map.col_axis);
        self.legend(&map.scale, left, &axes);
    }

    pub(super) fn grid(&mut self, grid: &Grid) {
        let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
        if rows == 0 || cols == 0 {
            return;
        }
        // Only the last word of a title, such as `11` of `layer 11`, has room.
        let last = |title: &str| title.rsplit(' ').next().unwrap_or("").to_owned();
        let left = grid.row_titles.iter().map(|t| columns(&fit(&last(t), 6))).max().unwrap_or(0) + 1;
        let slot = ((self.width - left) / cols).saturating_sub(1).max(1);
        let side = side(&grid.cells, slot);
        let drawn = ((self.width - left + 1) / (side + 1)).min(cols);
        let titles: Vec<String> = grid.col_titles.iter().take(drawn).map(|t| last(t)).collect();
        self.titles(&titles, left, side);
        for (row, title) in grid.row_titles.iter().enumerate() {
            let maps: Vec<&Matrix> = grid.cells.iter().skip(row * cols).take(drawn).collect();
            self.row_of_maps(&maps, &grid.scale, &fit(&last(title), left - 1), left, (side, side));
        }
        let first = |titles: &[String]| titles.first().and_then(|t| t.rsplit_once(' ')).map_or("", |t| t.0).to_owned();
        let mut remark = axes(&first(&grid.row_titles), &first(&grid.col_titles));
        if drawn < cols {
            remark += &format!(", first {drawn} of {cols} columns");
        }
        self.legend(&grid.scale, left, &remark);
    }

    pub(super) fn sheet(&mut self, sheet: &Sheet) {
        let maps: Vec<Matrix> = sheet.maps.iter().map(|map| map.values.clone()).collect();
        if maps.is_empty() {
            return;
        }
        self.lines(&sheet.title, Ink::Strong);
        let across = ((self.width + 1) / (LEAST_MAP + 1)).clamp(1, maps.len());
        let across = maps.len().div_ceil(maps.len().div_ceil(across));
        let slot = ((self.width + 1) / across - 1).min(2 * LEAST_MAP);
        let high =
            |map: &Matrix| (map.rows * slot.min(map.cols * (slot / map.cols.max(1)).max(1))).div_ceil(map.cols.max(1));
        for (named, maps) in sheet.maps.chunks(across).zip(maps.chunks(across)) {
            let names: Vec<String> = named
                .iter()
                .map(|map| if map.note.is_empty() { map.name.clone() } else { format!("{} {}", map.name, map.note) })
                .collect();
            self.titles(&names, 0, slot);
            let refs: Vec<&Matrix> = maps.iter().collect();
            let tall = maps.iter().map(high).max().unwrap_or(0).min(slot);
            self.row_of_maps(&refs, &sheet.scale, "", 0, (tall, slot));
        }
        self.legend(&sheet.scale, 0, &axes(&sheet.row_axis, &sheet.col_axis));
    }

    fn titles(&mut self, titles: &[String], left: usize, side: usize) {
        self.pen.plain(&" ".repeat(left));
        for title in titles {
            self.pen.plain(&pad(&fit(title, side), side + 1, false));
        }
        self.pen.end();
    }

    /// Maps beside one another, each so many half lines high and so many columns wide.
    fn row_of_maps(&mut self, maps: &[&Matrix], scale: &Scale, head: &str, left: usize, (high, wide): (usize, usize)) {
        let maps: Vec<Matrix> = maps.iter().map(|map| map.pool_to(high, wide)).collect();
        for line in 0..high.div_ceil(2) {
            self.pen.plain(&pad(if line == 0 { head } else { "" }, left, false));
            for map in &maps {
                for col in 0..wide {
                    // A map of fewer tokens than columns is drawn with several columns for each.
                    let half = |row: usize| -> Cell {
                        let value = map.at(row * map.rows / high, col * map.cols / wide);
                        self.tone(value, scale).filter(|_| row < high)
                    };
                    let (top, bottom) = (half(2 * line), half(2 * line + 1));
                    self.pen.halves(top, bottom);
                }
                self.pen.plain(" ");
            }
            self.pen.end();
        }
    }
}

/// The side of small maps: as many columns for each token as fit, three at most.
fn side(maps: &[Matrix], slot: usize) -> usize {
    let tokens = maps.iter().map(|m| m.rows.max(m.cols)).max().unwrap_or(1).max(1);
    if tokens <= slot { tokens * (slot / tokens).min(3) } else { slot }
}

fn axes(down: &str, across: &str) -> String {
    let both: Vec<String> = [down, across].into_iter().filter(|axis| !axis.is_empty()).map(visible).collect();
    both.join(" × ")
}
