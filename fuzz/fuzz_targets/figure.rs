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

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]);
    let prompt = Prompt::from_text(&TOKENIZER, &text, None).unwrap();
    let n = prompt.ids.len();
    let labels: Vec<String> = prompt.tokens.iter().map(|token| token.label.clone()).collect();
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
    assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'), "{drawn}");
    assert!(!drawn.contains("<script") && drawn.matches("<svg").count() == 1);
    let shown = terminal(&figure, &Default::default());
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
});
