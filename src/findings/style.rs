//! How a figure looks.

use super::subject::About;
use crate::error::{Error, Result};
use crate::figure::{Colormap, Figure, Panel, ScaleKind, Theme};
use crate::render::Fonts;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// Sizes in pixels that a page may have.
const SIZES: RangeInclusive<u32> = 120..=20_000;
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
    /// Width in pixels at 96 dpi; none is as wide as the content.
    pub width: Option<u32>,
    /// Height in pixels at 96 dpi; none is as high as the content.
    pub height: Option<u32>,
    /// Resolution of a PNG, in pixels per inch: 96 unless another is named.
    pub dpi: f32,
    /// Dark ink on white, unless the other theme is named.
    pub theme: Theme,
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
            if let Some(size) = size.filter(|size| !SIZES.contains(size)) {
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
        Ok(())
    }

    /// The fonts that it is drawn with.
    pub fn fonts(&self) -> Fonts {
        if self.system_fonts { Fonts::with_system() } else { Fonts::bundled() }
    }

    /// Pixels of a PNG for each pixel at 96 dpi, at least 1.
    pub fn detail(&self) -> f32 {
        (self.dpi / 96.0).max(1.0)
    }

    /// These panels in this style, under the headline of what they are about.
    pub fn figure(&self, about: &About, subtitle: Vec<String>, panels: Vec<Panel>) -> Figure {
        Figure {
            title: self.title.clone().unwrap_or_else(|| about.headline()),
            whole_title: self.title.is_some(),
            subtitle,
            panels,
            theme: self.theme,
            width: self.width,
            height: self.height,
            dpi: self.dpi,
            record: Some(about.record.clone()),
        }
    }
}
