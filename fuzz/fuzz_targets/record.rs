//! What `rerun` reads of a file: a record, or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = attnviz::export::record::read(bytes);
});
