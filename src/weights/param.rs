//! One tensor of a checkpoint, where it lies or copied.

use super::Bytes;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What numbers are held as.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Held {
    F32,
    F16,
    Bf16,
}

impl Held {
    /// Bytes of a number.
    pub fn width(self) -> usize {
        if self == Held::F32 { 4 } else { 2 }
    }
}

/// Numbers as they are held, row by row.
#[derive(Clone, Copy)]
pub enum Numbers<'a> {
    /// Of 32 bits.
    F32(&'a [f32]),
    /// Of 16 bits, ten of them behind the point.
    F16(&'a [f16]),
    /// The upper half of 32 bits.
    Bf16(&'a [bf16]),
}

/// A frozen vector or matrix that lives in the mapped file: a vector as f32, a matrix as f32 or in half precision, as it is stored.
/// Cloning it clones a pointer.
#[derive(Clone)]
pub struct Param {
    bytes: Arc<Bytes>,
    start: usize,
    held: Held,
    shape: Vec<usize>,
}

impl Param {
    /// In place, or nothing where the bytes do not lie so that they can be read as numbers.
    pub(super) fn in_place(bytes: &Arc<Bytes>, start: usize, held: Held, shape: &[usize]) -> Option<Param> {
        let aligned = (bytes[start..].as_ptr() as usize).is_multiple_of(held.width());
        aligned.then(|| Param { bytes: bytes.clone(), start, held, shape: shape.to_vec() })
    }

    /// The same bytes elsewhere.
    pub(super) fn copied(raw: &[u8], held: Held, shape: &[usize]) -> Param {
        let mut words = vec![0.0f32; raw.len().div_ceil(4)];
        bytemuck::cast_slice_mut(&mut words)[..raw.len()].copy_from_slice(raw);
        Param { bytes: Arc::new(Bytes::Copied(words)), start: 0, held, shape: shape.to_vec() }
    }

    /// Of these numbers.
    pub(super) fn of(values: Vec<f32>, shape: &[usize]) -> Param {
        Param { bytes: Arc::new(Bytes::Copied(values)), start: 0, held: Held::F32, shape: shape.to_vec() }
    }

    /// Its numbers as they are held.
    pub fn numbers(&self) -> Numbers<'_> {
        self.part(0..self.shape.iter().product())
    }

    /// Some of them.
    fn part(&self, at: Range<usize>) -> Numbers<'_> {
        let width = self.held.width();
        // Alignment and length were checked when the file was opened.
        let bytes = &self.bytes[self.start + width * at.start..self.start + width * at.end];
        match self.held {
            Held::F32 => Numbers::F32(bytemuck::cast_slice(bytes)),
            Held::F16 => Numbers::F16(bytemuck::cast_slice(bytes)),
            Held::Bf16 => Numbers::Bf16(bytemuck::cast_slice(bytes)),
        }
    }

    /// Its numbers as f32, row by row: copied where they are held otherwise.
    pub fn values(&self) -> Cow<'_, [f32]> {
        self.some(0..self.shape.iter().product())
    }

    /// Some of them.
    pub fn some(&self, at: Range<usize>) -> Cow<'_, [f32]> {
        /// Numbers that one thread widens.
        const PIECE: usize = 1 << 16;
        fn wide<T: Sync>(numbers: &[T], convert: impl Fn(&[T], &mut [f32]) + Sync) -> Cow<'static, [f32]> {
            let mut out = vec![0.0; numbers.len()];
            let pieces = out.par_chunks_mut(PIECE).zip(numbers.par_chunks(PIECE));
            pieces.for_each(|(out, numbers)| convert(numbers, out));
            Cow::Owned(out)
        }
        match self.part(at) {
            Numbers::F32(numbers) => Cow::Borrowed(numbers),
            Numbers::F16(numbers) => wide(numbers, |numbers, out| numbers.convert_to_f32_slice(out)),
            Numbers::Bf16(numbers) => wide(numbers, |numbers, out| numbers.convert_to_f32_slice(out)),
        }
    }

    /// The numbers of a vector.
    ///
    /// # Panics
    /// A matrix in half precision: no vector is held so.
    pub fn vector(&self) -> &[f32] {
        match self.numbers() {
            Numbers::F32(numbers) => numbers,
            Numbers::F16(_) | Numbers::Bf16(_) => unreachable!("a vector {:?} in half precision", self.shape),
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

    /// Nothing but zeros.
    pub fn zeros(shape: &[usize]) -> Param {
        Self::of(vec![0.0; shape.iter().product()], shape)
    }

    /// With a number added to each, copied.
    pub fn plus(&self, number: f32) -> Param {
        Self::of(self.values().iter().map(|x| x + number).collect(), &self.shape)
    }

    /// Rows and columns exchanged, copied.
    pub fn turned(&self) -> Param {
        fn turn<T: bytemuck::Pod + Send + Sync>(values: &[T], turned: &mut [f32], rows: usize, cols: usize) {
            let turned = &mut bytemuck::cast_slice_mut(turned)[..values.len()];
            turned.par_chunks_mut(rows.max(1)).enumerate().for_each(|(col, out): (usize, &mut [T])| {
                out.iter_mut().zip(values[col..].iter().step_by(cols.max(1))).for_each(|(out, value)| *out = *value);
            });
        }
        let (rows, cols) = self.dims2();
        let mut words = vec![0.0f32; (rows * cols * self.held.width()).div_ceil(4)];
        match self.numbers() {
            Numbers::F32(values) => turn(values, &mut words, rows, cols),
            Numbers::F16(values) => turn(values, &mut words, rows, cols),
            Numbers::Bf16(values) => turn(values, &mut words, rows, cols),
        }
        Param { bytes: Arc::new(Bytes::Copied(words)), start: 0, held: self.held, shape: vec![cols, rows] }
    }

    /// Rows `first..first + len` of a matrix.
    pub fn rows(&self, first: usize, len: usize) -> Param {
        let (rows, cols) = self.dims2();
        assert!(first + len <= rows, "rows outside a matrix");
        Param { start: self.start + self.held.width() * first * cols, shape: vec![len, cols], ..self.clone() }
    }

    /// The named rows of a matrix, copied as f32: `[ids, cols]`.
    pub fn gather(&self, ids: &[u32]) -> Param {
        let cols = self.dims2().1;
        let mut values = Vec::with_capacity(ids.len() * cols);
        for id in ids {
            values.extend_from_slice(&self.some(*id as usize * cols..(*id as usize + 1) * cols));
        }
        Self::of(values, &[ids.len(), cols])
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Param{:?}", self.shape)
    }
}

/// Numbers of double precision narrowed, by all threads, wherever they lie.
pub(super) fn narrowed(raw: &[u8]) -> Vec<f32> {
    raw.as_chunks().0.par_iter().with_min_len(1 << 14).map(|bytes| f64::from_le_bytes(*bytes) as f32).collect()
}
