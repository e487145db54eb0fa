//! A file of torch.save: its pickle, its zip and where its tensors lie, read within the file's bounds and in little memory.
#![no_main]

use attnviz::weights::Weights;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let held = std::ptr::from_mut(Box::leak(bytes.to_vec().into_boxed_slice()));
    // SAFETY: `weights` and what is made of it are gone before the box is freed.
    if let Ok(weights) = Weights::embedded("file.bin", unsafe { &*held }) {
        weights.fingerprints();
        weights.first_non_finite();
    }
    drop(unsafe { Box::from_raw(held) });
});
