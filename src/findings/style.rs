//! How a figure looks.

use super::font::FontFile;
use super::length::Length;
use super::subject::About;
use crate::error::{Error, Result};
use crate::figure::{Colormap, Figure, Panel, ScaleKind, Theme, panel_pixels_zoomed, room_for_texts};
use crate::render::Fonts;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Sizes in pixels that a page may have.
const SIZES: RangeInclusive<u32> = 120..=20_000;
/// Sizes that ordinary text may have, in points.
const TEXTS: RangeInclusive<f32> = 4.0..=72.0;
/// The size of ordinary text where nobody asks for one, in points.
const ORDINARY: f32 = 8.0;
/// Resolutions that a picture may have, in pixels per inch.
const RESOLUTIONS: RangeInclusive<f32> = 10.0..=2400.0;

/// How a figure looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// How numbers are spread over the colours: evenly, unless another way is named.
    pub scale: ScaleKind,
    /// The colours; none means tide, or balance where numbers have signs.
    pub colormap: Option<Colormap>,
    /// The headline; none means the prompt, an empty one leaves it out.
    pub title: Option<String>,
    /// Width in pixels of a screen (96 to the inch); none is as wide as the content.
    pub width: Option<Length>,
    /// Height in pixels of a screen; none is as high as the content.
    pub height: Option<Length>,
    /// Resolution of a PNG, in pixels per inch: 96 unless another is named.
    pub dpi: f32,
    /// Dark ink on white, unless the other theme is named.
    pub theme: Theme,
    /// The size of ordinary text, in points; none lets the page's size decide.
    pub font_size: Option<f32>,
    /// A font for all texts; none takes the bundled ones.
    pub font: Option<FontFile>,
    /// Nothing but maps with their axes and colour bars, or a text with its scale; off unless asked for.
    pub bare: bool,
    /// Take characters that the bundled fonts lack from the system's, so that the picture depends on the machine; off unless asked for.
    pub system_fonts: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            scale: ScaleKind::Linear,
            colormap: None,
            title: None,
            width: None,
            height: None,
            dpi: 96.0,
            theme: Theme::Light,
            font_size: None,
            font: None,
            bare: false,
            system_fonts: false,
        }
    }
}

impl Style {
    /// Fails unless a picture can have this size and resolution.
    ///
    /// # Errors
    /// A size or resolution that none can have.
    pub fn check(&self) -> Result<()> {
        for (option, size) in [("width", self.width), ("height", self.height)] {
            if let Some(size) = size.map(Length::whole).filter(|size| !SIZES.contains(size)) {
                let (least, most) = (SIZES.start(), SIZES.end());
                return Err(Error::usage(format!("{option} {size}: a picture cannot have that size"))
                    .hint(format!("give a size between {least} and {most} pixels"))
                    .option(option));
            }
        }
        if !RESOLUTIONS.contains(&self.dpi) {
            return Err(Error::usage(format!("dpi {}: a picture cannot have that resolution", self.dpi))
                .hint("give a number between 10 and 2400, such as 96 for a screen or 300 for print")
                .option("dpi"));
        }
        if let Some(size) = self.font_size.filter(|size| !TEXTS.contains(size)) {
            return Err(Error::usage(format!("font_size {size}: a text cannot have that size"))
                .hint(format!("give points between {} and {}, such as 8", TEXTS.start(), TEXTS.end()))
                .option("font_size"));
        }
        Ok(())
    }

    /// The fonts that it is drawn with.
    ///
    /// # Errors
    /// A font that is known by its name only.
    pub fn fonts(&self) -> Result<Fonts> {
        let fonts = if self.system_fonts { Fonts::with_system() } else { Fonts::bundled() };
        self.font.iter().try_fold(fonts, |fonts, font| Ok(fonts.and_first(font.bytes()?)))
    }

    /// Pixels of a PNG for each pixel at 96 dpi, at least 1.
    pub fn detail(&self) -> f32 {
        (self.dpi / 96.0).max(1.0)
    }

    /// The rows and columns that a map of so many tokens can show on a sheet of so many side by side.
    pub(super) fn map_pixels(&self, across: usize, tokens: usize) -> usize {
        let pixels = panel_pixels_zoomed(across, tokens, self.width.map(Length::whole), true, self.zoom());
        (pixels.max(1) as f32 * self.detail()).ceil() as usize
    }

    /// How wide cells with texts are beside one another, where a width is asked for.
    pub(super) fn room_for_texts(&self) -> Option<f32> {
        room_for_texts(self.width.map(Length::whole), self.zoom())
    }

    /// Pixels of a screen for each unit of layout, where texts have a size of their own.
    fn zoom(&self) -> Option<f32> {
        self.font_size.map(|size| size / ORDINARY)
    }

    /// These panels in this style, under the headline of what they are about.
    pub fn figure(&self, about: &About, subtitle: Vec<String>, mut panels: Vec<Panel>) -> Figure {
        if self.bare {
            let is_map = |panel: &Panel| matches!(panel, Panel::Heatmap(_) | Panel::Grid(_) | Panel::Sheet(_));
            match panels.iter().any(is_map) {
                true => panels.retain(is_map),
                false => panels.truncate(1),
            }
        }
        Figure {
            title: self.title.clone().unwrap_or_else(|| about.headline()),
            whole_title: self.title.is_some(),
            subtitle,
            panels,
            frames: Vec::new(),
            theme: self.theme,
            width: self.width.map(Length::whole),
            height: self.height.map(Length::whole),
            exact: [self.width, self.height].map(|side| side.and_then(Length::exact)),
            zoom: self.zoom(),
            bare: self.bare,
            dpi: self.dpi,
            record: Some(about.record.clone()),
        }
    }
}
