//! The sides of a page.

use serde::{Deserialize, Serialize, Serializer};

/// A length in pixels of a screen, 96 to the inch, which need not be whole.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Length(f64);

impl Length {
    /// So many pixels.
    ///
    /// # Errors
    /// In a few words: what is no length.
    pub fn new(pixels: f64) -> Result<Self, String> {
        match pixels.is_finite() && (0.0..=f64::from(u32::MAX)).contains(&pixels) {
            true => Ok(Self(pixels)),
            false => Err(format!("{pixels} pixels are no length of a picture")),
        }
    }

    /// The nearest whole pixel: figures are laid out on whole ones.
    pub fn whole(self) -> u32 {
        self.0.round() as u32
    }

    /// The length itself, where it is not whole.
    pub fn exact(self) -> Option<f64> {
        (self.0.fract() != 0.0).then_some(self.0)
    }
}

impl From<u32> for Length {
    fn from(pixels: u32) -> Self {
        Self(pixels.into())
    }
}

impl TryFrom<f64> for Length {
    type Error = String;

    fn try_from(pixels: f64) -> Result<Self, String> {
        Self::new(pixels)
    }
}

impl Serialize for Length {
    /// A whole one without a fraction.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.exact() {
            Some(pixels) => to.serialize_f64(pixels),
            None => to.serialize_u32(self.whole()),
        }
    }
}
