//! A number of a weight as a file holds it: f32, or in half precision, which becomes f32 without rounding.
#![allow(unsafe_code)] // loads; each block says why it is sound

use super::View;
#[cfg(target_arch = "x86_64")]
use super::register::Register;
use half::{bf16, f16};

/// What weights are made of.
pub trait Number: Copy + Send + Sync {
    /// As f32.
    fn wide(self) -> f32;

    /// Itself where it is f32: what needs no widening is read where it lies.
    fn plain(_: View<Self>) -> Option<View<f32>> {
        None
    }

    /// The numbers there, as f32.
    ///
    /// # Safety
    /// That of [`Register::load`].
    #[cfg(target_arch = "x86_64")]
    unsafe fn load<V: Register>(from: *const Self) -> V;
}

impl Number for f32 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }

    fn plain(view: View<f32>) -> Option<View<f32>> {
        Some(view)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load<V: Register>(from: *const f32) -> V {
        // SAFETY: the caller's promise, here and below.
        unsafe { V::load(from) }
    }
}

impl Number for f16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load<V: Register>(from: *const f16) -> V {
        unsafe { V::load_f16(from) }
    }
}

impl Number for bf16 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self.to_f32()
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load<V: Register>(from: *const bf16) -> V {
        unsafe { V::load_bf16(from) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Out, affine, portable};
    use super::*;

    fn numbers<T>(count: usize, of: impl Fn(f32) -> T) -> Vec<T> {
        (0..count).map(|i| of((i as f32 * 0.37).sin() * (1.0 + (i % 7) as f32))).collect()
    }

    /// The product with weights in half precision, and with the same weights as f32, by both ways.
    fn both<T: Number>(of: fn(f32) -> T, [rows, depth, cols]: [usize; 3], turned: bool) {
        let (x, bias, held) = (numbers(rows * depth, |x| x), numbers(cols, |x| x), numbers(depth * cols, of));
        let wide: Vec<f32> = held.iter().map(|x| x.wide()).collect();
        let x = View::new(&x, rows, depth, depth, 1);
        let way = [View::new(&wide, depth, cols, cols, 1), View::new(&wide, cols, depth, depth, 1).transposed()];
        let half = [View::new(&held, depth, cols, cols, 1), View::new(&held, cols, depth, depth, 1).transposed()];
        let (wide, half) = (way[usize::from(turned)], half[usize::from(turned)]);
        let what = format!("{rows} × {depth} × {cols}, turned: {turned}");
        assert!(affine(x, half, Some(&bias)) == affine(x, wide, Some(&bias)), "{what}");
        let (mut found, mut expected) = (vec![0.0; rows * cols], vec![0.0; rows * cols]);
        portable(Out { data: found.as_mut_ptr(), stride: cols, bias: None }, x, half, true);
        portable(Out { data: expected.as_mut_ptr(), stride: cols, bias: None }, x, wide, false);
        // gemm sums in another order where there are fewer columns.
        let size = expected.iter().fold(1.0f32, |size, x| size.max(x.abs()));
        let off = found.iter().zip(&expected).fold(0.0f32, |off, (a, b)| off.max((a - b).abs() / size));
        assert!(off < 1e-6, "portable: {what}: {off:.1e}");
    }

    #[test]
    fn weights_in_half_precision_give_the_bits_of_the_same_weights_as_f32() {
        for shape in [[1, 8, 32], [1, 70, 65], [2, 64, 300], [11, 130, 97], [60, 257, 161], [3, 1, 1], [9, 600, 33]] {
            for turned in [false, true] {
                both(f16::from_f32, shape, turned);
                both(bf16::from_f32, shape, turned);
            }
        }
    }

    #[test]
    fn every_number_in_half_precision_is_widened_as_it_is() {
        fn all<T: Number>(of: impl Fn(u16) -> T) {
            let held: Vec<T> = (0..=u16::MAX).map(of).filter(|x| x.wide().is_finite()).collect();
            let one = View::new(&[1.0], 1, 1, 1, 1);
            let found = affine(one, View::new(&held, 1, held.len(), held.len(), 1), None);
            assert!(found.iter().zip(&held).all(|(found, held)| *found == held.wide()));
        }
        all(f16::from_bits);
        all(bf16::from_bits);
    }
}
