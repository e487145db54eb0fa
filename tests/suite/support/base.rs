//! The fixture whose golden files transformers wrote, and how near its numbers are.

use super::results::tensors;
use candle_core::Tensor;
use std::collections::HashMap;

/// Its folder.
pub const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
/// What the golden files were made from: twelve tokens.
pub const TEXT: &str = "The café is in Zoë.";
/// How many those are.
pub const N: usize = 12;

pub fn golden() -> HashMap<String, Tensor> {
    tensors(&std::path::Path::new(BASE).join("expected.safetensors"))
}

#[track_caller]
pub fn near(ours: &[f32], theirs: &[f32], most: f32) {
    assert_eq!(ours.len(), theirs.len());
    let apart = ours.iter().zip(theirs).map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() });
    let worst = apart.fold(0.0, |worst: f32, d| if d > worst || d.is_nan() { d } else { worst });
    assert!(worst <= most, "{worst} apart");
}
