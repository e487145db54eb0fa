//! What `torch.save` wrote: since PyTorch 1.6 a zip of one pickle and of raw storages, before that pickles and storages in a row.
//!
//! Storages are read where they lie. No code is run: of a pickle only names, types, shapes and strides are taken.

use super::Entry;
use super::pickle::object;
use crate::error::{Error, Result};
use candle_core::pickle::Object;
use safetensors::Dtype;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

/// How the names of such files end.
pub(super) const NAMES: [&str; 3] = [".bin", ".pt", ".pth"];
/// The magic number with which older files begin, as a pickle.
const OLD: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// What programs call the weights among other things that they save with them.
const WEIGHTS: [&str; 4] = ["model", "state_dict", "model_state_dict", "module"];
/// How a whole storage is found by its key.
pub(super) type Storages = HashMap<String, Range<usize>>;

/// What these bytes are by their beginning, where that is something that `torch.save` or Python may have written.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "a zip, as torch.save writes"),
        (b"\x80\x02", "a pickle, as torch.save wrote before PyTorch 1.6"),
        (b"\x80\x03", "a Python pickle"),
        (b"\x80\x04", "a Python pickle"),
        (b"\x80\x05", "a Python pickle"),
        (b"\x89HDF", "an HDF5 file, as Keras writes"),
        (b"GGUF", "a GGUF file"),
    ];
    KINDS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, what)| *what)
}

/// All tensors of a file.
///
/// # Errors
/// What is no such file, or is cut short; what holds no weights, or more than a model; compressed or big-endian numbers.
pub(super) fn tensors(bytes: &[u8]) -> Result<Vec<(String, Entry)>> {
    let broken = |what: String| {
        Error::failed(format!("not a whole file of torch.save: {what}")).hint(
            "save the weights again: torch.save(model.state_dict(), path), or save_pretrained(dir) of transformers",
        )
    };
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Error::failed("it is a git-lfs pointer, not the weights").hint("run `git lfs pull` in its folder"));
    }
    let (root, storages) = whole(bytes).map_err(broken)?;
    let weights = state(&root).ok_or_else(|| {
        broken(match root {
            Object::Dict(_) => "it holds no dict of tensors, nor one under model or state_dict".into(),
            _ => "it holds a Python object, not a dict of tensors".into(),
        })
    })?;
    let mut found = Vec::new();
    for (name, value) in weights {
        let Object::Unicode(name) = name else { continue };
        if let Some(entry) = entry(value, &storages).map_err(|what| broken(format!("tensor {name} {what}")))? {
            found.push((name.clone(), entry));
        }
    }
    Ok(found)
}

/// The object that was saved, and its storages.
pub(super) fn whole(bytes: &[u8]) -> Result<(Object, Storages), String> {
    match kind(bytes) {
        Some(_) if bytes.starts_with(b"PK") => zipped(bytes),
        Some(_) if bytes.starts_with(OLD) => in_a_row(bytes),
        Some(what) => Err(format!("it is {what}")),
        None => Err("it begins like none".into()),
    }
}

/// The pickle and the storages of a zip.
fn zipped(bytes: &[u8]) -> Result<(Object, Storages), String> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let (mut pickle, mut storages) = (None, Storages::new());
    for index in 0..zip.len() {
        let file = zip.by_index_raw(index).map_err(|error| error.to_string())?;
        let name = file.name().map_err(|error| error.to_string())?.into_owned();
        let Some((_, name)) = name.split_once('/') else { continue };
        if file.compression() != CompressionMethod::Stored {
            return Err(format!("{name} is compressed"));
        }
        let start = file.data_start().ok_or("it is cut short")?;
        let range = start as usize..start.checked_add(file.size()).ok_or("it is cut short")? as usize;
        let held = bytes.get(range.clone()).ok_or("it is cut short")?;
        match name {
            "data.pkl" => pickle = Some(held),
            "byteorder" if held != b"little" => return Err("its numbers are big-endian".into()),
            _ => {
                if let Some(key) = name.strip_prefix("data/") {
                    storages.insert(key.to_owned(), range);
                }
            }
        }
    }
    let mut pickle = pickle.ok_or("it has no data.pkl")?;
    Ok((object(&mut pickle)?, storages))
}

/// The object and the storages of an older file.
fn in_a_row(bytes: &[u8]) -> Result<(Object, Storages), String> {
    let mut rest = &bytes[OLD.len()..];
    let (_version, machine, root, keys) =
        (object(&mut rest)?, object(&mut rest)?, object(&mut rest)?, object(&mut rest)?);
    if get(&machine, "little_endian") != Some(&Object::Bool(true)) {
        return Err("its numbers are big-endian".into());
    }
    let Object::List(keys) = keys else { return Err("it has no list of storages".into()) };
    let mut widths = HashMap::new();
    collect_widths(&root, &mut widths);
    let mut storages = Storages::new();
    for key in keys {
        let Object::Unicode(key) = key else { return Err("a storage has no name".into()) };
        let width = widths.get(&key).ok_or_else(|| format!("the type of storage {key} is unknown"))?;
        let mut count = [0; 8];
        rest.read_exact(&mut count).map_err(|_| "it is cut short")?;
        let length = usize::try_from(u64::from_le_bytes(count)).ok().and_then(|count| count.checked_mul(*width));
        let length = length.filter(|length| *length <= rest.len()).ok_or("it is cut short")?;
        let start = bytes.len() - rest.len();
        storages.insert(key, start..start + length);
        rest = &rest[length..];
    }
    Ok((root, storages))
}

/// The bytes of an element of each storage that is spoken of.
fn collect_widths(object: &Object, widths: &mut HashMap<String, usize>) {
    match object {
        Object::PersistentLoad(_) => {
            if let Some((key, Some(dtype))) = storage(object) {
                widths.insert(key.to_owned(), dtype.bitsize() / 8);
            }
        }
        Object::Tuple(all) | Object::List(all) => all.iter().for_each(|one| collect_widths(one, widths)),
        Object::Dict(pairs) => pairs.iter().for_each(|(_, value)| collect_widths(value, widths)),
        Object::Reduce { args, .. } => collect_widths(args, widths),
        Object::Build { callable, args } => {
            collect_widths(callable, widths);
            collect_widths(args, widths);
        }
        _ => {}
    }
}

/// The value of a key.
pub(super) fn get<'a>(dict: &'a Object, wanted: &str) -> Option<&'a Object> {
    let Object::Dict(pairs) = dict else { return None };
    pairs.iter().find(|(key, _)| matches!(key, Object::Unicode(key) if key == wanted)).map(|(_, value)| value)
}

/// The dict of tensors: what stands under one of the usual names (beside which a training program may save a tensor or two), else the
/// object itself.
fn state(root: &Object) -> Option<&[(Object, Object)]> {
    WEIGHTS.iter().find_map(|name| dict_of_tensors(get(root, name)?)).or_else(|| dict_of_tensors(root))
}

fn dict_of_tensors(object: &Object) -> Option<&[(Object, Object)]> {
    let Object::Dict(pairs) = object else { return None };
    pairs.iter().any(|(_, value)| rebuilt(value).is_some()).then_some(pairs)
}

/// The function that makes a tensor, by its name, and what it is given.
fn rebuilt(value: &Object) -> Option<(&str, &[Object])> {
    let Object::Reduce { callable, args } = value else { return None };
    let (Object::Class { module_name, class_name }, Object::Tuple(args)) = (&**callable, &**args) else { return None };
    (module_name.starts_with("torch") && class_name.starts_with("_rebuild")).then_some((class_name, args))
}

/// Where a tensor lies; none for what is no tensor.
fn entry(value: &Object, storages: &Storages) -> Result<Option<Entry>, String> {
    match rebuilt(value) {
        Some(("_rebuild_tensor_v2", args)) => placed(args, storages).map(Some),
        Some(("_rebuild_parameter" | "_rebuild_parameter_with_state", [tensor, ..])) => entry(tensor, storages),
        Some(("_rebuild_from_type_v2", [callable, _, args, ..])) => {
            let (callable, args) = (Box::new(callable.clone()), Box::new(args.clone()));
            entry(&Object::Reduce { callable, args }, storages)
        }
        Some((other, _)) => Err(format!("is of a kind that is not read here ({other})")),
        None => Ok(None),
    }
}

/// From a storage, an offset, a shape and strides, all in elements.
fn placed(args: &[Object], storages: &Storages) -> Result<Entry, String> {
    let [persistent, offset, shape, strides, ..] = args else { return Err("lacks its shape".into()) };
    let (key, dtype) = storage(persistent).ok_or("has no storage")?;
    let dtype = dtype.ok_or("is of a type that is not read here")?;
    let range = storages.get(key).ok_or("has a storage that is not there")?;
    let numbers = |object: &Object| match object {
        Object::Tuple(all) => all.iter().map(number).collect::<Option<Vec<usize>>>(),
        _ => None,
    };
    let (shape, strides) = numbers(shape).zip(numbers(strides)).ok_or("has no shape")?;
    let outside = "reaches beyond its storage";
    let width = dtype.bitsize() / 8;
    let count = shape.iter().try_fold(1usize, |count, length| count.checked_mul(*length)).ok_or(outside)?;
    if shape.len() != strides.len() || count > range.len() / width {
        return Err(outside.into());
    }
    // Elements from the first to the last; a length of 0 leaves none.
    let reach = |(length, stride): (&usize, &usize)| length.saturating_sub(1).checked_mul(*stride);
    let last = shape.iter().zip(&strides).map(reach).try_fold(0usize, |sum, reach| sum.checked_add(reach?));
    let span = if count == 0 { Some(0) } else { last.and_then(|last| last.checked_add(1)) };
    let start = number(offset).and_then(|offset| offset.checked_mul(width)).ok_or(outside)?;
    let len = span.and_then(|span| span.checked_mul(width)).ok_or(outside)?;
    if start.checked_add(len).is_none_or(|end| end > range.len()) {
        return Err(outside.into());
    }
    let strides = Some(strides).filter(|strides| count > 0 && !in_rows(&shape, strides));
    Ok(Entry { file: 0, start: range.start + start, len, dtype, shape, strides })
}

/// Whether elements stand row after row; a length of 1 has no next.
fn in_rows(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().filter(|(length, _)| **length != 1).all(|(length, stride)| {
        let fits = *stride == expected;
        expected *= length;
        fits
    })
}

/// The key and the type of a storage: `('storage', class, key, …)`.
fn storage(object: &Object) -> Option<(&str, Option<Dtype>)> {
    let Object::PersistentLoad(id) = object else { return None };
    let Object::Tuple(parts) = &**id else { return None };
    let [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] = &parts[..] else { return None };
    let dtype = match class_name.as_str() {
        "DoubleStorage" => Some(Dtype::F64),
        "FloatStorage" => Some(Dtype::F32),
        "HalfStorage" => Some(Dtype::F16),
        "BFloat16Storage" => Some(Dtype::BF16),
        "LongStorage" => Some(Dtype::I64),
        "IntStorage" => Some(Dtype::I32),
        "ShortStorage" => Some(Dtype::I16),
        "CharStorage" => Some(Dtype::I8),
        "ByteStorage" => Some(Dtype::U8),
        "BoolStorage" => Some(Dtype::BOOL),
        _ => None,
    };
    Some((key, dtype))
}

fn number(object: &Object) -> Option<usize> {
    match object {
        Object::Int(number) => usize::try_from(*number).ok(),
        Object::Long(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}
