//! Files of other formats, by how they begin: named as what they are, with the lines of Python that make one that is read.
use crate::error::Error;
use crate::python::quoted;
use crate::text::shell_word;
use std::path::Path;

/// Formats that are not read: how a file begins, what that is.
const FORMATS: [(&[u8], &str); 9] = [
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"GGUF", "a GGUF file: a model, not its attention"),
    (b"PAR1", "a Parquet file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"%PDF", "a PDF"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"\xfd7zXZ", "compressed with xz"),
];

/// How JSON of attnviz begins.
const OWN: &[u8] = b"{\"version\":\"";

/// The error of a file that begins as another format does.
pub(super) fn unread(first: &[u8], name: &str) -> Option<Error> {
    let (file, arrays) = (quoted(name), quoted(&Path::new(name).with_extension("npz").to_string_lossy()));
    // A safetensors file says first how long its header is, and that begins with a brace.
    let text = first.get(8) != Some(&b'{');
    let begins = first.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
    if let Some((_, what)) = FORMATS.iter().find(|(magic, _)| text && first.starts_with(magic)) {
        let hint = match *what {
            "an HDF5 file" => format!(
                "in Python: import h5py, numpy as np; np.savez({arrays}, attention=h5py.File({file})['attention'][()])"
            ),
            "compressed with gzip" | "compressed with xz" => "unpack it first".into(),
            _ => "give a .safetensors, .npz or .npy file with attention".into(),
        };
        return Some(Error::failed(format!("it is {what}, neither safetensors nor NPZ")).hint(hint));
    }
    match first {
        [0x80, 2..=5, ..] if text => Some(pickle(&file, &arrays, first)),
        _ if first.starts_with(OWN) => {
            let arrays = Path::new(name).with_extension("npz");
            Some(Error::failed("it is JSON of attnviz, neither safetensors nor NPZ").hint(format!(
                "make it again as NPZ: attnviz rerun {} -o {}",
                shell_word(name),
                shell_word(&arrays.to_string_lossy())
            )))
        }
        _ if text && matches!(first.get(begins), Some(b'{' | b'[')) => Some(json(&file, &arrays, first)),
        _ => None,
    }
}

/// The error of a file that `torch.save` wrote.
pub(super) fn torch(name: &str) -> Error {
    let (file, arrays) = (quoted(name), quoted(&Path::new(name).with_extension("npz").to_string_lossy()));
    Error::failed("it was written by torch.save, neither safetensors nor NPZ").hint(format!(
        "in Python: import torch, numpy as np; a = torch.load({file}, map_location='cpu'); a = a['attention'] if isinstance(a, dict) else a; \
         a = a if torch.is_tensor(a) else torch.stack(list(a)); np.savez({arrays}, attention=a.float().numpy())"
    ))
}

/// The error of a file that Python pickled, `torch.save` in its old format among others.
fn pickle(file: &str, arrays: &str, first: &[u8]) -> Error {
    // The number that torch.save begins with.
    if first.windows(8).any(|bytes| bytes == [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8]) {
        return torch(file.trim_matches('\''));
    }
    Error::failed("it is a pickle, which runs code where it is read: neither safetensors nor NPZ").hint(format!(
        "in Python, if you trust it: import pickle, numpy as np; a = pickle.load(open({file}, 'rb')); \
         np.savez({arrays}, attention=np.stack([np.asarray(layer) for layer in a]))"
    ))
}

/// The error of JSON that is no safetensors header.
fn json(file: &str, arrays: &str, first: &[u8]) -> Error {
    let is_inseq = String::from_utf8_lossy(first).contains("FeatureAttributionOutput");
    if is_inseq {
        return Error::failed("it is JSON of inseq, neither safetensors nor NPZ").hint(format!(
            "in Python: import inseq, numpy as np; s = inseq.FeatureAttributionOutput.load({file})[0]; \
             k, a = (s.target, s.target_attributions) if s.source_attributions is None else (s.source, s.source_attributions); \
             np.savez({arrays}, attention=np.nan_to_num(a.permute(2, 3, 1, 0).float().numpy()), \
             key_tokens=[t.token for t in k], query_tokens=[t.token for t in s.target[s.attr_pos_start:s.attr_pos_end]])"
        ));
    }
    Error::failed("it is JSON, neither safetensors nor NPZ").hint(format!(
        "attnviz writes .npz as well as .json; in Python: import json, numpy as np; d = json.load(open({file})); \
         np.savez({arrays}, attention=np.array(d['attention']), tokens=np.array(d['tokens']))"
    ))
}
