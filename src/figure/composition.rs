//! The figures of what the weights alone say of heads.

use super::number::decimals;
use super::{Column, Heatmap, Matrix, Panel, Scale, Sheet, SheetMap, Table};

/// Pairs that are listed.
const PAIRS: usize = 15;

/// A number for each head, `[layer, head]`.
pub fn by_head(title: &str, values: &[f64], across: usize, scale: Scale) -> Panel {
    let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
    let layers = values.len() / across.max(1);
    let names = |count: usize| (0..count).map(|at| at.to_string()).collect();
    Panel::Heatmap(Heatmap {
        title: title.into(),
        cell_labels: values.iter().map(|x| if x.is_nan() { String::new() } else { decimals(*x, 1.0, 3) }).collect(),
        values: Matrix::new(layers, across, values),
        row_labels: names(layers),
        col_labels: names(across),
        row_axis: "layer".into(),
        col_axis: "head".into(),
        whole_texts: true,
        scale,
        ..Heatmap::default()
    })
}

/// Which heads read what others write, `[later head, earlier head]` for each input: an upper triangle each.
pub fn pairs(maps: [(&str, &[f64]); 3], heads: &[String], scale: Scale) -> Panel {
    let n = heads.len();
    let map = |(name, values): (&str, &[f64])| SheetMap {
        name: name.into(),
        note: String::new(),
        values: Matrix::new(n, n, (0..n * n).map(|at| values[at % n * n + at / n] as f32).collect()),
    };
    Panel::Sheet(Sheet {
        title: "How much a head reads of what an earlier one writes".into(),
        maps: maps.into_iter().map(map).collect(),
        row_labels: heads.to_vec(),
        col_labels: heads.to_vec(),
        row_axis: "head that writes, layer by layer".into(),
        col_axis: "head that reads, layer by layer".into(),
        scale,
        ..Sheet::default()
    })
}

/// The pairs that stand out.
pub fn strongest(maps: [(&str, &[f64]); 3], heads: &[String]) -> Panel {
    let n = heads.len();
    let of_map = |(name, values): (&str, &[f64])| -> Vec<(String, usize, f32)> {
        values.iter().enumerate().filter(|(_, x)| x.is_finite()).map(|(at, x)| (name.into(), at, *x as f32)).collect()
    };
    let mut all: Vec<_> = maps.into_iter().flat_map(of_map).collect();
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    let count = all.len();
    all.truncate(PAIRS);
    let columns = vec![
        Column::texts("writes", all.iter().map(|(_, at, _)| heads[at % n].clone()).collect()),
        Column::texts("reads", all.iter().map(|(_, at, _)| heads[at / n].clone()).collect()),
        Column::texts("as", all.iter().map(|(name, ..)| name.clone()).collect()),
        Column::numbers("above chance", &all.iter().map(|(.., x)| *x).collect::<Vec<_>>()),
    ];
    let note = match count {
        0 => "one layer has no earlier head to read".into(),
        _ => format!("the {} largest of {count}", all.len()),
    };
    let columns = if count == 0 { Vec::new() } else { columns };
    Panel::Table(Table { title: "The strongest pairs".into(), columns, note })
}
