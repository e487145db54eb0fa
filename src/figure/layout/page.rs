//! The page: headline, panels above one another, and bars beside or under maps.

use super::columns::{BARS, BESIDE, WIDE, bare, columns, zoom};
use super::labels::WIDER;
use super::text::{Line, wrap};
use super::{Anchor, Block, Item, Room, Scene, Style, Typeface, share_out};
use super::{bars, curves, graph, grid, heatmap, intervals, lines, sheet, strip, table};
use crate::figure::{Figure, Ink, Panel};

const TITLE: Style = Style::bold(19.0);
const SUBTITLE: Style = Style::regular(12.0);
/// A narrow page's headline.
const NARROW: f32 = 480.0;
const NARROW_TITLE: Style = Style::bold(15.0);
/// Between the headline and what follows, and between maps.
const GAP: f32 = 24.0;
/// How wide two panels side by side are together, where nobody asks for a width.
const PAIR: f32 = 880.0;
/// No page is narrower than this by itself; a headline makes it at most this wide.
const LEAST: f32 = 400.0;
const HEADLINE: f32 = 620.0;

/// The least width of maps beside bars, and the largest side of a page, in pixels.
const LEAST_BESIDE: f32 = 200.0;
const LARGEST: u32 = 20_000;

/// Labels further apart than this along y are not compared.
const BAND: f32 = 16.0;

/// Lays a figure out.
pub fn layout<'a>(figure: &'a Figure, face: &dyn Typeface) -> Scene<'a> {
    sized(figure, (figure.width, figure.height), face)
}

/// The least size at which a figure can be read, of those sides that its own size names. `None` where nothing is wrong with its own.
pub fn least(figure: &Figure, face: &dyn Typeface) -> Option<(Option<u32>, Option<u32>)> {
    let fits = |w: Option<u32>, h: Option<u32>| sized(figure, (w, h), face).whole;
    let (width, height) = (figure.width, figure.height);
    if (width.is_none() && height.is_none()) || fits(width, height) {
        return None;
    }
    // As wide as is asked for, if that is enough; else the least width, and what it needs.
    let wide = width.filter(|w| fits(Some(*w), None)).or_else(|| smallest(width?, |w| fits(Some(w), None)));
    let high = height.and_then(|h| smallest(h, |h| fits(wide, Some(h))));
    Some((width.and(wide), high))
}

/// The least size from one on that does, to a few pixels.
fn smallest(from: u32, does: impl Fn(u32) -> bool) -> Option<u32> {
    let (mut low, mut high) = (from, from);
    while !does(high) {
        (low, high) = (high, high + (high / 4).max(20));
        if high > LARGEST {
            return None;
        }
    }
    while high - low > 10 {
        let middle = low.midpoint(high);
        if does(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

fn sized<'a>(figure: &'a Figure, (width, height): (Option<u32>, Option<u32>), face: &dyn Typeface) -> Scene<'a> {
    let zoom = figure.zoom.unwrap_or_else(|| zoom(width, height));
    let units = |pixels: Option<u32>| pixels.map(|p| p as f32 / zoom);
    let (given_w, given_h) = (units(width), units(height));
    let (margin, main, beside) = if figure.bare { bare(given_w) } else { columns(given_w, has_aside(figure)) };
    let inner = given_w.map(|w| w - 2.0 * margin);
    let tall = given_h.map(|h| h - 2.0 * margin);
    let room = Room { w: main, h: None, detail: zoom * (figure.dpi / 96.0).max(f32::MIN_POSITIVE), fill: figure.bare };

    // Without a given width the headline is as wide as the maps, whose height, if given, depends on the headline.
    let gap = |head: &Block| if head.h > 0.0 { head.h + GAP } else { 0.0 };
    let mut top = tall.map_or(0.0, |_| gap(&head(figure, face, inner.unwrap_or(HEADLINE))));
    let mut body = body(figure, face, Room { h: tall.map(|h| h - top), ..room }, beside);
    let wide = inner.unwrap_or_else(|| {
        let wish = head(figure, face, HEADLINE.max(body.w)).w;
        body.w.max(wish.min(HEADLINE)).max(if figure.bare { 0.0 } else { LEAST }).ceil()
    });
    let headline = head(figure, face, wide);
    if let Some(h) = tall.filter(|_| gap(&headline) > top) {
        body = self::body(figure, face, Room { h: Some(h - gap(&headline)), ..room }, beside);
    }
    top = gap(&headline);
    if beside && tall.is_none() && inner.is_some() && body.cut {
        // What is too narrow beside bars may be wide enough above them.
        body = self::body(figure, face, Room { w: inner, ..room }, false);
    } else if let (Some(w), Some(h), false, true) = (inner, tall, beside, has_aside(figure)) {
        // On a low page maps may be larger beside the bars than above them.
        let other = w - BARS - BESIDE;
        if other >= LEAST_BESIDE {
            let other = self::body(figure, face, Room { w: Some(other), h: Some(h - top), ..room }, true);
            if !other.cut && (body.cut || maps(&other) > maps(&body)) {
                body = other;
            }
        }
    }

    let mut page = Block::default();
    page.put(margin, margin, headline);
    let spare_w = (wide - body.w).max(0.0);
    let spare_h = tall.map_or(0.0, |h| (h - top - body.h).max(0.0));
    // Maps stand in the middle of what is given, texts and charts begin where the headline does.
    let middle = |spare: f32| if figure.panels.iter().any(is_map) { (spare / 2.0).floor() } else { 0.0 };
    let x = if given_w.is_some() { margin + middle(spare_w) } else { margin };
    page.put(x, margin + top + middle(spare_h), body);

    let width = given_w.unwrap_or((wide + 2.0 * margin).ceil());
    let height = given_h.unwrap_or((page.h + margin).ceil().max(64.0));
    let whole = !page.cut && page.w <= width + 0.5 && page.h <= height + 0.5;
    let says = |item: &Item| !matches!(item, Item::Label(label) if label.text.is_empty());
    let items: Vec<Item> = page.items.into_iter().filter(says).collect();
    let count = items.len();
    let mut items = legible(items, width, height);
    let whole = whole && items.len() == count;
    items.extend(frames(figure, &items));
    Scene { width, height, zoom, whole, items }
}

/// Frames on every map: the ink of headlines on a hem of the page's colour, which stands out from any colour.
fn frames<'a>(figure: &Figure, items: &[Item]) -> Vec<Item<'a>> {
    const LINES: [(Ink, f32); 2] = [(Ink::Paper, 3.6), (Ink::Strong, 1.6)];
    let maps = items.iter().filter_map(|item| if let Item::Cells(place, ..) = item { Some(place) } else { None });
    let frame = |map: &super::Rect, [x, y, w, h]: &[f32; 4], (ink, thick): (Ink, f32)| {
        let (left, top) = (map.x + x * map.w, map.y + y * map.h);
        let (right, bottom) = (left + w * map.w, top + h * map.h);
        let points = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        Item::Curve { points, ink, thick, dashed: false }
    };
    maps.flat_map(|map| figure.frames.iter().flat_map(move |part| LINES.map(|line| frame(map, part, line)))).collect()
}

/// How large the maps of a block are together.
fn maps(block: &Block) -> f32 {
    block.items.iter().map(|item| if let Item::Cells(place, ..) = item { place.w * place.h } else { 0.0 }).sum()
}

/// Title and subtitles.
fn head<'a>(figure: &'a Figure, face: &dyn Typeface, width: f32) -> Block<'a> {
    let mut block = Block::default();
    if figure.bare {
        return block;
    }
    let style = if width < NARROW { NARROW_TITLE } else { TITLE };
    // On a page of given width another font's wider letters still end on it.
    let width = if figure.width.is_some() { width / WIDER } else { width };
    // A prompt may be a book; a title that somebody wrote is never cut.
    let most = if figure.whole_title { usize::MAX } else { 2 };
    let title = wrap(face, &figure.title, style, width, most);
    let subtitles = figure.subtitle.iter().flat_map(|line| wrap(face, line, SUBTITLE, width, 6));
    let first = title.len();
    for (i, line) in title.into_iter().chain(subtitles).enumerate() {
        let space = if i == first && i > 0 { 5.0 } else { 0.0 };
        let ink = if i < first { Ink::Strong } else { Ink::Soft };
        block.w = block.w.max(line.width);
        let (y, next) = (block.h + space + line.style.size, block.h + space + line.style.line());
        block.items.push(Item::Label(Line::at(line, 0.0, y, Anchor::Start, ink)));
        block.h = next;
    }
    block
}

fn is_map(panel: &Panel) -> bool {
    matches!(panel, Panel::Heatmap(_) | Panel::Grid(_) | Panel::Sheet(_))
}

fn is_bars(panel: &Panel) -> bool {
    matches!(panel, Panel::Bars(_))
}

/// Whether there are bars that belong to maps, and stand beside or under them.
fn has_aside(figure: &Figure) -> bool {
    figure.panels.iter().any(is_bars) && figure.panels.iter().any(is_map)
}

/// The panels above one another, the bars of maps beside or under them.
fn body<'a>(figure: &'a Figure, face: &dyn Typeface, room: Room, beside: bool) -> Block<'a> {
    let Room { w: main, h: tall, .. } = room;
    let tables =
        figure.panels.iter().filter_map(|panel| if let Panel::Heatmap(map) = panel { Some(map) } else { None });
    let draw = Draw {
        face,
        alike: heatmap::Alike::of(tables.filter(|map| !map.cell_labels.is_empty()), face),
        detail: room.detail,
        fill: room.fill,
    };
    let aside = has_aside(figure);
    let (asides, panels): (Vec<&Panel>, Vec<&Panel>) = figure.panels.iter().partition(|p| aside && is_bars(p));
    // Under the maps, all bars together get at most two fifths of a given height.
    let under = aside && !beside;
    let main_tall = tall.map(|h| if under { h * 0.6 - GAP } else { h });
    let aside_tall = tall.map(|h| if under { h * 0.4 } else { h });

    let mut block = stack(&rows(&panels, main), &draw, main, main_tall);
    let width = if beside { BARS } else { main.unwrap_or(HEADLINE).min(HEADLINE) };
    let aside_tall = aside_tall.or((beside && block.h > 120.0).then_some(block.h));
    let share = |h: f32| (h - GAP * asides.len().saturating_sub(1) as f32) / asides.len().max(1) as f32;
    let mut column = Block::default();
    for panel in &asides {
        let y = if column.h > 0.0 { column.h + GAP } else { 0.0 };
        column.put(0.0, y, draw.part(panel, Some(width), aside_tall.map(share)));
    }
    let (x, y) = match (beside, block.h > 0.0) {
        (true, true) => (block.w + BESIDE, 0.0),
        (false, true) => (0.0, (block.h + GAP).ceil()),
        (_, false) => (0.0, 0.0),
    };
    if column.h > 0.0 {
        block.put(x, y, column);
    }
    block
}

/// Charts of one kind that follow one another stand side by side, two in a row, where each has room enough.
fn rows<'p>(panels: &[&'p Panel], main: Option<f32>) -> Vec<Vec<&'p Panel>> {
    let alike = |a: &Panel, b: &Panel| {
        matches!((a, b), (Panel::Curves(_), Panel::Curves(_)) | (Panel::Bars(_), Panel::Bars(_)))
    };
    let wide = main.is_none_or(|w| w >= WIDE);
    let mut rows: Vec<Vec<&Panel>> = Vec::new();
    for panel in panels {
        match rows.last_mut() {
            Some(row) if wide && row.len() == 1 && alike(row[0], panel) => row.push(panel),
            _ => rows.push(vec![panel]),
        }
    }
    rows
}

/// Rows of panels above one another. In a given height maps share what the others do not need.
fn stack<'a>(rows: &[Vec<&'a Panel>], draw: &Draw, main: Option<f32>, tall: Option<f32>) -> Block<'a> {
    let across = |row: &[&Panel]| match row {
        [_, _] => Some((main.unwrap_or(PAIR) - BESIDE) / 2.0),
        [Panel::Curves(_) | Panel::Bars(_)] => Some(main.unwrap_or(HEADLINE).min(HEADLINE)),
        _ => main,
    };
    let side_by_side = |row: &[&'a Panel], h: Option<f32>| {
        let mut line = Block::default();
        for (i, panel) in row.iter().enumerate() {
            let w = across(row);
            line.put(w.map_or(0.0, |w| i as f32 * (w + BESIDE)), 0.0, draw.part(panel, w, h));
        }
        line
    };
    let wish = |row: &Vec<&'a Panel>| if is_map(row[0]) { f32::MAX } else { side_by_side(row, None).h };
    let room = tall.map(|h| h - GAP * rows.len().saturating_sub(1) as f32);
    let shares = room.map(|h| share_out(&rows.iter().map(wish).collect::<Vec<_>>(), h));
    let mut block = Block::default();
    for (i, row) in rows.iter().enumerate() {
        let y = if block.h > 0.0 { (block.h + GAP).ceil() } else { 0.0 };
        block.put(0.0, y, side_by_side(row, shares.as_ref().map(|shares| shares[i])));
    }
    block
}

/// What all panels of a figure have in common.
struct Draw<'f> {
    face: &'f dyn Typeface,
    alike: heatmap::Alike,
    detail: f32,
    fill: bool,
}

impl Draw<'_> {
    fn part<'a>(&self, panel: &'a Panel, w: Option<f32>, h: Option<f32>) -> Block<'a> {
        let (face, room) = (self.face, Room { w, h, detail: self.detail, fill: self.fill });
        match panel {
            Panel::Heatmap(map) => heatmap::heatmap(map, face, room, self.alike),
            Panel::Grid(grid) => grid::grid(grid, face, room),
            Panel::Sheet(sheet) => sheet::sheet(sheet, face, room),
            Panel::Bars(bars) => bars::bars(bars, face, room.w.unwrap_or(HEADLINE), room),
            Panel::Strip(strip) => strip::strip(strip, face, room),
            Panel::Curves(chart) => curves::curves(chart, face, room),
            Panel::Lines(chart) => lines::lines(chart, face, room),
            Panel::Table(table) => table::table(table, face, room),
            Panel::Intervals(rows) => intervals::intervals(rows, face, room),
            Panel::Graph(all) => graph::graph(all, face, room),
        }
    }
}

/// A given size can be too small for all labels. One that would leave the page or touch an earlier one is left out.
fn legible(items: Vec<Item>, width: f32, height: f32) -> Vec<Item> {
    let within = |(x, y): (f32, f32)| (-0.5..=width + 0.5).contains(&x) && (-0.5..=height + 0.5).contains(&y);
    // By bands of the page: a text of a thousand tokens would else be compared with itself a million times.
    let mut taken: Vec<Vec<[(f32, f32); 4]>> = vec![Vec::new(); (height / BAND) as usize + 2];
    let band = |y: f32| (y.max(0.0) / BAND) as usize;
    let mut legible = |item: &Item| {
        let Item::Label(label) = item else { return true };
        let corners = label.corners();
        if !corners.into_iter().all(within) {
            return false;
        }
        let (top, bottom) = corners.iter().fold((f32::MAX, 0f32), |(top, bottom), c| (top.min(c.1), bottom.max(c.1)));
        let bands = band(top)..(band(bottom) + 1).min(taken.len());
        let free = !taken[bands.clone()].iter().flatten().any(|other| touch(&corners, other));
        if free {
            taken[bands].iter_mut().for_each(|band| band.push(corners));
        }
        free
    };
    items.into_iter().filter(|item| legible(item)).collect()
}

/// Whether two turned rectangles overlap: none of their sides has the one before it and the other behind it.
fn touch(a: &[(f32, f32); 4], b: &[(f32, f32); 4]) -> bool {
    let parted = |(nx, ny): (f32, f32)| {
        let span = |corners: &[(f32, f32); 4]| {
            let along = corners.map(|(x, y)| x * nx + y * ny);
            (along.into_iter().fold(f32::MAX, f32::min), along.into_iter().fold(f32::MIN, f32::max))
        };
        let ((a0, a1), (b0, b1)) = (span(a), span(b));
        a1 <= b0 || b1 <= a0
    };
    let sides = |of: &[(f32, f32); 4]| [(of[1].0 - of[0].0, of[1].1 - of[0].1), (of[2].0 - of[1].0, of[2].1 - of[1].1)];
    // The axes first: they part almost all pairs.
    ![(1.0, 0.0), (0.0, 1.0)].into_iter().chain(sides(a)).chain(sides(b)).any(parted)
}
