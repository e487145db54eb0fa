//! What stands where in an SVG: the colour and the texts that a reader sees at a place.

use attnviz::figure::layout::{Style, Typeface};
use attnviz::figure::{Scale, Theme};
use attnviz::render::Fonts;
use roxmltree::{Document, Node};

/// Places are in pixels of a screen.
#[derive(Debug)]
pub struct Drawing {
    /// Rectangles of one colour, in the order of drawing; the page is the first.
    pub shapes: Vec<(Place, String)>,
    /// Frames around maps, and then around scales.
    pub frames: Vec<Place>,
    /// Texts that are not turned.
    pub texts: Vec<(Place, String)>,
}

#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
}

impl Place {
    fn holds(&self, (x, y): (f32, f32)) -> bool {
        (self.x..self.x + self.w).contains(&x) && (self.y..self.y + self.h).contains(&y)
    }

    pub fn middle(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// One cell of so many rows and columns.
    pub fn cell(&self, (rows, cols): (usize, usize), row: usize, col: usize) -> Place {
        let (w, h) = (self.w / cols as f32, self.h / rows as f32);
        Place { x: self.x + col as f32 * w, y: self.y + row as f32 * h, w, h }
    }
}

impl Drawing {
    pub fn of(svg: &str) -> Self {
        let (document, fonts) = (Document::parse(svg).unwrap(), Fonts::bundled());
        let root = document.root_element();
        let numbers = |text: &str| -> Vec<f32> {
            text.split([' ', ',']).filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect()
        };
        let zoom = numbers(root.attribute("width").unwrap())[0] / numbers(root.attribute("viewBox").unwrap())[2];
        let number = |node: Node, name| node.attribute(name).map_or(0.0, |value: &str| value.parse().unwrap()) * zoom;
        let named = |name: &'static str| document.descendants().filter(move |node| node.tag_name().name() == name);
        let shape = |node: Node| {
            let fill = node.attribute("fill").filter(|fill| fill.starts_with('#'))?;
            let place = Place {
                x: number(node, "x"),
                y: number(node, "y"),
                w: number(node, "width"),
                h: number(node, "height"),
            };
            Some((place, fill.to_lowercase()))
        };
        // A frame runs half a pixel outside of what it surrounds, and ends where it begins.
        let frame = |node: Node| {
            let points: Vec<f32> = numbers(node.attribute("points")?).iter().map(|number| number * zoom).collect();
            let closed = points.len() == 10 && points[..2] == points[8..];
            closed.then(|| Place {
                x: points[0] + 0.5,
                y: points[1] + 0.5,
                w: points[4] - points[0] - 1.0,
                h: points[5] - points[1] - 1.0,
            })
        };
        // Letters stand on their line; most of them are half as high as the font is large.
        let text = |node: Node| {
            let size = number(node, "font-size");
            let text: String = node.descendants().filter(Node::is_text).filter_map(|part| part.text()).collect();
            let bold = node.attribute("font-weight").is_some();
            let w = fonts.width(&text, Style { size, bold });
            let before = match node.attribute("text-anchor") {
                None => 0.0,
                Some("middle") => w / 2.0,
                Some(_) => w,
            };
            let place = Place { x: number(node, "x") - before, y: number(node, "y") - 0.72 * size, w, h: 0.72 * size };
            (place, text)
        };
        Self {
            shapes: named("rect").filter_map(shape).collect(),
            frames: named("polyline").filter_map(frame).collect(),
            texts: named("text").filter(|node| node.attribute("transform").is_none()).map(text).collect(),
        }
    }

    /// The colour of the page.
    pub fn page(&self) -> &str {
        &self.shapes[0].1
    }

    /// The colour of what was drawn last at a point; nothing where that is the page.
    pub fn shape(&self, point: (f32, f32)) -> Option<&str> {
        self.shapes[1..].iter().rfind(|(place, _)| place.holds(point)).map(|(_, colour)| colour.as_str())
    }

    /// The colour at a point.
    pub fn colour(&self, point: (f32, f32)) -> &str {
        self.shape(point).unwrap_or(self.page())
    }

    /// The texts whose middles lie in a place; one for each font of a label.
    pub fn texts_in(&self, place: Place) -> Vec<&str> {
        self.texts.iter().filter(|(text, _)| place.holds(text.middle())).map(|(_, text)| text.as_str()).collect()
    }

    /// A map has the colour of each number in its cell, of no number the page's, and its labels beside its rows and under its columns.
    #[track_caller]
    pub fn shows_map(
        &self,
        frame: Place,
        labels: (&[&str], &[&str]),
        values: &[Option<f32>],
        scale: &Scale,
        theme: Theme,
    ) {
        let (rows, cols) = (labels.0.len(), labels.1.len());
        assert_eq!(values.len(), rows * cols);
        for (at, value) in values.iter().enumerate() {
            let (row, col) = (at / cols, at % cols);
            let found = self.colour(frame.cell((rows, cols), row, col).middle());
            let wanted = value.map_or(self.page().to_owned(), |value| colour(value, scale, theme));
            assert_eq!(found, wanted, "row {row}, column {col}: {value:?}");
        }
        for (row, label) in labels.0.iter().enumerate() {
            let cell = frame.cell((rows, cols), row, 0);
            assert_eq!(self.texts_in(Place { x: 0.0, w: frame.x, ..cell }).concat(), *label, "row {row}");
        }
        for (col, label) in labels.1.iter().enumerate() {
            let cell = frame.cell((rows, cols), rows - 1, col);
            assert_eq!(self.texts_in(Place { y: cell.y + cell.h, h: 30.0, ..cell }).concat(), *label, "column {col}");
        }
    }
}

/// The colour of a number, as SVG writes it.
pub fn colour(value: f32, scale: &Scale, theme: Theme) -> String {
    hex(scale.colormap.rgb(theme, scale.position(value).unwrap()))
}

/// A colour as SVG writes it.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Whether two turned rectangles overlap by more than `slack`: unless a line along one of their sides parts them.
pub fn overlap(a: &[(f32, f32); 4], b: &[(f32, f32); 4], slack: f32) -> bool {
    let parted = |of: &[(f32, f32); 4]| {
        [(0, 1), (1, 2)].into_iter().any(|(i, j)| {
            let (nx, ny) = (of[j].1 - of[i].1, of[i].0 - of[j].0);
            let length = nx.hypot(ny).max(1e-6);
            let span = |corners: &[(f32, f32); 4]| {
                let along = corners.map(|(x, y)| (x * nx + y * ny) / length);
                (along.into_iter().fold(f32::MAX, f32::min), along.into_iter().fold(f32::MIN, f32::max))
            };
            let ((a0, a1), (b0, b1)) = (span(a), span(b));
            a1 <= b0 + slack || b1 <= a0 + slack
        })
    };
    !parted(a) && !parted(b)
}
