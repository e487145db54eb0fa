//! A line of text as it may be a prompt: whole, not too long, UTF-8.

use std::io::BufRead;

/// A line longer than this is no prompt: GPT-2's longest is a few kilobytes.
pub(super) const LONGEST: usize = 1 << 20;

/// An input as bytes, without its byte-order mark.
pub(super) type Stream = Box<dyn BufRead + Send>;

/// A line of a file, or a record of a table.
pub(super) enum Line {
    /// Nothing stands there.
    Blank,
    /// A prompt, or what is wrong with it.
    Prompt(Result<String, String>),
}

/// A line without its end, as text; a line that is too long is passed over without being held.
pub(super) fn line(from: &mut impl BufRead) -> std::io::Result<Option<Result<String, String>>> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let some = match from.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            some => some?,
        };
        if some.is_empty() {
            break;
        }
        let end = some.iter().position(|byte| *byte == b'\n');
        let part = &some[..end.unwrap_or(some.len())];
        length += part.len() + usize::from(end.is_some());
        bytes.extend_from_slice(&part[..part.len().min((LONGEST + 1).saturating_sub(bytes.len()))]);
        let used = end.map_or(some.len(), |end| end + 1);
        from.consume(used);
        if end.is_some() {
            break;
        }
    }
    if length == 0 {
        return Ok(None);
    }
    Ok(Some(text(bytes)))
}

/// The bytes of a line or a field as text.
pub(super) fn text(mut bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > LONGEST {
        return Err(format!("the line is longer than {LONGEST} bytes"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("the line is not UTF-8 (byte {})", error.utf8_error().valid_up_to()))
}
