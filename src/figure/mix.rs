//! The figure of `mix`: a sheet of maps, the prompt coloured by each method, and how far they agree.

use super::{Colormap, Heatmap, Matrix, Panel, Scale, Sheet, SheetMap, saliency};
use crate::analysis::mixing::Mixing;
use crate::named::Named;

/// One map for each method that has more than one row, all on one scale: rows are shares of 1, or of what a sink policy left.
pub fn sheet(found: &[Mixing], labels: &[String], scale: Scale) -> Panel {
    let map = |mixing: &Mixing| SheetMap {
        name: mixing.method.name().into(),
        note: if mixing.maps.len() > 1 { format!("mean of {} layers", mixing.maps.len()) } else { String::new() },
        values: Matrix::causal(labels.len(), mixing.shares.clone()).without_empty_rows(),
    };
    Panel::Sheet(Sheet {
        title: title(found),
        maps: found.iter().filter(|mixing| !is_one_row(mixing)).map(map).collect(),
        row_labels: labels.to_vec(),
        col_labels: labels.to_vec(),
        row_axis: "position".into(),
        col_axis: "token".into(),
        scale,
        ..Sheet::default()
    })
}

fn title(found: &[Mixing]) -> String {
    let what = "How much of each token reaches each position";
    let rows: Vec<&str> = found.iter().filter(|m| is_one_row(m)).map(|mixing| mixing.method.name()).collect();
    if rows.is_empty() { what.into() } else { format!("{what} ({}: at one position, below)", rows.join(", ")) }
}

/// Whether only one position's row was computed: it is shown with the words, and would be lost on a map.
fn is_one_row(mixing: &Mixing) -> bool {
    let n = mixing.shares.len().isqrt().max(1);
    n > 1 && mixing.shares.chunks(n).filter(|row| row[0].is_finite()).count() == 1
}

/// The prompt once for each method: the shares of one query, each method on its own scale.
pub fn rows(found: &[Mixing], query: usize, labels: &[String], scale: &dyn Fn(&[f32]) -> Scale) -> Panel {
    let seen = |row: &[f32]| {
        let mut scores = Matrix::new(1, row.len(), row.to_vec()).without_empty_rows().data;
        scores.iter_mut().skip(query + 1).for_each(|score| *score = f32::NAN);
        scores
    };
    let row = |mixing: &Mixing| saliency::Row {
        name: mixing.method.name().into(),
        note: String::new(),
        scores: seen(mixing.row(query)),
    };
    saliency::strip(&found.iter().map(row).collect::<Vec<_>>(), labels, scale)
}

/// Spearman's ρ of each pair of methods, `[method, method]`.
pub fn agreement(found: &[Mixing], rho: &[f32]) -> Panel {
    let names: Vec<String> = found.iter().map(|mixing| mixing.method.name().into()).collect();
    let text = |x: &f32| if x.is_finite() { format!("{x:.2}").replace('-', "−") } else { "–".into() };
    Panel::Heatmap(Heatmap {
        title: "Do they rank the tokens alike?".into(),
        values: Matrix::new(names.len(), names.len(), rho.to_vec()),
        row_labels: names.clone(),
        col_labels: names,
        row_axis: String::new(),
        col_axis: String::new(),
        cell_labels: rho.iter().map(text).collect(),
        whole_texts: true,
        scale: Scale {
            colormap: Colormap::Balance,
            min: -1.0,
            max: 1.0,
            unit: "Spearman’s ρ".into(),
            ..Scale::default()
        },
        ..Heatmap::default()
    })
}
