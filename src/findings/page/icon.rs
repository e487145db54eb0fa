//! A page's first map or text in a few pixels: its sign among a browser's tabs and in a list of pages.

use crate::error::{Error, Result};
use crate::figure::{Figure, Matrix, Panel, Scale, Theme};

/// Pixels of a side, at most.
const SIDE: usize = 48;
/// Rows of pixels for each row of a text.
const ROW: usize = 12;

/// A PNG; none of a figure without maps and coloured texts.
///
/// # Errors
/// None that is known of.
pub(super) fn icon(figure: &Figure) -> Result<Option<Vec<u8>>> {
    let mut panels: Vec<&Panel> = figure.panels.iter().collect();
    // Many maps before one, and a map before a text.
    panels.sort_by_key(|panel| match panel {
        Panel::Grid(_) => 0,
        Panel::Heatmap(_) | Panel::Sheet(_) => 1,
        _ => 2,
    });
    let image = panels.into_iter().find_map(|panel| match panel {
        Panel::Grid(grid) => {
            let (rows, cols) = (grid.row_titles.len(), grid.col_titles.len());
            let side = (SIDE / rows.max(cols).max(1)).max(1);
            let mut image = Image::new((rows * side).min(SIDE), (cols * side).min(SIDE));
            for (at, map) in grid.cells.iter().enumerate() {
                image.put(
                    map,
                    &grid.scale,
                    figure.theme,
                    [at / cols.max(1) * side, at % cols.max(1) * side, side, side],
                );
            }
            Some(image)
        }
        Panel::Heatmap(map) => Image::of(&map.values, &map.scale, figure.theme),
        Panel::Sheet(sheet) => Image::of(&sheet.maps.first()?.values, &sheet.scale, figure.theme),
        Panel::Strip(strip) if !strip.labels.is_empty() => {
            let rows: Vec<_> = strip.rows.iter().take(SIDE / ROW).collect();
            let mut image = Image::new(ROW * rows.len(), SIDE);
            for (at, row) in rows.into_iter().enumerate() {
                let map = Matrix::new(1, row.values.len(), row.values.clone());
                let scale = row.scale.as_ref().unwrap_or(&strip.scale);
                image.put(&map, scale, figure.theme, [at * ROW, 0, ROW, SIDE]);
            }
            Some(image)
        }
        _ => None,
    });
    image.filter(|image| !image.pixels.is_empty()).map(|image| image.png()).transpose()
}

struct Image {
    rows: usize,
    cols: usize,
    pixels: Vec<[u8; 3]>,
}

impl Image {
    fn new(rows: usize, cols: usize) -> Self {
        Self { rows, cols, pixels: vec![[255; 3]; rows * cols] }
    }

    fn of(map: &Matrix, scale: &Scale, theme: Theme) -> Option<Self> {
        let most = map.rows.max(map.cols).max(1);
        let size = |count: usize| (count * SIDE / most).max(1);
        let mut image = Self::new(size(map.rows), size(map.cols));
        let whole = [0, 0, image.rows, image.cols];
        image.put(map, scale, theme, whole);
        Some(image)
    }

    /// Draws a map into a rectangle: first row, first column, rows and columns.
    fn put(&mut self, map: &Matrix, scale: &Scale, theme: Theme, [top, left, rows, cols]: [usize; 4]) {
        let map = map.pool(rows.max(cols), scale.pooling());
        for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
            let (y, x) = (row * map.rows / rows, col * map.cols / cols);
            if y >= map.rows || x >= map.cols || top + row >= self.rows || left + col >= self.cols {
                continue;
            }
            if let Some(place) = scale.position(map.at(y, x)) {
                self.pixels[(top + row) * self.cols + left + col] = scale.colormap.rgb(theme, place);
            }
        }
    }

    fn png(&self) -> Result<Vec<u8>> {
        let failed = |error| Error::failed(format!("the sign of a page: {error}"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.cols as u32, self.rows as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(self.pixels.as_flattened()).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}
