//! The contact sheet: layers × heads.

use super::labels::{self, Rows};
use super::text::Line;
use super::{Anchor, Block, Item, Rect, Room, Style, Typeface, columns, legend, marks};
use crate::figure::matrix::block as pool_block;
use crate::figure::{Grid, Ink, Matrix, Scale};
use std::borrow::Cow;

const CAPTION: Style = Style::regular(11.0);
const TITLE: Style = Style::regular(10.0);
/// Room for the row titles and their caption, and for those of the columns.
const LEFT: f32 = 40.0;
const TOP: f32 = 36.0;
/// The widths of all maps together where nobody asks for one: as wide as looks good, and as more tokens make it.
const NATURAL: f32 = 1172.0;
const MOST: f32 = 3000.0;
const SMALLEST: f32 = 40.0;
const LARGEST: f32 = 420.0;
/// Pixels of a token where nobody asks for a width, as long as there is room for them, and at most.
const LEAST_CELL: f32 = 2.0;
const LARGEST_CELL: f32 = 48.0;
/// So much longer than maps is a colour bar beside them whose last number stands at its end.
const LONGER: f32 = 6.0;
/// A map that is smaller than this cannot be read.
const READABLE: f32 = 16.0;
/// A cell that is higher and wider than this has its token at the sheet's edge, no wider than so much; of smaller cells some have, where
/// maps are as large as this.
const LABELLED: f32 = 12.0;
const LABELLED_MAP: f32 = 120.0;
const WIDEST: f32 = 64.0;
/// Above a map whose corner is no place for its name.
const HEAD: f32 = 14.0;

/// How many pixels wide and high the maps of a grid are at most, at 96 dpi, on a page of that width (`None`: as wide as looks good),
/// with bars or without. For more tokens than pixels it is the size that [`Matrix::pool`] pools them to, so that maps may be pooled
/// before they are drawn. Multiply by `dpi / 96` for a finer picture.
pub fn panel_pixels(cols: usize, tokens: usize, width: Option<u32>, bars: bool) -> usize {
    panel_pixels_zoomed(cols, tokens, width, bars, None)
}

/// The same where texts have a size of their own, and a unit so many pixels.
pub(crate) fn panel_pixels_zoomed(
    cols: usize,
    tokens: usize,
    width: Option<u32>,
    bars: bool,
    zoom: Option<f32>,
) -> usize {
    let zoom = zoom.unwrap_or_else(|| columns::zoom(width, None));
    let room = Room { w: columns::columns(width.map(|w| w as f32 / zoom), bars).1, h: None, detail: zoom, fill: false };
    let slot = match room.w {
        None => share(MOST, cols).0,
        Some(_) => slot((1, cols), room, &Around::new(room.w), 0.0).0,
    };
    let pixels = (slot * zoom) as usize;
    if tokens <= pixels { pixels } else { tokens.div_ceil(pool_block(tokens, pixels)) }
}

/// The room around all maps.
struct Around {
    left: f32,
    top: f32,
    right: f32,
    below: f32,
}

impl Around {
    fn new(width: Option<f32>) -> Self {
        Self { left: LEFT, top: TOP, right: if legend::is_beside(width) { legend::BESIDE } else { 2.0 }, below: 0.0 }
    }
}

/// The side of `n` maps that share so much space, and the gap between them.
fn share(space: f32, n: usize) -> (f32, f32) {
    let pitch = space / n.max(1) as f32;
    let gap = (pitch * 0.09).clamp(1.0, 14.0).floor();
    ((pitch - gap).floor().max(2.0), gap)
}

/// The largest side that a map may have, and the gap between maps; `head` is what each needs above it.
fn slot((rows, cols): (usize, usize), room: Room, around: &Around, head: f32) -> (f32, f32) {
    let wide = room.w.map_or(NATURAL + LEFT, |w| w - around.right) - around.left;
    let tall = room.h.map_or(f32::MAX, |h| h - around.top - around.below - head * rows as f32);
    let (side, gap) = share((wide / cols.max(1) as f32).min(tall / rows.max(1) as f32), 1);
    match room.w {
        None => (side.clamp(SMALLEST.min((tall / rows.max(1) as f32).floor()), LARGEST), gap),
        Some(_) => (side, gap),
    }
}

/// The side that a map of `n` tokens is drawn with in a slot: whole pixels per token, or whole tokens per pixel. Where nobody asks for
/// a size, maps grow up to a limit rather than show less of their tokens.
fn side(n: usize, slot: f32, limit: Option<f32>) -> f32 {
    let n = n.max(1) as f32;
    if let Some(limit) = limit {
        let cell = (slot / n).ceil().clamp(LEAST_CELL, LARGEST_CELL);
        let whole = if n * cell <= limit { n * cell } else { n };
        return if whole <= limit { whole } else { (n / (n / limit).ceil()).ceil() };
    }
    if n > slot {
        return n / (n / slot).ceil(); // on a large page, or at a high resolution, that is a whole number of pixels
    }
    let cell = (slot / n).floor().min(LARGEST_CELL);
    // In a given width a panel rather fills its room, with cells of unequal pixels, than leaves a fifth of it empty.
    if cell * n < slot * 0.8 && cell < LARGEST_CELL { slot } else { cell * n }
}

/// A sheet on its way: what is known of it before anything is put anywhere.
struct Plan<'a, 'f> {
    grid: &'a Grid,
    face: &'f dyn Typeface,
    around: Around,
    side: f32,
    gap: f32,
    /// What each map needs above it for its name; the names, where they fit.
    head: f32,
    names: Vec<Line>,
    labelled: bool,
    notes: Vec<String>,
    scale: Cow<'a, Scale>,
}

pub(super) fn grid<'a>(grid: &'a Grid, face: &dyn Typeface, room: Room) -> Block<'a> {
    if grid.row_titles.is_empty() || grid.col_titles.is_empty() {
        return Block::default();
    }
    Plan::new(grid, face, room).draw(room)
}

impl<'a, 'f> Plan<'a, 'f> {
    fn new(grid: &'a Grid, face: &'f dyn Typeface, room: Room) -> Self {
        let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
        let tokens = tokens(grid);
        let natural = room.w.is_none() && room.h.is_none();
        let limit = natural.then(|| share(MOST, cols).0);
        let mut around = Around::new(room.w);
        let longest = [grid.said(), grid.scale.said(100, 100), marks::unsigned(&grid.cells, &grid.scale, 0.0)];
        around.below = marks::notes_height(face, &longest, &grid.hatched, room.w.unwrap_or(NATURAL));
        around.below += if legend::is_beside(room.w) { 0.0 } else { legend::FLAT + 8.0 };
        let sized = |around: &Around, head: f32| {
            let (slot, gap) = slot((rows, cols), room, around, head);
            (if room.fill && tokens as f32 <= slot { slot } else { side(tokens, slot, limit) }, gap)
        };
        let (side, gap) = sized(&around, 0.0);
        let (names, notes, scale) = (Vec::new(), Vec::new(), Cow::Borrowed(&grid.scale));
        let mut plan = Self { grid, face, around, side, gap, head: 0.0, names, labelled: false, notes, scale };
        // Names stand in the corner that causal maps leave empty, or above.
        plan.names = plan.fitting_names();
        if !plan.names.is_empty() && !plan.has_empty_corners() {
            plan.head = HEAD;
            (plan.side, plan.gap) = sized(&plan.around, HEAD);
            plan.names = plan.fitting_names();
        }
        let gutter = |labels: &[String], n: usize| labels::rough_gutter(face, labels, n, WIDEST);
        let labelled = |side: f32| side / tokens as f32 >= LABELLED || side >= LABELLED_MAP;
        let has_labels = grid.pooled <= 1 && (!grid.row_labels.is_empty() || !grid.col_labels.is_empty());
        let wanted = labelled(plan.side) && has_labels;
        if wanted {
            plan.around.left += gutter(&grid.row_labels, tokens);
            plan.around.below += gutter(&grid.col_labels, tokens);
            let (slot, gap) = slot((rows, cols), room, &plan.around, plan.head);
            // Where nobody asks for a size, the page grows by labels that only some of many small cells have.
            let stays = tokens as f32 * LARGEST_CELL <= slot || natural && plan.side / (tokens as f32) < LABELLED;
            let side = if stays { plan.side } else { self::side(tokens, slot, None) };
            plan.labelled = labelled(side);
            if plan.labelled {
                (plan.side, plan.gap) = (side, gap);
            } else {
                plan.around.left = LEFT;
            }
        }
        let block = pool_block(tokens, (plan.side * room.detail).round() as usize);
        plan.scale = grid.scale.drawn(&grid.cells, (block, block), grid.pooled);
        let block = block * grid.pooled.max(1);
        let unsigned = marks::unsigned(&grid.cells, &plan.scale, plan.side / tokens as f32);
        plan.notes = vec![grid.said(), plan.scale.said(block, block), unsigned];
        plan
    }

    fn pitch(&self) -> (f32, f32) {
        (self.side + self.gap, self.side + self.gap + self.head)
    }

    /// Such as `4.11` for each map; nothing if one is too wide, or there is but one row or column.
    fn fitting_names(&self) -> Vec<Line> {
        let Grid { row_titles, col_titles, .. } = self.grid;
        if row_titles.len() < 2 || col_titles.len() < 2 {
            return Vec::new();
        }
        let last = |title: &'a String| title.rsplit(' ').next().unwrap_or("");
        let name = |row, col| Line::fit(self.face, &format!("{}.{}", last(row), last(col)), TITLE, LARGEST);
        let names: Vec<Line> = row_titles
            .iter()
            .flat_map(|row| col_titles.iter().map(move |col| (row, col)))
            .map(|(r, c)| name(r, c))
            .collect();
        if names.iter().all(|name| name.width + 8.0 <= self.side) { names } else { Vec::new() }
    }

    /// Whether nothing is where the names would stand.
    fn has_empty_corners(&self) -> bool {
        let widest = self.names.iter().map(|name| name.width).fold(0.0, f32::max);
        let (w, h) = ((widest + 6.0) / self.side, (TITLE.size + 3.0) / self.side);
        let empty = |map: &Matrix| {
            let from = (map.cols as f32 * (1.0 - w)).floor().max(0.0) as usize;
            let to = ((map.rows as f32 * h).ceil() as usize).min(map.rows);
            (0..to).all(|row| (from..map.cols).all(|col| map.at(row, col).is_nan()))
        };
        self.grid.cells.iter().all(empty)
    }

    fn place(&self, row: usize, col: usize) -> Rect {
        let (across, down) = self.pitch();
        let y = self.around.top + row as f32 * down + self.head;
        Rect::new(self.around.left + col as f32 * across, y, self.side, self.side)
    }

    fn draw(mut self, room: Room) -> Block<'a> {
        let (grid, face) = (self.grid, self.face);
        let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
        let mut block = Block { cut: self.side < READABLE, ..Block::default() };
        let names = std::mem::take(&mut self.names);
        let mut names = names.into_iter();
        for (i, matrix) in grid.cells.iter().take(rows * cols).enumerate() {
            let place = self.place(i / cols, i % cols);
            block.items.push(Item::Cells(place, matrix, self.scale.clone()));
            marks::put(&mut block, place, matrix, &grid.scale);
            block.items.push(Item::Frame(place, Ink::Faint));
            if let Some(name) = names.next() {
                let y = if self.head > 0.0 { place.y - 4.0 } else { place.y + TITLE.size + 1.0 };
                let x = place.x + place.w - 3.0;
                block.items.push(Item::Label(name.at(x, y, Anchor::End, Ink::Soft)));
            }
        }
        self.titles(&mut block);
        let (w, bottom) = (self.place(0, cols - 1).x + self.side - self.around.left, self.place(rows - 1, 0));
        let mut below = bottom.y + self.side;
        if self.labelled {
            below += self.tokens(&mut block);
        }
        (block.w, block.h) = (block.w.max(self.around.left + w), block.h.max(below));
        let wide = room.w.map_or(w.max(LARGEST), |w| w - self.around.left);
        let h = bottom.y + self.side - self.around.top - self.head;
        let limit = if room.w.is_some() { legend::BESIDE - legend::GAP } else { 100.0 };
        let beside = legend::is_beside(room.w).then(|| legend::legend(&self.scale, face, h, limit));
        // Where its numbers are too wide to stand beside the maps, it lies under them.
        let beside = beside.filter(|bar| !bar.cut);
        if let Some(bar) = beside.as_ref().filter(|bar| bar.h > h + LONGER) {
            // Notes are wide: under a bar that is longer than the maps they begin below it.
            below = below.max(self.around.top + self.head + bar.h);
        }
        marks::put_notes(&mut block, face, (self.around.left, below), &self.notes, &grid.hatched, wide);
        match beside {
            Some(bar) => block.put(self.around.left + w + legend::GAP, self.around.top + self.head, bar),
            None => {
                let y = block.h + 8.0;
                block.put(self.around.left, y, legend::flat(&self.scale, face, wide));
            }
        }
        block
    }

    /// What the rows and columns of maps are.
    fn titles(&self, block: &mut Block<'a>) {
        let (grid, face, Around { left, top, .. }) = (self.grid, self.face, &self.around);
        let (across, down) = self.pitch();
        let (cols, rows) = (grid.col_titles.len() as f32, grid.row_titles.len() as f32);
        let (w, h) = (cols * across - self.gap, rows * down - self.gap);
        let (caption, titles) = common(&grid.col_titles);
        let limit = if titles.len() == 1 { w.max(120.0) } else { across - 2.0 };
        let widest = titles.iter().map(|t| face.width(&face.shown(t), TITLE)).fold(0.0, f32::max);
        let every = thin(widest + 4.0, across);
        for (i, title) in titles.iter().enumerate().step_by(every) {
            let line = Line::fit(face, title, TITLE, limit * every as f32);
            let x = if titles.len() == 1 { *left } else { left + i as f32 * across + self.side / 2.0 };
            let anchor = if titles.len() == 1 { Anchor::Start } else { Anchor::Middle };
            block.items.push(Item::Label(line.at(x, top - 7.0, anchor, Ink::Soft)));
        }
        let caption = Line::fit(face, caption, CAPTION, w.max(60.0));
        block.items.push(Item::Label(caption.at(*left, CAPTION.size, Anchor::Start, Ink::Normal)));

        let (caption, titles) = common(&grid.row_titles);
        if let [title] = titles[..] {
            // A single row's title is read along the row.
            let line = Line::fit(face, title, CAPTION, h.max(60.0));
            let label = line.at(CAPTION.size + 8.0, top + h / 2.0, Anchor::Middle, Ink::Normal).turned(-90.0);
            block.items.push(Item::Label(label));
            return;
        }
        // Right of their caption, left of the tokens.
        for (i, title) in titles.iter().enumerate().step_by(thin(TITLE.line(), down)) {
            let y = self.place(i, 0).y + self.side / 2.0 + TITLE.size * 0.36;
            let line = Line::fit(face, title, TITLE, LEFT - 22.0);
            block.items.push(Item::Label(line.at(LEFT - 7.0, y, Anchor::End, Ink::Soft)));
        }
        let caption = Line::fit(face, caption, CAPTION, h.max(20.0));
        let label = caption.at(CAPTION.size, *top, Anchor::End, Ink::Normal).turned(-90.0);
        block.items.push(Item::Label(label));
    }

    /// The tokens along the left edge of the sheet and under it. Returns how deep they reach.
    fn tokens(&self, block: &mut Block<'a>) -> f32 {
        let (grid, face) = (self.grid, self.face);
        let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
        let (down, across) = grid.cells.first().map_or((1, 1), |map| (map.rows.max(1), map.cols.max(1)));
        let mut deepest = 0.0f32;
        for row in 0..rows {
            let place = self.place(row, 0);
            let pitch = place.h / down as f32;
            Rows::new(face, &grid.row_labels, (0, down), pitch, WIDEST).put(block, place.x, place.y);
        }
        for col in 0..cols {
            let place = self.place(rows - 1, col);
            let at = (place.x, place.y + place.h);
            let pitch = (across, place.w / across as f32);
            deepest = deepest.max(labels::put_cols(block, face, &grid.col_labels, pitch, at, WIDEST));
        }
        deepest
    }
}

/// How many rows or columns a map has.
fn tokens(grid: &Grid) -> usize {
    grid.cells.iter().map(|m| m.rows.max(m.cols)).max().unwrap_or(1).max(1)
}

/// What all titles begin with, such as `layer`, and the rest of each. A single title is all rest.
fn common(titles: &[String]) -> (&str, Vec<&str>) {
    let word = titles.first().and_then(|t| t.rsplit_once(' ')).map_or("", |(word, _)| word);
    let rest = |t: &'_ String| t.strip_prefix(word).is_some_and(|r| r.starts_with(' '));
    if titles.len() < 2 || word.is_empty() || !titles.iter().all(rest) {
        return ("", titles.iter().map(String::as_str).collect());
    }
    (word, titles.iter().map(|t| t[word.len() + 1..].trim_start()).collect())
}

/// The step between drawn titles, so that none touches the next.
fn thin(need: f32, pitch: f32) -> usize {
    [1, 2, 5, 10, 20, 50, 100].into_iter().find(|n| *n as f32 * pitch >= need).unwrap_or(100)
}
