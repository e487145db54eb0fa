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
    /// What stands for a number that is there and is not shown, such as attention that a policy hides: it counts as NaN and is hatched.
    pub const HIDDEN: f32 = f32::from_bits(0x7fc0_0511);

    /// Whether a number is [`Self::HIDDEN`].
    pub fn is_hidden(value: f32) -> bool {
        value.to_bits() == Self::HIDDEN.to_bits()
    }

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

    /// Pools both sides to at most `max_side`: blocks of `k × k` numbers, with the smallest `k` that fits, become one. NaN counts as
    /// absent; a block of nothing but NaN stays NaN.
    pub fn pool(&self, max_side: usize, how: Pooling) -> Self {
        self.pool_by(block(self.rows.max(self.cols), max_side), how)
    }

    /// The same with `k` given.
    pub fn pool_by(&self, k: usize, how: Pooling) -> Self {
        self.pool_blocks((k, k), how)
    }

    /// The same in blocks of so many rows and columns.
    pub(crate) fn pool_blocks(&self, (tall, wide): (usize, usize), how: Pooling) -> Self {
        if tall <= 1 && wide <= 1 {
            return self.clone();
        }
        let (rows, cols) = (self.rows.div_ceil(tall), self.cols.div_ceil(wide));
        let (mut data, mut counts) = (vec![f32::NAN; rows * cols], vec![0u32; rows * cols]);
        for (row, values) in self.data.chunks(self.cols.max(1)).take(self.rows).enumerate() {
            let at = row / tall * cols;
            let slots = data[at..][..cols].iter_mut().zip(&mut counts[at..][..cols]);
            for ((slot, count), values) in slots.zip(values.chunks(wide)) {
                for value in values.iter().filter(|value| !value.is_nan()) {
                    *count += 1;
                    *slot = match how {
                        _ if slot.is_nan() => *value,
                        Pooling::Mean => *slot + value,
                        Pooling::Largest => {
                            if value.abs() > slot.abs() {
                                *value
                            } else {
                                *slot
                            }
                        }
                    };
                }
            }
        }
        if how == Pooling::Mean {
            data.iter_mut().zip(counts).for_each(|(value, count)| *value /= count.max(1) as f32);
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

/// What becomes of numbers that share a cell, where a map has more rows or columns than can be seen.
///
/// The mean is the default: attention is sparse, so that the largest of many weights is large nearly everywhere and a long text looks far
/// darker than it is, while a mean keeps the sum of what is shown. A stripe becomes paler by as much as its block is wide, and the scale
/// is made after pooling. Of numbers with signs a mean would cancel what differs: they keep the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The one of the largest magnitude, whatever its sign.
    Largest,
}

impl Pooling {
    /// What is said of cells that are `rows × cols` numbers each; nothing of one number.
    pub fn said(self, rows: usize, cols: usize) -> String {
        let what = if self == Self::Mean { "mean" } else { "largest" };
        if rows * cols <= 1 { String::new() } else { format!("each cell is the {what} of {rows} × {cols}") }
    }
}

/// The smallest block side that pools `n` to at most `limit`.
pub(crate) fn block(n: usize, limit: usize) -> usize {
    n.div_ceil(limit.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_takes_the_mean_of_what_is_there() {
        let m = Matrix::causal(5, (0..25).map(|v| v as f32).collect());
        let p = m.pool(2, Pooling::Mean);
        assert_eq!((p.rows, p.cols), (2, 2));
        assert_eq!(p.at(0, 0), (0.0 + 5.0 + 6.0 + 10.0 + 11.0 + 12.0) / 6.0);
        assert!(p.at(0, 1).is_nan());
        assert_eq!(p.at(1, 1), (18.0 + 23.0 + 24.0) / 3.0);
        assert_eq!(m.pool(5, Pooling::Mean).rows, 5);
        assert_eq!(m.pool(2, Pooling::Largest).at(1, 0), 22.0);
    }

    #[test]
    fn pooling_keeps_a_large_negative_number() {
        let p = Matrix::new(2, 2, vec![0.1, f32::NAN, -0.5, 0.3]).pool(1, Pooling::Largest);
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
