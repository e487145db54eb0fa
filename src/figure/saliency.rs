//! The figures of `saliency`: coloured words, ranked bars, curves of removed tokens, and the agreement of methods.

use super::{Bars, Column, Curves, Heatmap, Matrix, Panel, Scale, Series, Strip, StripRow, Table};
use crate::analysis::faithfulness::{Faithfulness, Measured, SEEDS, SHARES};

/// Bars shown.
const MOST_BARS: usize = 12;

/// One method's scores with a remark.
pub struct Row {
    /// The method.
    pub name: String,
    /// A remark, such as its gap.
    pub note: String,
    /// One score for each token or word; NaN for those that cannot be seen.
    pub scores: Vec<f32>,
}

/// The prompt once for each method, each on its own scale: methods measure in different units.
pub fn strip(rows: &[Row], labels: &[String], scale: &dyn Fn(&[f32]) -> Scale) -> Panel {
    let row = |row: &Row| StripRow {
        name: row.name.clone(),
        values: row.scores.clone(),
        note: row.note.clone(),
        scale: Some(scale(&row.scores)),
    };
    let own = rows.first().map_or_else(Scale::default, |row| scale(&row.scores));
    Panel::Strip(match rows {
        // One method needs no name of its own, and its scale is the strip's.
        [one] => Strip {
            labels: labels.to_vec(),
            rows: vec![StripRow { values: one.scores.clone(), ..StripRow::default() }],
            scale: own,
            ..Strip::default()
        },
        many => Strip { labels: labels.to_vec(), rows: many.iter().map(row).collect(), scale: own, ..Strip::default() },
    })
}

/// The tokens or words that moved the prediction most, whichever way.
pub fn bars(row: &Row, labels: &[String], unit: String) -> Panel {
    let mut order: Vec<usize> = (0..row.scores.len()).filter(|i| row.scores[*i].is_finite()).collect();
    order.sort_by(|a, b| row.scores[*b].abs().total_cmp(&row.scores[*a].abs()));
    let left_out = order.len().saturating_sub(MOST_BARS);
    order.truncate(MOST_BARS);
    Panel::Bars(Bars {
        title: "Largest scores".into(),
        labels: order.iter().map(|i| labels[*i].clone()).collect(),
        values: order.iter().map(|i| row.scores[*i]).collect(),
        unit,
        more: left_out,
        note: String::new(),
    })
}

/// Curves of the probability as tokens are removed, and as only they are kept; the ranking; the agreement.
pub fn evaluation(found: &Faithfulness, names: &[&str], sentence: &str) -> Vec<Panel> {
    let shares: Vec<f32> = found.counts.iter().map(|count| 100.0 * *count as f32 / found.tokens() as f32).collect();
    let curves = |title: &str, x_axis: &str, pick: &dyn Fn(&Measured) -> &Vec<f64>| {
        let line = |name: String, measured: &Measured, faint| Series {
            name,
            xs: shares.clone(),
            ys: pick(measured).iter().map(|p| 100.0 * *p as f32).collect(),
            faint,
        };
        let random = found.random.iter().enumerate().map(|(i, measured)| {
            // One entry in the legend for all of them.
            line(if i == 0 { format!("random order, {SEEDS} seeds") } else { String::new() }, measured, true)
        });
        let methods = found.methods.iter().zip(names).map(|(measured, name)| line((*name).into(), measured, false));
        Panel::Curves(Curves {
            title: title.into(),
            x_axis: x_axis.into(),
            y_axis: "probability of the target, %".into(),
            x_kind: super::ScaleKind::Linear,
            series: methods.chain(random).collect(),
            note: String::new(),
        })
    };
    let mut panels = vec![
        curves("Without the highest scores", "tokens removed, %", &|measured| &measured.deletion),
        curves("With the highest scores only", "tokens kept, %", &|measured| &measured.insertion),
        Panel::Table(ranking(found, names, sentence)),
    ];
    if names.len() > 1 && !found.spearman.is_empty() {
        panels.push(Panel::Heatmap(agreement(found, names)));
    }
    panels
}

/// One row for each method, the best first, and one for random orders.
fn ranking(found: &Faithfulness, names: &[&str], sentence: &str) -> Table {
    let order = found.ranking();
    let column = |head: String, number: &dyn Fn(&Measured) -> f64| {
        let methods = order.iter().map(|i| number(&found.methods[*i]) as f32);
        Column::numbers(head, &methods.chain([found.random(number).0 as f32]).collect::<Vec<_>>())
    };
    let names = order.iter().map(|i| names[*i].to_owned()).chain(["random order".into()]).collect();
    let mut columns = vec![
        Column::texts("method", names),
        column("deletion ↑".into(), &|m| m.deletion_aopc),
        column("insertion ↑".into(), &|m| m.insertion_mean),
    ];
    let at = |values: &[f64], i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    if !found.spearman.is_empty() {
        for (i, share) in SHARES.iter().enumerate() {
            let head = format!("compr. {:.0} % ↑", 100.0 * share);
            columns.push(column(head, &|m| at(&m.comprehensiveness, i)));
        }
        for (i, share) in SHARES.iter().enumerate() {
            columns.push(column(format!("suff. {:.0} % ↓", 100.0 * share), &|m| at(&m.sufficiency, i)));
        }
    }
    let title = "Probability lost, mean over the curve (deletion) and at shares of the tokens; kept, mean (insertion)";
    Table { title: title.into(), columns, note: sentence.into() }
}

/// ρ above the diagonal, τ-b below it.
fn agreement(found: &Faithfulness, names: &[&str]) -> Heatmap {
    let n = names.len();
    let value = |i: usize| match (i / n, i % n) {
        (row, col) if row == col => f32::NAN,
        (row, col) if col > row => found.spearman[i] as f32,
        _ => found.kendall[i] as f32,
    };
    let values: Vec<f32> = (0..n * n).map(value).collect();
    let labels: Vec<String> = names.iter().map(|name| (*name).into()).collect();
    Heatmap {
        title: "Do the methods agree? Spearman ρ above, Kendall τ-b below the diagonal".into(),
        cell_labels: values
            .iter()
            .map(|v| if v.is_nan() { String::new() } else { format!("{v:.2}").replace('-', "−") })
            .collect(),
        values: Matrix::new(n, n, values),
        row_labels: labels.clone(),
        col_labels: labels,
        scale: Scale { unit: "agreement".into(), ..Scale::signed("agreement", [1.0]) },
        ..Heatmap::default()
    }
}

/// One row for each token that the model wrote, one column for each token that it could see.
pub fn generated(title: &str, values: Matrix, written: &[String], seen: &[String], scale: Scale) -> Panel {
    Panel::Heatmap(Heatmap {
        title: title.into(),
        values,
        row_labels: written.to_vec(),
        col_labels: seen.to_vec(),
        row_axis: "written token".into(),
        col_axis: "token that moved it".into(),
        scale,
        ..Heatmap::default()
    })
}
