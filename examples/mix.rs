//! What `attnviz mix` finds, made by a program of its own: JSON, a table and a picture from plain options.
//!
//!     cargo run --example mix -- "The fox met the crow by the well."
#![allow(clippy::print_stdout)]

use attnviz::analysis::Sink;
use attnviz::analysis::mixing::Method;
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::export::write_bytes;
use attnviz::figure::Theme;
use attnviz::findings::{Asked, Output, Ready, Style, Subject, Words, find, mix};
use attnviz::format::Format;
use attnviz::render::Fonts;
use attnviz::session::Session;

fn main() -> attnviz::Result<()> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "The fox met the crow by the well.".into());
    let asked = Asked::Mix(mix::Options {
        method: vec![Method::Raw, Method::Rollout, Method::ValueZeroing],
        sink: Sink::Renorm,
        style: Style { theme: Theme::Dark, ..Style::default() },
        ..mix::Options::default()
    });
    let outputs = [Format::Json, Format::Csv, Format::Png].map(Output::whole);
    let analysis = asked.analysis();
    analysis.check(&outputs)?; // before anything is loaded

    let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
    let prompt = analysis.reading().read(Words::Text(text), &session.tokenizer, session.spec())?;
    let found = find(analysis, Subject::new(&session, prompt, &asked)?, &outputs)?;

    let (ready, fonts) = (Ready::new(&*found), Fonts::bundled());
    for output in outputs {
        let path = format!("mixing.{}", output.format.extension());
        write_bytes(path.as_ref(), &ready.bytes(output.format, None, &fonts)?)?;
        println!("{path}");
    }
    Ok(())
}
