//! A safetensors file as a checkpoint: opened, hashed and loaded as the built-in model's config asks, whatever its header says.
#![no_main]

use attnviz::model::{Backend, Family};
use attnviz::weights::Weights;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const CONFIG: &str = r#"{"model_type": "gpt2", "vocab_size": 2, "n_positions": 2, "n_embd": 2, "n_layer": 1, "n_head": 1}"#;

fuzz_target!(|bytes: &[u8]| {
    static FAMILY: LazyLock<Family> = LazyLock::new(|| Family::parse(CONFIG.as_bytes(), "config").unwrap());
    let held = std::ptr::from_mut(Box::leak(bytes.to_vec().into_boxed_slice()));
    // SAFETY: `weights` and what is made of it are gone before the box is freed.
    if let Ok(weights) = Weights::embedded("file", unsafe { &*held }) {
        let _ = FAMILY.load(&weights, &Backend::Fused);
        weights.hash();
        weights.first_non_finite();
    }
    drop(unsafe { Box::from_raw(held) });
});
