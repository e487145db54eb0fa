//! A text as the glyphs that draw it, for whoever embeds or outlines them.

use super::{BUNDLED, Fonts};
use crate::figure::layout::Style;
use harfrust::{FontRef, GlyphBuffer, ShapeOptions, ShaperData, UnicodeBuffer};

/// Which font draws a part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::render) enum Face {
    Bundled(usize),
    System(usize),
}

/// A glyph, its lengths in ems.
#[derive(Clone, Debug)]
pub(in crate::render) struct Glyph {
    pub id: u16,
    /// What it stands for; empty for all but the first of several glyphs of one letter.
    pub text: String,
    pub advance: f32,
    /// Where it is drawn, from where the one before it ended; y upwards.
    pub x: f32,
    pub y: f32,
}

/// A part of a text that one font draws, in the order in which it is drawn.
#[derive(Clone, Debug)]
pub(in crate::render) struct Glyphs {
    pub face: Face,
    pub glyphs: Vec<Glyph>,
}

impl Glyphs {
    /// How wide it is, in ems.
    pub fn width(&self) -> f32 {
        self.glyphs.iter().map(|glyph| glyph.advance).sum()
    }
}

impl Fonts {
    /// A text, as shown, as glyphs.
    pub(in crate::render) fn glyphs(&self, text: &str, style: Style) -> Vec<Glyphs> {
        let parts = self.parts(text, style.bold).into_iter();
        parts.map(|(part, face)| Glyphs { face, glyphs: self.shaped(part, face).unwrap_or_default() }).collect()
    }

    /// What is done with a font's file and its number in there; nothing for a font that is no longer there.
    pub(in crate::render) fn with_file<T>(&self, face: Face, work: impl FnOnce(&[u8], u32) -> T) -> Option<T> {
        match face {
            Face::Bundled(face) => BUNDLED.get(face).map(|(_, bytes)| work(bytes, 0)),
            Face::System(face) => {
                let system = self.system()?;
                system.database.with_face_data(system.families.get(face)?.1, work)
            }
        }
    }

    fn shaped(&self, text: &str, face: Face) -> Option<Vec<Glyph>> {
        if let Face::Bundled(face) = face {
            return self.bundled.get(face).map(|face| glyphs(&face.font, &face.shaper, text));
        }
        self.with_file(face, |bytes, index| {
            let font = FontRef::from_index(bytes, index).ok()?;
            Some(glyphs(&font, &ShaperData::new(&font), text))
        })?
    }
}

/// A text shaped as resvg does it, and how many units an em has.
pub(super) fn shape(font: &FontRef, data: &ShaperData, text: &str) -> (GlyphBuffer, f32) {
    let shaper = data.shaper(font).build();
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    let units = shaper.units_per_em().max(1) as f32;
    (shaper.shape(buffer, ShapeOptions::new()), units)
}

fn glyphs(font: &FontRef, data: &ShaperData, text: &str) -> Vec<Glyph> {
    let (shaped, units) = shape(font, data, text);
    let infos = shaped.glyph_infos();
    let mut starts: Vec<usize> = infos.iter().map(|info| info.cluster as usize).chain([text.len()]).collect();
    starts.sort_unstable();
    starts.dedup();
    let stands_for = |(i, start): (usize, usize)| {
        let again = i > 0 && infos[i - 1].cluster as usize == start;
        let end = starts.iter().find(|next| **next > start).copied().unwrap_or(start);
        if again { String::new() } else { text.get(start..end).unwrap_or_default().to_owned() }
    };
    let glyph = |(i, (info, place)): (usize, (&harfrust::GlyphInfo, &harfrust::GlyphPosition))| Glyph {
        id: info.glyph_id as u16,
        text: stands_for((i, info.cluster as usize)),
        advance: place.x_advance as f32 / units,
        x: place.x_offset as f32 / units,
        y: place.y_offset as f32 / units,
    };
    infos.iter().zip(shaped.glyph_positions()).enumerate().map(glyph).collect()
}
