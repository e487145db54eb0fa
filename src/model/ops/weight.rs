//! A weight as the operations of a model want it: in place in the mapped file, or a tensor on any device.

use super::double;
use crate::weights::Param;
use candle_core::{D, DType, Device, Result, Tensor, bail};

/// Which operations compute a model.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Ours, in f32 on the CPU, from weights read in place.
    Fused,
    /// candle's own, on any device, in any float type: the reference for ours.
    Composite(DType, Device),
}

impl Backend {
    /// A weight as these operations want it.
    ///
    /// # Errors
    /// A device that has no room for it.
    pub fn weight(&self, param: Param) -> Result<Weight> {
        Ok(match self {
            Backend::Fused => Weight::Mapped(param),
            Backend::Composite(dtype, device) => {
                Weight::Dense(Weight::Mapped(param).tensor()?.to_device(device)?.to_dtype(*dtype)?)
            }
        })
    }
}

/// A weight: in place in the mapped file for the fused path, or a tensor for the composite one.
#[derive(Clone, Debug)]
pub enum Weight {
    /// Read where it lies, frozen: f32, or a matrix in half precision, which is widened as it is multiplied.
    Mapped(Param),
    /// Any device, any float type.
    Dense(Tensor),
}

impl Weight {
    /// As a tensor (a copy where it is mapped).
    ///
    /// # Errors
    /// Memory that cannot be had.
    pub fn tensor(&self) -> Result<Tensor> {
        match self {
            Weight::Mapped(param) => Tensor::from_vec(param.values().into_owned(), param.shape(), &Device::Cpu),
            Weight::Dense(tensor) => Ok(tensor.clone()),
        }
    }

    /// The same in double precision, on the CPU: not every device has it.
    ///
    /// # Errors
    /// Memory that cannot be had.
    pub fn double(&self) -> Result<Tensor> {
        double(&self.tensor()?)
    }

    /// Rows `first..first + len` of a matrix.
    ///
    /// # Errors
    /// Rows outside the matrix.
    pub fn rows(&self, first: usize, len: usize) -> Result<Weight> {
        Ok(match self {
            Weight::Mapped(param) => Weight::Mapped(param.rows(first, len)),
            Weight::Dense(tensor) => Weight::Dense(tensor.narrow(0, first, len)?),
        })
    }

    /// Columns `first..first + len` of a matrix, copied: `[rows, len]`.
    ///
    /// # Errors
    /// Columns outside the matrix.
    pub fn columns(&self, first: usize, len: usize) -> Result<Tensor> {
        match self {
            Weight::Mapped(param) => {
                let (rows, cols) = param.dims2();
                if first + len > cols {
                    bail!("columns {first} to {} outside a matrix of {cols}", first + len);
                }
                let mut values = Vec::with_capacity(rows * len);
                for row in 0..rows {
                    values.extend_from_slice(&param.some(row * cols + first..row * cols + first + len));
                }
                Tensor::from_vec(values, (rows, len), &Device::Cpu)
            }
            Weight::Dense(tensor) => tensor.reshape(((), tensor.dim(D::Minus1)?))?.narrow(1, first, len)?.contiguous(),
        }
    }

    /// The named rows of a matrix, `[ids, cols]`.
    ///
    /// # Errors
    /// An id outside the matrix.
    pub fn gather(&self, ids: &[u32]) -> Result<Weight> {
        Ok(match self {
            Weight::Mapped(param) => Weight::Mapped(param.gather(ids)),
            Weight::Dense(tensor) => Weight::Dense(tensor.index_select(&Tensor::new(ids, tensor.device())?, 0)?),
        })
    }
}
