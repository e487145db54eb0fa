//! What `snapshot check` and `rerun` do with an expected file: it is compared with one of each format that is good.
#![no_main]

use attnviz::compare::{Tolerance, differences, side_by_side};
use attnviz::figure::Figure;
use attnviz::format::Format;
use attnviz::render::{Fonts, png, svg};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FONTS: LazyLock<Fonts> = LazyLock::new(Fonts::bundled);
static GOOD: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let figure = Figure { title: "a title".into(), ..Figure::default() };
    let good = (png(&figure, &FONTS), svg(&figure, &FONTS));
    (good.0.expect("a figure can be drawn"), good.1.expect("a figure can be drawn").into_bytes())
});

fuzz_target!(|bytes: &[u8]| {
    let tolerance = Tolerance::default();
    for (format, good) in [(Format::Png, &GOOD.0), (Format::Svg, &GOOD.1)] {
        differences(format, bytes, good, &tolerance);
        let _ = side_by_side(format, bytes, good, tolerance.colours, &FONTS);
    }
    let (json, csv) = (b"{\"results\": [{\"method\": \"m\", \"map\": [[0.5]]}]}", b"a,b\n1,x\n");
    differences(Format::Json, bytes, json, &tolerance);
    differences(Format::Csv, bytes, csv, &tolerance);
    for format in [Format::Npz, Format::Safetensors] {
        differences(format, bytes, bytes.get(1..).unwrap_or_default(), &tolerance);
    }
});
