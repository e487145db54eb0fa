//! What a page's stream draws: one operator a line, in the figure's own units, so that a comparison can take it apart again.

use super::letters::Letters;
use crate::figure::layout::{Item, Label, Rect, Scene};
use crate::figure::{Colormap, Theme};
use crate::render::fonts::Fonts;
use crate::render::maps::{For, Map, Way, way};
use crate::render::svg::{HATCH, hatching};
use std::fmt::Write as _;

/// Equal neighbours are one rectangle, and others reach so far under the next, lest a viewer that smooths edges shows the paper between
/// them: in units of the figure, and at most this part of a cell.
const UNDER: f32 = 0.3;
const MOST_UNDER: f32 = 0.1;

/// A page while it is drawn.
pub(super) struct Page<'a> {
    fonts: &'a Fonts,
    theme: Theme,
    pub letters: Letters,
    pub images: Vec<Image>,
    /// A colour bar's colours, and whether it lies.
    pub ramps: Vec<(Colormap, bool)>,
    pub out: String,
}

/// A map in pixels.
pub(super) struct Image {
    pub width: usize,
    pub height: usize,
    /// A place in the palette for each cell; the first is not drawn.
    pub cells: Vec<u8>,
    pub palette: Vec<u8>,
}

impl<'a> Page<'a> {
    /// Draws everything, one kind after the other, as an SVG does.
    pub fn draw(scene: &Scene, fonts: &'a Fonts, theme: Theme, detail: f32) -> Self {
        let (letters, out) = (Letters::default(), String::new());
        let mut page = Self { fonts, theme, letters, images: Vec::new(), ramps: Vec::new(), out };
        let items = &scene.items;
        for item in items {
            if let Item::Fill(rect, ink) = item {
                page.fill(*rect, theme.ink(*ink));
            }
        }
        let maps: Vec<Map> = items.iter().filter_map(|item| Map::of(item, detail * scene.zoom)).collect();
        let way = way(scene, &maps, For::File, theme);
        maps.iter().filter(|map| map.cells.rows > 0 && map.cells.cols > 0).for_each(|map| page.map(map, way));
        items.iter().for_each(|item| page.lines(item));
        for item in items {
            match item {
                Item::Curve { points, ink, thick, dashed } => page.curve(points, theme.ink(*ink), *thick, *dashed),
                Item::Hatch(rect, ink) => page.hatch(*rect, theme.ink(*ink)),
                Item::Ramp(rect, scale) => page.ramp(*rect, scale.colormap),
                _ => {}
            }
        }
        for item in items {
            if let Item::Label(label) = item {
                page.label(label);
            }
        }
        page
    }

    /// An operator after its numbers.
    fn op(&mut self, numbers: &[f32], operator: &str) {
        for number in numbers {
            let _ = write!(self.out, "{} ", short(*number)); // a text has room
        }
        self.out += operator;
        self.out.push('\n');
    }

    fn colour(&mut self, colour: [u8; 3], operator: &str) {
        self.op(&colour.map(|part| f32::from(part) / 255.0), operator);
    }

    pub fn fill(&mut self, Rect { x, y, w, h }: Rect, colour: [u8; 3]) {
        self.colour(colour, "rg");
        self.op(&[x, y, w, h], "re");
        self.op(&[], "f");
    }

    fn lines(&mut self, item: &Item) {
        match item {
            Item::Frame(Rect { x, y, w, h }, ink) => {
                self.colour(self.theme.ink(*ink), "RG");
                self.op(&[x - 0.5, y - 0.5, w + 1.0, h + 1.0], "re");
            }
            Item::Line([x1, y1, x2, y2], ink) => {
                self.colour(self.theme.ink(*ink), "RG");
                self.op(&[*x1, *y1], "m");
                self.op(&[*x2, *y2], "l");
            }
            _ => return,
        }
        self.op(&[], "S");
    }

    fn curve(&mut self, points: &[(f32, f32)], colour: [u8; 3], thick: f32, dashed: bool) {
        self.op(&[], "q");
        self.op(&[1.0], "J");
        self.op(&[1.0], "j");
        self.op(&[thick], "w");
        self.out += if dashed { "[4.5 4] 0 d\n" } else { "" };
        self.colour(colour, "RG");
        for (i, (x, y)) in points.iter().enumerate() {
            self.op(&[*x, *y], if i == 0 { "m" } else { "l" });
        }
        self.op(&[], "S");
        self.op(&[], "Q");
    }

    fn hatch(&mut self, rect: Rect, colour: [u8; 3]) {
        self.op(&[], "q");
        self.op(&[HATCH], "w");
        self.colour(colour, "RG");
        for [x1, y1, x2, y2] in hatching(rect) {
            self.op(&[x1, y1], "m");
            self.op(&[x2, y2], "l");
        }
        self.op(&[], "S");
        self.op(&[], "Q");
    }

    fn map(&mut self, map: &Map, way: Way) {
        let (rows, cols) = (map.cells.rows, map.cells.cols);
        let Rect { x, y, w, h } = map.place;
        if let Way::Images(_) = way {
            let (cells, palette) = map.cells.indexed(map.scale, self.theme);
            let hex: String = palette.iter().map(|part| format!("{part:02x}")).collect();
            let _ = writeln!(self.out, "/Map <</Cells [{rows} {cols}]/Palette <{hex}>>> BDC");
            self.op(&[], "q");
            self.op(&[w, 0.0, 0.0, -h, x, y + h], "cm");
            let _ = writeln!(self.out, "/I{} Do", self.images.len());
            self.images.push(Image { width: cols, height: rows, cells, palette });
        } else {
            let _ = writeln!(self.out, "/Map <</Cells [{rows} {cols}]>> BDC");
            self.op(&[], "q");
            let (across, down) = (w / cols as f32, h / rows as f32);
            let _ = writeln!(self.out, "{across} 0 0 {down} {} {} cm", short(x), short(y));
            self.cells(map, (UNDER / across).min(MOST_UNDER), (UNDER / down).min(MOST_UNDER));
        }
        self.op(&[], "Q");
        self.out += "EMC\n";
    }

    /// The cells of each colour, in units of cells.
    fn cells(&mut self, map: &Map, under_x: f32, under_y: f32) {
        let palette = map.scale.colormap.palette(self.theme);
        let mut all: Vec<String> = vec![String::new(); palette.len()];
        for (level, row, col, len) in map.cells.runs() {
            let Some(out) = all.get_mut(level) else { continue };
            let right = if map.cells.is_drawn(row, col + len) { under_x } else { 0.0 };
            let below = (col..col + len).all(|col| map.cells.is_drawn(row + 1, col));
            let w = short(len as f32 + right);
            let h = short(1.0 + if below { under_y } else { 0.0 });
            let _ = writeln!(out, "{col} {row} {w} {h} re");
        }
        for (colour, outline) in palette.iter().zip(all).filter(|(_, outline)| !outline.is_empty()) {
            self.colour(*colour, "rg");
            self.out += &outline;
            self.op(&[], "f");
        }
    }

    fn ramp(&mut self, Rect { x, y, w, h }: Rect, map: Colormap) {
        let kind = (map, w > h);
        let number = self.ramps.iter().position(|known| *known == kind).unwrap_or_else(|| {
            self.ramps.push(kind);
            self.ramps.len() - 1
        });
        self.op(&[], "q");
        self.op(&[x, y, w, h], "re");
        self.op(&[], "W");
        self.op(&[], "n");
        self.op(&[w, 0.0, 0.0, -h, x, y + h], "cm");
        let _ = writeln!(self.out, "/S{number} sh");
        self.op(&[], "Q");
    }

    /// A text, with what it says: a turned or joined one cannot be told from its glyphs.
    fn label(&mut self, label: &Label) {
        let hex: String = label.text.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
        let _ = writeln!(self.out, "/Span <</ActualText <FEFF{hex}>>> BDC");
        self.op(&[], "BT");
        self.colour(self.theme.ink(label.ink), "rg");
        let ((sin, cos), size) = (label.angle.to_radians().sin_cos(), label.style.size);
        let mut start = label.start();
        for part in self.fonts.glyphs(&label.text, label.style) {
            let face = self.letters.face(part.face);
            let _ = writeln!(self.out, "/F{face} {} Tf", short(size));
            let (x, y) = (label.x + start * cos, label.y + start * sin);
            self.op(&[cos, sin, sin, -cos, x, y], "Tm");
            start += part.width() * size;
            let mut line = Line::default();
            for glyph in &part.glyphs {
                let (id, width) = self.letters.glyph(face, glyph, self.fonts);
                if glyph.y != line.rise {
                    line.end(&mut self.out);
                    let _ = writeln!(self.out, "{} Ts", short(glyph.y * size));
                    line.rise = glyph.y;
                }
                line.shift(glyph.x);
                let _ = write!(line.shown, "{id:04X}");
                line.shift(glyph.advance - width - glyph.x);
            }
            line.end(&mut self.out);
            self.out += if line.rise == 0.0 { "" } else { "0 Ts\n" };
        }
        self.op(&[], "ET");
        self.out += "EMC\n";
    }
}

/// Glyphs that stand on one line.
#[derive(Default)]
struct Line {
    rise: f32,
    /// Glyphs that are not yet written, in hexadecimal.
    shown: String,
    /// What is written of the array: glyphs, and how far to go back between them.
    array: String,
    /// How far the next glyph is to the right of where it would be, in ems.
    ahead: f32,
}

impl Line {
    fn shift(&mut self, ems: f32) {
        self.ahead += ems;
        // Less than a tenth of a thousandth shows nowhere, and rounding sums up to nothing.
        if self.ahead.abs() >= 1e-4 {
            self.flush();
            let _ = write!(self.array, "{}", short(-1000.0 * self.ahead));
            self.ahead = 0.0;
        }
    }

    fn flush(&mut self) {
        if !self.shown.is_empty() {
            let _ = write!(self.array, "<{}>", self.shown);
            self.shown.clear();
        }
    }

    fn end(&mut self, out: &mut String) {
        self.flush();
        if !self.array.is_empty() {
            let _ = writeln!(out, "[{}] TJ", self.array);
        }
        self.array.clear();
    }
}

/// A number to a thousandth.
fn short(number: f32) -> f32 {
    let rounded = (number * 1000.0).round() / 1000.0;
    if rounded == 0.0 { 0.0 } else { rounded } // no -0
}
