//! Safetensors files as weights, read in place: mapped, checked, never copied unless they are misaligned or half precision.
#![allow(unsafe_code)] // mapping a file

mod fingerprint;

pub use fingerprint::{Changed, Fingerprint};

use crate::error::{Error, Result};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

#[cfg(target_endian = "big")]
compile_error!("weights are read in place and are little-endian");

/// The bytes of one file.
enum Bytes {
    Mapped(memmap2::Mmap),
    Embedded(&'static [u8]),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Embedded(bytes) => bytes,
        }
    }
}

impl Bytes {
    /// Maps all pages at once rather than one fault at a time. Not when the file is opened: what its header promises is checked
    /// first, and a mistyped flag is noticed sooner than half a gigabyte is read.
    fn populate(&self) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(map) = self {
            let _ = map.advise(memmap2::Advice::PopulateRead); // Linux before 5.14 cannot, and goes fault by fault
        }
    }
}

#[derive(Clone)]
enum Store {
    InPlace(Arc<Bytes>, usize),
    Widened(Arc<Vec<f32>>, usize),
}

/// A frozen f32 vector or matrix that lives in the mapped file. Cloning it clones a pointer.
#[derive(Clone)]
pub struct Param {
    store: Store,
    shape: Vec<usize>,
}

impl Param {
    /// Its numbers, row by row.
    pub fn values(&self) -> &[f32] {
        let count = self.shape.iter().product::<usize>();
        match &self.store {
            // Alignment and length were checked when the file was opened.
            Store::InPlace(bytes, start) => bytemuck::cast_slice(&bytes[*start..*start + 4 * count]),
            Store::Widened(values, start) => &values[*start..*start + count],
        }
    }

    /// Its dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Rows and columns; a vector is one row.
    pub fn dims2(&self) -> (usize, usize) {
        match *self.shape {
            [rows, cols] => (rows, cols),
            _ => (1, self.shape.iter().product()),
        }
    }

    /// Rows `first..first + len` of a matrix.
    pub fn rows(&self, first: usize, len: usize) -> Param {
        let (rows, cols) = self.dims2();
        assert!(first + len <= rows, "rows outside a matrix");
        let store = match &self.store {
            Store::InPlace(bytes, start) => Store::InPlace(bytes.clone(), start + 4 * first * cols),
            Store::Widened(values, start) => Store::Widened(values.clone(), start + first * cols),
        };
        Param { store, shape: vec![len, cols] }
    }

    /// The named rows of a matrix, copied: `[ids, cols]`.
    pub fn gather(&self, ids: &[u32]) -> Param {
        let cols = self.dims2().1;
        let values: Vec<f32> =
            ids.iter().flat_map(|id| &self.values()[*id as usize * cols..][..cols]).copied().collect();
        Param { store: Store::Widened(Arc::new(values), 0), shape: vec![ids.len(), cols] }
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Param{:?}", self.shape)
    }
}

/// Where one tensor lies.
struct Entry {
    file: usize,
    start: usize,
    len: usize,
    dtype: Dtype,
    shape: Vec<usize>,
}

/// All tensors of a checkpoint, in one file or in shards.
pub struct Weights {
    files: Vec<(String, Arc<Bytes>)>,
    entries: HashMap<String, Entry>,
}

impl Weights {
    /// Maps and checks files; the header of each must agree with its length, tensors may neither overlap nor leave holes.
    ///
    /// # Errors
    /// What is no such file, which its name tells; a tensor that two files hold.
    pub fn open(paths: &[impl AsRef<Path>]) -> Result<Self> {
        let files = paths.iter().map(|path| {
            let path = path.as_ref();
            let name = path.display().to_string();
            let broken = |e: std::io::Error| {
                Error::failed(format!("cannot read {name}: {e}")).hint("check that the file exists and can be read")
            };
            // Opening a pipe would wait for someone to write to it.
            if !std::fs::metadata(path).map_err(broken)?.is_file() {
                return Err(Error::failed(format!("{name} is not a file")).hint("download the checkpoint again"));
            }
            let file = File::open(path).map_err(broken)?;
            // SAFETY: the map is read-only and private; a file that another process shortens while it is mapped ends this
            // process (SIGBUS) as it would any program that maps weights, and can write to nothing.
            let map = unsafe { memmap2::Mmap::map(&file) }.map_err(broken)?;
            Ok((name, Bytes::Mapped(map)))
        });
        Self::index(files.collect::<Result<_>>()?)
    }

    /// A safetensors file that is part of the program.
    ///
    /// # Errors
    /// What is none.
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::index(vec![(name.to_string(), Bytes::Embedded(bytes))])
    }

    fn index(files: Vec<(String, Bytes)>) -> Result<Self> {
        let mut entries = HashMap::new();
        for (file, (name, bytes)) in files.iter().enumerate() {
            let broken = |what: String| {
                Error::failed(format!("{name} is not a whole safetensors file: {what}"))
                    .hint("download or convert the checkpoint again")
            };
            if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02") {
                return Err(broken("it is a PyTorch pickle".into()).hint(
                    "convert it: load it in transformers and call save_pretrained(dir, safe_serialization=True)",
                ));
            }
            if bytes.starts_with(b"version https://git-lfs") {
                return Err(
                    broken("it is a git-lfs pointer, not the weights".into()).hint("run `git lfs pull` in its folder")
                );
            }
            let tensors = SafeTensors::deserialize(bytes).map_err(|e| broken(e.to_string()))?;
            let first = bytes.as_ptr() as usize;
            for (key, view) in tensors.iter() {
                let entry = Entry {
                    file,
                    start: view.data().as_ptr() as usize - first,
                    len: view.data().len(),
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                };
                if entries.insert(key.to_string(), entry).is_some() {
                    return Err(broken(format!("tensor {key} is also in another shard")));
                }
            }
        }
        Ok(Self { files: files.into_iter().map(|(name, bytes)| (name, Arc::new(bytes))).collect(), entries })
    }

    /// Whether a tensor of that name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The tensor of that name and shape, as f32.
    ///
    /// # Errors
    /// None of that name; one of another shape, or of a type that is no f32, f16 or bf16.
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
        let store = match entry.dtype {
            Dtype::F32 if (raw.as_ptr() as usize).is_multiple_of(4) => Store::InPlace(bytes.clone(), entry.start),
            Dtype::F32 => widen(raw, f32::from_le_bytes, |numbers, out| out.copy_from_slice(numbers)),
            Dtype::F16 => widen(raw, f16::from_le_bytes, |numbers, out| numbers.convert_to_f32_slice(out)),
            Dtype::BF16 => widen(raw, bf16::from_le_bytes, |numbers, out| numbers.convert_to_f32_slice(out)),
            other => {
                return Err(Error::failed(format!("{file}: tensor {name} is of type {other:?}"))
                    .hint("attnviz reads f32, f16 and bf16 weights; quantised checkpoints must be converted"));
            }
        };
        Ok(Param { store, shape: shape.to_vec() })
    }

    /// The identity of the weights: XXH3-128 over the XXH3-128 of each 4 MiB piece of each file, in order.
    ///
    /// It runs at the speed of memory, and touching every page here saves the forward pass that wait.
    pub fn hash(&self) -> String {
        let mut whole = Xxh3::new();
        for (_, bytes) in &self.files {
            bytes.populate();
            let pieces: Vec<u128> = bytes.par_chunks(4 << 20).map(xxh3_128).collect();
            pieces.iter().for_each(|piece| whole.update(&piece.to_le_bytes()));
        }
        format!("{:032x}", whole.digest128())
    }

    /// What each tensor holds in a few numbers, by name.
    pub fn fingerprints(&self) -> BTreeMap<String, Fingerprint> {
        let print = |(name, entry): (&String, &Entry)| {
            let print = match self.get(name, &entry.shape) {
                Ok(param) => Fingerprint::of(&entry.shape, param.values()),
                Err(_) => Fingerprint::of_bytes(&entry.shape, &self.files[entry.file].1[entry.start..][..entry.len]),
            };
            (name.clone(), print)
        };
        self.entries.par_iter().map(print).collect()
    }

    /// The one number by which a tensor differs from the one of this fingerprint; `None` where it is not one.
    pub fn single_change(&self, name: &str, was: &Fingerprint) -> Option<Changed> {
        self.get(name, &was.shape).ok().and_then(|param| was.single_change(param.values()))
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

/// A copy as f32, made by all threads; wherever the bytes lie, `convert` sees numbers in a row, for which `half` has instructions.
fn widen<T: Copy + Default, const N: usize>(
    raw: &[u8],
    read: impl Fn([u8; N]) -> T + Sync,
    convert: impl Fn(&[T], &mut [f32]) + Sync,
) -> Store {
    const PIECE: usize = 1 << 12;
    let (numbers, _) = raw.as_chunks::<N>();
    let mut values = vec![0.0; numbers.len()];
    let pieces = values.par_chunks_mut(PIECE).zip(numbers.par_chunks(PIECE)).with_min_len(16);
    pieces.for_each_init(
        || [T::default(); PIECE],
        |piece, (values, numbers)| {
            piece.iter_mut().zip(numbers).for_each(|(number, bytes)| *number = read(*bytes));
            convert(&piece[..numbers.len()], values);
        },
    );
    Store::Widened(Arc::new(values), 0)
}
