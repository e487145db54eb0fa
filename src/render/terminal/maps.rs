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
        let label = |row: usize| map.row_labels.get(row).map_or("", String::as_str);
        // Each token has whole rows and columns; where there are too many, so many of them share each cell.
        let block = cols.div_ceil(room).max(rows.div_ceil(MOST_ROWS));
        let scale = map.scale.drawn([&map.values], (block, block), 1);
        if block == 1 {
            let wide = (room / cols).min(if map.cell_labels.is_empty() { WIDEST_CELL } else { WIDEST_TEXT });
            self.whole(map, wide, left);
        } else {
            let pooled = map.values.pool_by(block, map.scale.pooling());
            for row in 0..pooled.rows {
                self.pen.plain(&pad(&fit(label(row * block), left - 1), left - 1, true));
                self.pen.plain(" ");
                for col in 0..pooled.cols {
                    let cell = self.tone(pooled.at(row, col), &scale);
                    self.pen.cell(cell, (room / pooled.cols).min(2));
                }
                self.pen.end();
            }
        }
        let axes = axes(&map.row_axis, &map.col_axis);
        self.legend(&scale, left, &axes);
        self.lines(&scale.said(block, block), Ink::Soft);
        self.hatched(&map.hatched);
    }

    /// A map with a line for each row.
    fn whole(&mut self, map: &Heatmap, wide: usize, left: usize) {
        let (rows, cols) = (map.values.rows, map.values.cols);
        if wide >= NUMBERED {
            self.pen.plain(&" ".repeat(left));
            for col in map.col_labels.iter().take(cols) {
                self.pen.plain(&pad(&fit(col, wide - 1), wide, true));
            }
            self.pen.end();
        }
        for row in 0..rows {
            let label = map.row_labels.get(row).map_or("", String::as_str);
            self.pen.plain(&pad(&fit(label, left - 1), left - 1, true));
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
                    None if Matrix::is_hidden(value) => self.pen.plain(&"/".repeat(wide)),
                    _ => self.pen.cell(cell, wide),
                }
            }
            self.pen.end();
        }
    }

    /// What hidden cells are.
    fn hatched(&mut self, what: &str) {
        if !what.is_empty() {
            self.lines(&format!("/ {what}"), Ink::Soft);
        }
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
        let tokens = grid.cells.iter().map(|m| m.rows.max(m.cols)).max().unwrap_or(1).max(1);
        let size = Size::of(tokens, slot, self.pen.many());
        let side = size.columns(tokens);
        let drawn = ((self.width - left + 1) / (side + 1)).min(cols);
        let titles: Vec<String> = grid.col_titles.iter().take(drawn).map(|t| last(t)).collect();
        self.titles(&titles, left, side);
        let pooled: Vec<Matrix> = grid.cells.iter().map(|map| map.pool_by(size.block, grid.scale.pooling())).collect();
        let scale = grid.scale.drawn(&grid.cells, (size.block, size.block), grid.pooled);
        for (row, title) in grid.row_titles.iter().enumerate() {
            let maps: Vec<&Matrix> = pooled.iter().skip(row * cols).take(drawn).collect();
            self.row_of_maps(&maps, &scale, (&fit(&last(title), left - 1), left), size, side);
        }
        let first = |titles: &[String]| titles.first().and_then(|t| t.rsplit_once(' ')).map_or("", |t| t.0).to_owned();
        let mut remark = axes(&first(&grid.row_titles), &first(&grid.col_titles));
        if drawn < cols {
            remark += &format!(", first {drawn} of {cols} columns");
        }
        self.legend(&scale, left, &remark);
        self.lines(&grid.said(), Ink::Soft);
        let block = size.block * grid.pooled.max(1);
        self.lines(&scale.said(block, block), Ink::Soft);
        self.hatched(&grid.hatched);
    }

    pub(super) fn sheet(&mut self, sheet: &Sheet) {
        if sheet.maps.is_empty() {
            return;
        }
        self.lines(&sheet.title, Ink::Strong);
        let across = ((self.width + 1) / (LEAST_MAP + 1)).clamp(1, sheet.maps.len());
        let across = sheet.maps.len().div_ceil(sheet.maps.len().div_ceil(across));
        let slot = ((self.width + 1) / across - 1).min(2 * LEAST_MAP);
        let tokens = sheet.maps.iter().map(|map| map.values.rows.max(map.values.cols)).max().unwrap_or(1).max(1);
        let size = Size::of(tokens, slot, self.pen.many());
        let maps: Vec<Matrix> =
            sheet.maps.iter().map(|map| map.values.pool_by(size.block, sheet.scale.pooling())).collect();
        let scale = sheet.scale.drawn(sheet.maps.iter().map(|map| &map.values), (size.block, size.block), 1);
        for (named, maps) in sheet.maps.chunks(across).zip(maps.chunks(across)) {
            let names: Vec<String> = named
                .iter()
                .map(|map| if map.note.is_empty() { map.name.clone() } else { format!("{} {}", map.name, map.note) })
                .collect();
            self.titles(&names, 0, slot);
            let refs: Vec<&Matrix> = maps.iter().collect();
            self.row_of_maps(&refs, &scale, ("", 0), size, slot);
        }
        self.legend(&scale, 0, &axes(&sheet.row_axis, &sheet.col_axis));
        self.lines(&scale.said(size.block, size.block), Ink::Soft);
        self.hatched(&sheet.hatched);
    }

    fn titles(&mut self, titles: &[String], left: usize, side: usize) {
        self.pen.plain(&" ".repeat(left));
        for title in titles {
            self.pen.plain(&pad(&fit(title, side), side + 1, false));
        }
        self.pen.end();
    }

    /// Maps beside one another in slots of so many columns.
    fn row_of_maps(&mut self, maps: &[&Matrix], scale: &Scale, (head, left): (&str, usize), size: Size, slot: usize) {
        let rows = maps.iter().map(|map| map.rows).max().unwrap_or(0);
        let lines = if size.halves { (rows * size.wide).div_ceil(2) } else { rows };
        for line in 0..lines {
            self.pen.plain(&pad(if line == 0 { head } else { "" }, left, false));
            for map in maps {
                for col in 0..map.cols {
                    let tone = |row: usize| -> Cell { self.tone(map.at(row, col), scale) };
                    if size.halves {
                        let (top, bottom) = (tone(2 * line / size.wide), tone((2 * line + 1) / size.wide));
                        (0..size.wide).for_each(|_| self.pen.halves(top, bottom));
                    } else if Matrix::is_hidden(map.at(line, col)) {
                        self.pen.plain(&"/".repeat(size.wide));
                    } else {
                        self.pen.cell(tone(line), size.wide);
                    }
                }
                self.pen.plain(&" ".repeat((slot + 1).saturating_sub(map.cols * size.wide)));
            }
            self.pen.end();
        }
    }
}

/// How small maps are drawn: a whole number of columns and lines for each cell, so that none shows what its neighbour is.
#[derive(Clone, Copy)]
struct Size {
    /// How many tokens share a cell.
    block: usize,
    /// The columns of a cell.
    wide: usize,
    /// Whether a line shows two rows of pixels, as high as they are wide; else a cell is a line high.
    halves: bool,
}

impl Size {
    /// For maps of so many tokens in so many columns.
    fn of(tokens: usize, slot: usize, colours: bool) -> Self {
        if colours {
            let block = tokens.div_ceil(slot);
            return Self { block, wide: (slot / tokens.div_ceil(block)).clamp(1, 3), halves: true };
        }
        // A column is half as wide as a line is high.
        if 2 * tokens <= slot || tokens > slot {
            let block = tokens.div_ceil((slot / 2).max(1));
            return Self { block, wide: 2.min(slot), halves: false };
        }
        Self { block: 1, wide: 1, halves: false }
    }

    /// The columns of a whole map.
    fn columns(self, tokens: usize) -> usize {
        tokens.div_ceil(self.block) * self.wide
    }
}

fn axes(down: &str, across: &str) -> String {
    let both: Vec<String> = [down, across].into_iter().filter(|axis| !axis.is_empty()).map(visible).collect();
    both.join(" × ")
}
