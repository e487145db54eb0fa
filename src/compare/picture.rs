//! Two pictures and what differs between them, side by side: expected | difference | actual.

use super::markup::{EMBEDDED, image, parse};
use super::pixels::{MOST_PIXELS, apart};
use super::{Colours, Format};
use crate::figure::Theme;
use crate::render::{Fonts, Pixels, pixels};
use resvg::usvg::roxmltree::Node;

/// Around and between the pictures, in pixels.
const GAP: usize = 12;
/// The height of the band of headings.
const BAND: usize = 28;
/// The colour behind the pictures.
const BACK: [u8; 3] = [0xe4; 3];
/// The colour of what differs, and of the frame around it.
const MARK: [u8; 3] = [0xd6, 0x00, 0x5c];
/// The colour of what lies outside one of the pictures.
const OUTSIDE: [u8; 3] = [0xf6, 0xc1, 0xd8];
/// Pixels between the frame and what it surrounds.
const AWAY: usize = 6;
/// How dark what is equal is drawn, of 255.
const FAINT: u32 = 90;
/// The elements that attnviz writes; an expected picture with others is not drawn.
const KNOWN: [&str; 15] = [
    "svg",
    "title",
    "desc",
    "metadata",
    "g",
    "rect",
    "line",
    "polyline",
    "polygon",
    "path",
    "circle",
    "image",
    "text",
    "linearGradient",
    "stop",
];
/// Elements within elements that attnviz writes.
const DEEPEST: usize = 8;
/// An expected picture may have this many times the pixels of what is made now.
const LARGER: u64 = 4;

/// The two pictures as PNG, with the difference between them; pixels within the tolerance count as equal.
///
/// # Errors
/// In a few words: a picture that is broken, too large, or, where an SVG is expected, holds what attnviz never writes.
pub fn side_by_side(
    format: Format,
    expected: &[u8],
    actual: &[u8],
    allowed: Colours,
    fonts: &Fonts,
) -> Result<Vec<u8>, String> {
    let (expected, actual) = match format {
        Format::Png => {
            let actual = Pixels::read(actual, MOST_PIXELS)?;
            (Pixels::read(expected, LARGER * actual.count())?, actual)
        }
        Format::Svg => {
            let actual = drawn(actual, MOST_PIXELS, fonts)?;
            (drawn(expected, LARGER * actual.count(), fonts)?, actual)
        }
        Format::Pdf => {
            let [expected, actual] = [expected, actual].map(super::page::svg);
            return side_by_side(Format::Svg, expected?.as_bytes(), actual?.as_bytes(), allowed, fonts);
        }
        _ => return Err("it is no picture".into()),
    };
    let (width, height) = (expected.width.max(actual.width), expected.height.max(actual.height));
    let mut page = Page::new(4 * GAP + 3 * width, BAND + height + GAP)?;
    page.headings(width, fonts)?;
    let left = |panel: usize| GAP + panel * (width + GAP);
    page.copy(&expected, left(0));
    page.copy(&difference(&expected, &actual, allowed.levels), left(1));
    page.copy(&actual, left(2));
    page.encode()
}

impl Pixels {
    fn count(&self) -> u64 {
        (self.width * self.height) as u64
    }
}

/// An SVG in pixels of a screen. Whoever wrote it can neither make it read a file nor take more memory than these pixels.
fn drawn(svg: &[u8], most: u64, fonts: &Fonts) -> Result<Pixels, String> {
    let document = parse(svg)?;
    let size =
        |name| document.root_element().attribute(name).and_then(|size| size.parse::<f64>().ok()).unwrap_or(f64::NAN);
    let (width, height) = (size("width"), size("height"));
    if !(width >= 1.0 && height >= 1.0 && width * height <= most as f64) {
        return Err(format!("it would have {width} × {height} pixels"));
    }
    let foreign = |node: &Node| {
        let known = KNOWN.contains(&node.tag_name().name());
        let link = node.attributes().find(|attribute| attribute.name() == "href");
        let safe = link.is_none_or(|link| {
            let embedded = link.value().strip_prefix(EMBEDDED);
            node.has_tag_name("image") && embedded.is_some_and(|base64| image(base64, most).is_ok())
        });
        !(known && safe && node.ancestors().nth(DEEPEST).is_none())
    };
    if let Some(node) = document.descendants().find(|node| node.is_element() && foreign(node)) {
        return Err(format!("it has an element {:?} as attnviz writes none", node.tag_name().name()));
    }
    let text = std::str::from_utf8(svg).map_err(|_| "it is no text".to_owned())?;
    pixels(text, fonts, 1.0, Theme::Light).map_err(|error| error.message)
}

/// What is equal in faint grey, what is not in a strong colour, with a frame around it so that a single pixel is found.
fn difference(old: &Pixels, new: &Pixels, levels: u8) -> Pixels {
    let (width, height) = (old.width.max(new.width), old.height.max(new.height));
    let mut rgb = Vec::with_capacity(3 * width * height);
    let (mut left, mut right, mut top, mut bottom) = (usize::MAX, 0, usize::MAX, 0);
    for y in 0..height {
        for x in 0..width {
            rgb.extend(match (old.at(x, y), new.at(x, y)) {
                (Some(old), Some(new)) if apart(old, new) <= levels => {
                    let light = new.iter().map(|level| u32::from(*level)).sum::<u32>() / 3;
                    [(255 - FAINT + light * FAINT / 255) as u8; 3]
                }
                (Some(_), Some(_)) => {
                    (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
                    MARK
                }
                (None, None) => BACK,
                _ => OUTSIDE,
            });
        }
    }
    let mut map = Pixels { width, height, rgb };
    if left <= right && top <= bottom {
        let (left, top) = (left.saturating_sub(AWAY), top.saturating_sub(AWAY));
        let (right, bottom) = ((right + AWAY).min(width - 1), (bottom + AWAY).min(height - 1));
        let across = (left..=right).flat_map(|x| [(x, top), (x, bottom)]);
        let down = (top..=bottom).flat_map(|y| [(left, y), (right, y)]);
        across.chain(down).for_each(|(x, y)| map.set(x, y, MARK));
    }
    map
}

impl Pixels {
    fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let start = 3 * (y * self.width + x);
        self.rgb[start..start + 3].copy_from_slice(&colour);
    }
}

/// The canvas under the three pictures.
struct Page(Pixels);

impl Page {
    fn new(width: usize, height: usize) -> Result<Self, String> {
        if (width * height) as u64 > MOST_PIXELS {
            return Err(format!("three of them beside one another would have {width} × {height} pixels"));
        }
        Ok(Self(Pixels { width, height, rgb: BACK.repeat(width * height) }))
    }

    fn headings(&mut self, width: usize, fonts: &Fonts) -> Result<(), String> {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{BAND}\"><rect width=\"{0}\" height=\"{BAND}\" fill=\"#e4e4e4\"/>",
            self.0.width
        );
        for (panel, text) in ["expected", "difference", "actual"].into_iter().enumerate() {
            let x = GAP + panel * (width + GAP);
            svg += &format!(
                "<text x=\"{x}\" y=\"19\" font-family=\"Inter\" font-size=\"13\" font-weight=\"600\" fill=\"#222\">{text}</text>"
            );
        }
        svg += "</svg>";
        let band = pixels(&svg, fonts, 1.0, Theme::Light).map_err(|error| error.message)?;
        self.0.rgb[..band.rgb.len()].copy_from_slice(&band.rgb);
        Ok(())
    }

    fn copy(&mut self, picture: &Pixels, left: usize) {
        let row = 3 * picture.width;
        for (y, from) in picture.rgb.chunks_exact(row.max(1)).enumerate() {
            let start = 3 * ((BAND + y) * self.0.width + left);
            self.0.rgb[start..start + row].copy_from_slice(from);
        }
    }

    fn encode(&self) -> Result<Vec<u8>, String> {
        let failed = |error: png::EncodingError| format!("it cannot be written ({error})");
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.0.width as u32, self.0.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.0.rgb).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}
