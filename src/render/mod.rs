//! From a [`Figure`](crate::figure::Figure) to bytes, one file per format. Nothing is computed here but pixels.

mod cells;
mod fonts;
mod maps;
mod page;
mod painted;
mod pdf;
mod png;
mod svg;
mod terminal;
mod text;

pub use fonts::{Fonts, check_font};
pub use pdf::pdf;
pub use png::{Pixels, pixels, png};
pub(crate) use svg::VALUES;
pub use svg::svg;
pub(crate) use svg::svg_in_page;
pub use terminal::{Colour, Terminal, terminal};
pub use text::visible;
