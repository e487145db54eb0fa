//! Golden pictures: what is drawn is compared with what was blessed; where it differs, both are saved with the difference between them.

use attnviz::compare::{Colours, side_by_side};
use attnviz::format::Format;
use attnviz::render::Fonts;
use std::fs;
use std::path::{Path, PathBuf};

/// What drawing given numbers may differ by, of 255 levels of each colour: another processor rounds otherwise.
pub const DRAWN: u8 = 1;

/// Red, green and blue of a PNG's pixels, and their number in a row.
pub fn decode(bytes: &[u8]) -> (usize, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (info.width as usize, data.as_chunks::<3>().0.to_vec())
}

/// Pixels of any PNG with how opaque they are, and their number in a row.
pub fn rgba(bytes: &[u8]) -> (usize, Vec<[u8; 4]>) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(
        png::Transformations::EXPAND | png::Transformations::STRIP_16 | png::Transformations::ALPHA,
    );
    let mut reader = decoder.read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    let pixels = match info.color_type {
        png::ColorType::Rgba => data.as_chunks::<4>().0.to_vec(),
        png::ColorType::GrayscaleAlpha => {
            data.as_chunks::<2>().0.iter().map(|[grey, a]| [*grey, *grey, *grey, *a]).collect()
        }
        other => panic!("{other:?}"),
    };
    (info.width as usize, pixels)
}

/// The same pixels in the fewest bytes, and nothing else: how they came about may change.
fn small(picture: &[u8]) -> Vec<u8> {
    let (width, pixels) = decode(picture);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, (pixels.len() / width) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter); // letters and areas of one colour
    encoder.write_header().unwrap().write_image_data(pixels.as_flattened()).unwrap();
    bytes
}

/// Whether two pictures are of one size, and no colour of a pixel differs by more than so many levels.
pub fn alike(a: &[u8], b: &[u8], levels: u8) -> bool {
    let ((width, a), (other, b)) = (decode(a), decode(b));
    let near = |(a, b): (&[u8; 3], &[u8; 3])| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= levels);
    width == other && a.len() == b.len() && a.iter().zip(&b).all(near)
}

/// Compares pictures with those of their names in `tests/snapshots`; `ATTNVIZ_BLESS=1` puts them there instead.
#[track_caller]
pub fn look_as_they_did(pictures: impl IntoIterator<Item = (String, Vec<u8>)>, levels: u8) {
    let changed: Vec<String> =
        pictures.into_iter().filter_map(|(name, actual)| differs(&name, &actual, levels)).collect();
    assert!(changed.is_empty(), "{}\nATTNVIZ_BLESS=1 accepts the new pictures", changed.join("\n"));
}

fn differs(name: &str, actual: &[u8], levels: u8) -> Option<String> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.png"));
    if std::env::var_os("ATTNVIZ_BLESS").is_some() {
        fs::write(&golden, small(actual)).unwrap();
        return None;
    }
    let saved = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    let Ok(expected) = fs::read(&golden) else {
        fs::write(&saved, actual).unwrap();
        return Some(format!("{name} was never blessed: see {}", saved.display()));
    };
    if alike(&expected, actual, levels) {
        return None;
    }
    let allowed = Colours { levels, share: 0.0 };
    let page = side_by_side(Format::Png, &expected, actual, allowed, &Fonts::bundled()).unwrap();
    fs::write(&saved, page).unwrap();
    Some(format!("{name} is not as it was: see expected | difference | actual in {}", saved.display()))
}
