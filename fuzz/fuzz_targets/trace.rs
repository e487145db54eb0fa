//! A trace file, safetensors or NPZ: what is read has the shape that it says, all numbers finite.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = attnviz::export::read::read_from(Cursor::new(bytes), "file") else { return };
    assert_eq!(trace.shape.iter().product::<usize>(), trace.attention.len());
    assert!(trace.attention.iter().all(|weight| weight.is_finite()));
    assert!(trace.tokens.is_none_or(|tokens| tokens.len() == trace.shape[3]));
});
