use serde::{Deserialize, Serialize};

/// Numbers in rows and columns. NaN means that nothing is there, such as above the diagonal of a causal map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub cols: usize,
    /// Row by row. Entries that are missing at the end count as NaN.
    #[serde(with = "super::nan")]
    pub data: Vec<f32>,
}

impl Matrix {
    /// A matrix from its numbers, row by row.
    pub fn new(rows: usize, cols: usize, data: Vec<f32>) -> Self {
        Self { rows, cols, data }
    }

    /// The square lower triangle of `n × n` numbers: what is above the diagonal becomes NaN.
    pub fn causal(n: usize, mut data: Vec<f32>) -> Self {
        for (row, values) in data.chunks_mut(n.max(1)).enumerate() {
            values.iter_mut().skip(row + 1).for_each(|value| *value = f32::NAN);
        }
        Self::new(n, n, data)
    }

    /// Rows of zeros become rows where nothing is: they are shares of nothing.
    pub fn without_empty_rows(mut self) -> Self {
        let is_empty = |row: &&mut [f32]| row.iter().all(|value| value.is_nan() || *value == 0.0);
        self.data.chunks_mut(self.cols.max(1)).filter(is_empty).for_each(|row| row.fill(f32::NAN));
        self
    }

    /// The number at a place; NaN where there is none.
    pub fn at(&self, row: usize, col: usize) -> f32 {
        if row >= self.rows || col >= self.cols {
            return f32::NAN;
        }
        self.data.get(row * self.cols + col).copied().unwrap_or(f32::NAN)
    }

    /// Pools both sides to at most `max_side`: blocks of `k × k` numbers, with the smallest `k` that fits, become their
    /// number of the largest magnitude, so that differences of either sign show. NaN counts as absent; a block of nothing but NaN stays NaN.
    pub fn pool(&self, max_side: usize) -> Self {
        self.pool_to(max_side, max_side)
    }

    /// Like [`Self::pool`], with a limit for each side.
    pub fn pool_to(&self, max_rows: usize, max_cols: usize) -> Self {
        let (tall, wide) = (block(self.rows, max_rows), block(self.cols, max_cols));
        if tall == 1 && wide == 1 {
            return self.clone();
        }
        let (rows, cols) = (self.rows.div_ceil(tall), self.cols.div_ceil(wide));
        let mut data = vec![f32::NAN; rows * cols];
        for (row, values) in self.data.chunks(self.cols.max(1)).take(self.rows).enumerate() {
            let pooled = &mut data[row / tall * cols..][..cols];
            for (slot, values) in pooled.iter_mut().zip(values.chunks(wide)) {
                *slot = values.iter().fold(*slot, |a, &b| if a.is_nan() || b.abs() > a.abs() { b } else { a });
            }
        }
        Self { rows, cols, data }
    }

    /// The smallest and the largest finite number, if there is one.
    pub fn range(&self) -> Option<(f32, f32)> {
        self.data.iter().filter(|v| v.is_finite()).fold(None, |range, &v| {
            range.map_or(Some((v, v)), |(low, high): (f32, f32)| Some((low.min(v), high.max(v))))
        })
    }
}

/// The smallest block side that pools `n` to at most `limit`.
pub(super) fn block(n: usize, limit: usize) -> usize {
    n.div_ceil(limit.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_keeps_the_largest_number_of_each_block_and_passes_over_nan() {
        let m = Matrix::causal(5, (0..25).map(|v| v as f32).collect());
        let p = m.pool(2);
        assert_eq!((p.rows, p.cols), (2, 2));
        assert_eq!(p.at(0, 0), 12.0);
        assert!(p.at(0, 1).is_nan());
        assert_eq!(p.at(1, 0), 22.0);
        assert_eq!(p.at(1, 1), 24.0);
        assert_eq!(m.pool(5).rows, 5);
    }

    #[test]
    fn pooling_keeps_a_large_negative_number() {
        let p = Matrix::new(2, 2, vec![0.1, f32::NAN, -0.5, 0.3]).pool(1);
        assert_eq!(p.data, [-0.5]);
    }

    #[test]
    fn a_row_of_zeros_is_absent() {
        let m = Matrix::causal(2, vec![0.0, 0.0, 0.0, 0.5]).without_empty_rows();
        assert!(m.at(0, 0).is_nan() && m.at(1, 0) == 0.0 && m.at(1, 1) == 0.5);
    }

    #[test]
    fn nothing_there_survives_json() {
        let m = Matrix::causal(2, vec![1.0, 0.5, 0.25, 0.75]);
        let json = serde_json::to_string(&m).expect("serialises");
        let back: Matrix = serde_json::from_str(&json).expect("parses");
        assert!(back.at(0, 1).is_nan());
        assert_eq!(back.at(1, 1), 0.75);
    }
}
