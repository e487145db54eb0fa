//! What each head attends to: options, and from a model's patterns to what was found.

mod again;
mod patterns;
mod shape;

pub use patterns::Patterns;
pub use shape::{Mark, Shape};

use super::cost;
use super::subject::{Subject, next_of_all};
use super::{
    Analysis, Cost, Findings, Output, Reading, Selected, Selection, Style, need_arrays, refuse_graph, together,
};
use crate::analysis::attention::{Extra, Layers};
use crate::analysis::{Attention, Reduction, Request, packed};
use crate::error::{Error, Result};
use crate::export::{Array, check_text_size, csv};
use crate::format::{Format, Holds};
use crate::model::{Activation, Spec};
use crate::named::Named;
use crate::prompt::Word;
use again::Again;
use serde::{Deserialize, Serialize};

/// Up to so many numbers, the patterns of a prompt are held as they come; of more, a layer at a time is made again when it is written.
const MOST_HELD: usize = 16 << 20;
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
    /// How patterns are drawn: as maps, unless another way is named.
    pub shape: Shape,
    /// Lines of each query; none means 5.
    pub top: Option<usize>,
    /// The query whose attention shades the text; none means the last one.
    pub query: Option<i64>,
    /// The number of each cell in it, where it fits; off unless asked for.
    pub numbers: bool,
    /// Cells that are framed; none unless named.
    pub mark: Vec<Mark>,
    /// No such ranking beside the maps of a figure; off unless asked for.
    pub no_received: bool,
}

impl View {
    /// Fails where it cannot be meant.
    ///
    /// # Errors
    /// A table of words in a file of arrays, or in a file for each head; a size that no picture has.
    pub fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_graph("attention", outputs)?;
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
        self.check_shape()?;
        self.style.check()
    }

    /// What to gather of a prompt's patterns, as little of it as the outputs allow.
    pub fn request(&self, selected: Selected, words: &[Word], tokens: usize, outputs: &[Output]) -> Request {
        let whole = request(&self.selection, selected, words);
        let only_sheets = outputs.iter().all(|output| output.format.is_picture() && !output.by_part);
        Request { pool: self.pool(&whole, tokens).filter(|_| only_sheets), ..whole }
    }

    /// The rows and columns of maps on a sheet; none where they are few, as each may be drawn large.
    fn pool(&self, whole: &Request, tokens: usize) -> Option<usize> {
        let ([layers, heads], side) = (counts(whole), side(whole, tokens));
        let pixels = self.style.map_pixels(heads, side);
        (layers * heads > WHOLE && whole.picked.is_empty() && self.shape == Shape::Map).then_some(pixels)
    }
}

/// Rows and columns of maps.
fn counts(whole: &Request) -> [usize; 2] {
    let maps = |reduced: Option<Reduction>, all: &[usize]| if reduced.is_some() { 1 } else { all.len() };
    [maps(whole.layers_to, &whole.layers), maps(whole.heads_to, &whole.heads)]
}

/// Rows of a map, and columns.
fn side(whole: &Request, tokens: usize) -> usize {
    whole.words.as_ref().map_or(tokens, Vec::len)
}

/// What is gathered of a prompt's patterns, whole.
pub(super) fn request(selection: &Selection, Selected { layers, heads, picked }: Selected, words: &[Word]) -> Request {
    Request {
        layers,
        heads,
        picked,
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
        let selected = self.view.selection.within(spec)?;
        match self.with.is_empty() || selected.picked.is_empty() {
            true => Ok(()),
            // They are of layers and heads that are all there.
            false => Err(Error::usage("more arrays do not go with heads that are named one by one")
                .hint("choose by --layer and --head, or write the arrays by themselves")
                .option("with")),
        }
    }

    fn cost(&self, spec: &Spec, tokens: usize, outputs: &[Output]) -> Cost {
        let Ok(selected) = self.view.selection.within(spec) else { return Cost::default() };
        let (whole, is_large) = (self.view.request(selected, &[], tokens, outputs), is_large(spec, tokens));
        let whole = Request { words: None, ..whole };
        let (request, again) = self.lean(whole.clone(), tokens, is_large);
        let [layers, heads] = counts(&whole);
        let numbers = |extra: Extra| {
            extra
                .shape(spec, [whole.layers.len(), whole.heads.len()], tokens)
                .iter()
                .map(|axis| *axis as u64)
                .product::<u64>()
        };
        let more: u64 = Extra::all().filter(|extra| self.with.contains(extra)).map(numbers).sum();
        cost::Patterns {
            maps: (layers * heads) as u64,
            side: request.pool.map_or(tokens, |pool| pool.min(tokens)) as u64,
            again: again.is_some() || is_large && !self.with.is_empty(),
            scores: self.with.contains(&Extra::Scores),
            more,
            held: if is_large { 0 } else { more },
        }
        .cost(spec, tokens, outputs)
    }

    fn find<'a>(&'a self, subject: Subject<'a>, outputs: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        self.find_all(vec![subject], outputs).remove(0)
    }

    /// All prompts in one forward pass.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, outputs: &[Output]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        let Some(first) = subjects.first() else { return Vec::new() };
        let (session, model) = (first.session, first.model());
        if self.with.contains(&Extra::Logits)
            && let Err(error) = session.has_next_tokens()
        {
            return subjects.iter().map(|_| Err(error.clone())).collect();
        }
        let rule = self.view.selection.word_rule();
        let words: Vec<_> = subjects.iter().map(|subject| subject.prompt.words(rule)).collect();
        let request = |(subject, words): (&Subject, &Vec<Word>)| self.request(subject, words, outputs);
        let requests = subjects.iter().zip(&words).map(request).collect::<Result<Vec<_>>>();
        let found = requests.and_then(|requests| {
            let is_large = subjects.iter().any(|subject| is_large(session.spec(), subject.prompt.ids.len()));
            let (requests, whole): (Vec<_>, Vec<_>) = requests
                .into_iter()
                .zip(&subjects)
                .map(|(request, subject)| self.lean(request, subject.prompt.ids.len(), is_large))
                .unzip();
            let prompts: Vec<&[u32]> = subjects.iter().map(|subject| &subject.prompt.ids[..]).collect();
            let found = packed(model, &prompts, &requests)?.into_iter().collect::<Result<Vec<_>>>()?;
            let next = next_of_all(
                session,
                subjects.iter().zip(&found).map(|(subject, (_, pass))| (&subject.prompt, &pass.resid)),
            )?;
            let see = requests.first().map_or(Vec::new(), |request| request.see.clone());
            let again = |((attention, pass), whole)| {
                let again = self.again(session.spec(), &attention, Layers::new(model, pass, &see), whole);
                (attention, again)
            };
            let found = found.into_iter().zip(whole).map(again);
            Ok(found.zip(next).zip(words).collect())
        });
        let each = |subject: Subject<'a>,
                    (((attention, again), next), words): (((Attention, Again<'a>), Vec<_>), _)| {
            let next = subject.next_line(&next);
            let mut found = Patterns::new(&self.view, subject.about, words, attention);
            (found.next, found.again) = (next, Some(again));
            Ok(Box::new(found.checked()?) as Box<dyn Findings + 'a>)
        };
        together(subjects, found, |subject| self.find(subject, outputs), each)
    }
}

impl Options {
    /// What is gathered of a prompt, if its numbers are not too many for the texts among the outputs.
    fn request(&self, subject: &Subject, words: &[Word], outputs: &[Output]) -> Result<Request> {
        let (spec, tokens) = (subject.session.spec(), subject.prompt.ids.len());
        let request = self.view.request(self.view.selection.within(spec)?, words, tokens, outputs);
        let ([layers, heads], side) = (counts(&request), side(&request, tokens));
        let size = |array: Array| array.shape.iter().product::<usize>();
        let more: usize = self.extras(spec, [request.layers.len(), request.heads.len()], tokens).map(size).sum();
        for Output { format, by_part } in outputs.iter().filter(|_| !self.view.received) {
            let all = if request.picked.is_empty() { layers * heads } else { request.picked.len() };
            let (maps, more) = if *by_part { (1, 0) } else { (all, more) };
            match format {
                Format::Json => check_text_size(maps * side * side + more, "JSON")?,
                Format::Csv => check_text_size(maps * csv::pairs(0, side, side, true), "CSV")?,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The same as a pass can hold it, and the whole where that is less. What a small pass keeps, a large one makes again.
    fn lean(&self, request: Request, tokens: usize, is_large: bool) -> (Request, Option<Request>) {
        let activations: Vec<Activation> = self.with.iter().filter_map(|extra| extra.activation()).collect();
        if !is_large {
            return (Request { keep: activations, ..request }, None);
        }
        let pool = self.view.pool(&request, tokens).filter(|_| request.pool.is_none() && request.layers_to.is_none());
        let see = activations.into_iter().filter(|at| *at == Activation::Scores).collect();
        let keep = if pool.is_some() || !self.with.is_empty() { vec![Activation::ResidPre] } else { Vec::new() };
        let whole = pool.map(|_| request.clone());
        (Request { keep, see, pool: pool.or(request.pool), ..request }, whole)
    }

    fn again<'a>(&self, spec: &Spec, attention: &Attention, layers: Layers<'a>, whole: Option<Request>) -> Again<'a> {
        let counts = [attention.layers.len(), attention.heads.len()];
        Again::new(layers, self.extras(spec, counts, attention.received.len()).collect(), whole)
    }

    /// The arrays that were asked for, without their numbers, in the order of [`Extra`].
    fn extras(&self, spec: &Spec, counts: [usize; 2], tokens: usize) -> impl Iterator<Item = Array> {
        Extra::all().filter(|extra| self.with.contains(extra)).map(move |extra| extra.array(spec, counts, tokens))
    }
}

/// Whether the patterns of a prompt are too many to be held.
fn is_large(spec: &Spec, tokens: usize) -> bool {
    spec.layers * spec.heads * tokens * tokens > MOST_HELD
}
