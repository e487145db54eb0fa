//! A figure as plain data: what is drawn, with which scale, and where it came from. Analyses make figures, renderers draw
//! them; neither knows the other.

pub mod attention;
pub(crate) mod colormap;
mod colormap_tables;
pub mod layout;
mod matrix;
pub(crate) mod scale;

use serde::{Deserialize, Serialize};

pub use colormap::Colormap;
pub use layout::panel_pixels;
pub use matrix::Matrix;
pub use scale::{Scale, ScaleKind};

/// A whole picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The headline; empty for none.
    pub title: String,
    /// Lines under the headline: model, what is drawn, the model's next tokens.
    pub subtitle: Vec<String>,
    /// What is drawn. Heatmaps and grids stand above one another, bars beside or under them.
    pub panels: Vec<Panel>,
    /// Light or dark.
    pub theme: Theme,
    /// Width in pixels at 96 dpi; `None` lets the content decide.
    pub width: Option<u32>,
    /// Height in pixels at 96 dpi; `None` lets the content decide.
    pub height: Option<u32>,
    /// Pixels per inch of a PNG and of the raster images inside an SVG; 96 draws one pixel per unit of layout.
    pub dpi: f32,
    /// How to make the figure again; travels inside every file.
    pub provenance: serde_json::Value,
}

impl Default for Figure {
    fn default() -> Self {
        Self {
            title: String::new(),
            subtitle: Vec::new(),
            panels: Vec::new(),
            theme: Theme::Light,
            width: None,
            height: None,
            dpi: 96.0,
            provenance: serde_json::Value::Null,
        }
    }
}

/// One part of a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Panel {
    /// One large map with a label on each row and column.
    Heatmap(Heatmap),
    /// A contact sheet of small maps, such as layers × heads.
    Grid(Grid),
    /// Labels ranked by a number.
    Bars(Bars),
}

/// One large map with a label on each row and column.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Heatmap {
    /// Stands above the map; empty for none.
    pub title: String,
    /// The numbers.
    pub values: Matrix,
    /// One label per row, top first; missing ones stay empty.
    pub row_labels: Vec<String>,
    /// One label per column, left first; missing ones stay empty.
    pub col_labels: Vec<String>,
    /// What a row is, such as `query`; empty for none.
    pub row_axis: String,
    /// What a column is, such as `key`; empty for none.
    pub col_axis: String,
    /// From numbers to colours.
    pub scale: Scale,
}

/// A contact sheet of small maps that share one scale.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Grid {
    /// The maps, row by row: `row_titles.len() × col_titles.len()` of them. They may be pooled already, see [`panel_pixels`].
    pub cells: Vec<Matrix>,
    /// One title per row of maps, such as `layer 0`.
    pub row_titles: Vec<String>,
    /// One title per column of maps, such as `head 0`.
    pub col_titles: Vec<String>,
    /// From numbers to colours.
    pub scale: Scale,
}

/// Labels ranked by a number, best first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bars {
    /// Stands above the bars.
    pub title: String,
    /// One label per bar.
    pub labels: Vec<String>,
    /// One number per bar; NaN draws none.
    pub values: Vec<f32>,
    /// What the numbers are, such as `attention`.
    pub unit: String,
    /// A remark under the bars, such as what is left out; empty for none.
    pub note: String,
}

/// The colours around the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// Dark ink on white, for paper.
    #[default]
    Light,
    /// Light ink on near black, for screens.
    Dark,
}

/// A role that a theme gives a colour to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The page.
    Paper,
    /// Headlines.
    Strong,
    /// Labels.
    Normal,
    /// Captions and ticks.
    Soft,
    /// Hairlines.
    Faint,
    /// A bar.
    Bar,
    /// A bar of a negative number.
    Negative,
}

impl Theme {
    /// The colour of a role, as red, green, blue.
    pub fn ink(self, ink: Ink) -> [u8; 3] {
        match (self, ink) {
            (Self::Light, Ink::Paper) => [255, 255, 255],
            (Self::Light, Ink::Strong) => [20, 24, 31],
            (Self::Light, Ink::Normal) => [52, 60, 71],
            (Self::Light, Ink::Soft) => [107, 117, 128],
            (Self::Light, Ink::Faint) => [218, 223, 229],
            (Self::Light, Ink::Bar) => [24, 118, 168],
            (Self::Light, Ink::Negative) => [176, 98, 42],
            (Self::Dark, Ink::Paper) => [17, 21, 28],
            (Self::Dark, Ink::Strong) => [242, 245, 248],
            (Self::Dark, Ink::Normal) => [203, 211, 220],
            (Self::Dark, Ink::Soft) => [146, 157, 170],
            (Self::Dark, Ink::Faint) => [47, 55, 67],
            (Self::Dark, Ink::Bar) => [61, 178, 208],
            (Self::Dark, Ink::Negative) => [226, 142, 84],
        }
    }
}
