//! A trace file, safetensors, NPZ or NPY: what is read has the shape that it says, all numbers finite but for whole rows of NaN.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let Ok(trace) = attnviz::export::read::read_from(Cursor::new(bytes), "file") else { return };
    assert_eq!(trace.shape.iter().product::<usize>(), trace.attention.len());
    let whole = |row: &[f32]| row.iter().all(|weight| weight.is_finite()) || row.iter().all(|weight| weight.is_nan());
    assert!(trace.attention.chunks_exact(trace.shape[3]).all(whole));
    assert!(trace.query_tokens.is_none_or(|tokens| tokens.len() == trace.shape[2]));
    assert!(trace.tokens.is_none_or(|tokens| tokens.len() == trace.shape[3]));
});
