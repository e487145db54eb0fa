//! The figure of `surprisal`: a text coloured by numbers, and its course where it is long.

use super::{Curves, Panel, Scale, Series, Strip, StripRow};

/// More tokens than this cannot be read on one page: the rest is drawn as a course only.
pub const READ: usize = 1200;
/// Points of a course.
const POINTS: usize = 200;

/// Tokens or words with their numbers.
pub struct Texts {
    /// One a token or word; those of a long text's beginning are enough.
    pub labels: Vec<String>,
    /// The numbers under a name each.
    pub rows: Vec<(String, Vec<f32>)>,
    /// What one of them is: `token` or `word`.
    pub what: &'static str,
}

/// The text in colours; of a long one its beginning, after the course of the whole.
pub fn panels(texts: Texts, scale: Scale) -> Vec<Panel> {
    let Texts { mut labels, rows, what } = texts;
    let count = rows.first().map_or(0, |(_, values)| values.len());
    let mut panels = Vec::new();
    let mut title = String::new();
    if count > READ {
        panels.push(course(&rows, what, &scale.unit));
        title = format!("The first {READ} of {count} {what}s");
        labels.truncate(READ);
    }
    let row = |(name, mut values): (String, Vec<f32>)| {
        values.truncate(READ);
        StripRow { name, values, ..StripRow::default() }
    };
    panels.push(Panel::Strip(Strip { title, labels, rows: rows.into_iter().map(row).collect(), scale }));
    panels
}

/// Means over equal parts of the text.
fn course(rows: &[(String, Vec<f32>)], what: &str, unit: &str) -> Panel {
    let length = rows.first().map_or(1, |(_, values)| values.len()).div_ceil(POINTS);
    let mean = |part: &[f32]| {
        let known: Vec<f64> = part.iter().filter(|x| x.is_finite()).map(|x| f64::from(*x)).collect();
        (known.iter().sum::<f64>() / known.len() as f64) as f32
    };
    let series = rows.iter().map(|(name, values)| Series {
        name: name.clone(),
        xs: (0..values.len()).step_by(length).map(|at| at as f32).collect(),
        ys: values.chunks(length).map(mean).collect(),
        faint: false,
    });
    Panel::Curves(Curves {
        title: format!("Course of the text: means of {length} {what}s"),
        x_axis: what.into(),
        y_axis: unit.into(),
        x_kind: super::ScaleKind::Linear,
        series: series.collect(),
        note: String::new(),
    })
}
