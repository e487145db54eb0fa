//! The fonts of a PDF: of each only the letters that are drawn, and what they stand for.

use super::{Objects, deflated};
use crate::error::{Error, Result};
use crate::hash::xxh3_64;
use crate::render::fonts::{Face, Fonts, Glyph};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Rect, Ref, Str};
use skrifa::instance::{LocationRef, Size};
use skrifa::raw::TableProvider;
use skrifa::string::StringId;
use skrifa::{FontRef, GlyphId, MetadataProvider, Tag};
use std::collections::BTreeMap;
use subsetter::GlyphRemapper;

/// Units of an em in a PDF.
const EM: f32 = 1000.0;
/// How thick stems are, which a viewer needs only to imitate a font that is embedded here.
const STEM: f32 = 80.0;
const SYSTEM: SystemInfo = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The letters that a page draws.
#[derive(Default)]
pub(super) struct Letters(Vec<Used>);

/// The letters of one font.
struct Used {
    face: Face,
    renamed: GlyphRemapper,
    /// By its number in the file: what it stands for, and how wide it is.
    known: BTreeMap<u16, (String, f32)>,
}

impl Letters {
    /// The number of a font on the page.
    pub fn face(&mut self, face: Face) -> usize {
        self.0.iter().position(|used| used.face == face).unwrap_or_else(|| {
            self.0.push(Used { face, renamed: GlyphRemapper::new(), known: BTreeMap::new() });
            self.0.len() - 1
        })
    }

    /// The number of a glyph in the file, and how wide viewers take it to be, in ems.
    pub fn glyph(&mut self, face: usize, glyph: &Glyph, fonts: &Fonts) -> (u16, f32) {
        let Some(used) = self.0.get_mut(face) else { return (0, 0.0) };
        let id = used.renamed.remap(glyph.id);
        let width = || {
            let width = |bytes: &[u8], index| {
                let font = FontRef::from_index(bytes, index).ok()?;
                font.glyph_metrics(Size::new(EM), LocationRef::default()).advance_width(GlyphId::from(glyph.id))
            };
            fonts.with_file(used.face, width).flatten().unwrap_or_default().round()
        };
        let (text, width) = used.known.entry(id).or_insert_with(|| (String::new(), width()));
        if text.is_empty() {
            text.clone_from(&glyph.text);
        }
        (id, *width / EM)
    }

    /// Writes all fonts; their objects in the order of their numbers.
    pub fn write(self, out: &mut Objects, fonts: &Fonts) -> Result<Vec<Ref>> {
        let write = |used: Used| {
            let written = fonts.with_file(used.face, |bytes, index| used.write(out, bytes, index));
            written.unwrap_or_else(|| Err(Error::failed("a font of the system is no longer there")))
        };
        self.0.into_iter().map(write).collect()
    }
}

impl Used {
    fn write(&self, out: &mut Objects, bytes: &[u8], index: u32) -> Result<Ref> {
        let font = FontRef::from_index(bytes, index)
            .map_err(|error| Error::failed(format!("a font cannot be read: {error}")))?;
        let family = || font.localized_strings(StringId::FAMILY_NAME).english_or_first();
        let name = font.localized_strings(StringId::POSTSCRIPT_NAME).english_or_first().or_else(family);
        let name = name.map_or("Font".to_owned(), |name| {
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
        });
        let has = |tag: &[u8; 4]| font.data_for_tag(Tag::new(tag)).is_some();
        if !has(b"glyf") && !has(b"CFF ") {
            return Err(Error::failed(format!(
                "the letters of the font {name} are no outlines, which a PDF must have"
            ))
            .hint("leave the system's fonts out, or write .png or .svg")
            .option("system_fonts"));
        }
        let subset = subsetter::subset(bytes, index, &self.renamed)
            .map_err(|error| Error::failed(format!("the font {name} cannot be embedded: {error}")))?;
        let is_truetype = has(b"glyf");
        let program = match FontRef::new(&subset).ok().and_then(|font| font.data_for_tag(Tag::new(b"CFF "))) {
            Some(table) if !is_truetype => table.as_bytes().to_vec(),
            _ => subset.clone(),
        };
        let name = format!("{}+{name}", tag(&subset));
        let (whole, letters, look, map, file) = (out.next(), out.next(), out.next(), out.next(), out.next());
        out.pdf
            .type0_font(whole)
            .base_font(Name(name.as_bytes()))
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(letters)
            .to_unicode(map);
        let mut cid = out.pdf.cid_font(letters);
        cid.subtype(if is_truetype { CidFontType::Type2 } else { CidFontType::Type0 });
        cid.base_font(Name(name.as_bytes())).system_info(SYSTEM).font_descriptor(look).default_width(0.0);
        if is_truetype {
            cid.cid_to_gid_map_predefined(Name(b"Identity"));
        }
        let mut widths = cid.widths();
        self.known.iter().for_each(|(id, (_, width))| {
            widths.consecutive(*id, [*width]);
        });
        widths.finish();
        cid.finish();

        let metrics = font.metrics(Size::new(EM), LocationRef::default());
        let bounds = metrics.bounds.unwrap_or_default();
        let mut descriptor = out.pdf.font_descriptor(look);
        descriptor
            .name(Name(name.as_bytes()))
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max))
            .italic_angle(font.post().map_or(0.0, |post| post.italic_angle().to_f32()))
            .ascent(metrics.ascent)
            .descent(metrics.descent)
            .cap_height(metrics.cap_height.unwrap_or(metrics.ascent))
            .stem_v(STEM);
        if is_truetype {
            descriptor.font_file2(file)
        } else {
            descriptor.font_file3(file)
        };
        descriptor.finish();

        let mut unicode = UnicodeCmap::new(Name(b"Letters"), SYSTEM);
        let spoken = self.known.iter().filter(|(_, (text, _))| !text.is_empty());
        spoken.for_each(|(id, (text, _))| unicode.pair_with_multiple(*id, text.chars()));
        let unicode = deflated(unicode.finish().as_slice())?;
        out.pdf.cmap(map, &unicode).filter(Filter::FlateDecode);
        let packed = deflated(&program)?;
        let mut stream = out.pdf.stream(file, &packed);
        stream.filter(Filter::FlateDecode);
        if is_truetype {
            stream.pair(Name(b"Length1"), program.len() as i32);
        } else {
            stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
        }
        Ok(whole)
    }
}

/// Six letters that tell subsets of one font apart.
fn tag(subset: &[u8]) -> String {
    let hash = xxh3_64(subset);
    (0..6).map(|i| char::from(b'A' + (hash >> (8 * i)) as u8 % 26)).collect()
}
