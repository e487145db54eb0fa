//! The figures of `heads`: an atlas of labels and the table of scores behind it.

use super::number::decimals;
use super::{Column, Heatmap, Matrix, Panel, Scale, Table};
use crate::analysis::heads::{Head, LOCAL, Label, Score};
use crate::named::Named;

/// Every head with its label, coloured by the label's score, or by one score for all. Heads without a high score stay blank.
pub fn atlas(heads: &[Head], across: usize, score: Option<Score>, scale: Scale) -> Panel {
    let layers = heads.len() / across.max(1);
    let shade = |head: &Head| match (score, head.label().0) {
        (Some(score), _) | (None, Label::By(score)) => head.score(score),
        _ => f32::NAN,
    };
    let text = |head: &Head| match score {
        Some(score) => decimals(head.score(score), scale.max, 3),
        None => head.label().0.name().into(),
    };
    // Two letters where there is no room for a name.
    let short = |label: Label| label.name()[..2].to_owned();
    let mut there: Vec<Label> = Vec::new();
    heads.iter().map(|head| head.label().0).for_each(|label| {
        if !there.contains(&label) {
            there.push(label);
        }
    });
    let said: Vec<String> = there.iter().map(|label| format!("{} {}", short(*label), label.name())).collect();
    let (short_labels, short_said) = match score {
        Some(_) => (Vec::new(), String::new()),
        None => (heads.iter().map(|head| short(head.label().0)).collect(), said.join(", ")),
    };
    Panel::Heatmap(Heatmap {
        short_labels,
        short_said,
        values: Matrix::new(layers, across, heads.iter().map(shade).collect()),
        row_labels: (0..layers).map(|layer| layer.to_string()).collect(),
        col_labels: (0..across).map(|head| head.to_string()).collect(),
        row_axis: "layer".into(),
        col_axis: "head".into(),
        cell_labels: heads.iter().map(text).collect(),
        scale,
        ..Heatmap::default()
    })
}

/// These scores, in an order of the heads.
pub fn table(heads: &[Head], order: &[usize], across: usize, scores: &[Score], scale: Scale) -> Panel {
    let texts = |of: &dyn Fn(usize) -> String| order.iter().map(|at| of(*at)).collect();
    let mut columns = vec![
        Column::texts("head", texts(&|at| format!("{}.{}", at / across, at % across))),
        Column::texts("label", texts(&|at| heads[at].label().0.name().into())),
        Column::numbers("confidence", &order.iter().map(|at| heads[*at].label().1).collect::<Vec<_>>()),
    ];
    for score in scores {
        let values: Vec<f32> = order.iter().map(|at| heads[*at].score(*score)).collect();
        columns.push(match score {
            Score::Distance | Score::Spread | Score::Bits => {
                Column::numbers(score.name().replace('_', " in "), &values)
            }
            _ => Column::shaded(score.name(), values, scale.clone()),
        });
    }
    if order.is_empty() {
        columns.clear();
    }
    let note = match (order.len(), heads.len() - order.len()) {
        (_, 0) => String::new(),
        (0, 1) => "the head has no score above its threshold".into(),
        (0, all) => format!("none of the {all} heads has a score above its threshold"),
        (_, 1) => "the clearest ones; one other is not listed".into(),
        (_, more) => format!("the clearest ones; the other {more} are not listed"),
    };
    let note = [note, names(heads)].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
    Panel::Table(Table { title: String::new(), columns, note })
}

/// A query and where a head looks from there.
pub struct ExampleRow {
    /// The weights of its fifth.
    pub bounds: (f32, f32),
    /// The largest weight on a token that is not the first.
    pub weight: f32,
    /// The text before the query.
    pub before: String,
    /// The query.
    pub query: String,
    /// Where it looks, the first token aside.
    pub keys: String,
}

/// The longest text before a query, in characters.
const BEFORE: usize = 34;

/// A head's examples.
pub fn examples(rows: &[ExampleRow], scale: Scale) -> Panel {
    let texts = |of: &dyn Fn(&ExampleRow) -> String| rows.iter().map(of).collect();
    let bounds = |row: &ExampleRow| {
        let [low, high] = [row.bounds.0, row.bounds.1].map(|x| decimals(x, 1.0, 3));
        format!("{low}–{high}")
    };
    let before = |row: &ExampleRow| {
        let long = row.before.chars().count().saturating_sub(BEFORE);
        let end: String = row.before.chars().skip(long).collect();
        if long > 0 { format!("…{end}") } else { end }
    };
    let columns = vec![
        Column::texts("fifth of its range", texts(&bounds)),
        Column::shaded("largest weight", rows.iter().map(|row| row.weight).collect(), scale),
        Column::texts("text before", texts(&before)),
        Column::texts("query", texts(&|row| row.query.clone())),
        Column::texts("looks at", texts(&|row| row.keys.clone())),
    ];
    let note = "up to three queries of each fifth of the range of the head’s largest weight on a token other than the first, drawn by the \
                seed; the first token aside, the three largest weights and how many tokens back they are";
    Panel::Table(Table { title: "Examples".into(), columns, note: note.into() })
}

/// What the labels mean that are no names of scores.
fn names(heads: &[Head]) -> String {
    let any = |label: Label| heads.iter().any(|head| head.label().0 == label);
    let local = format!("local: no score is above its threshold, and the mean distance is under {LOCAL} tokens");
    let broad = "broad: no score is above its threshold";
    let short = "undefined: the text is too short for any score";
    let said = [(any(Label::Local), local.as_str()), (any(Label::Broad), broad), (any(Label::Undefined), short)];
    said.into_iter().filter(|(any, _)| *any).map(|(_, text)| text).collect::<Vec<_>>().join("; ")
}
