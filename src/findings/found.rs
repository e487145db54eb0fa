//! What every analysis hands over, ready for any format.

use super::About;
use super::checks::no_graph;
use crate::error::Result;
use crate::export::{Data, Source, Table, csv, markdown};
use crate::figure::Figure;
use crate::record::Part;
use std::io::Write;

/// What an option with another value would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The option.
    pub option: &'static str,
    /// Its value; empty where the effect says which.
    pub value: &'static str,
    /// What it does, as the rest of a sentence.
    pub effect: String,
}

impl Advice {
    pub(crate) fn new(option: &'static str, value: &'static str, effect: impl Into<String>) -> Self {
        Self { option, value, effect: effect.into() }
    }
}

/// A sentence for people, and the section whose numbers it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The section's id.
    pub panel: &'static str,
    /// The sentence.
    pub text: String,
}

/// A part of a page with a figure of its own.
pub struct Section<'a> {
    /// Its id, by which a page links to it.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Its figure.
    pub figure: &'a Figure,
}

/// What was found, ready for any format: all of it, or one part where a file for each layer or head was asked for.
pub trait Findings: Send + Sync {
    /// What was looked at.
    fn about(&self) -> &About;
    /// As a picture.
    fn figure(&self, part: Option<usize>) -> Figure;
    /// A part as a picture, for whoever writes it: what is not held for [`Self::figure`] is made again.
    ///
    /// # Errors
    /// What cannot be made again.
    fn part_figure(&self, part: usize) -> Result<Figure> {
        Ok(self.figure(Some(part)))
    }
    /// Makes ready what this part and others of its layer are made of.
    ///
    /// # Errors
    /// As [`Self::part_figure`].
    fn prepare(&self, _part: usize) -> Result<()> {
        Ok(())
    }
    /// As numbers.
    ///
    /// # Errors
    /// Numbers that do not fit their axes.
    fn data(&self, part: Option<usize>) -> Result<Data>;
    /// The same, for whoever writes it: numbers that take much room are left to the source.
    ///
    /// # Errors
    /// As [`Self::data`].
    fn outline(&self, part: Option<usize>) -> Result<(Data, Option<Box<dyn Source + '_>>)> {
        Ok((self.data(part)?, None))
    }
    /// As a table.
    ///
    /// # Errors
    /// Numbers that do not fit their axes.
    fn table(&self, part: Option<usize>) -> Result<Table>;
    /// The same in tables of the same columns, one after the other, so that a large one need not be held.
    ///
    /// # Errors
    /// As [`Self::table`]; what `take` returns.
    fn tables(&self, part: Option<usize>, take: &mut dyn FnMut(Table) -> Result<()>) -> Result<()> {
        take(self.table(part)?)
    }
    /// As CSV.
    ///
    /// # Errors
    /// More rows than a text should hold, or a failed write.
    fn csv(&self, part: Option<usize>, separator: char, out: &mut dyn Write) -> Result<()> {
        csv::write_separated(&self.table(part)?, separator, out)
    }
    /// As a graph for Graphviz.
    ///
    /// # Errors
    /// What is no graph.
    fn dot(&self) -> Result<String> {
        Err(no_graph(&self.about().record.command))
    }
    /// As Markdown: the headline, the lines under it, and the table, of a long one its beginning.
    ///
    /// # Errors
    /// As [`Self::table`].
    fn markdown(&self) -> Result<String> {
        let figure = self.figure(None);
        let lines: String = figure.subtitle.iter().map(|line| format!("- {}\n", markdown::escaped(line))).collect();
        let table = markdown::table(&self.table(None)?);
        Ok(format!("# {}\n\n{lines}\n{table}", markdown::escaped(&figure.title)))
    }
    /// Fails where what was found is not what was looked for, once it is written.
    ///
    /// # Errors
    /// That it is not, of the kind [`crate::Kind::Different`].
    fn verdict(&self) -> Result<()> {
        Ok(())
    }
    /// What a reader of the numbers should know, one line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// What whoever asked may ask instead. It is not said on a figure, whose readers did not ask.
    fn advice(&self) -> Vec<Advice> {
        Vec::new()
    }
    /// What it comes to in sentences, where it is put so.
    fn sentences(&self) -> &[Sentence] {
        &[]
    }
    /// The sections of a page; none where the figure is one.
    fn sections(&self) -> Vec<Section<'_>> {
        Vec::new()
    }
    /// What stands beside it on a page: the same of another model.
    fn beside(&self) -> Option<&dyn Findings> {
        None
    }
    /// The layer and head of each part; none where there are no parts.
    fn parts(&self) -> Vec<Part> {
        Vec::new()
    }
}
