//! The figures of `patch --ablate`: parts by how far they move an answer, and next tokens and surprisal before and after.

use super::{Bars, Column, Panel, Scale, Strip, StripRow, Table};

/// What becomes of the answer without a part.
pub struct Row {
    /// The part.
    pub name: String,
    /// By how much what is ranked by changes.
    pub moved: f32,
    /// By how much the answer's log-probability changes.
    pub log_p: f32,
    /// The answer's rank.
    pub rank: usize,
    /// How far the next token's distribution is from what it was.
    pub kl: f32,
}

/// Parts by how far they move `unit`, and, where that is something else, the log-probability.
pub fn ranked(unit: &str, is_log_p: bool, rows: &[Row], answer: &str) -> Panel {
    let numbers = |of: fn(&Row) -> f32| rows.iter().map(of).collect::<Vec<_>>();
    let ranks = rows.iter().map(|row| row.rank.to_string()).collect();
    let log_p = Column::numbers("change of the log-probability", &numbers(|row| row.log_p));
    let columns = [
        Column::texts("without", rows.iter().map(|row| row.name.clone()).collect()),
        Column::numbers(unit, &numbers(|row| row.moved)),
    ];
    let columns = columns.into_iter().chain((!is_log_p).then_some(log_p)).chain([
        Column { right: true, ..Column::texts("rank", ranks) },
        Column::numbers("KL(before ‖ after), nats", &numbers(|row| row.kl)),
    ]);
    let columns = columns.collect();
    let note = format!("log-probability and rank are those of {answer}");
    Panel::Table(Table { title: "The parts that matter most".into(), columns, note })
}

/// A next token with its probability.
pub struct Next {
    /// The token.
    pub label: String,
    /// Its probability, as people read it.
    pub p: String,
}

/// The most probable next tokens before and after; as many of both.
pub fn next(before: &[Next], after: &[Next]) -> Panel {
    let texts = |all: &[Next]| all.iter().map(|next| next.label.clone()).collect();
    let shares =
        |all: &[Next]| Column { right: true, ..Column::texts("", all.iter().map(|next| next.p.clone()).collect()) };
    let columns = vec![
        Column::texts("before", texts(before)),
        shares(before),
        Column::texts("after", texts(after)),
        shares(after),
    ];
    Panel::Table(Table { title: "Most probable next tokens".into(), columns, note: String::new() })
}

/// Next tokens whose probability changes most, those that gain first.
pub fn shifts(labels: Vec<String>, values: Vec<f32>) -> Panel {
    Panel::Bars(Bars {
        title: "Next tokens that shift most".into(),
        labels,
        values,
        unit: "p after − p before".into(),
        ..Bars::default()
    })
}

/// Surprisal of every token before and after, and by how much it changes.
pub fn surprisal(labels: Vec<String>, before: Vec<f32>, after: Vec<f32>) -> Panel {
    let change: Vec<f32> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
    let most = before.iter().chain(&after).copied().filter(|x| x.is_finite()).fold(1.0, f32::max);
    let scale = Scale { max: most, unit: "bits a token".into(), ..Scale::default() };
    let moved = Some(Scale::signed("change in bits", change.iter().copied()));
    let row = |name: &str, values| StripRow { name: name.into(), values, ..StripRow::default() };
    let rows = vec![row("before", before), row("after", after), StripRow { scale: moved, ..row("change", change) }];
    Panel::Strip(Strip { title: "Surprisal".into(), labels, rows, scale })
}
