//! Several prompts in one forward pass, packed and never padded: `cargo run --example batch -- "One" "Two, which is longer"`.
#![allow(clippy::print_stdout)]

use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::Activation;
use attnviz::prompt::Prompt;
use attnviz::session::Session;
use attnviz::trace::{Recorder, forward};

fn main() -> attnviz::Result<()> {
    let mut texts: Vec<String> = std::env::args().skip(1).collect();
    if texts.is_empty() {
        texts = vec!["The fox ran.".into(), "Once upon a time there was a girl who had a red ball.".into()];
    }
    let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
    let prompts: Vec<Prompt> =
        texts.iter().map(|text| Prompt::from_text(&session.tokenizer, text, None)).collect::<Result<_, _>>()?;
    let ids: Vec<&[u32]> = prompts.iter().map(|prompt| &prompt.ids[..]).collect();

    let mut recorder = Recorder::new().keep(Activation::Pattern);
    forward(session.model(), &ids, &mut recorder)?;
    let trace = recorder.trace();

    let spec = session.spec();
    for (segment, prompt) in prompts.iter().enumerate() {
        let (mut total, n) = (0.0, prompt.ids.len());
        for layer in 0..spec.layers {
            let pattern = trace.get(Activation::Pattern, layer, segment)?; // [head, query, key]
            total += pattern.narrow(2, 0, 1)?.mean_all()?.to_scalar::<f32>()?;
        }
        let share = total / spec.layers as f32;
        println!("{n} tokens, {:.0} % of the attention on the first: {}", 100.0 * share, texts[segment]);
    }
    Ok(())
}
