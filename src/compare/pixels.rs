//! Two PNG files, pixel by pixel.

use super::Colours;
use crate::render::Pixels;
use std::io::Cursor;

/// Pixels of a picture that are compared: `attnviz` draws no more.
pub(super) const MOST_PIXELS: u64 = 150_000_000;

impl Pixels {
    /// Reads a PNG of no more than so many pixels; where the file has transparency, on white.
    pub(super) fn read(bytes: &[u8], most: u64) -> Result<Self, String> {
        let broken = |e: png::DecodingError| format!("it is a broken PNG ({e})");
        let mut decoder = png::Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(broken)?;
        let (width, height) = (reader.info().width, reader.info().height);
        if u64::from(width) * u64::from(height) > most {
            return Err(format!("it has {width} × {height} pixels"));
        }
        let mut data = vec![0; reader.output_buffer_size().ok_or("it is too large")?];
        let frame = reader.next_frame(&mut data).map_err(broken)?;
        data.truncate(frame.buffer_size());
        let on_white = |value: u8, alpha: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        let rgb = match frame.color_type {
            png::ColorType::Rgb => data,
            png::ColorType::Rgba => data
                .as_chunks::<4>()
                .0
                .iter()
                .flat_map(|[r, g, b, a]| [on_white(*r, *a), on_white(*g, *a), on_white(*b, *a)])
                .collect(),
            png::ColorType::Grayscale => data.iter().flat_map(|grey| [*grey; 3]).collect(),
            png::ColorType::GrayscaleAlpha => {
                data.as_chunks::<2>().0.iter().flat_map(|[grey, a]| [on_white(*grey, *a); 3]).collect()
            }
            png::ColorType::Indexed => return Err("its pixels are stored in another way".into()),
        };
        let (width, height) = (width as usize, height as usize);
        Ok(Self { width, height, rgb })
    }

    /// A pixel; nothing outside.
    pub(super) fn at(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        let start = 3 * (y * self.width + x);
        (x < self.width && y < self.height).then(|| [self.rgb[start], self.rgb[start + 1], self.rgb[start + 2]])
    }
}

/// By how many levels two colours differ.
pub(super) fn apart(old: [u8; 3], new: [u8; 3]) -> u8 {
    old.into_iter().zip(new).map(|(old, new)| old.abs_diff(new)).max().unwrap_or_default()
}

/// A colour as SVG writes it.
pub(super) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

pub(super) fn differences(old: &[u8], new: &[u8], allowed: Colours) -> Vec<String> {
    let read = |bytes| Pixels::read(bytes, MOST_PIXELS);
    match read(new).and_then(|new| Ok((Pixels::read(old, 4 * (new.width * new.height) as u64)?, new))) {
        Ok((old, new)) => compare(&old, &new, allowed).into_iter().collect(),
        Err(what) => vec![what],
    }
}

/// One sentence on two pictures.
pub(super) fn compare(old: &Pixels, new: &Pixels, allowed: Colours) -> Option<String> {
    if (old.width, old.height) != (new.width, new.height) {
        return Some(format!("it has {} × {} pixels, had {} × {}", new.width, new.height, old.width, old.height));
    }
    let (mut count, mut most, mut first) = (0usize, 0, None);
    let (mut left, mut right, mut bottom) = (usize::MAX, 0, 0);
    let pairs = old.rgb.as_chunks::<3>().0.iter().zip(new.rgb.as_chunks::<3>().0);
    for (place, (old_colour, new_colour)) in pairs.enumerate() {
        let by = apart(*old_colour, *new_colour);
        if by <= allowed.levels {
            continue;
        }
        let (x, y) = (place % old.width, place / old.width);
        first.get_or_insert((x, y, *old_colour, *new_colour));
        (left, right, bottom) = (left.min(x), right.max(x), y);
        (count, most) = (count + 1, most.max(by));
    }
    let total = old.width * old.height;
    let (x, y, old_colour, new_colour) = first.filter(|_| count as f64 > allowed.share * total as f64)?;
    let (old_colour, new_colour) = (hex(old_colour), hex(new_colour));
    Some(match count {
        1 => format!("1 of {total} pixels differs: ({x}, {y}) is {new_colour}, was {old_colour}"),
        _ => format!(
            "{count} of {total} pixels differ, by at most {most} of 255, in x {left} to {right}, y {y} to {bottom}; \
             ({x}, {y}) is {new_colour}, was {old_colour}"
        ),
    })
}
