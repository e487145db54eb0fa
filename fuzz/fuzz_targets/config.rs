//! A `config.json`: understood or refused, with sizes that a computer can add up.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(spec) = attnviz::checkpoint::config::parse(bytes, "config.json") {
        assert!(spec.heads * spec.d_head == spec.d_model && spec.layers > 0 && spec.vocab > 0 && spec.context > 0);
        assert!(spec.score_scale(spec.layers - 1).is_finite());
    }
});
