//! What each tensor holds in a few numbers: enough to tell whether it changed and, where one number of it did, which.

use crate::axes::place;
use crate::hash::xxh3_128;
use serde::{Deserialize, Serialize};

/// A tensor in a few numbers. Two tensors with one hash hold the same.
///
/// Besides the hash, two sums over the numbers' bits locate a single changed number, as an error-correcting code would: the first sum
/// changes by the difference, the second by the difference times the place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// XXH3-128 of its numbers as f32, or of its bytes where they are none, in hexadecimal.
    pub hash: String,
    /// The sum of the bits of all numbers, modulo 2⁶⁴.
    pub sum: u64,
    /// The sum of the bits of all numbers, each times its place, modulo 2⁶⁴.
    pub moment: u64,
    /// The Euclidean norm; `None` where it is not finite.
    pub norm: Option<f32>,
}

/// One number that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Where it is in its tensor, one index for each axis.
    pub place: Vec<usize>,
    /// What it was.
    pub old: f32,
    /// What it is.
    pub new: f32,
}

impl Fingerprint {
    /// Of a tensor's numbers.
    pub(super) fn of(shape: &[usize], values: &[f32]) -> Self {
        let (mut sum, mut moment, mut squares) = (0u64, 0u64, 0.0f64);
        for (place, value) in (0u64..).zip(values) {
            let bits = u64::from(value.to_bits());
            sum = sum.wrapping_add(bits);
            moment = moment.wrapping_add(bits.wrapping_mul(place));
            squares += f64::from(*value) * f64::from(*value);
        }
        let norm = Some(squares.sqrt() as f32).filter(|norm| norm.is_finite());
        Self { shape: shape.to_vec(), hash: hash(values), sum, moment, norm }
    }

    /// Of a tensor that holds no floating-point numbers.
    pub(super) fn of_bytes(shape: &[usize], bytes: &[u8]) -> Self {
        let hash = crate::hash::digits(xxh3_128(bytes));
        Self { shape: shape.to_vec(), hash, sum: 0, moment: 0, norm: None }
    }

    /// The single number by which `values` differ from the tensor that this is the fingerprint of. `None` where more than one
    /// changed: whatever is found is proven by the hash.
    pub(super) fn single_change(&self, values: &[f32]) -> Option<Changed> {
        let new = Self::of(&self.shape, values);
        let apart = new.sum.wrapping_sub(self.sum) as i64;
        let index = usize::try_from((new.moment.wrapping_sub(self.moment) as i64).checked_div(apart)?).ok()?;
        let now = *values.get(index)?;
        let old = f32::from_bits(u32::try_from(i64::from(now.to_bits()).checked_sub(apart)?).ok()?);
        let mut before = values.to_vec();
        before[index] = old;
        (hash(&before) == self.hash).then(|| Changed { place: place(index, &self.shape), old, new: now })
    }
}

fn hash(values: &[f32]) -> String {
    format!("{:032x}", xxh3_128(bytemuck::cast_slice(values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_changed_number_is_found_and_two_are_not_mistaken_for_one() {
        let values: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin()).collect();
        let print = Fingerprint::of(&[5, 12], &values);
        for index in [0, 1, 31, 59] {
            let mut changed = values.clone();
            changed[index] = changed[index] * 1.01 - 3.0;
            let found = print.single_change(&changed).unwrap();
            assert_eq!(found, Changed { place: vec![index / 12, index % 12], old: values[index], new: changed[index] });
            changed[(index + 7) % 60] += 0.5;
            assert_eq!(print.single_change(&changed), None);
        }
        assert_eq!(print.single_change(&values), None);
        assert_eq!(print.single_change(&[]), None);
    }
}
