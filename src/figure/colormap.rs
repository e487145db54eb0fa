//! Colour maps: perceptually uniform, safe for colour-blind readers.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::colormap_tables::{CIVIDIS, INFERNO, MAGMA, VIRIDIS};
use super::theme::contrast;
use super::{Ink, Theme};
use crate::named::Named;

/// How many colours a map is drawn with.
pub(crate) const LEVELS: usize = 255;
/// The least contrast between the page and a cell: what is not there has the page's colour.
pub(super) const APART: f32 = 1.2;

/// From a number between 0 and 1 to a colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colormap {
    /// From the page's colour through teal to deep blue (on a dark page: to pale teal): the default.
    #[default]
    Tide,
    /// From the page's colour to ink, for print in black and white.
    Grey,
    /// matplotlib's viridis, without the end that looks like the page.
    Viridis,
    /// matplotlib's magma, without the end that looks like the page.
    Magma,
    /// matplotlib's inferno, without the end that looks like the page.
    Inferno,
    /// matplotlib's cividis, without the end that looks like the page.
    Cividis,
    /// Diverging: orange below 0, the page's colour at 0, blue above.
    Balance,
}

impl Named for Colormap {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Tide, "tide", "From the page's colour through teal to deep blue"),
        (Self::Grey, "grey", "From the page's colour to ink, for print in black and white"),
        (Self::Viridis, "viridis", "matplotlib's viridis, without the end that looks like the page"),
        (Self::Magma, "magma", "matplotlib's magma, without the end that looks like the page"),
        (Self::Inferno, "inferno", "matplotlib's inferno, without the end that looks like the page"),
        (Self::Cividis, "cividis", "matplotlib's cividis, without the end that looks like the page"),
        (Self::Balance, "balance", "Diverging: orange below 0, the page's colour at 0, blue above"),
    ];
    const ALSO: &'static [(Self, &'static str)] = &[
        (Self::Grey, "gray"),
        (Self::Grey, "greys"),
        (Self::Grey, "grays"),
        (Self::Grey, "greyscale"),
        (Self::Grey, "grayscale"),
    ];
}

impl Colormap {
    /// Whether the middle of the map stands for 0.
    pub fn is_diverging(self) -> bool {
        self == Self::Balance
    }

    /// The colour at `t` between 0 and 1, as red, green, blue.
    pub fn rgb(self, theme: Theme, t: f32) -> [u8; 3] {
        self.palette(theme)[level(t)]
    }

    /// The whole map in [`LEVELS`] steps.
    pub(crate) fn palette(self, theme: Theme) -> &'static [[u8; 3]; LEVELS] {
        type Slot = OnceLock<Box<[[u8; 3]; LEVELS]>>;
        static PALETTES: [[Slot; 2]; Colormap::ALL.len()] =
            [const { [const { OnceLock::new() }; 2] }; Colormap::ALL.len()];
        PALETTES[self as usize][theme as usize].get_or_init(|| {
            let mut palette = Box::new([[0; 3]; LEVELS]);
            for (i, colour) in palette.iter_mut().enumerate() {
                *colour = self.compute(theme, i as f64 / (LEVELS - 1) as f64);
            }
            palette
        })
    }

    fn compute(self, theme: Theme, t: f64) -> [u8; 3] {
        let dark = theme == Theme::Dark;
        match self {
            Self::Tide if dark => oklch(0.295 + 0.655 * t, 0.02 + 0.1 * arch(t) + 0.015 * t, 268.0 - 78.0 * t),
            Self::Tide => oklch(0.925 - 0.645 * t, 0.014 + 0.1 * arch(t.powf(0.85)) + 0.045 * t, 195.0 + 73.0 * t),
            Self::Grey if dark => oklch(0.295 + 0.675 * t, 0.004, 260.0),
            Self::Grey => oklch(0.92 - 0.7 * t, 0.004, 260.0),
            Self::Viridis => apart(VIRIDIS, theme, t),
            Self::Magma => apart(MAGMA, theme, t),
            Self::Inferno => apart(INFERNO, theme, t),
            Self::Cividis => apart(CIVIDIS, theme, t),
            Self::Balance => {
                let (side, strength) = (t >= 0.5, (2.0 * t - 1.0).abs());
                let lightness = if dark { 0.3 + 0.55 * strength } else { 0.925 - 0.545 * strength };
                let chroma = 0.004 + 0.125 * strength.powf(0.8);
                oklch(lightness, chroma, if side { 245.0 } else { 55.0 })
            }
        }
    }
}

/// The palette's entry for `t` between 0 and 1.
pub(crate) fn level(t: f32) -> usize {
    (t.clamp(0.0, 1.0) * (LEVELS - 1) as f32 + 0.5) as usize
}

/// 0 at both ends, 1 in the middle.
fn arch(t: f64) -> f64 {
    (std::f64::consts::PI * t).sin()
}

/// The part of a map whose colours all stand apart from the page: a cell of its dark or pale end would look like one that is not there.
fn apart(table: &[u32], theme: Theme, t: f64) -> [u8; 3] {
    let at = |level: usize| level as f64 / (LEVELS - 1) as f64;
    let stands = |level: &usize| contrast(stops(table, at(*level)), theme.ink(Ink::Paper)) >= APART;
    let longest = |levels: &mut dyn Iterator<Item = usize>| levels.take_while(stands).last().map_or(0.5, at);
    match theme {
        Theme::Light => stops(table, t * longest(&mut (0..LEVELS))),
        Theme::Dark => {
            let from = longest(&mut (0..LEVELS).rev());
            stops(table, from + (1.0 - from) * t)
        }
    }
}

fn stops(table: &[u32], t: f64) -> [u8; 3] {
    let x = t * (table.len() - 1) as f64;
    let i = (x as usize).min(table.len() - 2);
    let channel = |shift: u32| {
        let (a, b) = ((table[i] >> shift & 255) as f64, (table[i + 1] >> shift & 255) as f64);
        (a + (b - a) * (x - i as f64)).round() as u8
    };
    [channel(16), channel(8), channel(0)]
}

/// A colour of Ottosson's OKLab, given as lightness, chroma and hue in degrees, with the chroma lowered until sRGB has it.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> [u8; 3] {
    let (sin, cos) = hue.to_radians().sin_cos();
    let mut chroma = chroma;
    loop {
        let linear = oklab_to_linear(lightness, chroma * cos, chroma * sin);
        if chroma <= 0.0 || linear.iter().all(|v| (-1e-4..=1.0001).contains(v)) {
            return linear.map(|v| {
                let v = v.clamp(0.0, 1.0);
                let encoded = if v <= 0.0031308 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
                (encoded * 255.0).round() as u8
            });
        }
        chroma -= 0.001;
    }
}

/// <https://bottosson.github.io/posts/oklab/>
fn oklab_to_linear(lightness: f64, a: f64, b: f64) -> [f64; 3] {
    let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
    let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
    let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
    [
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viridis_is_within_two_levels_of_matplotlib() {
        // Entries 0, 61, 127, 128, 200 and 255 of matplotlib's 256.
        for (i, want) in
            [(0, 0x440154), (61, 0x3c4f8a), (127, 0x21908d), (128, 0x21918c), (200, 0x70cf57), (255, 0xfde725)]
        {
            let found = stops(VIRIDIS, i as f64 / 255.0);
            for (k, shift) in [16, 8, 0].into_iter().enumerate() {
                let want = want >> shift & 255;
                assert!((i32::from(found[k]) - want).abs() <= 2, "entry {i}: {found:?}");
            }
        }
    }

    #[test]
    fn a_diverging_map_has_the_pages_colour_in_the_middle() {
        for theme in [Theme::Light, Theme::Dark] {
            let [r, g, b] = Colormap::Balance.rgb(theme, 0.5);
            assert!(r.abs_diff(b) < 12 && r.abs_diff(g) < 12);
        }
    }

    #[test]
    fn lightness_never_turns_back_in_a_sequential_map() {
        for map in Colormap::all().filter(|map| !map.is_diverging()) {
            for theme in [Theme::Light, Theme::Dark] {
                let light =
                    |c: &[u8; 3]| 0.2126 * f32::from(c[0]) + 0.7152 * f32::from(c[1]) + 0.0722 * f32::from(c[2]);
                let lights: Vec<f32> = map.palette(theme).iter().map(light).collect();
                let rises = lights[LEVELS - 1] > lights[0];
                assert!(
                    lights.windows(2).all(|w| if rises { w[1] > w[0] - 1.5 } else { w[1] < w[0] + 1.5 }),
                    "{map:?}"
                );
            }
        }
    }

    #[test]
    fn every_map_is_found_by_its_name() {
        assert!(Colormap::all().all(|map| Colormap::named(map.name()) == Some(map)));
        assert_eq!(Colormap::named("jet"), None);
    }
}
