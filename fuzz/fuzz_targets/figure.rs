//! Any text as a prompt of the built-in tokenizer: its labels and words drawn as an SVG that is XML without control characters.
#![no_main]

use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::figure::{Bars, Figure, Heatmap, Matrix, Panel, Scale};
use attnviz::prompt::{Prompt, Tokenizer, WordRule};
use attnviz::record::Record;
use attnviz::render::{Fonts, svg, terminal};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let checkpoint = Checkpoint::open(&Source::Builtin).unwrap();
    Tokenizer::from_json(&checkpoint.read("tokenizer.json").unwrap().unwrap(), "tokenizer.json").unwrap()
});

static FONTS: LazyLock<Fonts> = LazyLock::new(Fonts::bundled);

const MOST_ROWS: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]);
    let prompt = Prompt::from_text(&TOKENIZER, &text, None).unwrap();
    // More rows draw the same again: the title, the bars and the record have the whole text.
    let labels: Vec<String> = prompt.tokens.iter().take(MOST_ROWS).map(|token| token.label.clone()).collect();
    let n = labels.len();
    let values = Matrix::causal(n, (0..n * n).map(|at| 1.0 / (1 + at % n.max(1)) as f32).collect());
    let scale = Scale::default();
    let words: Vec<String> = prompt.words(WordRule::Default).into_iter().map(|word| word.label).collect();
    let figure = Figure {
        title: text.to_string(),
        subtitle: vec![prompt.written()],
        panels: vec![
            Panel::Heatmap(Heatmap { row_labels: labels.clone(), col_labels: labels, values, scale, ..Heatmap::default() }),
            Panel::Bars(Bars { values: vec![0.5; words.len()], labels: words, ..Bars::default() }),
        ],
        record: Some(Record { prompt: text.into(), ..Record::default() }),
        ..Figure::default()
    };
    let drawn = svg(&figure, &FONTS).unwrap();
    assert!(!has_control(&drawn), "{drawn}");
    assert!(!drawn.contains("<script") && drawn.matches("<svg").count() == 1);
    let shown = terminal(&figure, &Default::default());
    assert!(!has_control(&shown), "{shown:?}");
});

/// Whether there is a control character other than a newline. Without a branch for each byte: libFuzzer would follow a hundred thousand.
fn has_control(text: &str) -> bool {
    const CONTROL: u8 = 1;
    const C2: u8 = 2; // begins what ends in one of the next, if it is a control character
    const ENDS: u8 = 4;
    const KINDS: [u8; 256] = {
        let (mut kinds, mut byte) = ([0; 256], 0);
        while byte < 256 {
            kinds[byte] = match byte as u8 {
                b'\n' => 0,
                0..0x20 | 0x7f => CONTROL,
                0xc2 => C2,
                0x80..0xa0 => ENDS,
                _ => 0,
            };
            byte += 1;
        }
        kinds
    };
    let (mut found, mut before) = (0, 0);
    for byte in text.bytes() {
        let kind = KINDS[usize::from(byte)];
        found |= (kind & CONTROL) | ((before & C2) << 1 & kind);
        before = kind;
    }
    found != 0
}
