//! A preview for terminals.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::blocks::{Cell, Ink};
use super::text::visible;
use crate::figure::scale::number;
use crate::figure::{self, Bars, Figure, Grid, Heatmap, Matrix, Panel, Scale, Theme};

/// Which colours a terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// None, or none wanted: maps become letters, and nothing but text is written.
    #[default]
    None,
    /// xterm's 256.
    Indexed,
    /// All of them.
    True,
}

/// What the terminal is like.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Columns.
    pub width: usize,
    /// Colours.
    pub colour: Colour,
    /// Whether it is light or dark.
    pub theme: Theme,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { width: 80, colour: Colour::None, theme: Theme::Dark }
    }
}

/// No terminal is taken to be narrower or wider than this.
const WIDTHS: (usize, usize) = (24, 400);
/// A cell of at least this many columns has its number in it.
const NUMBERED: usize = 5;
const WIDEST_CELL: usize = 8;
const WIDEST_LABEL: usize = 18;

/// The figure as lines of text. Of labels only what can be read is written, never a control character.
pub fn terminal(figure: &Figure, options: &Terminal) -> String {
    let width = options.width.clamp(WIDTHS.0, WIDTHS.1);
    let mut page = Page { ink: Ink::new(options.colour), colour: options.colour, theme: options.theme, width };
    for line in wrap(&figure.title, width) {
        page.ink.tinted(&line, options.theme.ink(figure::Ink::Strong));
        page.ink.end();
    }
    for line in figure.subtitle.iter().flat_map(|line| wrap(line, width)) {
        page.ink.tinted(&line, options.theme.ink(figure::Ink::Soft));
        page.ink.end();
    }
    for panel in &figure.panels {
        page.ink.end();
        match panel {
            Panel::Heatmap(map) => page.heatmap(map),
            Panel::Grid(grid) => page.grid(grid),
            Panel::Bars(bars) => page.bars(bars),
        }
    }
    page.ink.text
}

struct Page {
    ink: Ink,
    colour: Colour,
    theme: Theme,
    width: usize,
}

impl Page {
    fn heatmap(&mut self, map: &Heatmap) {
        let (rows, cols) = (map.values.rows, map.values.cols);
        if rows == 0 || cols == 0 {
            return;
        }
        if !map.title.is_empty() {
            self.ink.plain(&fit(&map.title, self.width));
            self.ink.end();
        }
        let longest =
            map.row_labels.iter().take(400).map(|label| columns(&fit(label, WIDEST_LABEL))).max().unwrap_or(0);
        let left = longest.min(self.width / 3) + 1;
        let room = self.width - left;
        let wide = (room / cols).min(WIDEST_CELL);
        let cell = |matrix: &Matrix, row, col| self.cell(matrix, &map.scale, row, col);
        let label = |row: usize| map.row_labels.get(row).map_or("", String::as_str);
        let mut ink = Ink::new(self.colour);
        if wide >= 2 && rows <= 64 {
            if wide >= NUMBERED {
                ink.plain(&" ".repeat(left));
                for col in map.col_labels.iter().take(cols) {
                    ink.plain(&pad(&fit(col, wide - 1), wide, true));
                }
                ink.end();
            }
            for row in 0..rows {
                ink.plain(&pad(&fit(label(row), left - 1), left - 1, true));
                ink.plain(" ");
                for col in 0..cols {
                    let cell = cell(&map.values, row, col);
                    match cell {
                        Some(_) if wide >= NUMBERED => {
                            let text = fit(&short(map.values.at(row, col)), wide - 1);
                            ink.on(cell, &format!("{} ", pad(&text, wide - 1, true)));
                        }
                        _ => ink.cell(cell, wide),
                    }
                }
                ink.end();
            }
        } else {
            let pooled = map.values.pool_to(rows.min(room), room);
            let per_line = rows.div_ceil(pooled.rows.max(1)) * 2;
            for line in 0..pooled.rows.div_ceil(2) {
                ink.plain(&pad(&fit(label(line * per_line), left - 1), left - 1, true));
                ink.plain(" ");
                for col in 0..pooled.cols {
                    ink.halves(cell(&pooled, 2 * line, col), cell(&pooled, 2 * line + 1, col));
                }
                ink.end();
            }
        }
        self.ink.text.push_str(&ink.text);
        let axes = [&map.row_axis, &map.col_axis].into_iter().filter(|a| !a.is_empty()).map(|a| visible(a));
        self.legend(&map.scale, left, &axes.collect::<Vec<_>>().join(" × "));
    }

    fn grid(&mut self, grid: &Grid) {
        let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
        if rows == 0 || cols == 0 {
            return;
        }
        // Only the last word of a title, such as `11` of `layer 11`, has room.
        let last = |title: &str| title.rsplit(' ').next().unwrap_or("").to_owned();
        let left = grid.row_titles.iter().map(|t| columns(&fit(&last(t), 6))).max().unwrap_or(0) + 1;
        let slot = ((self.width - left) / cols).saturating_sub(1).max(1);
        let tokens = grid.cells.iter().map(|m| m.rows.max(m.cols)).max().unwrap_or(1).max(1);
        let side = if tokens <= slot { tokens * (slot / tokens).min(3) } else { slot };
        let drawn = ((self.width - left + 1) / (side + 1)).min(cols);

        self.ink.plain(&" ".repeat(left));
        for title in grid.col_titles.iter().take(drawn) {
            self.ink.plain(&pad(&fit(&last(title), side), side + 1, false));
        }
        self.ink.end();
        for (row, title) in grid.row_titles.iter().enumerate() {
            let maps = grid.cells.iter().skip(row * cols).take(drawn);
            let maps: Vec<_> = maps.map(|m| m.pool(side)).collect();
            for line in 0..side.div_ceil(2) {
                let head = if line == 0 { fit(&last(title), left - 1) } else { String::new() };
                self.ink.plain(&pad(&head, left, false));
                for map in &maps {
                    for col in 0..side {
                        // A map of fewer tokens than columns is drawn with several columns for each.
                        let at = |k: usize, n: usize| k * n / side;
                        let top = self.cell(map, &grid.scale, at(2 * line, map.rows), at(col, map.cols));
                        let below = 2 * line + 1 < side;
                        let bottom = self.cell(map, &grid.scale, at(2 * line + 1, map.rows), at(col, map.cols));
                        self.ink.halves(top, bottom.filter(|_| below));
                    }
                    self.ink.plain(" ");
                }
                self.ink.end();
            }
        }
        let first =
            |titles: &[String]| titles.first().and_then(|t| t.rsplit_once(' ')).map_or(String::new(), |t| visible(t.0));
        let (down, across) = (first(&grid.row_titles), first(&grid.col_titles));
        let mut remark =
            if down.is_empty() || across.is_empty() { down + &across } else { format!("{down} × {across}") };
        if drawn < cols {
            remark += &format!(", first {drawn} of {cols} columns");
        }
        self.legend(&grid.scale, left, &remark);
    }

    fn bars(&mut self, bars: &Bars) {
        let soft = self.theme.ink(figure::Ink::Soft);
        self.ink.plain(&fit(&bars.title, self.width));
        if !bars.unit.is_empty() {
            let used = columns(&fit(&bars.title, self.width)) + 2;
            self.ink.tinted(&format!("  {}", fit(&bars.unit, self.width.saturating_sub(used))), soft);
        }
        self.ink.end();
        let count = bars.labels.len().min(bars.values.len());
        let numbers: Vec<String> = bars.values[..count].iter().map(|v| number(*v)).collect();
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let left = widest(&mut bars.labels[..count].iter().map(|l| columns(&fit(l, self.width / 3))));
        let right = widest(&mut numbers.iter().map(|n| columns(n)));
        let length = self.width.saturating_sub(left + right + 2).clamp(1, 40);
        let finite = |v: f32| if v.is_finite() { v.abs() } else { 0.0 };
        let largest = bars.values[..count].iter().map(|v| finite(*v)).fold(f32::MIN_POSITIVE, f32::max);
        for ((label, value), number) in bars.labels.iter().zip(&bars.values).zip(&numbers) {
            self.ink.plain(&pad(&fit(label, self.width / 3), left, true));
            self.ink.plain(" ");
            let ink = if *value < 0.0 { figure::Ink::Negative } else { figure::Ink::Bar };
            let share = finite(*value) / largest * length as f32;
            self.ink.tinted(&bar(share, self.colour), self.theme.ink(ink));
            self.ink.plain(&format!(" {number}"));
            self.ink.end();
        }
        for line in wrap(&bars.note, self.width) {
            self.ink.tinted(&line, soft);
            self.ink.end();
        }
    }

    /// The scale's colours between its bounds, with its unit.
    fn legend(&mut self, scale: &Scale, left: usize, remark: &str) {
        const LENGTH: usize = 16;
        let (low, high) = scale.bounds();
        self.ink.plain(&format!("{}{} ", " ".repeat(left), number(low)));
        for i in 0..LENGTH {
            let t = i as f32 / (LENGTH - 1) as f32;
            self.ink.cell(Some((t, scale.colormap.rgb(self.theme, t))), 1);
        }
        let texts = [visible(&scale.unit), remark.to_owned()];
        let text = texts.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" · ");
        let text = format!(" {}  {text}", number(high));
        let room = self.width.saturating_sub(left + LENGTH + 1 + columns(&number(low)));
        self.ink.plain(&fit(&text, room));
        self.ink.end();
    }

    fn cell(&self, matrix: &Matrix, scale: &Scale, row: usize, col: usize) -> Cell {
        let t = scale.position(matrix.at(row, col))?;
        Some((t, scale.colormap.rgb(self.theme, t)))
    }
}

/// A number in few columns: `.42`.
fn short(value: f32) -> String {
    if !(0.0..1.0).contains(&value) {
        return number(value);
    }
    let text = format!("{value:.2}");
    if text.starts_with("1") { "1".to_owned() } else { text.trim_start_matches('0').to_owned() }
}

fn bar(share: f32, colour: Colour) -> String {
    if colour == Colour::None {
        return "#".repeat(share.round() as usize);
    }
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn columns(text: &str) -> usize {
    text.width()
}

/// A text made visible and cut to so many columns.
fn fit(text: &str, limit: usize) -> String {
    // A grapheme takes at least one column, or none at all: no need to read further.
    let head: String = text.graphemes(true).take(limit + 1).collect();
    let text = visible(&head);
    if columns(&text) <= limit {
        return text;
    }
    let mut out = String::new();
    for grapheme in text.graphemes(true) {
        if columns(&out) + columns(grapheme) + 1 > limit {
            break;
        }
        out.push_str(grapheme);
    }
    if limit > 0 {
        out.push('…');
    }
    out
}

/// A text with blanks after it, or before, up to so many columns.
fn pad(text: &str, to: usize, right: bool) -> String {
    let blanks = " ".repeat(to.saturating_sub(columns(text)));
    if right { blanks + text } else { text.to_owned() + &blanks }
}

/// A text in lines of so many columns, three at most.
fn wrap(text: &str, width: usize) -> Vec<String> {
    const MOST: usize = 3;
    let mut lines = vec![String::new()];
    let text: String = text.graphemes(true).take(width * MOST).collect();
    let text = visible(&text);
    for word in text.split(' ') {
        let (count, last) = (lines.len(), lines.last_mut());
        match last {
            Some(line) if line.is_empty() => *line = word.to_owned(),
            Some(line) if columns(line) + 1 + columns(word) <= width || count == MOST => {
                *line = format!("{line} {word}")
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines.iter().map(|line| fit(line, width)).collect()
}
