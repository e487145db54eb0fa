//! An explanation as a figure, a page, data, a table and Markdown.

use super::{Found, Options, markdown};
use crate::error::Result;
use crate::export::table::text;
use crate::export::{Data, Entry, Table};
use crate::figure::{Figure, Panel, Table as Words};
use crate::findings::found::{Findings, Section, Sentence};
use crate::findings::subject::About;
use serde_json::{Map, json};

/// What all methods found of one prediction.
pub(super) struct Explained<'a> {
    pub options: &'a Options,
    pub about: About,
    pub panels: Vec<Found>,
    pub sentences: Vec<Sentence>,
}

impl Explained<'_> {
    /// The entry that tells, and those that it tells of.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let sentence = |sentence: &Sentence| json!({ "text": sentence.text, "panel": sentence.panel });
        let own = Entry {
            method: "explain".into(),
            settings: Map::from_iter([("bos".into(), self.about.prompt.bos.into())]),
            fields: Map::from_iter([("sentences".into(), self.sentences.iter().map(sentence).collect())]),
            arrays: Vec::new(),
        };
        std::iter::once(own).chain(self.panels.iter().flat_map(|found| found.results.iter().cloned()))
    }

    /// The panels of all sections, each section under its heading.
    pub fn headed(&self) -> impl Iterator<Item = Panel> + '_ {
        self.panels.iter().flat_map(|found| {
            // Bars go to a column of their own, where a heading would not stand above them.
            let is_column = found.figure.panels.iter().all(|panel| matches!(panel, Panel::Bars(_)));
            let heading = Panel::Table(Words { title: found.title.into(), ..Words::default() });
            (!is_column).then_some(heading).into_iter().chain(found.figure.panels.iter().cloned())
        })
    }
}

impl Findings for Explained<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let lines = std::iter::once(self.about.line(super::LINE));
        let lines = lines.chain(self.sentences.iter().map(|sentence| sentence.text.clone())).collect();
        self.options.style.figure(&self.about, lines, self.headed().collect())
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        Ok(self.about.data(self.entries().collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let row = |sentence: &Sentence| vec![sentence.panel.into(), sentence.text.clone().into()];
        Ok(Table { columns: vec![text("panel"), text("sentence")], rows: self.sentences.iter().map(row).collect() })
    }

    fn markdown(&self) -> Result<String> {
        Ok(markdown::page(&[self]))
    }

    fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    fn sections(&self) -> Vec<Section<'_>> {
        let all = self.panels.iter();
        all.map(|found| Section { id: found.id, title: found.title, figure: &found.figure }).collect()
    }
}
