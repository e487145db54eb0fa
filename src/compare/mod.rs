//! What differs between two files of one format, in a few words: numbers as numbers, pixels as pixels, shapes as shapes.
//!
//! The old file is not trusted: it may be damaged, and is never given more memory than its own size calls for. What a file says
//! of the version and the weights that made it is left to whoever compares.

mod axes;
mod markup;
mod numbers;
mod picture;
mod pixels;
mod table;
mod tally;
mod text;
mod tree;

pub use picture::side_by_side;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Differences of one file that are told one by one.
const MOST: usize = 12;
/// Characters of a text that are quoted.
const MOST_QUOTED: usize = 60;

/// The formats that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Pixels.
    Png,
    /// Elements, their attributes and texts.
    Svg,
    /// Lines.
    Txt,
    /// A tree of numbers and texts.
    Json,
    /// Arrays by name, as `.npz` or `.safetensors`.
    Arrays,
    /// Cells.
    Csv,
}

/// How far two numbers may be apart: `|new − old| ≤ absolute + relative · |old|`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closeness {
    /// What does not depend on the number's size.
    pub absolute: f64,
    /// What grows with it.
    pub relative: f64,
}

impl Closeness {
    /// Not at all.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };

    fn allows(&self, old: f64, new: f64) -> bool {
        old == new || (old.is_nan() && new.is_nan()) || (old - new).abs() <= self.absolute + self.relative * old.abs()
    }
}

/// How far two pictures' colours may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Colours {
    /// By how many of 255 levels red, green or blue may differ.
    pub levels: u8,
    /// The share of a picture's pixels that may differ by more.
    pub share: f64,
}

/// How far two files may be apart and still count as the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Of numbers.
    pub numbers: Closeness,
    /// Of the numbers of one quantity, by name: `attention`, `saliency.scores`.
    pub quantities: BTreeMap<String, Closeness>,
    /// Of pixels, and of colours in an SVG.
    pub colours: Colours,
    /// Of places and sizes in an SVG, in pixels of a screen.
    pub distance: f64,
}

impl Tolerance {
    /// No difference at all.
    pub const EXACT: Self = Self {
        numbers: Closeness::EXACT,
        quantities: BTreeMap::new(),
        colours: Colours { levels: 0, share: 0.0 },
        distance: 0.0,
    };

    /// Of a quantity of a method: its own, or that of the quantity of any method.
    fn of(&self, method: &str, quantity: &str) -> Closeness {
        let own = self.quantities.get(&format!("{method}.{quantity}"));
        *own.or_else(|| self.quantities.get(quantity)).unwrap_or(&self.numbers)
    }
}

impl Default for Tolerance {
    /// What other instruction sets and numbers of threads differ by stays far below it; a number that is printed differs above it.
    fn default() -> Self {
        Self {
            numbers: Closeness { absolute: 1e-5, relative: 1e-4 },
            quantities: BTreeMap::new(),
            colours: Colours { levels: 8, share: 0.0 },
            distance: 0.1,
        }
    }
}

/// What differs, most telling first; nothing where the files are the same as far as the tolerance goes.
pub fn differences(format: Format, old: &[u8], new: &[u8], tolerance: &Tolerance) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    let mut all = match format {
        Format::Png => pixels::differences(old, new, tolerance.colours),
        Format::Svg => markup::differences(old, new, tolerance),
        Format::Txt => text::differences(old, new),
        Format::Json => tree::differences(old, new, tolerance),
        Format::Arrays => numbers::differences(old, new, tolerance),
        Format::Csv => table::differences(old, new, tolerance),
    };
    if all.len() > MOST {
        let more = all.len() - MOST;
        all.truncate(MOST);
        all.push(format!("and {more} more"));
    }
    all
}

/// A text as a sentence quotes it.
fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(MOST_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
