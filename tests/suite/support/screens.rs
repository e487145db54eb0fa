//! Goldens of what a browser shows. Browsers smooth letters, draw controls and round places each in their own way, so what is compared
//! is a fifth of the size, in bands that may lie a little higher or lower: what is missing, covered, cut or of another colour differs
//! there nevertheless.

use super::pictures::rgba;
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of a band.
const BAND: usize = 12;
/// Rows by which a band may lie higher or lower, and by which a picture may be longer or shorter.
const DRIFT: usize = 6;
/// Levels of a colour by which a pixel may differ from the nearest of those around its place.
const LEVELS: u8 = 40;
/// Pixels of a band that may be others.
const OTHERS: usize = 16;

/// Red, green and blue, row by row.
#[derive(Clone)]
pub struct Screen {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Screen {
    /// A picture at so small a part of its size, each pixel the mean of those it stands for.
    pub fn of(png: &[u8], part: usize) -> Self {
        let (width, pixels) = rgba(png);
        let (cols, rows) = (width / part, pixels.len() / width / part);
        let mean = |at: usize| {
            let (x, y) = (at % cols * part, at / cols * part);
            let block = (0..part * part).map(|i| pixels[(y + i / part) * width + x + i % part]);
            let sums =
                block.fold([0; 3], |sums: [usize; 3], pixel| std::array::from_fn(|c| sums[c] + usize::from(pixel[c])));
            // Fewer levels are a smaller file.
            sums.map(|sum| ((sum / (part * part)) as u8) & 0xf0)
        };
        Self { width: cols, pixels: (0..cols * rows).map(mean).collect() }
    }

    /// Those of one width below one another, each without what is empty at its end.
    pub fn joined(all: Vec<Self>) -> Self {
        let width = all[0].width;
        let pixels = all.into_iter().flat_map(|one| {
            assert_eq!(one.width, width);
            let paper = one.pixels[0];
            let used = one.pixels.iter().rposition(|pixel| *pixel != paper).map_or(0, |at| at / width + 1);
            one.pixels[..used * width].to_vec()
        });
        Self { width, pixels: pixels.collect() }
    }

    fn rows(&self) -> usize {
        self.pixels.len() / self.width
    }

    /// Whether a pixel is like one of those around a place.
    fn has(&self, pixel: [u8; 3], x: usize, y: isize) -> bool {
        let near = |other: &[u8; 3]| pixel.iter().zip(other).all(|(a, b)| a.abs_diff(*b) <= LEVELS);
        (y - 1..=y + 1).filter(|y| (0..self.rows() as isize).contains(y)).any(|y| {
            let row = &self.pixels[y as usize * self.width..][..self.width];
            row[x.saturating_sub(1)..(x + 2).min(self.width)].iter().any(near)
        })
    }

    /// Pixels of a band that are not in another picture so many rows below, and the other way round.
    fn others(&self, band: usize, other: &Self, below: isize) -> usize {
        let places = (band..(band + BAND).min(self.rows())).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let is_other = |(x, y): &(usize, usize)| {
            let there = *y as isize + below;
            let inside = (0..other.rows() as isize).contains(&there);
            !other.has(self.pixels[y * self.width + x], *x, there)
                || inside && !self.has(other.pixels[there as usize * self.width + x], *x, *y as isize)
        };
        places.filter(is_other).count()
    }

    /// How another picture differs, if it does.
    pub fn differs(&self, other: &Self) -> Option<String> {
        if self.width != other.width || self.rows().abs_diff(other.rows()) > DRIFT {
            return Some(format!("{} × {} was {} × {}", other.width, other.rows(), self.width, self.rows()));
        }
        let drift = DRIFT as isize;
        (0..self.rows()).step_by(BAND).find_map(|band| {
            let least = (-drift..=drift).map(|below| self.others(band, other, below)).min()?;
            (least > OTHERS).then(|| format!("{least} pixels of rows {band} to {} are others", band + BAND))
        })
    }

    fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.rows() as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::NoFilter); // areas of few colours
        encoder.write_header().unwrap().write_image_data(self.pixels.as_flattened()).unwrap();
        bytes
    }

    /// Compares it with the golden of its name; `ATTNVIZ_BLESS=1` makes it that. What is wrong, if anything is.
    pub fn is_as_blessed(&self, name: &str) -> Option<String> {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.png"));
        if std::env::var_os("ATTNVIZ_BLESS").is_some() {
            fs::write(golden, self.png()).unwrap();
            return None;
        }
        let wrong = match fs::read(golden) {
            Ok(expected) => Screen::of(&expected, 1).differs(self)?,
            Err(_) => "it was never blessed".into(),
        };
        let saved = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        fs::write(&saved, self.png()).unwrap();
        Some(format!("{name}: {wrong}; see {}", saved.display()))
    }
}
