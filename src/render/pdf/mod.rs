//! The figure as PDF: the same layout as in SVG, its maps as shapes, its texts as texts in the letters of the fonts that draw them.

mod letters;
mod page;

use super::fonts::Fonts;
use super::page::{scene, sides, stretch};
use super::svg::STOPS;
use crate::error::{Error, Result};
use crate::export::record::json;
use crate::figure::layout::Rect as Place;
use crate::figure::{Colormap, Figure, Ink, Theme};
use crate::record::{NAME, URI};
use crate::text::xml;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use page::{Image, Page};
use pdf_writer::types::FunctionShadingType;
use pdf_writer::{Dict, Filter, Finish, Name, Pdf, Rect, Ref, Settings, TextStr};
use std::io::Write;

/// Points per pixel of a screen.
const POINTS: f32 = 0.75;

/// A file while it is written.
pub(super) struct Objects {
    pub pdf: Pdf,
    last: i32,
}

impl Objects {
    /// The next object's number.
    pub fn next(&mut self) -> Ref {
        self.last += 1;
        Ref::new(self.last)
    }
}

/// The figure as PDF of one page, which is exactly the figure, with its record among its metadata. The same figure and fonts give the
/// same bytes.
///
/// # Errors
/// A width, height or resolution out of bounds; a font whose letters are no outlines.
pub fn pdf(figure: &Figure, fonts: &Fonts) -> Result<Vec<u8>> {
    let (detail, scene) = scene(figure, fonts)?;
    let mut page = Page::draw(&scene, fonts, figure.theme, detail);
    let stretch = stretch(figure, &scene);
    let [w, h] = sides(&scene, stretch).map(|side| side as f32 * POINTS);
    let [across, down] = stretch.map(|by| scene.zoom * POINTS * by as f32);
    let drawn = std::mem::take(&mut page.out);
    page.fill(Place { x: 0.0, y: 0.0, w: scene.width, h: scene.height }, figure.theme.ink(Ink::Paper));
    let stream = format!("{across} 0 0 {} 0 {h} cm\n{}{drawn}", -down, page.out);

    let mut out = Objects { pdf: Pdf::with_settings(Settings { pretty: false }), last: 0 };
    out.pdf.set_version(1, 7);
    // The record first: whoever looks for it takes what comes first.
    let [meta, catalog, tree, leaf, content, info] = std::array::from_fn(|_| out.next());
    let title = super::visible(&figure.title);
    let about = about(figure, &title)?;
    out.pdf.metadata(meta, about.as_bytes()).finish();
    out.pdf.catalog(catalog).pages(tree).metadata(meta).viewer_preferences().display_doc_title(true);
    out.pdf.pages(tree).kids([leaf]).count(1);
    out.pdf.document_info(info).title(TextStr(&title)).creator(TextStr(&maker()));
    out.pdf.stream(content, &deflated(stream.as_bytes())?).filter(Filter::FlateDecode);
    let fonts = page.letters.write(&mut out, fonts)?;
    let images = page.images.iter().map(|image| write_image(&mut out, image)).collect::<Result<Vec<_>>>()?;
    let ramps: Vec<Ref> = page.ramps.iter().map(|(map, lying)| ramp(&mut out, *map, *lying, figure.theme)).collect();

    let mut one = out.pdf.page(leaf);
    one.parent(tree).media_box(Rect::new(0.0, 0.0, w, h)).contents(content);
    let mut used = one.resources();
    number('F', &fonts, used.fonts());
    number('I', &images, used.x_objects());
    number('S', &ramps, used.shadings());
    used.finish();
    one.finish();
    Ok(out.pdf.finish())
}

/// Names for things of one kind: its letter and their number.
fn number(kind: char, things: &[Ref], mut names: Dict) {
    for (i, thing) in things.iter().enumerate() {
        names.pair(Name(format!("{kind}{i}").as_bytes()), *thing);
    }
}

fn maker() -> String {
    format!("{NAME} {}", env!("CARGO_PKG_VERSION"))
}

/// Title and record in the form that programs look for in any file (XMP). It is not compressed, so that they find it.
fn about(figure: &Figure, title: &str) -> Result<String> {
    let record = match &figure.record {
        Some(record) => format!("<{NAME}:record>{}</{NAME}:record>", xml(&json(record)?)),
        None => String::new(),
    };
    Ok(format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:{NAME}=\"{URI}\"><dc:format>application/pdf</dc:format><dc:title><rdf:Alt>\
         <rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:title><dc:description><rdf:Alt>\
         <rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:description><xmp:CreatorTool>{}</xmp:CreatorTool>\
         {record}</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>",
        xml(title),
        xml(&super::visible(&figure.described())),
        maker(),
    ))
}

/// A map whose cells stay apart in whatever size it is drawn.
fn write_image(out: &mut Objects, image: &Image) -> Result<Ref> {
    let id = out.next();
    let packed = deflated(&image.cells)?;
    let mut object = out.pdf.image_xobject(id, &packed);
    object.filter(Filter::FlateDecode);
    object.width(image.width as i32).height(image.height as i32).bits_per_component(8).interpolate(false);
    object.color_space().indexed(Name(b"DeviceRGB"), image.palette.len() as i32 / 3 - 1, &image.palette);
    object.color_mask([0, 0]);
    Ok(id)
}

/// The colours of a scale over a square of one unit, lowest number at the bottom, or left.
fn ramp(out: &mut Objects, map: Colormap, lying: bool, theme: Theme) -> Ref {
    let (id, function) = (out.next(), out.next());
    let colours: Vec<u8> = (0..STOPS).flat_map(|i| map.rgb(theme, i as f32 / (STOPS - 1) as f32)).collect();
    let mut sampled = out.pdf.sampled_function(function, &colours);
    sampled.domain([0.0, 1.0]).range([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]).size([STOPS as i32]).bits_per_sample(8);
    sampled.finish();
    let mut shading = out.pdf.function_shading(id);
    shading.shading_type(FunctionShadingType::Axial).color_space().device_rgb();
    shading.function(function).coords(if lying { [0.0, 0.0, 1.0, 0.0] } else { [0.0, 0.0, 0.0, 1.0] });
    shading.extend([true, true]);
    id
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::failed(format!("cannot pack the PDF: {error}"));
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).map_err(failed)?;
    encoder.finish().map_err(failed)
}
