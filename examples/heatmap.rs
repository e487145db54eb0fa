//! One head of the built-in model as a picture: `cargo run --example heatmap -- "Once upon a time" head.svg`.
#![allow(clippy::print_stdout)]

use attnviz::analysis::{Request, attention};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::figure::attention::{heatmap, matrix};
use attnviz::figure::{Colormap, Figure, Scale, ScaleKind};
use attnviz::prompt::Prompt;
use attnviz::render::{Fonts, svg};
use attnviz::session::Session;

fn main() -> attnviz::Result<()> {
    let mut args = std::env::args().skip(1);
    let text = args.next().unwrap_or_else(|| "Once upon a time there was a fox".into());
    let path = args.next().unwrap_or_else(|| "head.svg".into());

    let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
    let prompt = Prompt::from_text(&session.tokenizer, &text, None)?;
    let request = Request { layers: vec![4], heads: vec![3], ..Request::default() };
    let (attention, _) = attention(session.model(), &prompt.ids, &request)?;

    let values = matrix(&attention.maps[0], true);
    let scale = Scale::over(ScaleKind::Linear, Colormap::Tide, "attention", [&values]);
    let labels: Vec<String> = prompt.tokens.iter().map(|token| token.label.clone()).collect();
    let figure = Figure {
        title: text,
        subtitle: vec!["layer 4, head 3".into()],
        panels: vec![heatmap(values, &labels, scale)],
        ..Figure::default()
    };
    let drawn = svg(&figure, &Fonts::bundled())?;
    std::fs::write(&path, drawn).map_err(|e| attnviz::Error::failed(format!("cannot write {path}: {e}")))?;
    println!("{path}");
    Ok(())
}
