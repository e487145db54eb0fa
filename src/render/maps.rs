//! How the maps of a picture are written: as shapes, which every program draws sharp and an editor can take apart, or as images.

use super::cells::Cells;
use super::painted::Painted;
use crate::error::Result;
use crate::figure::layout::{Item, Rect, Scene};
use crate::figure::{Scale, Theme};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::fmt::Write as _;

/// With more cells than this a picture's maps are no rectangles of their own.
const MOST_RECTS: usize = 1000;
/// The longest outlines of all maps of a file together, in bytes. Beyond, they are images.
const LONGEST: usize = 2 << 20;
/// A viewer that blurs an image does so over this many cells at most: one part of so many.
const SHARP: f32 = 8.0;
/// The most pixels of all images of a file, before their cells get fewer pixels each.
const MOST_PIXELS: f32 = 8e6;

/// Whom a picture is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Any program that reads SVG.
    File,
    /// A browser, which knows the newer name of what an image shows and needs no other.
    Page,
    /// Our own renderer, which paints them itself.
    Pixels,
}

/// How maps are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A rectangle for each run of equal cells.
    Rects,
    /// An outline for each colour.
    Outlines,
    /// An image, so many pixels a cell.
    Images(u32),
    /// Not at all: they are [`Painted`].
    Painted,
}

/// A map with its place and its colours.
pub(super) struct Map<'a> {
    pub(super) place: Rect,
    pub(super) cells: Cells,
    pub(super) scale: &'a Scale,
}

impl<'a> Map<'a> {
    /// The map of an item, if it is one; `detail` is how many pixels a unit of layout has.
    pub(super) fn of(item: &'a Item, detail: f32) -> Option<Self> {
        let Item::Cells(place, matrix, scale) = item else { return None };
        let most = |side: f32| ((side * detail).round() as usize).max(1);
        Some(Self { place: *place, cells: Cells::new(matrix, scale, (most(place.h), most(place.w))), scale })
    }

    /// The outlines of all cells of each colour, in units of cells; first of what lies under them.
    fn outlines(&self, theme: Theme) -> Vec<([u8; 3], String)> {
        let (palette, ground) = (self.scale.colormap.palette(theme), self.cells.ground());
        let mut all: Vec<String> = vec![String::new(); palette.len()];
        let under = ground.as_ref().map(|(level, _)| *level);
        for (level, row, col, len) in self.cells.runs().filter(|(level, ..)| Some(*level) != under) {
            if let Some(outline) = all.get_mut(level) {
                let _ = write!(outline, "M{col} {row}h{len}v1H{col}z"); // a text has room
            }
        }
        let run = |[row, col, len, high]: [usize; 4]| format!("M{col} {row}h{len}v{high}H{col}z");
        let under = ground.and_then(|(level, runs)| Some((*palette.get(level)?, runs.into_iter().map(run).collect())));
        let seen = palette.iter().copied().zip(all).filter(|(_, outline)| !outline.is_empty());
        under.into_iter().chain(seen).collect()
    }

    /// To be painted.
    pub(super) fn painted(self, theme: Theme) -> Painted {
        Painted { place: self.place, cells: self.cells, palette: self.scale.colormap.palette(theme) }
    }

    /// Writes its outlines as a group whose unit is a cell.
    pub(super) fn write_outlines(&self, out: &mut String, theme: Theme, fine: impl Fn(f32) -> f32) -> Result<()> {
        let (Rect { x, y, w, h }, Cells { rows, cols, .. }) = (self.place, &self.cells);
        let (across, down) = (fine(w) / *cols as f32, fine(h) / *rows as f32);
        writeln!(
            out,
            "<g data-cells=\"{rows} {cols}\" transform=\"matrix({across} 0 0 {down} {} {})\">",
            fine(x),
            fine(y)
        )?;
        for ([r, g, b], outline) in self.outlines(theme) {
            writeln!(out, "<path fill=\"#{r:02x}{g:02x}{b:02x}\" d=\"{outline}\"/>")?;
        }
        out.push_str("</g>\n");
        Ok(())
    }

    /// Writes it as an image. Of its two names for what it shows, older programs know one and newer ones the other.
    pub(super) fn write_image(
        &self,
        out: &mut String,
        theme: Theme,
        way: (For, u32),
        fine: impl Fn(f32) -> f32,
    ) -> Result<()> {
        let Rect { x, y, w, h } = self.place;
        write!(
            out,
            "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"",
            fine(x),
            fine(y),
            fine(w),
            fine(h),
        )?;
        // A page has its maps twice, as numbers and as pictures, and is read slower than it is made.
        let effort = if way.0 == For::Page { 6 } else { 1 };
        let data = BASE64_STANDARD.encode(self.cells.png(self.scale, theme, way.1, effort)?);
        let names: &[&str] = if way.0 == For::File { &["href", "xlink:href"] } else { &["href"] };
        for name in names {
            write!(out, " {name}=\"data:image/png;base64,{data}\"")?;
        }
        out.push_str("/>\n");
        Ok(())
    }
}

/// How the maps of a scene are written.
pub(super) fn way(scene: &Scene, maps: &[Map], target: For, theme: Theme) -> Way {
    if target == For::Pixels {
        return Way::Painted;
    }
    if scene.items.iter().map(cell_count).sum::<usize>() <= MOST_RECTS {
        return Way::Rects;
    }
    let length = |map: &Map| map.outlines(theme).iter().map(|(_, outline)| outline.len()).sum::<usize>();
    if maps.iter().try_fold(LONGEST, |left, map| left.checked_sub(length(map))).is_some() {
        return Way::Outlines;
    }
    let cells: f32 = maps.iter().map(|map| (map.cells.rows * map.cells.cols) as f32).sum();
    Way::Images((MOST_PIXELS / cells.max(1.0)).sqrt().clamp(1.0, SHARP) as u32)
}

/// How many rectangles an item takes at most.
fn cell_count(item: &Item) -> usize {
    match item {
        Item::Cells(_, matrix, _) => matrix.data.iter().filter(|v| !v.is_nan()).count(),
        _ => 0,
    }
}
