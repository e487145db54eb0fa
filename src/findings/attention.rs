//! What each head attends to: options, and from a model's patterns to what was found.

mod patterns;

pub use patterns::Patterns;

use super::subject::{Subject, next_of_all};
use super::{Analysis, Findings, Output, Reading, Selected, Selection, Style, need_arrays, together};
use crate::analysis::attention::{Extra, extras};
use crate::analysis::{Attention, Pass, Prediction, Reduction, Request, packed};
use crate::error::{Error, Result};
use crate::figure::panel_pixels;
use crate::format::Holds;
use crate::model::Spec;
use crate::prompt::Word;
use serde::{Deserialize, Serialize};

/// Up to this many maps are kept whole even for a picture: each may be drawn large.
const WHOLE: usize = 4;

/// The options of `attention`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// How the patterns are looked at.
    pub view: View,
    /// More arrays in data files; none unless named.
    pub with: Vec<Extra>,
}

/// How attention patterns are looked at, whether a model has just made them or a file holds them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct View {
    /// Which layers and heads, and what becomes of their patterns.
    pub selection: Selection,
    /// How the figure looks.
    pub style: Style,
    /// Only the words ranked by the attention they receive; off unless asked for.
    pub received: bool,
    /// No such ranking beside the maps of a figure; off unless asked for.
    pub no_received: bool,
}

impl View {
    /// Fails where it cannot be meant.
    ///
    /// # Errors
    /// A table of words in a file of arrays, or in a file for each head; a size that no picture has.
    pub fn check(&self, outputs: &[Output]) -> Result<()> {
        if self.received && outputs.iter().any(|output| output.format.holds() == Holds::Arrays) {
            return Err(Error::usage("the attention received is a table of words")
                .hint("write it as .csv, .json or a picture")
                .option("received"));
        }
        if self.received && outputs.iter().any(|output| output.by_part) {
            return Err(Error::usage("the attention received has no file for each layer or head")
                .hint("leave {layer} and {head} out")
                .option("received"));
        }
        if self.received && self.no_received {
            return Err(Error::usage("the attention received is asked for, and asked to be left out")
                .hint("leave one of the two out")
                .option("no_received"));
        }
        self.style.check()
    }

    /// What to gather of a prompt's patterns, as little of it as the outputs allow.
    pub fn request(&self, selected: Selected, words: &[Word], tokens: usize, outputs: &[Output]) -> Request {
        let Selection { reduce, words: rule, .. } = &self.selection;
        let maps = |reduced: Option<Reduction>, all: &[usize]| if reduced.is_some() { 1 } else { all.len() };
        let cols = maps(reduce.heads, &selected.heads);
        let count = cols * maps(reduce.layers, &selected.layers);
        let side = if rule.is_some() { words.len() } else { tokens };
        let only_sheets = outputs.iter().all(|output| output.format.is_picture() && !output.by_part);
        let pixels = panel_pixels(cols, side, self.style.width, true).max(1) as f32 * self.style.detail();
        Request {
            pool: (only_sheets && count > WHOLE).then_some(pixels.ceil() as usize),
            ..request(&self.selection, selected, words)
        }
    }
}

/// What is gathered of a prompt's patterns, whole.
pub(super) fn request(selection: &Selection, Selected { layers, heads }: Selected, words: &[Word]) -> Request {
    Request {
        layers,
        heads,
        sink: selection.sink,
        words: selection.words.map(|_| words.iter().map(|word| word.tokens.clone()).collect()),
        heads_to: selection.reduce.heads,
        layers_to: selection.reduce.layers,
        ..Request::default()
    }
}

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.view.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        if self.view.received && !self.with.is_empty() {
            return Err(Error::usage("more arrays and the attention received do not go together")
                .hint("ask for them one after the other")
                .option("with"));
        }
        if !self.with.is_empty() {
            need_arrays(outputs)?;
        }
        self.view.check(outputs)
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.view.selection.within(spec).map(drop)
    }

    fn find<'a>(&'a self, subject: Subject<'a>, outputs: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        self.find_all(vec![subject], outputs).remove(0)
    }

    /// All prompts in one forward pass.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, outputs: &[Output]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        let Some(Subject { session, .. }) = subjects.first() else { return Vec::new() };
        let rule = self.view.selection.word_rule();
        let words: Vec<_> = subjects.iter().map(|subject| subject.prompt.words(rule)).collect();
        let request = |(subject, words): (&Subject, &Vec<Word>)| self.request(subject, words, outputs);
        let requests = subjects.iter().zip(&words).map(request).collect::<Result<Vec<_>>>();
        let found = requests.and_then(|requests| {
            let prompts: Vec<&[u32]> = subjects.iter().map(|subject| &subject.prompt.ids[..]).collect();
            let found = packed(session.model(), &prompts, &requests)?.into_iter().collect::<Result<Vec<_>>>()?;
            let next = next_of_all(
                session,
                subjects.iter().zip(&found).map(|(subject, (_, pass))| (&subject.prompt, &pass.resid)),
            )?;
            Ok(found.into_iter().zip(next).zip(words).collect())
        });
        let each = |subject, ((found, next), words): ((_, Vec<_>), _)| self.found(subject, words, found, &next);
        together(subjects, found, |subject| self.find(subject, outputs), each)
    }
}

impl Options {
    fn request(&self, subject: &Subject, words: &[Word], outputs: &[Output]) -> Result<Request> {
        let selected = self.view.selection.within(subject.session.spec())?;
        let keep = self.with.iter().filter_map(|extra| extra.activation()).collect();
        Ok(Request { keep, ..self.view.request(selected, words, subject.prompt.ids.len(), outputs) })
    }

    fn found<'a>(
        &'a self,
        subject: Subject<'a>,
        words: Vec<Word>,
        (attention, pass): (Attention, Pass),
        next: &[Prediction],
    ) -> Result<Box<dyn Findings + 'a>> {
        let next = subject.next_line(next);
        let extras = extras(subject.session.model(), &attention, &pass, &self.with)?;
        let mut found = Patterns::new(&self.view, subject.about, words, attention);
        (found.next, found.extras) = (next, extras);
        Ok(Box::new(found))
    }
}
