//! Heads with their scores and labels, in an order: what figures, data and tables of `heads` share.

use crate::analysis::heads::{Head, Label, Score};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Table};
use crate::figure::heads::{atlas, table};
use crate::figure::{Panel, Scale};
use crate::findings::{Advice, Style};
use crate::named::Named;
use serde_json::Value;

/// Heads in a figure's table, unless it was asked for in an order.
const MOST: usize = 24;

/// The scores of all heads.
pub(super) struct Ranked {
    /// Layer by layer.
    pub heads: Vec<Head>,
    /// How many of them a layer has.
    pub across: usize,
    /// What each head is called, and by which margin.
    labels: Vec<(Label, f32)>,
    /// The heads by the score asked for, the largest first, else layer by layer.
    order: Vec<usize>,
    sort: Option<Score>,
}

impl Ranked {
    pub fn new(heads: Vec<Head>, across: usize, sort: Option<Score>) -> Self {
        let labels = heads.iter().map(Head::label).collect();
        let mut order: Vec<usize> = (0..heads.len()).collect();
        if let Some(score) = sort {
            // NaN, where no query defines a score, comes last.
            let rank = |at: usize| Some(heads[at].score(score)).filter(|x| x.is_finite()).unwrap_or(f32::MIN);
            order.sort_by(|a, b| rank(*b).total_cmp(&rank(*a)));
        }
        Self { heads, across, labels, order, sort }
    }

    /// The heads of a figure's table: all in the order asked for, else those that stand out, the clearest first.
    fn shown(&self) -> Vec<usize> {
        let mut order = self.order.clone();
        if self.sort.is_some() || self.heads.len() <= MOST {
            return order;
        }
        order.retain(|at| matches!(self.labels[*at].0, Label::By(_)));
        order.sort_by(|a, b| self.labels[*b].1.total_cmp(&self.labels[*a].1));
        order.truncate(MOST);
        order
    }

    /// How many heads have each label.
    pub fn counts(&self) -> String {
        let scores = Score::all().filter(|score| score.threshold().is_some());
        let labels = scores.map(Label::By).chain([Label::Local, Label::Broad, Label::Undefined]);
        let count = |label: Label| self.labels.iter().filter(|(own, _)| *own == label).count();
        let named: Vec<String> = labels
            .map(|label| (count(label), label.name()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        named.join(", ")
    }

    pub fn advice(&self) -> Vec<Advice> {
        let all = || Advice::new("sort", "", "by one of the scores lists all heads");
        (self.shown().len() < self.heads.len()).then(all).into_iter().collect()
    }

    /// The atlas and the table.
    pub fn panels(&self, style: &Style, columns: &[Score]) -> Vec<Panel> {
        let scale = |unit: &str, max: f32| Scale {
            kind: style.scale,
            colormap: style.colormap.unwrap_or_default(),
            min: 0.0,
            max,
            unit: unit.into(),
            ..Scale::default()
        };
        let largest = |score: Score| self.heads.iter().map(|head| head.score(score)).fold(1.0, f32::max);
        let colours = match self.sort {
            Some(Score::Distance) => scale("mean distance", largest(Score::Distance)),
            Some(Score::Spread) => scale("standard deviation of the distance", largest(Score::Spread)),
            Some(Score::Entropy) => scale("entropy, share of the largest", 1.0),
            Some(Score::Bits) => scale("entropy in bits", largest(Score::Bits)),
            Some(score) => scale(&format!("{} score", score.name()), 1.0),
            None => scale("score of the label", 1.0),
        };
        let also = self.sort.filter(|score| !columns.contains(score));
        let columns: Vec<Score> = columns.iter().copied().chain(also).collect();
        vec![
            atlas(&self.heads, self.across, self.sort, colours),
            table(&self.heads, &self.shown(), self.across, &columns, scale("score", 1.0)),
        ]
    }

    /// The scores of one head.
    pub fn one(&self, head: usize, style: &Style, columns: &[Score]) -> Panel {
        let scale = Scale {
            kind: style.scale,
            colormap: style.colormap.unwrap_or_default(),
            unit: "score".into(),
            ..Scale::default()
        };
        let mut panel = table(&self.heads, &[head], self.across, columns, scale);
        if let Panel::Table(table) = &mut panel {
            table.note.clear(); // of the heads that are not listed
        }
        panel
    }

    /// The scores and how clear the label is, `[layer, head]`.
    pub fn arrays(&self) -> Vec<Array> {
        let array = |name: &str, values: Vec<f32>| Array {
            name: name.into(),
            shape: vec![self.heads.len() / self.across, self.across],
            values,
        };
        let score = |score: Score| array(score.name(), self.heads.iter().map(|head| head.score(score)).collect());
        let margins = self.labels.iter().map(|(_, margin)| *margin).collect();
        Score::all().map(score).chain([array("confidence", margins)]).collect()
    }

    /// The labels, `[layer][head]`.
    pub fn names(&self) -> Value {
        let labels = self.labels.chunks(self.across);
        labels.map(|row| row.iter().map(|(label, _)| label.name()).collect::<Value>()).collect()
    }

    /// A row for each head, in the order asked for.
    pub fn table(&self) -> Table {
        let row = |at: &usize| {
            let (head, (label, confidence)) = (&self.heads[*at], self.labels[*at]);
            let mut row: Vec<Cell> = vec![(at / self.across).into(), (at % self.across).into()];
            row.extend([label.name().into(), confidence.into()]);
            row.extend(Score::all().map(|score| Cell::from(head.score(score))));
            row
        };
        let named = [whole("layer"), whole("head"), text("label"), number("confidence")];
        let columns = named.into_iter().chain(Score::all().map(|score| number(score.name()))).collect();
        Table { columns, rows: self.order.iter().map(row).collect() }
    }
}
