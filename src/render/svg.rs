//! The figure as SVG. plotters draws the shapes; texts, images, gradients and metadata are written here, since plotters can
//! neither fix a text's length nor embed an image that is valid.

mod label;
mod values;

use std::fmt::Write as _;

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::{RGBColor, ShapeStyle};

use super::fonts::Fonts;
use super::maps::{For, Map, Way, way};
use super::page::{scene, sides, stretch};
use super::painted::Painted;
use crate::error::{Error, Result};
use crate::figure::layout::{Item, Rect, Scene};
use crate::figure::{Figure, Ink, Panel, Scale, Theme};
use crate::named::Named;
pub(crate) use values::VALUES;
use values::{said, values};

/// plotters' coordinates are integers: the drawing is this many times larger than the page.
const FINE: f32 = 10.0;
/// The widest sheet within a page, in pixels.
const SCREEN: u32 = 1600;
/// How many colours a gradient names.
pub(super) const STOPS: usize = 33;

/// The figure as a standalone SVG document. The same figure and fonts give the same text.
///
/// Maps are shapes as long as their outlines take no more than 2 MiB together, else images with several pixels to a cell, so that a
/// program which blurs them keeps the cells apart.
///
/// # Errors
/// A width, height or resolution out of bounds.
pub fn svg(figure: &Figure, fonts: &Fonts) -> Result<String> {
    document(figure, fonts, For::File)
}

/// The same within a page, without what only other programs than browsers read. A sheet that has no width of its own is no wider than
/// a screen, as long as it can be read there.
///
/// # Errors
/// As [`svg`].
pub(crate) fn svg_in_page(figure: &Figure, fonts: &Fonts) -> Result<String> {
    let sheet = figure.panels.iter().any(|panel| matches!(panel, Panel::Grid(_) | Panel::Sheet(_)));
    let own = scene(figure, fonts)?;
    if sheet
        && figure.width.is_none()
        && sides(&own.1, [1.0; 2])[0] > f64::from(SCREEN)
        && let Ok(narrow) = document(&Figure { width: Some(SCREEN), ..figure.clone() }, fonts, For::Page)
    {
        return Ok(narrow);
    }
    Ok(drawn(figure, fonts, For::Page, own)?.0)
}

/// The same for a file or a page.
fn document(figure: &Figure, fonts: &Fonts, target: For) -> Result<String> {
    Ok(drawn(figure, fonts, target, scene(figure, fonts)?)?.0)
}

/// The same for our own renderer: what is seen but the paper, and the maps that are painted on it first. Nothing that is drawn lies under
/// a map.
pub(super) fn drawing(figure: &Figure, fonts: &Fonts) -> Result<(String, Vec<Painted>)> {
    drawn(figure, fonts, For::Pixels, scene(figure, fonts)?)
}

/// The same, laid out already.
fn drawn(figure: &Figure, fonts: &Fonts, target: For, (detail, scene): (f32, Scene)) -> Result<(String, Vec<Painted>)> {
    let page = (target != For::Pixels).then_some(scene.width);
    let mut body = Body { theme: figure.theme, detail: detail * scene.zoom, page, ..Body::default() };
    body.draw(&scene, fonts, target)?;

    let [w, h] = match (target, stretch(figure, &scene)) {
        (For::File | For::Page, [x, y]) if (x, y) != (1.0, 1.0) => {
            sides(&scene, [x, y]).map(|side| (side * 1e4).round() / 1e4)
        }
        _ => sides(&scene, [1.0; 2]).map(f64::round),
    };
    let (fine_w, fine_h) = (fine(scene.width), fine(scene.height));
    let mut out = String::with_capacity(body.len() + 1024);
    let xlink = if body.images.contains(" xlink:") { " xmlns:xlink=\"http://www.w3.org/1999/xlink\"" } else { "" };
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\"{xlink} width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {fine_w} {fine_h}\" role=\"img\" \
         aria-labelledby=\"title desc\">",
    )?;
    if target != For::Pixels {
        said(&mut out, figure)?;
    }
    out.push_str(&body.gradients);
    if target != For::Pixels {
        let [r, g, b] = figure.theme.ink(Ink::Paper);
        writeln!(out, "<rect width=\"{fine_w}\" height=\"{fine_h}\" fill=\"#{r:02x}{g:02x}{b:02x}\"/>")?;
    }
    // Cells meet exactly, which antialiasing would spoil with seams.
    writeln!(out, "<g shape-rendering=\"crispEdges\">\n{}{}</g>", body.fills, body.outlines)?;
    writeln!(out, "{}{}{}", body.images, body.lines, body.curves)?;
    writeln!(out, "<g text-rendering=\"geometricPrecision\">\n{}</g>", body.labels)?;
    if target != For::Pixels {
        values(&mut out, figure, &scene)?;
    }
    out.push_str("</svg>\n");
    // As a viewer fits a `viewBox` into its page.
    let by = (w as f32 / fine_w).min(h as f32 / fine_h);
    let (left, top) = ((w as f32 - fine_w * by) / 2.0, (h as f32 - fine_h * by) / 2.0);
    for Painted { place: Rect { x, y, w, h }, .. } in &mut body.painted {
        (*x, *y, *w, *h) = (left + fine(*x) * by, top + fine(*y) * by, fine(*w) * by, fine(*h) * by);
    }
    Ok((out, body.painted))
}

/// The parts of the document, drawn one kind after the other: fills, images, lines, curves, labels.
#[derive(Default)]
struct Body {
    theme: Theme,
    detail: f32,
    /// How wide the page is, for texts that must end on it; none for our own renderer, which has the fonts.
    page: Option<f32>,
    fills: String,
    outlines: String,
    images: String,
    lines: String,
    curves: String,
    labels: String,
    gradients: String,
    ramps: Vec<String>,
    painted: Vec<Painted>,
}

impl Body {
    fn len(&self) -> usize {
        self.fills.len()
            + self.outlines.len()
            + self.images.len()
            + self.lines.len()
            + self.curves.len()
            + self.labels.len()
            + self.gradients.len()
    }

    fn draw(&mut self, scene: &Scene, fonts: &Fonts, target: For) -> Result<()> {
        let size = ((scene.width * FINE) as u32, (scene.height * FINE) as u32);
        let (mut fills, mut lines) = (String::new(), String::new());
        let mut fill_backend = SVGBackend::with_string(&mut fills, size);
        let mut line_backend = SVGBackend::with_string(&mut lines, size);
        let maps: Vec<Map> = scene.items.iter().filter_map(|item| Map::of(item, self.detail)).collect();
        let (way, mut maps) = (way(scene, &maps, target, self.theme), maps.into_iter());
        for item in &scene.items {
            match item {
                Item::Fill(rect, _) if rect.w <= 0.0 || rect.h <= 0.0 => {}
                Item::Fill(rect, ink) => fill(&mut fill_backend, *rect, self.theme.ink(*ink))?,
                Item::Frame(r, ink) => {
                    let (left, top, right, bottom) = (r.x - 0.5, r.y - 0.5, r.x + r.w + 0.5, r.y + r.h + 0.5);
                    let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
                    line(&mut line_backend, &corners, self.theme.ink(*ink))?;
                }
                Item::Line([x1, y1, x2, y2], ink) => {
                    line(&mut line_backend, &[(*x1, *y1), (*x2, *y2)], self.theme.ink(*ink))?;
                }
                Item::Curve { points, ink, thick, dashed } => {
                    self.curve(points, self.theme.ink(*ink), *thick, *dashed)?;
                }
                Item::Hatch(rect, ink) => self.hatch(*rect, self.theme.ink(*ink))?,
                Item::Label(label) => self.label(label, fonts)?,
                Item::Cells(..) => {
                    let Some(map) = maps.next().filter(|map| map.cells.rows > 0 && map.cells.cols > 0) else {
                        continue;
                    };
                    match way {
                        Way::Rects => {
                            let palette = map.scale.colormap.palette(self.theme);
                            for (rect, colour) in map.cells.rects(map.place, palette) {
                                fill(&mut fill_backend, rect, colour)?;
                            }
                        }
                        Way::Outlines => map.write_outlines(&mut self.outlines, self.theme, fine)?,
                        Way::Images(pixels) => map.write_image(&mut self.images, self.theme, (target, pixels), fine)?,
                        Way::Painted => self.painted.push(map.painted(self.theme)),
                    }
                }
                Item::Ramp(rect, scale) => self.ramp(*rect, scale)?,
            }
        }
        drop((fill_backend, line_backend));
        self.fills = inner(&fills).to_owned();
        self.lines = inner(&lines).to_owned();
        Ok(())
    }

    /// plotters has neither round corners nor dashes.
    fn curve(&mut self, points: &[(f32, f32)], [r, g, b]: [u8; 3], thick: f32, dashed: bool) -> Result<()> {
        self.curves.push_str("<polyline points=\"");
        for (i, (x, y)) in points.iter().enumerate() {
            write!(self.curves, "{}{},{}", if i > 0 { " " } else { "" }, fine(*x), fine(*y))?;
        }
        let dashes = if dashed { format!(" stroke-dasharray=\"{} {}\"", fine(4.5), fine(4.0)) } else { String::new() };
        writeln!(
            self.curves,
            "\" fill=\"none\" stroke=\"#{r:02x}{g:02x}{b:02x}\" stroke-width=\"{}\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\"{dashes}/>",
            fine(thick),
        )?;
        Ok(())
    }

    /// Lines from lower left to upper right, clipped here: patterns are not drawn alike by all programs.
    fn hatch(&mut self, rect: Rect, [r, g, b]: [u8; 3]) -> Result<()> {
        self.curves.push_str("<path d=\"");
        for [x1, y1, x2, y2] in hatching(rect) {
            write!(self.curves, "M{} {}L{} {}", fine(x1), fine(y1), fine(x2), fine(y2))?;
        }
        let thick = fine(HATCH);
        writeln!(self.curves, "\" fill=\"none\" stroke=\"#{r:02x}{g:02x}{b:02x}\" stroke-width=\"{thick}\"/>")?;
        Ok(())
    }

    fn ramp(&mut self, rect: Rect, scale: &Scale) -> Result<()> {
        let (map, lying) = (scale.colormap, rect.w > rect.h);
        let id = format!("{}{}", map.name(), if lying { "-lying" } else { "" });
        if !self.ramps.contains(&id) {
            let to = if lying { "x1=\"0\" y1=\"0\" x2=\"1\" y2=\"0\"" } else { "x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\"" };
            write!(self.gradients, "<linearGradient id=\"{id}\" {to}>")?;
            self.ramps.push(id.clone());
            for i in 0..STOPS {
                let t = i as f32 / (STOPS - 1) as f32;
                let [r, g, b] = map.rgb(self.theme, t);
                write!(self.gradients, "<stop offset=\"{t}\" stop-color=\"#{r:02x}{g:02x}{b:02x}\"/>")?;
            }
            self.gradients.push_str("</linearGradient>\n");
        }
        let Rect { x, y, w, h } = rect;
        writeln!(
            self.images,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"url(#{id})\"/>",
            fine(x),
            fine(y),
            fine(w),
            fine(h),
        )?;
        Ok(())
    }
}

/// How thick the lines of a hatching are.
pub(super) const HATCH: f32 = 0.9;

/// Slanting lines over a rectangle, from left to right.
pub(super) fn hatching(Rect { x, y, w, h }: Rect) -> impl Iterator<Item = [f32; 4]> {
    const STEP: f32 = 4.5;
    // On a line `across` is x + y; lines of neighbouring rectangles meet.
    let first = ((x + y) / STEP).ceil() as i32;
    let all = (first..).map(|i| i as f32 * STEP).take_while(move |across| *across < x + w + y + h);
    let line = move |across: f32| {
        let (left, right) = ((across - y - h).max(x), (across - y).min(x + w));
        (right > left).then_some([left, across - left, right, across - right])
    };
    all.filter_map(line)
}

fn fill(backend: &mut SVGBackend, rect: Rect, [r, g, b]: [u8; 3]) -> Result<()> {
    let style = ShapeStyle { color: RGBColor(r, g, b).into(), filled: true, stroke_width: 0 };
    let (from, to) = (integer((rect.x, rect.y)), integer((rect.x + rect.w, rect.y + rect.h)));
    backend
        .draw_rect(from, to, &style, true)
        .map_err(|error| Error::failed(format!("cannot draw a rectangle: {error}")))
}

fn line(backend: &mut SVGBackend, points: &[(f32, f32)], [r, g, b]: [u8; 3]) -> Result<()> {
    let style = ShapeStyle { color: RGBColor(r, g, b).into(), filled: false, stroke_width: FINE as u32 };
    let points = points.iter().map(|point| integer(*point));
    backend.draw_path(points, &style).map_err(|error| Error::failed(format!("cannot draw a line: {error}")))
}

fn integer((x, y): (f32, f32)) -> (i32, i32) {
    ((x * FINE).round() as i32, (y * FINE).round() as i32)
}

/// A coordinate or length in the drawing's units, to a tenth.
pub(super) fn fine(v: f32) -> f32 {
    (v * FINE * 10.0).round() / 10.0
}

/// What stands between plotters' opening and closing tags.
fn inner(document: &str) -> &str {
    let start = document.find('\n').map_or(0, |end| end + 1);
    document[start..].trim_end().trim_end_matches("</svg>")
}

impl From<std::fmt::Error> for Error {
    fn from(error: std::fmt::Error) -> Self {
        Self::failed(format!("cannot write the picture: {error}"))
    }
}
