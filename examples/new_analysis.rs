//! A new analysis in one file, with a figure, a table and data: how much of each query's attention lies on its own word.
//!
//!     cargo run --example new_analysis -- "Once upon a time there was a hedgehog"
//!
//! What implements [`Analysis`] and [`Findings`] has every format, batches and records for free.
#![allow(clippy::print_stdout)]

use attnviz::analysis::{Request, attention};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::export::table::{number, text, whole};
use attnviz::export::{Array, Data, Entry, Table, write_bytes};
use attnviz::figure::{Bars, Figure, Panel};
use attnviz::findings::{About, Analysis, Findings, Output, Reading, Ready, Style, Subject, Words, find};
use attnviz::format::Format;
use attnviz::render::Fonts;
use attnviz::session::Session;
use serde::Serialize;

/// Its options, plain data.
#[derive(Default, Serialize)]
struct Options {
    reading: Reading,
    /// The layer that is looked at.
    layer: usize,
    style: Style,
}

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn check(&self, _: &[Output]) -> attnviz::Result<()> {
        self.style.check()
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> attnviz::Result<Box<dyn Findings + 'a>> {
        let words = subject.prompt.words(Default::default());
        let heads = subject.session.spec().heads;
        let ranges = words.iter().map(|word| word.tokens.clone()).collect();
        let all = (0..heads).collect();
        let request = Request { layers: vec![self.layer], heads: all, words: Some(ranges), ..Request::default() };
        let (found, _) = attention(subject.session.model(), &subject.prompt.ids, &request)?;
        let own = |word| found.maps.iter().map(|map| map.values[word * map.cols + word]).sum::<f32>() / heads as f32;
        let shares = (0..words.len()).map(own).collect();
        let labels = words.into_iter().map(|word| word.label).collect();
        Ok(Box::new(OwnWord { options: self, about: subject.about, labels, shares }))
    }
}

/// The mean share over the heads, for each word.
struct OwnWord<'a> {
    options: &'a Options,
    about: About,
    labels: Vec<String>,
    shares: Vec<f32>,
}

impl Findings for OwnWord<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let (labels, values, unit) = (self.labels.clone(), self.shares.clone(), "share of attention".into());
        let bars = Bars { title: "On the word itself".into(), labels, values, unit, ..Bars::default() };
        let line = self.about.line(&format!("layer {}, mean of all heads", self.options.layer));
        self.options.style.figure(&self.about, vec![line], vec![Panel::Bars(bars)])
    }

    fn data(&self, _: Option<usize>) -> attnviz::Result<Data> {
        let shares = Array { name: "share".into(), shape: vec![self.shares.len()], values: self.shares.clone() };
        Ok(self.about.data(vec![Entry { method: "own-word".into(), arrays: vec![shares], ..Entry::default() }]))
    }

    fn table(&self, _: Option<usize>) -> attnviz::Result<Table> {
        let columns = vec![whole("place"), text("word"), number("share")];
        let words = self.labels.iter().zip(&self.shares).enumerate();
        let rows = words.map(|(place, (word, share))| vec![place.into(), word.clone().into(), (*share).into()]);
        Ok(Table { columns, rows: rows.collect() })
    }
}

fn main() -> attnviz::Result<()> {
    let words = std::env::args().nth(1).unwrap_or_else(|| "Once upon a time there was a hedgehog".into());
    let options = Options { layer: 3, ..Options::default() };
    let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
    let prompt = options.reading().read(Words::Text(words), &session.tokenizer, session.spec())?;
    let found = find(&options, Subject::of(&session, prompt, "own-word", &options)?, &[])?;
    let ready = Ready::new(&*found);
    for format in [Format::Png, Format::Json, Format::Csv] {
        let path = format!("own-word.{}", format.extension());
        write_bytes(path.as_ref(), &ready.bytes(format, None, &Fonts::bundled())?)?;
        println!("{path}");
    }
    Ok(())
}
