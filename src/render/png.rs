//! The figure as PNG: its SVG, drawn by resvg.

use rayon::prelude::*;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::Tree;

use super::fonts::Fonts;
use super::page::detail;
use super::painted::Painted;
use super::svg::drawing;
use crate::error::{Error, Result};
use crate::export::record::json;
use crate::figure::{Figure, Ink, Theme};
use crate::record::NAME;

/// The most pixels of a picture: each takes 4 bytes of memory.
const MOST_PIXELS: f32 = 150e6;
/// Rows of pixels that one processor draws at a time: as many everywhere, so that the pixels are the same everywhere.
const BAND: usize = 512;
/// Rows that are drawn above and below a band and not kept: where a line is cut it ends, and what is cut of a letter is rounded otherwise.
const BEYOND: usize = 32;
/// Pixels that one processor packs at a time.
const TOGETHER: usize = 1 << 16;

/// The figure as PNG, with its record as JSON in the text chunk `attnviz`. The same figure and fonts give the same bytes.
///
/// # Errors
/// A width, height or resolution out of bounds, or more than 150 million pixels.
pub fn png(figure: &Figure, fonts: &Fonts) -> Result<Vec<u8>> {
    let (svg, maps) = drawing(figure, fonts)?;
    let pixmap = painted(&maps, &svg, fonts, detail(figure)?, figure.theme)?;
    encode(&pixmap, figure)
}

/// An SVG that [`super::svg`] made, drawn at `detail` pixels per unit.
///
/// # Errors
/// A text that is no SVG, or more than 150 million pixels.
pub fn pixels(svg: &str, fonts: &Fonts, detail: f32, theme: Theme) -> Result<Pixmap> {
    painted(&[], svg, fonts, detail, theme)
}

/// The same over maps.
fn painted(maps: &[Painted], svg: &str, fonts: &Fonts, detail: f32, theme: Theme) -> Result<Pixmap> {
    let tree = Tree::from_str(svg, &fonts.options())
        .map_err(|error| Error::failed(format!("cannot read our SVG: {error}")))?;
    let (w, h) = ((tree.size().width() * detail).round(), (tree.size().height() * detail).round());
    let too_large = || {
        Error::usage(format!("the picture would have {w} × {h} pixels"))
            .hint("lower its resolution, width or height, or write an .svg, which has no pixels")
            .option("dpi")
    };
    if w * h > MOST_PIXELS {
        return Err(too_large());
    }
    let mut pixmap = Pixmap::new(w.max(1.0) as u32, h.max(1.0) as u32).ok_or_else(too_large)?;
    let [r, g, b] = theme.ink(Ink::Paper);
    let (paper, width, height) = (Color::from_rgba8(r, g, b, 255), pixmap.width(), pixmap.height() as usize);
    let row = 4 * width as usize;
    let draw = |(band, rows): (usize, &mut [u8])| -> Result<()> {
        let (top, high) = (band * BAND, rows.len() / row);
        let (from, to) = (top.saturating_sub(BEYOND), (top + high + BEYOND).min(height));
        let mut part = Pixmap::new(width, (to - from) as u32).ok_or_else(too_large)?;
        part.fill(paper);
        maps.iter().for_each(|map| map.paint(part.data_mut(), width as usize, from..to, detail));
        let down = Transform::from_scale(detail, detail).post_translate(0.0, -(from as f32));
        resvg::render(&tree, down, &mut part.as_mut());
        rows.copy_from_slice(&part.data()[(top - from) * row..][..rows.len()]);
        Ok(())
    };
    pixmap.data_mut().par_chunks_mut(row * BAND).enumerate().try_for_each(draw)?;
    Ok(pixmap)
}

fn encode(pixmap: &Pixmap, figure: &Figure) -> Result<Vec<u8>> {
    let failed = |error: png::EncodingError| Error::failed(format!("cannot encode the PNG: {error}"));
    // The page is opaque, so the alpha channel says nothing.
    let mut rgb = vec![0; pixmap.data().len() / 4 * 3];
    let pixels = |(to, from): (&mut [u8], &[u8])| {
        to.chunks_exact_mut(3).zip(from.chunks_exact(4)).for_each(|(to, from)| to.copy_from_slice(&from[..3]));
    };
    rgb.par_chunks_mut(3 * TOGETHER).zip(pixmap.data().par_chunks(4 * TOGETHER)).for_each(pixels);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    // Of an 800 × 800 map this makes 46 kB in 0.5 ms; the smallest setting makes 26 kB in 5 ms.
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    let per_metre = (figure.dpi / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    if let Some(record) = &figure.record {
        encoder.add_itxt_chunk(NAME.to_owned(), json(record)?).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
