//! A pickle by candle's reader, which runs no code, held to a size and a depth: a few bytes of a pickle may ask for any memory.

use candle_core::pickle::{Object, Stack};

/// Parts that are held or copied, and pieces of text: some hundred times what a large model's names and shapes take.
const MOST_PARTS: usize = 1 << 21;
/// Bytes of a text that count as one part.
const PIECE: usize = 64;
/// How deep parts are nested: weights take six, a training program's records a few more.
const DEEPEST: usize = 64;

/// The object that stands at the front of `rest`, which is left behind it.
pub(super) fn object(rest: &mut &[u8]) -> Result<Object, String> {
    let (mut stack, mut parts) = (Stack::empty(), 0);
    loop {
        match **rest {
            // A text is as long as it says before it is read, and a long number as wide.
            [b'X', a, b, c, d, ref tail @ ..] if u32::from_le_bytes([a, b, c, d]) as usize > tail.len() => {
                return Err("it is cut short".into());
            }
            [0x8a, width, ..] if width as usize > size_of::<i64>() => return Err("it holds a number of no use".into()),
            _ => {}
        }
        if stack.read(rest).map_err(|error| error.to_string().chars().take(PIECE).collect::<String>())? {
            return stack.finalize().map_err(|error| error.to_string());
        }
        // Whatever an instruction makes stands on top, and what is copied later has been on top before.
        let top = stack.stack().last().map_or(Some(0), |top| size(top, DEEPEST));
        parts += top.ok_or("it is nested too deeply")?;
        if parts > MOST_PARTS {
            return Err("it holds far more than weights".into());
        }
    }
}

/// The parts of an object; none where it is too deep.
fn size(object: &Object, depth: usize) -> Option<usize> {
    let below = depth.checked_sub(1)?;
    let all = |objects: &[Object]| objects.iter().map(|object| size(object, below)).sum::<Option<usize>>();
    let within = match object {
        Object::Unicode(text) => text.len() / PIECE,
        Object::Class { module_name, class_name } => (module_name.len() + class_name.len()) / PIECE,
        Object::Tuple(objects) | Object::List(objects) => all(objects)?,
        Object::Dict(pairs) => {
            pairs.iter().map(|(key, value)| Some(size(key, below)? + size(value, below)?)).sum::<Option<usize>>()?
        }
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            size(callable, below)? + size(args, below)?
        }
        Object::PersistentLoad(object) => size(object, below)?,
        _ => 0,
    };
    Some(1 + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pickle: &[u8]) -> String {
        object(&mut &pickle[..]).unwrap_err()
    }

    #[test]
    fn a_pickle_that_asks_for_much_is_refused_soon() {
        // A tuple of the tuple before, twice each: every line doubles it.
        let double = [&b"\x80\x02)"[..], &b"q\x00h\x00\x86".repeat(60), b"."].concat();
        assert_eq!(refused(&double), "it holds far more than weights");
        assert_eq!(refused(&[&b")"[..], &[0x85; 1 << 16], b"."].concat()), "it is nested too deeply");
        let text = [&b"X\x00\x00\x10\x00"[..], &[b'a'; 1 << 20], b"q\x00", &b"h\x00".repeat(1 << 10), b"."].concat();
        assert_eq!(refused(&text), "it holds far more than weights");
        assert_eq!(refused(b"X\xff\xff\xff\xffabc"), "it is cut short");
        assert_eq!(refused(b"\x8a\xff"), "it holds a number of no use");
        let many = b"(".repeat(MOST_PARTS + 1);
        assert_eq!(refused(&many), "it holds far more than weights");
    }

    #[test]
    fn what_is_no_pickle_is_refused_whatever_it_is() {
        for bytes in [
            &b""[..],
            b".",
            b"\x80",
            b"u.",
            b"(u.",
            b"}K\x01s.",
            b"h\x00.",
            b"R.",
            b"Q.",
            b"b.",
            b"\x00",
            b"e.",
            b"q\x00",
        ] {
            refused(bytes);
        }
        assert_eq!(object(&mut &b"\x80\x02K\x07."[..]).unwrap(), Object::Int(7));
    }
}
