//! What several test files need: fixtures, golden files, and how far apart two lists of numbers are.
#![allow(dead_code)] // each test file uses its own part

pub mod skip;

use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Backend, Family, Gpt2, Gpt2Config};
use attnviz::session::family;
use attnviz::weights::Weights;
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Config and weights of a GPT-2.
pub fn checkpoint(source: &Source) -> (Gpt2Config, Weights) {
    let checkpoint = Checkpoint::open(source).unwrap();
    let Family::Gpt2(config) = family(&checkpoint).unwrap();
    (config, checkpoint.weights().unwrap())
}

pub fn load(folder: &Path, backend: &Backend) -> Gpt2 {
    let (config, weights) = checkpoint(&Source::Directory(folder.to_path_buf()));
    Gpt2::load(&weights, config, backend).unwrap()
}

pub fn golden(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

pub fn ids(golden: &HashMap<String, Tensor>) -> Vec<u32> {
    golden["ids"].to_vec1::<i64>().unwrap().into_iter().map(|id| id as u32).collect()
}

pub fn numbers(x: &Tensor) -> Vec<f64> {
    x.flatten_all().unwrap().to_dtype(candle_core::DType::F64).unwrap().to_vec1().unwrap()
}

/// The largest difference; two infinities of one sign do not differ.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.dims(), b.dims());
    let apart = |(a, b): (f64, f64)| if a == b { 0.0 } else { (a - b).abs() };
    numbers(a).into_iter().zip(numbers(b)).map(apart).fold(0.0, |max, d| if d > max || d.is_nan() { d } else { max })
}

/// The largest magnitude, at least 1: what hidden states and logits are measured against.
pub fn size(x: &Tensor) -> f64 {
    numbers(x).into_iter().filter(|x| x.is_finite()).fold(1.0, |max, x| max.max(x.abs()))
}

/// Numbers in −1..1 that are the same on every machine.
pub fn noise(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
