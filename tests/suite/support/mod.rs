//! What several test files need: fixtures, golden files, and how far apart two lists of numbers are.

pub mod base;
pub mod browser;
pub mod checkpoint;
pub mod commands;
pub mod drawing;
pub mod figures;
pub mod hub;
pub mod llama;
pub mod pictures;
pub mod results;
pub mod screens;
pub mod shell;
pub mod skip;

use attnviz::Result;
use attnviz::analysis::attribution::Evaluator;
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Backend, Family, Gpt2, Gpt2Config, Site, Tap};
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
    let Family::Gpt2(config) = family(&checkpoint).unwrap() else { panic!("no GPT-2") };
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

/// How far apart two lists are, as a share of the second's norm.
pub fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}

/// The gradient of what is explained, at the embeddings.
pub fn gradient(evaluator: &Evaluator) -> Vec<f64> {
    let mut found = Vec::new();
    let mut keep = |_, _, gradient: &[f64]| {
        found = gradient.to_vec();
        Ok(())
    };
    evaluator.gradients(1, &|_| Ok(evaluator.embeddings().clone()), &mut keep).unwrap();
    found
}

/// The same gradient by central differences.
pub fn central_differences(evaluator: &Evaluator) -> Vec<f64> {
    let (e, h) = (numbers(evaluator.embeddings()), 1e-5);
    let moved = |i: usize| {
        let mut e = e.clone();
        e[i / 2] += if i.is_multiple_of(2) { h } else { -h };
        evaluator.tensor(&e)
    };
    let values = evaluator.values(2 * e.len(), &moved).unwrap();
    values.chunks(2).map(|pair| (pair[0] - pair[1]) / (2.0 * h)).collect()
}

/// Replaces one activation of one segment by zeros.
pub struct Zero(pub Site);

impl Tap for Zero {
    fn wants(&self, site: Site) -> bool {
        site == self.0
    }
    fn visit(&mut self, _: Site, x: Tensor) -> Result<Tensor> {
        Ok(x.zeros_like()?)
    }
}
