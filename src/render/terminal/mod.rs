//! A preview for terminals, one file per kind of panel.

mod bars;
mod curves;
mod graph;
mod intervals;
mod lines;
mod maps;
mod pen;
mod strip;
mod table;
mod text;

use pen::{Cell, Pen, Tone};
use text::{columns, fit, wrap};

use crate::figure::number::number;
use crate::figure::{Figure, Ink, Panel, Scale, Theme};
use crate::render::visible;

/// Which colours a terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// None, or none wanted: maps become shades, and nothing but text is written.
    #[default]
    None,
    /// The eight that every terminal has: maps become shades in them.
    Basic,
    /// xterm's 256.
    Indexed,
    /// 24 bits.
    True,
}

/// What a terminal can show.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Columns.
    pub width: usize,
    /// Colours.
    pub colour: Colour,
    /// Whether it is light or dark.
    pub theme: Theme,
    /// Whether it shows nothing but ASCII.
    pub ascii: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { width: 80, colour: Colour::None, theme: Theme::Dark, ascii: false }
    }
}

const GREY: [u8; 3] = [128, 136, 146];
/// No terminal is taken to be narrower or wider than this.
const WIDTHS: (usize, usize) = (24, 400);

/// The figure as lines of text. Of labels only what can be read is written, never a control character.
pub fn terminal(figure: &Figure, options: &Terminal) -> String {
    let width = options.width.clamp(WIDTHS.0, WIDTHS.1);
    // Half blocks need more than ASCII.
    let colour = if options.ascii { options.colour.min_basic() } else { options.colour };
    let pen = Pen::new(colour, options.ascii);
    let mut page = Page { pen, colour, ascii: options.ascii, theme: options.theme, width };
    let most = if figure.whole_title { usize::MAX } else { text::MOST_LINES };
    if !figure.bare {
        page.at_most(most, &figure.title, Ink::Strong);
        figure.subtitle.iter().for_each(|line| page.lines(line, Ink::Soft));
    }
    for panel in &figure.panels {
        page.pen.end();
        match panel {
            Panel::Heatmap(map) => page.heatmap(map),
            Panel::Grid(grid) => page.grid(grid),
            Panel::Sheet(sheet) => page.sheet(sheet),
            Panel::Bars(bars) => page.bars(bars),
            Panel::Strip(strip) => page.strip(strip),
            Panel::Curves(chart) => page.curves(chart),
            Panel::Lines(chart) => page.links(chart),
            Panel::Table(table) => page.table(table),
            Panel::Intervals(rows) => page.intervals(rows),
            Panel::Graph(graph) => page.graph(graph),
        }
    }
    if options.ascii { text::ascii(&page.pen.text) } else { page.pen.text }
}

impl Colour {
    fn min_basic(self) -> Self {
        if self == Self::None { Self::None } else { Self::Basic }
    }
}

struct Page {
    pen: Pen,
    colour: Colour,
    ascii: bool,
    theme: Theme,
    width: usize,
}

impl Page {
    /// A text in as many lines as it takes, three at most.
    fn lines(&mut self, text: &str, ink: Ink) {
        self.at_most(text::MOST_LINES, text, ink);
    }

    fn at_most(&mut self, lines: usize, text: &str, ink: Ink) {
        for line in wrap(text, self.width, lines) {
            self.write(&line, ink);
            self.pen.end();
        }
    }

    /// A text in the terminal's own colour, or in a grey that can be read on a light and on a dark one, since the theme may be wrong.
    fn write(&mut self, text: &str, ink: Ink) {
        match ink {
            Ink::Soft => self.pen.tinted(text, GREY),
            _ => self.pen.plain(text),
        }
    }

    fn tone(&self, value: f32, scale: &Scale) -> Cell {
        let t = scale.position(value)?;
        Some(Tone { t, rgb: scale.colormap.rgb(self.theme, t), signed: scale.colormap.is_diverging() })
    }

    /// The scale's colours between its bounds, with its unit and a remark.
    fn legend(&mut self, scale: &Scale, left: usize, remark: &str) {
        const LENGTH: usize = 16;
        let (low, high) = scale.bounds();
        self.pen.plain(&format!("{}{} ", " ".repeat(left), number(low)));
        for i in 0..LENGTH {
            let t = i as f32 / (LENGTH - 1) as f32;
            let rgb = scale.colormap.rgb(self.theme, t);
            self.pen.cell(Some(Tone { t, rgb, signed: scale.colormap.is_diverging() }), 1);
        }
        let texts = [visible(&scale.unit), remark.to_owned()];
        let text = texts.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" · ");
        let text = format!(" {}  {text}", number(high));
        let room = self.width.saturating_sub(left + LENGTH + 1 + columns(&number(low)));
        self.pen.plain(&fit(&text, room));
        self.pen.end();
    }
}
