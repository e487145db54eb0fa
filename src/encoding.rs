//! How a text file begins: a byte-order mark is no part of the text, and what is not UTF-8 is named.

use crate::error::{Error, Result};

/// So many bytes of a file tell.
pub const START: usize = 4;

/// The length of the byte-order mark, 0 where there is none, of a file of this name that begins with these bytes ([`START`], or all
/// that there are).
///
/// # Errors
/// UTF-16 or UTF-32, with a mark or without.
pub fn mark(name: &str, start: &[u8]) -> Result<usize> {
    let encoding = match start {
        [0xef, 0xbb, 0xbf, ..] => return Ok(3),
        [0xff, 0xfe, 0, 0] | [0, 0, 0xfe, 0xff] => "UTF-32",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        // Two Latin letters without a mark.
        [a, 0, b, 0] if *a > 0 && *b > 0 => "UTF-16LE",
        [0, a, 0, b] if *a > 0 && *b > 0 => "UTF-16BE",
        _ => return Ok(0),
    };
    Err(Error::failed(format!("{name} is {encoding}, not UTF-8"))
        .hint(format!("convert it, for example with iconv -f {encoding} -t UTF-8")))
}

/// The error for a file of this name that stops being UTF-8 at this byte.
pub fn not_utf8(name: &str, byte: u64) -> Error {
    Error::failed(format!("{name} is not UTF-8 (byte {byte})")).hint("convert it, for example with iconv -t utf-8")
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn a_mark_is_measured_and_another_encoding_named() {
        for (start, length) in [(&b""[..], 0), (b"a", 0), (b"Once", 0), (b"\xef\xbb\xbf", 3), (b"\xef\xbb\xbfO", 3)] {
            assert_eq!(mark("x", start).unwrap(), length, "{start:?}");
        }
        let utf16 =
            |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().take(2).flat_map(bytes).collect::<Vec<u8>>();
        for (start, encoding) in [
            (utf16("\u{feff}On", u16::to_le_bytes), "UTF-16,"),
            (utf16("\u{feff}On", u16::to_be_bytes), "UTF-16,"),
            (utf16("On", u16::to_le_bytes), "UTF-16LE,"),
            (utf16("On", u16::to_be_bytes), "UTF-16BE,"),
            (vec![0xff, 0xfe, 0, 0], "UTF-32,"),
        ] {
            let error = mark("x.csv", &start).unwrap_err();
            assert!(error.message.starts_with(&format!("x.csv is {encoding}")), "{error}");
            assert!(error.hint.unwrap().contains("iconv"));
        }
    }
}
