//! Vector loops on plain slices: softmax, LayerNorm, activations.
#![allow(unsafe_code)] // a call into code compiled for features that were detected

use super::kernel::{Level, level};

/// Generates a vector loop three times, for AVX-512, for AVX2 and for any processor, and a front that picks one at run time. The
/// body sees the constant `FUSED`: whether a fused multiply-add is one instruction here.
macro_rules! vectorised {
    ($(#[$doc:meta])* pub fn $name:ident($($arg:ident: $type:ty),*) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub fn $name($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            fn body<const FUSED: bool>($($arg: $type),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,fma")]
            fn sixteen($($arg: $type),*) $(-> $ret)? {
                body::<true>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn eight($($arg: $type),*) $(-> $ret)? {
                body::<true>($($arg),*)
            }
            match level() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the features were detected.
                Level::Avx512 => unsafe { sixteen($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the features were detected.
                Level::Avx2 => unsafe { eight($($arg),*) },
                _ => body::<{ cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64") }>($($arg),*),
            }
        }
    };
}

/// `a * b + c`, fused where that is one instruction.
#[inline(always)]
fn mul_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` within about one unit in the last place, 0 below the smallest normal number.
///
/// `x = n ln 2 + r`, a polynomial of degree 6 on `|r| ≤ ln 2 / 2` (Cephes' coefficients), then `n` added to the exponent.
#[inline(always)]
fn exp<const FUSED: bool>(x: f32) -> f32 {
    const TO_INTEGER: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to an integer in the low bits
    let clamped = x.clamp(-87.33, 88.72);
    let shifted = mul_add::<FUSED>(clamped, std::f32::consts::LOG2_E, TO_INTEGER);
    let n = shifted - TO_INTEGER;
    let r = mul_add::<FUSED>(n, -0.693_359_4, clamped);
    let r = mul_add::<FUSED>(n, 2.121_944_4e-4, r);
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = mul_add::<FUSED>(p, r, c);
    }
    let p = mul_add::<FUSED>(p * r, r, r) + 1.0;
    // Two halves, since 2^128 alone does not fit.
    let bits = shifted.to_bits().wrapping_sub(TO_INTEGER.to_bits()) as i32;
    let half = bits >> 1;
    let power = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let value = p * power(half) * power(bits - half);
    if x < -87.33 { 0.0 } else { value }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
fn sigmoid<const FUSED: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FUSED>(-x))
}

/// The sum of a slice in sixteen interleaved lanes: vectorises, and is the same on every processor.
#[inline(always)]
fn sum(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (i, value) in values.enumerate() {
        lanes[i % 16] += value;
    }
    let mut width = 8;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

vectorised! {
    /// Softmax of `scale · row`, in place. A row without a finite maximum becomes NaN.
    pub fn softmax(row: &mut [f32], scale: f32) {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = row.as_chunks_mut::<16>();
        for chunk in chunks.iter_mut() {
            for (x, lane) in chunk.iter_mut().zip(&mut lanes) {
                *x *= scale;
                *lane = if *x > *lane { *x } else { *lane };
            }
        }
        for (x, lane) in rest.iter_mut().zip(&mut lanes) {
            *x *= scale;
            *lane = if *x > *lane { *x } else { *lane };
        }
        let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut total = [0.0f32; 16];
        for chunk in chunks.iter_mut() {
            for (x, total) in chunk.iter_mut().zip(&mut total) {
                *x = exp::<FUSED>(*x - max);
                *total += *x;
            }
        }
        for (x, total) in rest.iter_mut().zip(&mut total) {
            *x = exp::<FUSED>(*x - max);
            *total += *x;
        }
        let inverse = 1.0 / sum(total.iter().copied());
        row.iter_mut().for_each(|x| *x *= inverse);
    }
}

vectorised! {
    /// `Σ x y`.
    pub fn dot(x: &[f32], y: &[f32]) -> f32 {
        let mut lanes = [0.0f32; 16];
        let ((xs, x), (ys, y)) = (x.as_chunks::<16>(), y.as_chunks::<16>());
        for (x, y) in xs.iter().zip(ys) {
            for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
                *lane = mul_add::<FUSED>(*x, *y, *lane);
            }
        }
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane = mul_add::<FUSED>(*x, *y, *lane);
        }
        sum(lanes.iter().copied())
    }
}

vectorised! {
    /// `y += a x`.
    pub fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = mul_add::<FUSED>(a, *x, *y));
    }
}

vectorised! {
    /// The largest number; a NaN is passed over.
    pub fn max(x: &[f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; 16];
        let (chunks, rest) = x.as_chunks::<16>();
        for chunk in chunks {
            for (x, lane) in chunk.iter().zip(&mut lanes) {
                *lane = if *x > *lane { *x } else { *lane };
            }
        }
        rest.iter().chain(&lanes).copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

vectorised! {
    /// `Σ exp(x − max)`; NaN where a number is none.
    pub fn exp_sum(x: &[f32], max: f32) -> f32 {
        let mut lanes = [0.0f32; 16];
        let (chunks, rest) = x.as_chunks::<16>();
        for chunk in chunks {
            for (x, lane) in chunk.iter().zip(&mut lanes) {
                *lane += exp::<FUSED>(*x - max);
            }
        }
        for (x, lane) in rest.iter().zip(&mut lanes) {
            *lane += exp::<FUSED>(*x - max);
        }
        sum(lanes.iter().copied())
    }
}

vectorised! {
    /// `y = (x − mean) / √(variance + eps) · weight + bias`; returns the mean and `1 / √(variance + eps)`.
    pub fn layer_norm(y: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> (f32, f32) {
        let n = x.len() as f32;
        let mean = lane_sum(x, |x| x) / n;
        let variance = lane_sum(x, |x| (x - mean) * (x - mean)) / n;
        let scale = 1.0 / (variance + eps).sqrt();
        for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = mul_add::<FUSED>((x - mean) * scale, *w, *b);
        }
        (mean, scale)
    }
}

vectorised! {
    /// `y = x / √(mean x² + eps) · weight`; returns `1 / √(mean x² + eps)`.
    pub fn rms_norm(y: &mut [f32], x: &[f32], weight: &[f32], eps: f32) -> f32 {
        let scale = 1.0 / (lane_sum(x, |x| x * x) / x.len() as f32 + eps).sqrt();
        for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * *w;
        }
        scale
    }
}

/// `Σ f(x)` in sixteen lanes.
#[inline(always)]
fn lane_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += f(*x);
    }
    sum(lanes.iter().copied())
}

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const CUBIC: f32 = 0.044_715;

vectorised! {
    /// `gelu_new`: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, in place, computed as `x · sigmoid(2u)`, which never cancels.
    pub fn gelu_new(x: &mut [f32]) {
        for x in x {
            let u = SQRT_2_OVER_PI * *x * (1.0 + CUBIC * *x * *x);
            *x *= sigmoid::<FUSED>(2.0 * u);
        }
    }
}

vectorised! {
    /// `x · sigmoid(slope · x)`, in place: silu at slope 1, quick_gelu at 1.702.
    pub fn swish(x: &mut [f32], slope: f32) {
        x.iter_mut().for_each(|x| *x *= sigmoid::<FUSED>(slope * *x));
    }
}

vectorised! {
    /// The derivative of [`gelu_new`] at each x, in place.
    pub fn gelu_new_slope(x: &mut [f32]) {
        for x in x {
            let s = sigmoid::<FUSED>(2.0 * SQRT_2_OVER_PI * *x * (1.0 + CUBIC * *x * *x));
            *x = s + *x * s * (1.0 - s) * 2.0 * SQRT_2_OVER_PI * (1.0 + 3.0 * CUBIC * *x * *x);
        }
    }
}

vectorised! {
    /// The derivative of [`swish`] at each x, in place.
    pub fn swish_slope(x: &mut [f32], slope: f32) {
        for x in x {
            let s = sigmoid::<FUSED>(slope * *x);
            *x = s + *x * s * (1.0 - s) * slope;
        }
    }
}
