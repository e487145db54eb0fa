//! What differs between a file and what is made now, in a few words.

use crate::cli::output::Format;
use std::io::Cursor;

/// What two files of one format that are not the same bytes differ in.
pub fn difference(format: Format, old: &[u8], new: &[u8]) -> String {
    match format {
        Format::Png => match (pixels(old, Some(new)), pixels(new, None)) {
            (Ok(old), Ok(new)) => count(&old, &new),
            (Err(what), _) | (_, Err(what)) => what,
        },
        _ => match (std::str::from_utf8(old), std::str::from_utf8(new)) {
            (Ok(old), Ok(new)) => texts(old, new),
            _ => "it is no text".into(),
        },
    }
}

/// Three bytes a pixel, of a picture no larger than what it is compared with.
fn pixels(png: &[u8], like: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let open = |png| png::Decoder::new(Cursor::new(png)).read_info().map_err(|e| format!("it is a broken PNG ({e})"));
    let mut reader = open(png)?;
    let size = |info: &png::Info| (info.width, info.height);
    if let Some(like) = like {
        let (old, new) = (size(reader.info()), size(open(like)?.info()));
        if old != new {
            return Err(format!("it has {} × {} pixels, not {} × {}", old.0, old.1, new.0, new.1));
        }
    }
    let (color, depth) = (reader.info().color_type, reader.info().bit_depth);
    if (color, depth) != (png::ColorType::Rgb, png::BitDepth::Eight) {
        return Err("its pixels are stored in another way".into());
    }
    let mut rgb = vec![0; reader.output_buffer_size().unwrap_or_default()];
    reader.next_frame(&mut rgb).map_err(|e| format!("it is a broken PNG ({e})"))?;
    Ok(rgb)
}

fn count(old: &[u8], new: &[u8]) -> String {
    let pairs = || old.chunks(3).zip(new.chunks(3));
    let apart = pairs().filter(|(old, new)| old != new).count();
    if apart == 0 {
        return "all pixels are the same, but not what else the file says or how it is packed".into();
    }
    let most = old.iter().zip(new).map(|(old, new)| old.abs_diff(*new)).max().unwrap_or_default();
    format!("{apart} of {} pixels differ, by at most {most} of 255", pairs().count())
}

/// Numbers compared as numbers, everything between them as words.
fn texts(old: &str, new: &str) -> String {
    fn pieces(text: &str) -> impl Iterator<Item = &str> {
        text.split([',', '[', ']', '{', '}', '"', ':', ' ', '\n']).filter(|piece| !piece.is_empty())
    }
    let (mut old, mut new) = (pieces(old), pieces(new));
    let (mut numbers, mut apart, mut most, mut words) = (0, 0, 0.0f64, 0);
    loop {
        match (old.next(), new.next()) {
            (None, None) => break,
            (Some(a), Some(b)) => match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => {
                    numbers += 1;
                    apart += usize::from(a != b);
                    most = most.max((a - b).abs());
                }
                _ => words += usize::from(a != b),
            },
            _ => return "it has more or fewer numbers and words".into(),
        }
    }
    let numbers = match apart {
        0 => format!("all {numbers} numbers are the same"),
        _ => format!("{apart} of {numbers} numbers differ, by at most {most:.1e}"),
    };
    match words {
        0 => numbers,
        1 => format!("{numbers}, 1 word differs"),
        _ => format!("{numbers}, {words} words differ"),
    }
}
