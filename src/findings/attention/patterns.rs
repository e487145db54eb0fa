//! What was found of attention patterns, as figures, data and tables.

mod entries;
mod said;
mod views;

use super::again::{Again, Numbers};
use super::{Shape, View};
use crate::analysis::attention::Map;
use crate::analysis::attention::received::{Rank, rank};
use crate::analysis::{Attention, Sink};
use crate::error::Result;
use crate::export::csv::{Pairs, write_pairs, write_separated};
use crate::export::table::{Cell, Column, Kind, whole};
use crate::export::{Array, Data, Source, Table};
use crate::figure::attention::{bars, hatched, heatmap, matrix, multiples, panel, scale, with_queries, without_sink};
use crate::figure::{Figure, Heatmap, Matrix, Panel, Scale};
use crate::findings::{About, Advice, Findings};
use crate::prompt::Word;
use crate::record::Part;
use std::io::Write;
use std::sync::OnceLock;

/// Everything that is known once the model has run, or the file is read.
pub struct Patterns<'a> {
    view: &'a View,
    pub(in crate::findings) about: About,
    words: Vec<Word>,
    pub(super) attention: Attention,
    /// Whether what counts as tokens are words already.
    pub(in crate::findings) by_word: bool,
    /// The text and the label of each row of cross-attention; none where queries are keys.
    pub(in crate::findings) rows: Option<Vec<(String, String)>>,
    /// The text of the queries of cross-attention, where it is known.
    pub(in crate::findings) asking: Option<String>,
    /// What was left out of a file.
    pub(in crate::findings) left_out: Vec<String>,
    /// The line that names the next tokens, if anybody knows them.
    pub(super) next: Option<String>,
    /// The model that made them, where it can be asked again.
    pub(super) again: Option<Again<'a>>,
    /// The query whose attention shades the text, and the cells that are framed.
    query: usize,
    marks: Vec<(usize, usize)>,
    /// The words by the attention that they receive.
    ranks: OnceLock<Vec<Rank>>,
    /// One for all maps.
    scale: OnceLock<Scale>,
}

impl<'a> Patterns<'a> {
    /// Patterns of tokens of which nothing else is known.
    pub(in crate::findings) fn new(view: &'a View, about: About, words: Vec<Word>, attention: Attention) -> Self {
        let (ranks, scale, left_out) = (OnceLock::new(), OnceLock::new(), Vec::new());
        let (by_word, rows, asking, next, again) = (false, None, None, None, None);
        let (query, marks) = (0, Vec::new());
        Self { view, about, words, attention, by_word, rows, asking, left_out, next, again, query, marks, ranks, scale }
    }

    /// One scale for all maps, of weights that are shares or something else.
    fn colours(&self) -> Scale {
        let style = &self.view.style;
        let scale = scale(style.scale, style.colormap, &self.attention.maps);
        let shares = self.attention.has_shares() || self.view.selection.sink == Sink::Renorm;
        Scale { unit: if shares { scale.unit } else { "weight as saved".into() }, ..scale }
    }

    /// The names of the layers and heads of all maps, or of one.
    fn axes(&self, map: Option<usize>) -> (Vec<String>, Vec<String>) {
        let (layers, heads) = (self.attention.layer_names(), self.attention.head_names());
        match map.and_then(|map| self.attention.places().into_iter().nth(map)) {
            None => (layers, heads),
            Some((layer, head)) => (vec![layer], vec![head]),
        }
    }

    fn labels(&self) -> Vec<String> {
        match self.view.selection.words {
            Some(_) => self.words.iter().map(|word| word.label.clone()).collect(),
            None => self.about.labels(),
        }
    }

    /// What the axes are labelled with in data files.
    fn axis_texts(&self) -> Vec<String> {
        if self.view.selection.words.is_some() { self.labels() } else { self.about.texts() }
    }

    fn ranks(&self) -> &[Rank] {
        self.ranks.get_or_init(|| rank(&self.attention, &self.words))
    }

    fn matrix(&self, map: &Map) -> Matrix {
        let matrix = matrix(map, self.attention.extent.causal);
        if self.hides_column() { without_sink(matrix, map, true) } else { matrix }
    }

    /// Whether all of the first column is hidden, and nothing else is in it: of words it may be a part of one, of blocks it is.
    fn hides_column(&self) -> bool {
        let first =
            self.words.first().filter(|_| self.view.selection.words.is_some()).map_or(1, |word| word.tokens.len());
        let cols = self.attention.maps.first().map_or(0, |map| map.cols);
        self.view.selection.sink != Sink::Keep && first == 1 && cols == self.labels().len()
    }

    /// A panel with the queries' own labels, where they have some.
    fn of_queries(&self, panel: Panel) -> Panel {
        let panel = if self.hides_column() { hatched(panel, self.hatched()) } else { panel };
        match &self.rows {
            Some(rows) => with_queries(panel, rows.iter().map(|(_, label)| label.clone()).collect()),
            None => panel,
        }
    }

    /// All maps, or one, without their numbers: `[layer, head, query, key]`.
    fn array(&self, map: Option<usize>) -> Array {
        let ((layers, heads), [rows, cols]) = (self.axes(map), self.sides());
        Array { name: "attention".into(), shape: vec![layers.len(), heads.len(), rows, cols], values: Vec::new() }
    }

    fn numbers(&self, map: Option<usize>) -> Numbers<'_> {
        Numbers { patterns: self, map }
    }

    /// A large map with the numbers of its cells in them, if these are asked for.
    fn numbered(&self, panel: Panel) -> Panel {
        match panel {
            Panel::Heatmap(map) if self.view.numbers => {
                let cell_labels = map.values.data.iter().map(|value| map.scale.short(*value)).collect();
                Panel::Heatmap(Heatmap { cell_labels, whole_texts: true, ..map })
            }
            other => other,
        }
    }

    /// One map, or all of them as they are held, and the ranked words.
    fn drawn(&self, map: Option<(usize, &Map)>) -> Figure {
        let style = &self.view.style;
        // Files of one run can be compared.
        let shared = map.is_some() && self.attention.maps.len() > 1;
        let scale = || Scale { shared, ..self.scale.get_or_init(|| self.colours()).clone() };
        let panels: Vec<Panel> = match map {
            _ if self.view.received => {
                vec![bars(self.ranks(), self.without_first(), Some(usize::MAX))]
            }
            _ if self.view.shape != Shape::Map => self.shaped(map, scale()).into_iter().collect(),
            Some((_, map)) => {
                vec![self.numbered(self.of_queries(heatmap(self.matrix(map), &self.labels(), scale())))]
            }
            None => {
                let (layers, heads) = self.axes(None);
                let all: Vec<Matrix> = self.attention.maps.iter().map(|map| self.matrix(map)).collect();
                let maps = match &self.attention.picked[..] {
                    [] => panel(&layers, &heads, all, &self.labels(), scale()),
                    picked => multiples(picked, all, &self.labels(), scale()),
                };
                let maps = self.numbered(self.of_queries(maps));
                let ranks = self.ranks();
                let bars =
                    (!ranks.is_empty() && !self.view.no_received).then(|| bars(ranks, self.without_first(), None));
                std::iter::once(maps).chain(bars).collect()
            }
        };
        let figure = style.figure(&self.about, self.subtitle(map.map(|(place, _)| place)), panels);
        Figure { frames: self.frames(), ..figure }
    }
}

impl Findings for Patterns<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        self.left_out_rows()
    }

    fn advice(&self) -> Vec<Advice> {
        let hide = || Advice::new("sink", "mask", format!("hides the attention on the {}", self.first()));
        self.has_sink().then(hide).into_iter().collect()
    }

    fn parts(&self) -> Vec<Part> {
        self.attention.places().into_iter().map(|(layer, head)| Part { layer, head }).collect()
    }

    /// All maps and the ranked words, or one map as it is held.
    fn figure(&self, map: Option<usize>) -> Figure {
        self.drawn(map.map(|map| (map, &self.attention.maps[map])))
    }

    fn part_figure(&self, map: usize) -> Result<Figure> {
        let mut figure = None;
        self.each_map(Some(map), &mut |whole| {
            figure = Some(self.drawn(Some((map, whole))));
            Ok(())
        })?;
        Ok(figure.unwrap_or_else(|| self.figure(Some(map))))
    }

    fn prepare(&self, map: usize) -> Result<()> {
        self.prepare_layer(map)
    }

    fn data(&self, map: Option<usize>) -> Result<Data> {
        match self.outline(map)? {
            (data, Some(source)) => data.held(&*source),
            (data, None) => Ok(data),
        }
    }

    fn outline(&self, map: Option<usize>) -> Result<(Data, Option<Box<dyn Source + '_>>)> {
        let entries = if self.view.received { Vec::new() } else { self.entries(map) };
        // Of heads that were named by themselves each has an array of the same name, and its numbers.
        let held = entries.len() > 1;
        let data = self.about.data(entries.into_iter().chain([self.received()]).collect());
        Ok((data, (!held).then(|| Box::new(self.numbers(map)) as Box<dyn Source + '_>)))
    }

    /// A row for each head with its whole pattern.
    fn table(&self, map: Option<usize>) -> Result<Table> {
        let mut all: Option<Table> = None;
        self.tables(map, &mut |table| {
            match &mut all {
                None => all = Some(table),
                Some(all) => all.rows.extend(table.rows),
            }
            Ok(())
        })?;
        Ok(all.unwrap_or_default())
    }

    fn tables(&self, map: Option<usize>, take: &mut dyn FnMut(Table) -> Result<()>) -> Result<()> {
        if self.view.received {
            return take(self.ranking());
        }
        let (shape, texts) = (self.array(map).shape, self.axis_texts());
        let own: Option<Vec<String>> =
            self.rows.as_ref().map(|rows| rows.iter().map(|(text, _)| text.clone()).collect());
        let list = |name, kind| Column { name, kind };
        let place = vec![whole("layer"), whole("head"), list("tokens", Kind::Texts)];
        let query_tokens = own.iter().map(|_| list("query_tokens", Kind::Texts)).collect();
        let pattern = vec![whole("queries"), whole("keys"), list("attention", Kind::Numbers)];
        let columns = [place, query_tokens, pattern].concat();
        take(Table { columns: columns.clone(), rows: Vec::new() })?; // the columns, where there is no map
        let all = self.attention.places().into_iter().enumerate();
        let mut places = all.filter(|(at, _)| map.is_none_or(|map| map == *at)).map(|(_, place)| place);
        self.each_map(map, &mut |map| {
            let Some(place) = places.next() else { return Ok(()) };
            let pattern = Cell::Numbers(map.values.clone());
            let place = [place.0, place.1].map(|name| name.parse::<usize>().ok().into()); // a reduced axis has no number
            let axes = [Cell::Texts(texts.clone())].into_iter().chain(own.clone().map(Cell::Texts));
            let row = place.into_iter().chain(axes).chain([shape[2].into(), shape[3].into()]).chain([pattern]);
            take(Table { columns: columns.clone(), rows: vec![row.collect()] })
        })
    }

    /// A row for each pair of tokens.
    fn csv(&self, map: Option<usize>, separator: char, out: &mut dyn Write) -> Result<()> {
        if self.view.received {
            return write_separated(&self.ranking(), separator, out);
        }
        let (mut array, keys, causal) = (self.array(map), self.axis_texts(), self.attention.extent.causal);
        let all = self.attention.places();
        let places = map.map_or_else(|| all.clone(), |map| all[map..=map].to_vec());
        (array.shape[0], array.shape[1]) = (1, places.len()); // heads that were named one by one are no rectangle
        let own: Option<Vec<String>> =
            self.rows.as_ref().map(|rows| rows.iter().map(|(text, _)| text.clone()).collect());
        // Queries without a text of their own are the last of the keys.
        let first = if own.is_some() { 0 } else { keys.len().saturating_sub(array.shape[2]) };
        let queries = own.as_deref().unwrap_or(&keys[first..]);
        let pairs = Pairs { places, queries, keys: &keys, first, causal };
        write_pairs(&array, Some(&self.numbers(map)), &pairs, separator, out)
    }
}
