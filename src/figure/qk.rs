//! The figure of `qk`: what each key scores, and the score of one of them as a matrix of who wrote what at its two ends.

use super::{Column, Heatmap, Matrix, Panel, Scale, Strip, StripRow, Table};

/// Writers that have a row or a column of their own.
const WRITERS: usize = 14;
/// Pairs that are listed.
const PAIRS: usize = 12;

/// A score in parts, with the names of what they are of.
pub struct Parts<'a> {
    /// Who wrote.
    pub writers: &'a [String],
    /// What is drawn: the parts against those of the mean key, or where there is one key only, its parts; `[query writer][key writer]`.
    pub shown: &'a [f64],
    /// The parts of the score itself.
    pub parts: &'a [f64],
    /// What is drawn, in a word.
    pub unit: &'a str,
    /// What the query and the key are called.
    pub ends: [String; 2],
}

/// The keys with their scores and their attention.
pub fn keys(labels: Vec<String>, scores: Vec<f32>, pattern: Vec<f32>) -> Panel {
    let scale = |unit: &str, values: &[f32]| Some(Scale::of_scores(unit, values.iter().copied()));
    let row = |name: &str, values: Vec<f32>| StripRow {
        name: name.into(),
        scale: scale(name, &values),
        values,
        ..StripRow::default()
    };
    let rows = vec![row("score", scores), row("attention", pattern)];
    Panel::Strip(Strip { title: "What each key scores".into(), labels, rows, scale: Scale::default() })
}

/// The writers that matter most, as rows and columns; the others are one of each, so that all still add up.
pub fn matrix(of: &Parts, scale: impl Fn(&[f32]) -> Scale) -> Panel {
    let n = of.writers.len();
    let (queries, keys) = (Side::new(of, |query, _| query), Side::new(of, |_, key| key));
    let mut values = vec![0.0; queries.names.len() * keys.names.len()];
    for (at, part) in of.shown.iter().enumerate() {
        values[queries.place[at / n] * keys.names.len() + keys.place[at % n]] += part;
    }
    let values: Vec<f32> = values.into_iter().map(|x| x as f32).collect();
    let [query, key] = &of.ends;
    Panel::Heatmap(Heatmap {
        title: format!("The score of key {key}, by who wrote"),
        scale: scale(&values),
        values: Matrix::new(queries.names.len(), keys.names.len(), values),
        row_labels: queries.names,
        col_labels: keys.names,
        row_axis: format!("wrote at query {query}"),
        col_axis: format!("wrote at key {key}"),
        ..Heatmap::default()
    })
}

/// Which row or column each writer is in.
struct Side {
    names: Vec<String>,
    place: Vec<usize>,
}

impl Side {
    fn new(of: &Parts, end: impl Fn(usize, usize) -> usize) -> Self {
        let n = of.writers.len();
        let mut size = vec![0.0; n];
        of.shown.iter().enumerate().for_each(|(at, part)| size[end(at / n, at % n)] += part.abs());
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| size[*b].total_cmp(&size[*a]));
        // One other would take the room of its own row.
        let shown = if n > WRITERS + 1 { WRITERS } else { n };
        let (mut kept, others) = (order[..shown].to_vec(), n - shown);
        kept.sort_unstable();
        let mut names: Vec<String> = kept.iter().map(|at| of.writers[*at].clone()).collect();
        let place = (0..n).map(|at| kept.binary_search(&at).unwrap_or(shown)).collect();
        if others > 0 {
            names.push(format!("{others} others"));
        }
        Self { names, place }
    }
}

/// The largest parts, in words.
pub fn pairs(of: &Parts) -> Panel {
    let n = of.writers.len();
    let mut order: Vec<usize> = (0..of.shown.len()).collect();
    order.sort_by(|a, b| of.shown[*b].abs().total_cmp(&of.shown[*a].abs()));
    let (all, shown) = (order.len(), order.len().min(PAIRS));
    order.truncate(shown);
    let numbers = |from: &[f64]| order.iter().map(|at| from[*at] as f32).collect::<Vec<_>>();
    let [query, key] = &of.ends;
    let columns = vec![
        Column::texts(format!("at query {query}"), order.iter().map(|at| of.writers[at / n].clone()).collect()),
        Column::texts(format!("at key {key}"), order.iter().map(|at| of.writers[at % n].clone()).collect()),
        Column::numbers(of.unit, &numbers(of.shown)),
        Column::numbers("part of the score itself", &numbers(of.parts)),
    ];
    let listed: f64 = order.iter().map(|at| of.shown[*at]).sum();
    let total: f64 = of.shown.iter().sum();
    let said = |x: f64| format!("{x:.2}").replace('-', "−");
    let note = format!("the {shown} largest of {all} parts: together {} of {}", said(listed), said(total));
    Panel::Table(Table { title: "The largest parts".into(), columns, note })
}
