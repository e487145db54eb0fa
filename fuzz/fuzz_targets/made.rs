//! What `rerun` reads of a PNG, an SVG or a JSON file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = attnviz::export::made::read(bytes);
});
