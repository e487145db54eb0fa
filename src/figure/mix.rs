//! The figure of `mix`: a sheet of maps, the prompt coloured by each method, and how far they agree.

use super::{Colormap, Heatmap, Matrix, Panel, Scale, Sheet, SheetMap, saliency};
use crate::analysis::mixing::Mixing;

/// One map for each method, all on one scale: every row is shares of 1.
pub fn sheet(found: &[Mixing], labels: &[String], scale: Scale) -> Panel {
    let map = |mixing: &Mixing| SheetMap {
        name: mixing.method.name().into(),
        note: note(mixing),
        values: Matrix::causal(labels.len(), mixing.shares.clone()),
    };
    Panel::Sheet(Sheet {
        title: "How much of each token reaches each position".into(),
        maps: found.iter().map(map).collect(),
        row_labels: labels.to_vec(),
        col_labels: labels.to_vec(),
        row_axis: "position".into(),
        col_axis: "token".into(),
        scale,
    })
}

/// What of a map is not all of it.
fn note(mixing: &Mixing) -> String {
    let n = mixing.shares.len().isqrt().max(1);
    let computed = mixing.shares.chunks(n).filter(|row| row[0].is_finite()).count();
    match mixing.maps.len() {
        _ if computed < n => "one position only".into(),
        1 => String::new(),
        layers => format!("mean of {layers} layers"),
    }
}

/// The prompt once for each method: the shares of one query, each method on its own scale.
pub fn rows(found: &[Mixing], query: usize, labels: &[String], scale: &dyn Fn(&[f32]) -> Scale) -> Panel {
    let row = |mixing: &Mixing| saliency::Row {
        name: mixing.method.name().into(),
        note: String::new(),
        scores: mixing.row(query).iter().enumerate().map(|(j, x)| if j <= query { *x } else { f32::NAN }).collect(),
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
        scale: Scale {
            colormap: Colormap::Balance,
            min: -1.0,
            max: 1.0,
            unit: "Spearman’s ρ".into(),
            ..Scale::default()
        },
    })
}
