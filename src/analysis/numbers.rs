//! Tensors as plain numbers.

use crate::error::Result;
use candle_core::{DType, Tensor};

/// A tensor's numbers in double precision, row-major.
pub(crate) fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    Ok(x.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
}
