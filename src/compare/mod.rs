//! What differs between two files of one format, in a few words: numbers as numbers, pixels as pixels, shapes as shapes.
//!
//! The old file is not trusted: it may be damaged, and is never given more memory than its own size calls for. What a file says
//! of the version and the weights that made it is left to whoever compares.

mod axes;
mod map;
mod markup;
mod numbers;
mod page;
mod picture;
mod pixels;
mod table;
mod tally;
mod text;
mod tree;

pub use picture::side_by_side;

use crate::format::Format;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Differences of one file that are told one by one.
const MOST: usize = 12;
/// The one quantity of whole numbers that is measured: all others name or count something, and are equal or not.
const MEASURED: &str = "rank";
/// Characters of a text that are quoted.
const MOST_QUOTED: usize = 60;

/// How far two numbers may be apart: `|new − old| ≤ absolute + relative · |old|`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closeness {
    /// Allowed whatever the number's size.
    pub absolute: f64,
    /// Allowed as a share of the old number.
    pub relative: f64,
}

impl Closeness {
    /// No difference.
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
    /// For numbers.
    pub numbers: Closeness,
    /// For the numbers of one quantity, by name, alone or after its method's: `attention`, `smoothgrad.scores`.
    pub quantities: BTreeMap<String, Closeness>,
    /// For pixels, and for colours in an SVG or a PDF.
    pub colours: Colours,
    /// For places and sizes in an SVG or a PDF, in pixels of a screen.
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

    /// The closeness asked of a quantity of a method: its own, or that of the quantity of any method.
    fn of(&self, method: &str, quantity: &str) -> Closeness {
        let own = self.quantities.get(&format!("{method}.{quantity}"));
        *own.or_else(|| self.quantities.get(quantity)).unwrap_or(&self.numbers)
    }
}

impl Default for Tolerance {
    /// Below the last digit that figures print. Another processor's instructions move attention by 1e-6 in a model of 6 layers,
    /// and scores by 1.3e-4 of their size in one of 12 layers and random weights.
    fn default() -> Self {
        Self {
            numbers: Closeness { absolute: 1e-4, relative: 1e-3 },
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
        Format::Pdf => match (page::svg(old), page::svg(new)) {
            (Ok(old), Ok(new)) => markup::differences(old.as_bytes(), new.as_bytes(), tolerance),
            (Err(what), _) | (_, Err(what)) => vec![what],
        },
        Format::Txt | Format::Dot | Format::Md => text::differences(old, new),
        Format::Json => tree::differences(old, new, tolerance),
        Format::Npz | Format::Safetensors => numbers::differences(old, new, tolerance),
        Format::Csv => table::differences(old, new, b',', tolerance),
        Format::Tsv => table::differences(old, new, b'\t', tolerance),
        Format::Parquet | Format::Html => vec!["it is of a format that is not compared".into()],
    };
    if all.len() > MOST {
        let more = all.len() - MOST;
        all.truncate(MOST);
        all.push(format!("and {more} more"));
    }
    all
}

/// A text as a sentence quotes it: in quotes, its controls spelled out, a long one cut.
pub fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(MOST_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Colormap, Theme};
    use crate::named::Named;

    #[test]
    fn a_number_that_falls_on_the_next_level_of_a_colour_map_does_not_count() {
        for map in Colormap::all() {
            for theme in [Theme::Light, Theme::Dark] {
                let steps = map.palette(theme).windows(2).map(|pair| pixels::apart(pair[0], pair[1]));
                assert!(steps.max().unwrap() <= Tolerance::default().colours.levels, "{}", map.name());
            }
        }
    }

    fn json(old: &str, new: &str) -> Vec<String> {
        differences(Format::Json, old.as_bytes(), new.as_bytes(), &Tolerance::default())
    }

    #[test]
    fn numbers_are_close_and_ids_are_equal() {
        let result = |numbers: &str, top: &str| {
            format!(
                "{{\"version\": \"{top}\", \"results\": [{{\"method\": \"m\", \"x\": {numbers}, \"top\": {top}}}]}}"
            )
        };
        let old = result("[0.5, 100.0, null, 0.0]", "40000");
        assert!(json(&old, &result("[0.5001, 100.09, null, 1e-5]", "40000")).is_empty());
        assert_eq!(json(&old, &result("[0.5, 100.0, null, 0.0]", "40001")), ["m.top is 40001, was 40000"]);
        assert_eq!(
            json(&old, &result("[0.502, 101.0, 1.0, 0.0]", "40000")),
            ["m.x: 3 of 4 numbers differ, most at [2]: it is 1, was nothing"]
        );
        assert_eq!(json(&old, &result("[0.5]", "40000")), ["m.x has 1 entries, had 4"]);
        assert!(json(&old, "[1]")[0].contains("an object"));
        assert!(json("{", &old)[0].contains("broken JSON"));
    }

    #[test]
    fn a_quantity_may_have_a_tolerance_of_its_own() {
        let own = Closeness { absolute: 1.0, relative: 0.0 };
        let quantities = BTreeMap::from([("m.x".to_owned(), own)]);
        let tolerance = Tolerance { quantities, ..Tolerance::EXACT };
        let result = |x: f64, y: f64| format!("{{\"results\": [{{\"method\": \"m\", \"x\": {x}, \"y\": {y}}}]}}");
        let told = differences(Format::Json, result(0.5, 0.5).as_bytes(), result(1.4, 0.6).as_bytes(), &tolerance);
        assert_eq!(told, ["m.y is 0.600000, was 0.500000"]);
    }

    fn svg(old: &str, new: &str) -> Vec<String> {
        let whole = |inner: &str| format!("<svg width=\"9\" height=\"9\"><metadata>{inner}</metadata>{inner}</svg>");
        differences(Format::Svg, whole(old).as_bytes(), whole(new).as_bytes(), &Tolerance::default())
    }

    #[test]
    fn shapes_are_compared_by_what_they_are() {
        let rect = |x: &str, fill: &str| format!("<rect x=\"{x}\" y=\"20\" fill=\"{fill}\"/>");
        let old = rect("10", "#102030") + "<text x=\"5\">cat</text>";
        assert!(svg(&old, &(rect("10.9", "#112031") + "<text x=\"5\">cat</text>")).is_empty());
        assert_eq!(
            svg(&old, &(rect("10", "#ff2030") + "<text x=\"5\">cat</text>")),
            ["rect 1 (x 10, y 20): fill #ff2030, was #102030"]
        );
        assert_eq!(svg(&old, &(rect("10", "#102030") + "<text x=\"7\">dog</text>")), ["text \"dog\", was \"cat\""]);
        let more = rect("10", "#102030") + &rect("40", "#102030") + "<text x=\"5\">cat</text>";
        assert_eq!(svg(&old, &more), ["has rect 2 (x 40, y 20) where it had nothing"]);
        assert_eq!(
            svg("<stop offset=\"0.1\"/><path d=\"M0,0L10,10\"/>", "<stop offset=\"0.2\"/><path d=\"M0,0L10,13\"/>"),
            ["path 1: d M0,0L10,13, was M0,0L10,10", "stop 1: offset 0.2, was 0.1"]
        );
    }

    #[test]
    fn words_that_only_describe_a_picture_are_named_where_all_must_be_the_same() {
        let whole = |said: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><desc>{said}</desc></svg>");
        let (old, new) = (whole("strongest: 0.5"), whole("strongest: 0.6"));
        let told = |tolerance: &Tolerance| differences(Format::Svg, old.as_bytes(), new.as_bytes(), tolerance);
        assert_eq!(told(&Tolerance::EXACT), ["desc \"strongest: 0.6\", was \"strongest: 0.5\""]);
        assert!(told(&Tolerance::default()).is_empty());
    }

    #[test]
    fn tables_and_texts_are_compared_by_cells_and_lines() {
        let table =
            |old: &str, new: &str| differences(Format::Csv, old.as_bytes(), new.as_bytes(), &Tolerance::default());
        let old = "key,token,score\n7,\"a,b\",0.5\n8,c,\n";
        assert!(table(old, "key,token,score\n7,\"a,b\",0.500001\n8,c,\n").is_empty());
        assert_eq!(
            table(old, "key,token,score\n9,\"a,d\",0.6\n8,c,\n"),
            [
                "key: 1 of 2 numbers differs, at row 1 it is 9, was 7",
                "score at row 1 is 0.600000, was 0.500000",
                "token in row 1 is \"a,d\", was \"a,b\""
            ]
        );
        let text = differences(Format::Txt, b"a\nb\n", b"a\nc\n", &Tolerance::default());
        assert_eq!(text, ["line 2 is \"c\", was \"b\""]);
    }
}
