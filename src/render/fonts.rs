//! The bundled fonts, the system's where they are wanted, and how wide a text is in them.

pub(super) mod glyphs;
mod shaper;
mod system;

pub use glyphs::check_font;
pub(super) use glyphs::{Face, Glyph};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use harfrust::FontRef;
use resvg::usvg;
use skrifa::MetadataProvider;
use skrifa::charmap::Charmap;
use unicode_segmentation::UnicodeSegmentation;
use usvg::fontdb::{self, Database, ID};

use super::text::{Spaced, is_hidden, visible};
use crate::figure::layout::{Style, Typeface};
use shaper::Shaper;
use system::System;

/// The bundled fonts: family and file.
const BUNDLED: [(&str, &[u8]); 4] = [
    ("Inter", include_bytes!("../../assets/fonts/Inter-Regular.ttf")),
    ("Inter", include_bytes!("../../assets/fonts/Inter-SemiBold.ttf")),
    ("DejaVu Sans", include_bytes!("../../assets/fonts/DejaVuSans.ttf")),
    ("Noto Sans Symbols 2", include_bytes!("../../assets/fonts/NotoSansSymbols2.ttf")),
];
const REGULAR: usize = 0;
const SEMIBOLD: usize = 1;
const SCRIPTS: usize = 2;
const PICTURES: usize = 3;
/// Where a character is looked for, in this order.
const SOUGHT: [usize; 3] = [REGULAR, SCRIPTS, PICTURES];

/// Fonts to draw with, shared by any number of figures and threads.
pub struct Fonts {
    /// A font that somebody gave: what it has, it draws.
    given: Option<Given>,
    bundled: Vec<Bundled>,
    database: Arc<Database>,
    /// Read when a character first needs it; `None` where the system's fonts are not wanted.
    system: Option<OnceLock<System>>,
    widths: Mutex<HashMap<(String, bool), f32>>,
}

struct Bundled {
    letters: Charmap<'static>,
    shaper: Shaper<'static>,
    id: ID,
}

struct Given {
    bytes: Arc<Vec<u8>>,
    family: String,
    /// Whether it has a character.
    known: Mutex<HashMap<char, bool>>,
}

/// A part of a text that one font draws.
pub(super) struct Run<'a> {
    pub text: &'a str,
    pub family: &'a str,
}

impl Fonts {
    /// The bundled fonts only: pictures come out the same everywhere. A character that they lack is drawn as its code point.
    pub fn bundled() -> Self {
        Self::new(None)
    }

    /// The bundled fonts, and the system's for characters that those lack. The system's are read when first needed.
    pub fn with_system() -> Self {
        Self::new(Some(OnceLock::new()))
    }

    /// Whether the system's are wanted.
    pub fn has_system(&self) -> bool {
        self.system.is_some()
    }

    fn new(system: Option<OnceLock<System>>) -> Self {
        let mut database = Database::new();
        let bundled = BUNDLED.iter().filter_map(|(_, bytes)| {
            let font = FontRef::new(bytes).ok()?;
            let id = *database.load_font_source(fontdb::Source::Binary(Arc::new(*bytes))).first()?;
            Some(Bundled { letters: font.charmap(), shaper: Shaper::new(font), id })
        });
        let bundled = bundled.collect();
        Self { given: None, bundled, database: Arc::new(database), system, widths: Mutex::default() }
    }

    /// The same, with another font before all others: one that [`check_font`] lets through. Texts in it are drawn as outlines, for
    /// programs that lack it.
    pub fn and_first(self, bytes: Arc<Vec<u8>>) -> Self {
        let family = glyphs::family(&bytes);
        Self { given: Some(Given { bytes, family, known: Mutex::default() }), widths: Mutex::default(), ..self }
    }

    /// Whether there is one before all others.
    pub(super) fn has_given(&self) -> bool {
        self.given.is_some()
    }

    /// The characters of a text that the bundled fonts lack, each once, with the system's font that draws it. Where there
    /// is none, the code point is drawn.
    pub fn missing(&self, text: &str) -> Vec<(char, Option<String>)> {
        let mut missing: Vec<(char, Option<String>)> = Vec::new();
        let text = visible(text);
        for grapheme in text.graphemes(true) {
            let face = self.face(grapheme, None);
            let nearest = self.nearest(grapheme);
            for c in grapheme.chars().filter(|c| !is_hidden(*c)) {
                let known = missing.iter().any(|(seen, _)| *seen == c);
                let bundled = matches!(face, Some(Face::Bundled(_) | Face::Given)) || self.has(nearest, c);
                if !known && !bundled {
                    missing.push((c, face.map(|face| self.family(face).to_owned())));
                }
            }
        }
        missing
    }

    /// How usvg finds the faces that were chosen here: by family, never by its own fallback.
    pub(super) fn options(&self) -> usvg::Options<'_> {
        let system = self.system.as_ref().and_then(OnceLock::get);
        let select_font = move |font: &usvg::Font, _: &mut Arc<Database>| {
            let name = font
                .families()
                .iter()
                .find_map(|f| if let usvg::FontFamily::Named(n) = f { Some(n.as_str()) } else { None });
            let bundled = match name {
                Some("Inter") | None => Some(if font.weight() >= 600 { SEMIBOLD } else { REGULAR }),
                Some(name) => BUNDLED.iter().position(|(family, _)| *family == name),
            };
            match bundled {
                Some(face) => self.bundled.get(face).map(|face| face.id),
                None => system?.families.iter().find(|(family, _)| Some(family.as_str()) == name).map(|(_, id)| *id),
            }
        };
        usvg::Options {
            fontdb: system.map_or(&self.database, |system| &system.database).clone(),
            font_resolver: usvg::FontResolver {
                select_font: Box::new(select_font),
                select_fallback: Box::new(|_, _, _| None),
            },
            ..usvg::Options::default()
        }
    }

    /// A text, as shown, in parts that one font draws each.
    pub(super) fn runs<'a>(&'a self, text: &'a str, style: Style) -> Vec<Run<'a>> {
        let parts = self.parts(text, style.bold);
        let run = |(part, face): (&'a str, Face)| Run { text: part, family: self.family(face) };
        parts.into_iter().map(run).collect()
    }

    fn parts<'a>(&self, text: &'a str, bold: bool) -> Vec<(&'a str, Face)> {
        let primary = if bold { SEMIBOLD } else { REGULAR };
        if text.is_ascii() && self.given.is_none() {
            return vec![(text, Face::Bundled(primary))];
        }
        let mut parts: Vec<(&str, Face)> = Vec::new();
        let mut start = 0;
        for (at, grapheme) in text.grapheme_indices(true) {
            let before = parts.last().map(|part| part.1);
            let face = match self.face(grapheme, before) {
                Some(Face::Bundled(REGULAR)) => Face::Bundled(primary),
                Some(face) => face,
                None => before.unwrap_or(Face::Bundled(primary)),
            };
            let end = at + grapheme.len();
            match parts.last_mut() {
                Some((part, last)) if *last == face => *part = &text[start..end],
                _ => {
                    start = at;
                    parts.push((&text[at..end], face));
                }
            }
        }
        parts
    }

    /// The font that has all characters of a grapheme: Inter if it can, or the one before if that keeps a phrase together.
    fn face(&self, grapheme: &str, before: Option<Face>) -> Option<Face> {
        if self.given.as_ref().is_some_and(|given| grapheme.chars().all(|c| is_hidden(c) || given.has(c))) {
            return Some(Face::Given);
        }
        let blank = grapheme.chars().all(|c| c == ' ' || c.is_ascii_punctuation());
        if blank && before == Some(Face::Bundled(SCRIPTS)) {
            return before;
        }
        let all = |face: usize| grapheme.chars().all(|c| is_hidden(c) || self.has(face, c));
        if let Some(face) = SOUGHT.into_iter().find(|face| all(*face)) {
            return Some(Face::Bundled(face));
        }
        self.system()?.face(grapheme).map(Face::System)
    }

    /// The bundled font that has the first character of a grapheme, if any has, and most of the others.
    fn nearest(&self, grapheme: &str) -> usize {
        let count = |face: usize| grapheme.chars().filter(|c| self.has(face, *c)).count();
        let first = |face: usize| grapheme.chars().next().is_some_and(|c| self.has(face, c));
        SOUGHT.into_iter().rev().max_by_key(|face| (first(*face), count(*face))).unwrap_or(REGULAR)
    }

    fn has(&self, face: usize, c: char) -> bool {
        self.bundled.get(face).is_some_and(|face| face.letters.map(c).is_some())
    }

    fn family(&self, face: Face) -> &str {
        match face {
            Face::Given => self.given.as_ref().map_or(BUNDLED[REGULAR].0, |given| &given.family),
            Face::Bundled(face) => BUNDLED[face].0,
            Face::System(face) => self.system().and_then(|s| s.families.get(face)).map_or(BUNDLED[REGULAR].0, |f| &f.0),
        }
    }

    fn system(&self) -> Option<&System> {
        Some(self.system.as_ref()?.get_or_init(|| System::read(&self.database)))
    }

    /// The width of a text in ems.
    fn advance(&self, text: &str, face: Face) -> f32 {
        match face {
            Face::Bundled(face) => self.bundled.get(face).map_or(0.0, |face| face.shaper.width(text)),
            other => {
                let width = |data: &[u8], index| Some(Shaper::new(FontRef::from_index(data, index).ok()?).width(text));
                self.with_file(other, width).flatten().unwrap_or(0.0)
            }
        }
    }
}

impl Typeface for Fonts {
    fn shown(&self, text: &str) -> String {
        let text = visible(text);
        if text.is_ascii() {
            return text;
        }
        let mut out = Spaced::default();
        for grapheme in text.graphemes(true) {
            if self.face(grapheme, None).is_some() {
                grapheme.chars().for_each(|c| out.push(c));
                continue;
            }
            // One font must draw a letter with its marks; what it lacks stands behind them.
            let nearest = self.nearest(grapheme);
            let (there, lacking): (Vec<char>, Vec<char>) =
                grapheme.chars().partition(|c| !is_hidden(*c) && self.has(nearest, *c));
            there.into_iter().for_each(|c| out.push(c));
            lacking.into_iter().for_each(|c| out.push_code(c));
        }
        out.text
    }

    fn width(&self, text: &str, style: Style) -> f32 {
        let key = (text.to_owned(), style.bold);
        let known = self.widths.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let ems = known.unwrap_or_else(|| {
            let ems = self.parts(text, style.bold).into_iter().map(|(part, face)| self.advance(part, face)).sum();
            let mut widths = self.widths.lock().unwrap_or_else(PoisonError::into_inner);
            if widths.len() >= MOST_WIDTHS {
                widths.clear();
            }
            widths.insert(key, ems);
            ems
        });
        ems * style.size
    }
}

/// The most widths that are remembered, so that a batch of thousands of prompts does not fill the memory.
const MOST_WIDTHS: usize = 16_384;

impl Given {
    fn has(&self, c: char) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let look = || FontRef::new(&self.bytes).is_ok_and(|font| font.charmap().map(c).is_some());
        *known.entry(c).or_insert_with(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_that_is_shown_has_a_font_for_all_of_its_marks() {
        let fonts = Fonts::bundled();
        for text in
            ["Z\u{351}\u{36b}a\u{334}\u{321}\u{489}", "e\u{301}\u{335}\u{20dd}", "x\u{1ab0}", "中\u{302}", "\u{1ab0}"]
        {
            let shown = fonts.shown(text);
            assert!(shown.contains("U+"), "{text:?} needs no care, so that it proves nothing: {shown:?}");
            for grapheme in shown.graphemes(true) {
                assert!(fonts.face(grapheme, None).is_some(), "{grapheme:?} of {text:?}");
            }
            let lacking: Vec<char> = fonts.missing(text).into_iter().map(|(c, _)| c).collect();
            assert!(
                lacking.iter().all(|c| shown.contains(&format!("U+{:04X}", u32::from(*c)))),
                "{lacking:?} {shown:?}"
            );
        }
    }
}
