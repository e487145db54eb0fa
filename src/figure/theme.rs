use serde::{Deserialize, Serialize};

use super::Scale;
use super::colormap::{self, Colormap};
use crate::named::Named;

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

impl Named for Theme {
    const ALL: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Light, "light", "For paper"), (Self::Dark, "dark", "For screens")];
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
    /// The curve of that number; after the last colour the first comes again.
    Curve(u8),
    /// The colour of a curve, so much of 255 on the page's.
    Faded(u8, u8),
    /// That level of a colour map.
    Level(Colormap, u8),
    /// A text on that level of a colour map: white or near black, whichever can be read.
    Over(Colormap, u8),
}

/// Colours of curves that colour-blind readers tell apart (after Okabe and Ito 2008), on a light and on a dark page.
const CURVES: [[[u8; 3]; 7]; 2] = [
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233], [20, 24, 31]],
    [[64, 156, 220], [240, 126, 50], [40, 190, 145], [222, 146, 188], [240, 180, 50], [130, 206, 248], [242, 245, 248]],
];

impl Ink {
    /// The colour of a number; `None` for NaN.
    pub(super) fn of(value: f32, scale: &Scale) -> Option<Self> {
        Some(Self::Level(scale.colormap, colormap::level(scale.position(value)?) as u8))
    }

    /// The colour of a text on a number's colour.
    pub(super) fn over(value: f32, scale: &Scale) -> Self {
        match Self::of(value, scale) {
            Some(Self::Level(map, level)) => Self::Over(map, level),
            _ => Self::Soft,
        }
    }
}

impl Theme {
    /// The colour of a role, as red, green, blue.
    pub fn ink(self, ink: Ink) -> [u8; 3] {
        match (self, ink) {
            (_, Ink::Level(map, level)) => map.palette(self)[usize::from(level).min(colormap::LEVELS - 1)],
            (_, Ink::Over(map, level)) => readable(self.ink(Ink::Level(map, level))),
            (_, Ink::Curve(i)) => CURVES[self as usize][usize::from(i) % CURVES[0].len()],
            (_, Ink::Faded(i, level)) => {
                let (paper, full, t) = (self.ink(Ink::Paper), self.ink(Ink::Curve(i)), f32::from(level) / 255.0);
                let mixed =
                    |part: usize| (f32::from(paper[part]) * (1.0 - t) + f32::from(full[part]) * t).round() as u8;
                [mixed(0), mixed(1), mixed(2)]
            }
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

/// White on a colour as long as that reads well, else near black, and black where that alone does.
pub(crate) fn readable(on: [u8; 3]) -> [u8; 3] {
    const BLACK: [u8; 3] = [20, 24, 31];
    const WHITE: [u8; 3] = [255; 3];
    [WHITE, BLACK].into_iter().find(|ink| contrast(on, *ink) >= ENOUGH).unwrap_or([0; 3])
}

/// The contrast that WCAG 2 asks of a text.
const ENOUGH: f32 = 4.5;

/// The contrast of two colours as WCAG 2 defines it: from 1 to 21, 4.5 reads well.
pub(super) fn contrast(a: [u8; 3], b: [u8; 3]) -> f32 {
    let linear = |v: u8| match f32::from(v) / 255.0 {
        v if v <= 0.04045 => v / 12.92,
        v => ((v + 0.055) / 1.055).powf(2.4),
    };
    let light = |[r, g, b]: [u8; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (a, b) = (light(a) + 0.05, light(b) + 0.05);
    a.max(b) / a.min(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_be_read_on_every_colour_of_every_map() {
        for map in Colormap::all() {
            for (theme, level) in [Theme::Light, Theme::Dark].into_iter().flat_map(|t| (0..255).map(move |l| (t, l))) {
                let found = contrast(theme.ink(Ink::Level(map, level)), theme.ink(Ink::Over(map, level)));
                assert!(found >= ENOUGH, "{map:?} {theme:?} {level}: {found}");
            }
        }
    }

    #[test]
    fn every_number_stands_apart_from_what_is_not_there() {
        for theme in [Theme::Light, Theme::Dark] {
            for (map, level) in Colormap::all().flat_map(|map| (0..255).map(move |level| (map, level))) {
                let found = contrast(theme.ink(Ink::Level(map, level)), theme.ink(Ink::Paper));
                assert!(found >= colormap::APART, "{map:?} {theme:?} {level}: {found}");
            }
        }
    }

    #[test]
    fn curves_stand_out_from_the_page() {
        for theme in [Theme::Light, Theme::Dark] {
            for i in 0..7 {
                assert!(contrast(theme.ink(Ink::Curve(i)), theme.ink(Ink::Paper)) > 2.0, "{theme:?} {i}");
            }
        }
    }
}
