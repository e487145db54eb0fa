//! The layout of a figure: geometry only, y downwards. A unit is a pixel at 96 dpi, or more on a large page. Nothing is drawn
//! here, and a [`Typeface`] says how wide a text is.

mod bars;
mod columns;
mod curves;
mod graph;
mod grid;
mod heatmap;
mod intervals;
mod labels;
mod legend;
mod lines;
mod marks;
mod page;
mod sheet;
mod strip;
mod table;
mod text;

use super::{Ink, Matrix, Scale};
use std::borrow::Cow;

pub(crate) use curves::{axes as curve_axes, inks as curve_inks};
pub use grid::panel_pixels;
pub(crate) use grid::panel_pixels_zoomed;
pub(crate) use heatmap::{NARROWEST, room_for_texts};
pub use page::{layout, least};

/// What a layout must know about the font.
pub trait Typeface {
    /// The text as it will be drawn: characters that cannot be drawn are replaced by something readable.
    fn shown(&self, text: &str) -> String;
    /// How wide a text, already as shown, will be.
    fn width(&self, text: &str, style: Style) -> f32;
}

/// Size and weight of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Pixels per em.
    pub size: f32,
    /// Semibold instead of regular.
    pub bold: bool,
}

impl Style {
    const fn regular(size: f32) -> Self {
        Self { size, bold: false }
    }

    const fn bold(size: f32) -> Self {
        Self { size, bold: true }
    }

    /// From one line to the next.
    fn line(self) -> f32 {
        (self.size * 1.45).ceil()
    }
}

/// A laid-out figure.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Width of the page, in units of layout.
    pub width: f32,
    /// Height of the page, in units of layout.
    pub height: f32,
    /// Pixels at 96 dpi per unit: more than 1 on a large page, where letters grow with the maps.
    pub zoom: f32,
    /// What is on it, undermost first.
    pub items: Vec<Item<'a>>,
    /// Whether everything that a reader needs has room on it.
    pub whole: bool,
}

/// A shape, text or map with its place on the page.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A filled rectangle.
    Fill(Rect, Ink),
    /// An outline, half a pixel outside of its rectangle.
    Frame(Rect, Ink),
    /// A hairline from one point to another.
    Line([f32; 4], Ink),
    /// A curve through these points; dashed or not.
    Curve {
        /// At least two.
        points: Vec<(f32, f32)>,
        /// Its colour.
        ink: Ink,
        /// How thick it is.
        thick: f32,
        /// Whether it is dashed.
        dashed: bool,
    },
    /// Slanting lines over a rectangle: what is there and is not shown.
    Hatch(Rect, Ink),
    /// A text.
    Label(Label),
    /// A map, its rows and columns spread evenly over the rectangle.
    Cells(Rect, &'a Matrix, Cow<'a, Scale>),
    /// A scale's colours, lowest number at the bottom, or left where it is wider than high.
    Ramp(Rect, Cow<'a, Scale>),
}

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w, h }
    }
}

/// Which point of a text its position names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A line of text with its place.
#[derive(Clone, Debug)]
pub struct Label {
    /// As it is drawn.
    pub text: String,
    /// The anchor's place along x.
    pub x: f32,
    /// The baseline's place along y.
    pub y: f32,
    /// Size and weight.
    pub style: Style,
    /// Its colour.
    pub ink: Ink,
    /// What `x` and `y` name.
    pub anchor: Anchor,
    /// Turned clockwise about its anchor, in degrees.
    pub angle: f32,
    /// How wide it is.
    pub width: f32,
}

impl Label {
    /// The four corners around the letters: from the ascenders' height to the descenders' depth.
    pub fn corners(&self) -> [(f32, f32); 4] {
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let start = self.start();
        let (top, bottom) = (-0.76 * self.style.size, 0.22 * self.style.size);
        [(start, top), (start + self.width, top), (start + self.width, bottom), (start, bottom)]
            .map(|(x, y)| (self.x + x * cos - y * sin, self.y + x * sin + y * cos))
    }

    /// Where the text begins, relative to its anchor, before it is turned.
    pub fn start(&self) -> f32 {
        match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -self.width / 2.0,
            Anchor::End => -self.width,
        }
    }
}

/// Parts with a common origin and a size.
#[derive(Debug, Default)]
struct Block<'a> {
    w: f32,
    h: f32,
    items: Vec<Item<'a>>,
    /// Whether something that a reader needs had no room.
    cut: bool,
}

impl<'a> Block<'a> {
    /// Puts another block into this one, and grows to hold it.
    fn put(&mut self, x: f32, y: f32, block: Block<'a>) {
        self.w = self.w.max(x + block.w);
        self.h = self.h.max(y + block.h);
        self.cut |= block.cut;
        self.items.extend(block.items.into_iter().map(|item| item.moved(x, y)));
    }
}

impl Item<'_> {
    fn moved(mut self, dx: f32, dy: f32) -> Self {
        match &mut self {
            Item::Fill(rect, _)
            | Item::Frame(rect, _)
            | Item::Hatch(rect, _)
            | Item::Cells(rect, ..)
            | Item::Ramp(rect, _) => {
                rect.x += dx;
                rect.y += dy;
            }
            Item::Line([x1, y1, x2, y2], _) => {
                *x1 += dx;
                *x2 += dx;
                *y1 += dy;
                *y2 += dy;
            }
            Item::Curve { points, .. } => points.iter_mut().for_each(|(x, y)| (*x, *y) = (*x + dx, *y + dy)),
            Item::Label(label) => {
                label.x += dx;
                label.y += dy;
            }
        }
        self
    }
}

/// How much room a block may take; `None` is as much as looks good.
#[derive(Clone, Copy, Debug)]
struct Room {
    w: Option<f32>,
    h: Option<f32>,
    /// Pixels per unit.
    detail: f32,
    /// Whether a map fills it, whatever the pixels of its cells.
    fill: bool,
}

/// Shares room out: who wishes little gets it, the others get the same.
fn share_out(wishes: &[f32], room: f32) -> Vec<f32> {
    let mut sorted = wishes.to_vec();
    sorted.sort_by(f32::total_cmp);
    let (mut rest, mut limit) = (room, f32::MAX);
    for (i, wish) in sorted.iter().enumerate() {
        let share = rest / (sorted.len() - i) as f32;
        if *wish > share {
            limit = share.max(0.0);
            break;
        }
        rest -= wish;
    }
    wishes.iter().map(|wish| wish.min(limit)).collect()
}
