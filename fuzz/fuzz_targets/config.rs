//! A `config.json`: understood or refused, with sizes that a computer can add up.
#![no_main]

use attnviz::model::Family;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Family::Gpt2(config)) = Family::parse(bytes, "config.json") {
        let spec = &config.spec;
        assert!(spec.heads * spec.d_head == spec.d_model && spec.layers > 0 && spec.vocab > 0 && spec.context > 0);
        assert!(config.score_scale(spec.layers - 1).is_finite());
    }
});
