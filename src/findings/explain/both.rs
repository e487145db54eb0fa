//! Two models' explanations of one prompt, beside one another.

use super::shown::Explained;
use super::{Options, markdown};
use crate::error::Result;
use crate::export::table::text;
use crate::export::{Data, Table};
use crate::figure::{Figure, Panel, Table as Words};
use crate::findings::found::{Findings, Section, Sentence};
use crate::findings::subject::{About, Subject};
use crate::findings::{Analysis, Watch};
use crate::model::Spec;
use crate::prompt::Prompt;
use crate::session::Session;
use serde_json::json;

/// What one model's methods found.
pub struct Told<'a>(Explained<'a>);

/// One prediction of one of several models, as it reads the prompt.
///
/// # Errors
/// As the analysis of one model.
pub fn find<'a>(options: &'a Options, prompt: Prompt, session: &Session, watch: Watch) -> Result<Told<'a>> {
    let spec: &Spec = session.spec();
    options.fits(spec)?;
    let subject = Subject { watch, ..Subject::of(session, prompt, "explain", options)? };
    Ok(Told(options.explain(subject)?))
}

/// Both, the first of which the files are named after.
pub struct Both<'a> {
    first: Explained<'a>,
    second: Explained<'a>,
}

impl<'a> Both<'a> {
    /// `line` is what was typed, for people.
    pub fn new(first: Told<'a>, second: Told<'a>, line: &str) -> Self {
        let (Told(mut first), Told(second)) = (first, second);
        line.clone_into(&mut first.about.record.line);
        first.about.record.others = 1;
        Self { first, second }
    }

    fn each(&self) -> [&Explained<'a>; 2] {
        [&self.first, &self.second]
    }
}

impl Findings for Both<'_> {
    fn about(&self) -> &About {
        &self.first.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let mut lines = vec!["one prediction of two models by several methods".to_owned()];
        let mut panels = Vec::new();
        for one in self.each() {
            let name = one.about.model_name();
            lines.extend(one.sentences.iter().map(|sentence| format!("{name}: {}", sentence.text)));
            panels.push(Panel::Table(Words { title: name.to_owned(), ..Words::default() }));
            panels.extend(one.headed());
        }
        self.first.options.style.figure(&self.first.about, lines, panels)
    }

    /// Each entry with its model, and with that model's tokens.
    fn data(&self, _: Option<usize>) -> Result<Data> {
        let mut entries = Vec::new();
        for one in self.each() {
            for mut entry in one.entries() {
                entry.settings.insert("model".into(), json!(one.about.model()));
                // What another prompt changes has that one's tokens.
                entry.fields.entry("tokens").or_insert_with(|| json!(one.about.texts()));
                entries.push(entry);
            }
        }
        Ok(self.first.about.data(entries))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let rows = self.each().into_iter().flat_map(|one| {
            let name = one.about.model_name();
            one.sentences
                .iter()
                .map(move |Sentence { panel, text }| vec![name.clone().into(), (*panel).into(), text.clone().into()])
        });
        Ok(Table { columns: vec![text("model"), text("panel"), text("sentence")], rows: rows.collect() })
    }

    fn markdown(&self) -> Result<String> {
        Ok(markdown::page(&self.each()))
    }

    fn sentences(&self) -> &[Sentence] {
        &self.first.sentences
    }

    fn sections(&self) -> Vec<Section<'_>> {
        self.first.sections()
    }

    fn beside(&self) -> Option<&dyn Findings> {
        Some(&self.second)
    }
}
