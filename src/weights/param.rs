//! One tensor of a checkpoint as f32, where it lies or copied.

use super::Bytes;
use rayon::prelude::*;
use std::fmt;
use std::sync::Arc;

#[derive(Clone)]
pub(super) enum Store {
    InPlace(Arc<Bytes>, usize),
    Widened(Arc<Vec<f32>>, usize),
}

/// A frozen f32 vector or matrix that lives in the mapped file. Cloning it clones a pointer.
#[derive(Clone)]
pub struct Param {
    pub(super) store: Store,
    pub(super) shape: Vec<usize>,
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

    /// Nothing but zeros.
    pub fn zeros(shape: &[usize]) -> Param {
        let values = vec![0.0; shape.iter().product()];
        Param { store: Store::Widened(Arc::new(values), 0), shape: shape.to_vec() }
    }

    /// With a number added to each, copied.
    pub fn plus(&self, number: f32) -> Param {
        let values = self.values().iter().map(|x| x + number).collect();
        Param { store: Store::Widened(Arc::new(values), 0), shape: self.shape.clone() }
    }

    /// Rows and columns exchanged, copied.
    pub fn turned(&self) -> Param {
        let (rows, cols) = self.dims2();
        let values = self.values();
        let mut turned = vec![0.0; values.len()];
        turned.par_chunks_mut(rows.max(1)).enumerate().for_each(|(col, out)| {
            out.iter_mut().zip(values[col..].iter().step_by(cols.max(1))).for_each(|(out, value)| *out = *value);
        });
        Param { store: Store::Widened(Arc::new(turned), 0), shape: vec![cols, rows] }
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

/// A copy as f32, made by all threads; wherever the bytes lie, `convert` sees numbers in a row, for which `half` has instructions.
pub(super) fn widen<T: Copy + Default, const N: usize>(
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
