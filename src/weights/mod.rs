//! Files of safetensors or of PyTorch as weights, read in place: mapped, checked, never copied unless they are misaligned or
//! of double precision.

mod bytes;
mod fingerprint;
pub mod nanogpt;
mod param;
mod pickle;
mod torch;

pub use fingerprint::{Changed, Fingerprint};
pub use param::{Numbers, Param};

use crate::error::{Error, Result};
use crate::hash::{Hasher, xxh3_128};
use crate::plain::Stamp;
use bytes::Bytes;
use param::{Held, narrowed};
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(target_endian = "big")]
compile_error!("weights are read in place and are little-endian");

/// How many pages [`Weights::glance`] looks at, and their bytes.
const PAGES: usize = 64;
const PAGE: usize = 4096;

/// Where one tensor lies.
struct Entry {
    file: usize,
    start: usize,
    len: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Elements from one index to the next, where they are not row after row.
    strides: Option<Vec<usize>>,
}

impl Entry {
    /// The bytes of a tensor row after row, where the file holds it otherwise.
    fn rows(&self, raw: &[u8], strides: &[usize]) -> Vec<u8> {
        let (count, width) = (self.shape.iter().product(), self.dtype.bitsize() / 8);
        let mut rows = Vec::with_capacity(count * width);
        for flat in 0..count {
            let (mut left, mut at) = (flat, 0);
            for (length, stride) in self.shape.iter().zip(strides).rev() {
                at += left % length * stride;
                left /= length;
            }
            rows.extend(&raw[at * width..][..width]);
        }
        rows
    }
}

/// All tensors of a checkpoint, in one file or in shards.
pub struct Weights {
    files: Vec<(String, Arc<Bytes>)>,
    /// The files that are mapped, as they were just before.
    mapped: Vec<(PathBuf, Option<Stamp>)>,
    entries: HashMap<String, Entry>,
}

impl Weights {
    /// Maps and checks files; the header of each must agree with its length, tensors may neither overlap nor leave holes.
    ///
    /// # Errors
    /// What is no such file, which its name tells; a tensor that two files hold.
    pub fn open(paths: &[impl AsRef<Path>]) -> Result<Self> {
        let (mut files, mut mapped) = (Vec::new(), Vec::new());
        for path in paths.iter().map(AsRef::as_ref) {
            mapped.push((path.to_path_buf(), Stamp::at(path)));
            files.push(Bytes::map(path)?);
        }
        Ok(Self { mapped, ..Self::index(files)? })
    }

    /// A file that was written, replaced or cut short since it was mapped: what the weights are then is not known.
    pub fn changed(&self) -> Option<&Path> {
        self.mapped.iter().find(|(path, then)| Stamp::at(path) != *then).map(|(path, _)| path.as_path())
    }

    /// A file that is part of the program: of safetensors, unless its name ends as one of PyTorch's.
    ///
    /// # Errors
    /// What is none.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::index(vec![(name.to_string(), Bytes::Embedded(bytes))])
    }

    fn index(files: Vec<(String, Bytes)>) -> Result<Self> {
        let mut entries = HashMap::new();
        for (file, (name, bytes)) in files.iter().enumerate() {
            let tensors = if torch::NAMES.iter().any(|end| name.ends_with(end)) {
                torch::tensors(bytes).map_err(|error| error.of(name))?
            } else {
                safetensors(name, bytes)?
            };
            for (key, entry) in tensors {
                let broken = format!("{name}: tensor {key} is also in another shard");
                if entries.insert(key, Entry { file, ..entry }).is_some() {
                    return Err(Error::failed(broken).hint("download or convert the checkpoint again"));
                }
            }
        }
        let files = files.into_iter().map(|(name, bytes)| (name, Arc::new(bytes))).collect();
        Ok(Self { files, mapped: Vec::new(), entries })
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// How many bytes all files have.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// The shape of the tensor of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| &entry.shape[..])
    }

    /// Whether any tensor is held in double precision, of which [`Self::get`] keeps half.
    pub fn has_doubles(&self) -> bool {
        self.entries.values().any(|entry| entry.dtype == Dtype::F64)
    }

    /// The tensor of that name and shape: a matrix as it is stored, where it lies, a vector as f32.
    ///
    /// # Errors
    /// None of that name; one of another shape, or of a type that is no f64, f32, f16 or bf16.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Param> {
        let entry = self.entries.get(name).ok_or_else(|| {
            Error::failed(format!("{} has no tensor {name}", self.origin()))
                .hint("the checkpoint is incomplete, or its config.json describes another model")
        })?;
        let (file, bytes) = &self.files[entry.file];
        if entry.shape != shape {
            let held = &entry.shape;
            return Err(Error::failed(format!("{file}: tensor {name} has shape {held:?}, config.json says {shape:?}"))
                .hint("config.json and the weights are not of the same model"));
        }
        let raw = &bytes[entry.start..entry.start + entry.len];
        let rows = entry.strides.as_ref().map(|strides| entry.rows(raw, strides));
        let raw = rows.as_deref().unwrap_or(raw);
        let held = match entry.dtype {
            Dtype::F32 => Held::F32,
            Dtype::F16 => Held::F16,
            Dtype::BF16 => Held::Bf16,
            Dtype::F64 => return Ok(Param::of(narrowed(raw), shape)),
            other => {
                return Err(Error::failed(format!("{file}: tensor {name} is of type {other:?}"))
                    .hint("attnviz reads f64, f32, f16 and bf16 weights; quantised checkpoints must be converted"));
            }
        };
        let in_place = if rows.is_none() { Param::in_place(bytes, entry.start, held, shape) } else { None };
        let param = in_place.unwrap_or_else(|| Param::copied(raw, held, shape));
        // A vector is short, and whoever reads it reads it for every row.
        Ok(if held != Held::F32 && shape.len() < 2 { Param::of(param.values().into_owned(), shape) } else { param })
    }

    /// Maps all pages, which saves the forward pass that wait.
    pub fn populate(&self) {
        self.files.iter().for_each(|(_, bytes)| bytes.populate());
    }

    /// Takes all pages out of this process, for when nothing more is computed: at its end the system would, while somebody waits.
    pub fn rest(&self) {
        self.files.iter().for_each(|(_, bytes)| bytes.rest());
    }

    /// The files that are read in place.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.mapped.iter().map(|(path, _)| path.as_path())
    }

    /// A hash of a few pages of each file, evenly spread: what other weights in the same place hardly have.
    pub fn glance(&self) -> u128 {
        let mut whole = Hasher::new();
        for (_, bytes) in &self.files {
            let step = (bytes.len() / PAGES).max(PAGE);
            bytes.chunks(step).for_each(|piece| whole.update(&piece[..piece.len().min(PAGE)]));
        }
        whole.digest128()
    }

    /// The identity of the weights: XXH3-128 over the XXH3-128 of each 4 MiB piece of each file, in order, at the speed of memory.
    pub fn hash(&self) -> String {
        let mut whole = Hasher::new();
        for (_, bytes) in &self.files {
            let pieces: Vec<u128> = bytes.par_chunks(4 << 20).map(xxh3_128).collect();
            pieces.iter().for_each(|piece| whole.update(&piece.to_le_bytes()));
        }
        crate::hash::digits(whole.digest128())
    }

    /// What each tensor holds in a few numbers, by name.
    pub fn fingerprints(&self) -> BTreeMap<String, Fingerprint> {
        let print = |(name, entry): (&String, &Entry)| {
            let print = match self.get(name, &entry.shape) {
                Ok(param) => Fingerprint::of(&entry.shape, &param.values()),
                Err(_) => Fingerprint::of_bytes(&entry.shape, &self.files[entry.file].1[entry.start..][..entry.len]),
            };
            (name.clone(), print)
        };
        self.entries.par_iter().map(print).collect()
    }

    /// The one number by which a tensor differs from the one of this fingerprint; `None` where it is not one.
    pub fn single_change(&self, name: &str, was: &Fingerprint) -> Option<Changed> {
        self.get(name, &was.shape).ok().and_then(|param| was.single_change(&param.values()))
    }

    /// The first tensor, by name, that holds a NaN or an infinity.
    pub fn first_non_finite(&self) -> Option<String> {
        let mut names: Vec<_> = self.entries.iter().collect();
        names.sort_by_key(|(name, _)| *name);
        let bad = |(name, entry): &&(&String, &Entry)| {
            let param = self.get(name, &entry.shape);
            param.is_ok_and(|p| p.values().par_iter().any(|v| !v.is_finite()))
        };
        names.iter().find(bad).map(|(name, _)| name.to_string())
    }

    /// How errors name the files.
    pub fn origin(&self) -> String {
        match &*self.files {
            [(name, _)] => name.clone(),
            many => {
                format!("{} and its {} other shards", many.first().map_or("", |f| &f.0), many.len().saturating_sub(1))
            }
        }
    }
}

/// The tensors of a file of safetensors.
fn safetensors(name: &str, bytes: &[u8]) -> Result<Vec<(String, Entry)>> {
    let broken = |what: String| {
        Error::failed(format!("{name} is not a whole safetensors file: {what}"))
            .hint("download or convert the checkpoint again")
    };
    // What else it is matters only where it is no safetensors file: that begins with a length, which is any bytes.
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| match torch::kind(bytes) {
        Some(what) => broken(format!("it is {what}")).hint(
            "if it holds weights, call it pytorch_model.bin; or load it in transformers and call save_pretrained(dir)",
        ),
        None if bytes.starts_with(b"version https://git-lfs") => {
            broken("it is a git-lfs pointer, not the weights".into()).hint("run `git lfs pull` in its folder")
        }
        None => broken(e.to_string()),
    })?;
    let first = bytes.as_ptr() as usize;
    let entry = |(key, view): (&str, safetensors::tensor::TensorView)| {
        let (data, dtype, shape) = (view.data(), view.dtype(), view.shape().to_vec());
        let start = data.as_ptr() as usize - first;
        (key.to_string(), Entry { file: 0, start, len: data.len(), dtype, shape, strides: None })
    };
    Ok(tensors.iter().map(entry).collect())
}
