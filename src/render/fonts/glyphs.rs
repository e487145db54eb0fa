//! A text as the glyphs that draw it, for whoever embeds or outlines them.

use super::{BUNDLED, Fonts, Shaper};
use crate::figure::layout::{Label, Style};
use harfrust::FontRef;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::string::StringId;
use skrifa::{GlyphId, MetadataProvider, Tag};
use std::fmt::Write as _;

/// Glyphs of a font that nobody would call one.
const FEWEST: usize = 2;

/// Fails, in a few words, unless these bytes are a font that can be drawn, embedded and outlined.
///
/// # Errors
/// No font, one of several faces, a compressed one, one of pictures, or one without letters.
pub fn check_font(bytes: &[u8]) -> Result<(), String> {
    match bytes.get(..4) {
        Some(b"wOFF" | b"wOF2") => return Err("it is a font of web pages, which is compressed".into()),
        Some(b"ttcf") => return Err("it is a collection of several fonts".into()),
        _ => {}
    }
    let font = FontRef::new(bytes).map_err(|error| format!("it is no font ({error})"))?;
    let has = |tag: &[u8; 4]| font.table_data(Tag::new(tag)).is_some();
    if !has(b"glyf") && !has(b"CFF ") {
        return Err("its letters are no outlines".into());
    }
    let metrics = font.metrics(Size::unscaled(), LocationRef::default());
    if metrics.units_per_em == 0 || font.charmap().mappings().take(FEWEST).count() < FEWEST {
        return Err("it has no letters".into());
    }
    Ok(())
}

/// What a font calls itself.
pub(super) fn family(bytes: &[u8]) -> String {
    let name = |font: FontRef| font.localized_strings(StringId::FAMILY_NAME).english_or_first().map(|n| n.to_string());
    FontRef::new(bytes).ok().and_then(name).unwrap_or_else(|| "the given font".into())
}

/// The outline of a text, in the units of its label from its beginning, y downwards.
pub(in crate::render) fn outline(label: &Label, fonts: &Fonts) -> String {
    let size = label.style.size;
    let mut pen = Pen { out: String::new(), x: label.start(), y: 0.0 };
    let mut start = label.start();
    for part in fonts.glyphs(&label.text, label.style) {
        fonts.with_file(part.face, |bytes, index| {
            let Ok(font) = FontRef::from_index(bytes, index) else { return };
            let outlines = font.outline_glyphs();
            for glyph in &part.glyphs {
                (pen.x, pen.y) = (start + glyph.x * size, -glyph.y * size);
                if let Some(outline) = outlines.get(GlyphId::from(glyph.id)) {
                    // A glyph that cannot be drawn is empty, as it is for every program.
                    let _ = outline.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), &mut pen);
                }
                start += glyph.advance * size;
            }
        });
    }
    pen.out
}

/// Writes an outline as the path of an SVG.
struct Pen {
    out: String,
    x: f32,
    y: f32,
}

impl Pen {
    fn put(&mut self, command: char, points: &[(f32, f32)]) {
        self.out.push(command);
        for (i, (x, y)) in points.iter().enumerate() {
            let (x, y) = (self.x + x, self.y - y);
            let _ = write!(self.out, "{}{:.2},{:.2}", if i > 0 { " " } else { "" }, x * 10.0, y * 10.0); // a text has room
        }
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.put('M', &[(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.put('L', &[(x, y)]);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.put('Q', &[(cx, cy), (x, y)]);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.put('C', &[(ax, ay), (bx, by), (x, y)]);
    }

    fn close(&mut self) {
        self.out.push('Z');
    }
}

/// Which font draws a part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::render) enum Face {
    Given,
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
            Face::Given => self.given.as_ref().map(|given| work(&given.bytes, 0)),
            Face::Bundled(face) => BUNDLED.get(face).map(|(_, bytes)| work(bytes, 0)),
            Face::System(face) => {
                let system = self.system()?;
                system.database.with_face_data(system.families.get(face)?.1, work)
            }
        }
    }

    fn shaped(&self, text: &str, face: Face) -> Option<Vec<Glyph>> {
        if let Face::Bundled(face) = face {
            return self.bundled.get(face).map(|face| glyphs(&face.shaper, text));
        }
        self.with_file(face, |bytes, index| Some(glyphs(&Shaper::new(FontRef::from_index(bytes, index).ok()?), text)))?
    }
}

fn glyphs(shaper: &Shaper, text: &str) -> Vec<Glyph> {
    let (shaped, units) = shaper.shape(text);
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
