//! A figure as plain data: what is drawn, with which scale, and where it came from. Analyses make figures, renderers draw
//! them; neither knows the other.

pub mod ablation;
pub mod attention;
pub mod bias;
pub(crate) mod colormap;
mod colormap_tables;
pub mod composition;
mod described;
pub mod difference;
pub mod edges;
mod graph;
pub mod heads;
pub mod layout;
pub mod lens;
pub mod linear;
pub(crate) mod matrix;
pub mod mix;
mod nan;
pub(crate) mod number;
pub mod pairs;
mod panel;
pub mod patching;
pub mod qk;
pub mod residuals;
pub mod saliency;
pub(crate) mod scale;
pub mod surprisal;
mod theme;

use crate::record::Record;
use serde::{Deserialize, Serialize};

pub use colormap::Colormap;
pub use graph::{Graph, GraphEdge, GraphNode};
pub use layout::panel_pixels;
pub(crate) use layout::{panel_pixels_zoomed, room_for_texts};
pub use matrix::{Matrix, Pooling};
pub use panel::{
    Bars, Column, Curves, Grid, Heatmap, IntervalRow, Intervals, Lines, Link, Links, Panel, Series, Sheet, SheetMap,
    Strip, StripRow, Table,
};
pub use scale::{Scale, ScaleKind};
pub(crate) use theme::readable;
pub use theme::{Ink, Theme};

/// A whole picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The headline; empty for none.
    pub title: String,
    /// Whether the headline is drawn in as many lines as it takes; else a long one is cut.
    pub whole_title: bool,
    /// Lines under the headline: model, what is drawn, the model's next tokens.
    pub subtitle: Vec<String>,
    /// What is drawn, above one another; bars stand beside or under maps, and neighbouring curves beside one another.
    pub panels: Vec<Panel>,
    /// What is framed on every map, in parts of it: left, top, width and height.
    pub frames: Vec<[f32; 4]>,
    /// Light or dark.
    pub theme: Theme,
    /// Width in pixels at 96 dpi; `None` lets the content decide.
    pub width: Option<u32>,
    /// Height in pixels at 96 dpi; `None` lets the content decide.
    pub height: Option<u32>,
    /// Width and height that files of shapes have instead, where what was asked for is no whole number of pixels.
    #[serde(default)]
    pub exact: [Option<f64>; 2],
    /// Pixels of a screen for each unit of layout, so that texts have a chosen size; `None` lets the page's size decide.
    pub zoom: Option<f32>,
    /// Whether there is nothing but panels, without a headline and hardly a margin. What would stand there is still known to files.
    pub bare: bool,
    /// Pixels per inch of a PNG and of the raster images inside an SVG; 96 draws one pixel per unit of layout.
    pub dpi: f32,
    /// What the files of the figure say of themselves; none says nothing.
    pub record: Option<Record>,
}

impl Default for Figure {
    fn default() -> Self {
        Self {
            title: String::new(),
            whole_title: false,
            subtitle: Vec::new(),
            panels: Vec::new(),
            frames: Vec::new(),
            theme: Theme::Light,
            width: None,
            height: None,
            exact: [None; 2],
            zoom: None,
            bare: false,
            dpi: 96.0,
            record: None,
        }
    }
}
