//! The figure of `probe pairs`: accuracies with their intervals, and the pairs that go wrong.

use super::{Column, IntervalRow, Intervals, Panel, Table};

/// A row of the chart: a name, whether it stands for those under it, and of each model the share with its interval.
pub struct Level {
    /// Its name.
    pub name: String,
    /// Whether it stands for those under it.
    pub strong: bool,
    /// Of each model.
    pub shares: Vec<[f32; 3]>,
    /// The numbers in words.
    pub remark: String,
}

/// Shares of pairs, with the line of chance.
pub fn accuracies(levels: Vec<Level>, models: Vec<String>) -> Panel {
    shares("Share of pairs whose good sentence is more probable", Some(0.5), levels, models)
}

/// Shares of anything, with the line of chance where there is one.
pub fn shares(title: &str, chance: Option<f32>, levels: Vec<Level>, models: Vec<String>) -> Panel {
    let rows = levels.into_iter().map(|Level { name, strong, shares, remark }| IntervalRow {
        label: name,
        strong,
        estimates: shares,
        remark,
    });
    Panel::Intervals(Intervals {
        title: title.into(),
        rows: rows.collect(),
        series: models,
        reference: chance,
        bounds: [0.0, 1.0],
        unit: format!("share, 95 % interval (Wilson){}", if chance.is_some() { "; dashed: chance" } else { "" }),
        note: String::new(),
    })
}

/// Rows of words under these heads.
pub fn words(title: &str, heads: &[&str], rows: &[Vec<String>], note: &str) -> Panel {
    let column = |(at, head): (usize, &&str)| Column {
        right: rows.iter().all(|row| row[at].chars().all(|c| c.is_ascii_digit() || "−+.–".contains(c))),
        ..Column::texts(*head, rows.iter().map(|row| row[at].clone()).collect())
    };
    Panel::Table(Table {
        title: title.into(),
        columns: heads.iter().enumerate().map(column).collect(),
        note: note.into(),
    })
}
