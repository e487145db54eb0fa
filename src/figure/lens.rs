//! The figures of `lens`: every layer's prediction at every position, and the contributions to one logit.

use super::layout::NARROWEST;
use super::number::decimals;
use super::{Bars, Heatmap, Matrix, Panel, Scale};
use crate::analysis::Parts;

/// The most positions beside one another whose texts can be read; longer prompts continue below.
const ACROSS: usize = 16;
/// Where they would need more lines than this, predictions are colours only, on one map.
const LINES: usize = 6;
/// About how wide a letter of the smallest text in a cell is, and what is beside a text.
const LETTER: f32 = 5.6;
const BESIDE: f32 = 6.0;

/// The texts around and in the cells of a lens.
pub struct Labels {
    /// One per row.
    pub layers: Vec<String>,
    /// One per column.
    pub tokens: Vec<String>,
    /// One per cell, row by row.
    pub tops: Vec<String>,
}

/// Every layer's prediction at every position: `values` `[layer + 1, position]` are the colours; `room` is how wide all positions beside one
/// another are where the page has a width.
pub fn answers(values: Vec<f32>, labels: Labels, scale: Scale, room: Option<f32>) -> Vec<Panel> {
    let (rows, n) = (labels.layers.len(), labels.tokens.len());
    let across = across(n, &labels.tops, room);
    let part = |first: usize| {
        let columns = first..(first + across).min(n);
        let cells = |row: usize| row * n + columns.start..row * n + columns.end;
        let pick = (0..rows).flat_map(cells);
        Panel::Heatmap(Heatmap {
            values: Matrix::new(rows, columns.len(), pick.clone().map(|at| values[at]).collect()),
            row_labels: labels.layers.clone(),
            col_labels: labels.tokens[columns.clone()].to_vec(),
            row_axis: "answer after".into(),
            col_axis: "token read".into(),
            cell_labels: pick.map(|at| labels.tops[at].clone()).collect(),
            scale: scale.clone(),
            ..Heatmap::default()
        })
    };
    (0..n).step_by(across).map(part).collect()
}

/// How many positions stand beside one another: as many as show most of the texts whole; where these need too many lines, as few as can be
/// read at all, and all of them where even that is too many.
fn across(n: usize, tops: &[String], room: Option<f32>) -> usize {
    let mut letters: Vec<usize> = tops.iter().map(|text| text.chars().count()).collect();
    letters.sort_unstable();
    let most = letters.get(letters.len() * 9 / 10).map_or(1, |most| *most);
    let whole = (most as f32 * LETTER + BESIDE).max(NARROWEST);
    let fits = |cell: f32| room.map_or(ACROSS, |room| (room / cell) as usize).clamp(1, ACROSS);
    let lines = match n.div_ceil(fits(whole)) {
        lines if lines <= LINES => lines,
        _ if n.div_ceil(fits(NARROWEST)) <= LINES => LINES,
        _ => 1,
    };
    // Lines of equal length, rather than a last one of two words.
    n.div_ceil(lines.max(1)).max(1)
}

/// A direct logit attribution: a map of the heads, and bars for everything else.
pub fn direct(parts: &Parts, heads: usize, scale: Scale) -> Vec<Panel> {
    let layers = parts.mlp.len();
    let map = Heatmap {
        title: "Heads".into(),
        values: Matrix::new(layers, heads, parts.heads.iter().map(|x| *x as f32).collect()),
        row_labels: (0..layers).map(|layer| layer.to_string()).collect(),
        col_labels: (0..heads).map(|head| head.to_string()).collect(),
        row_axis: "layer".into(),
        col_axis: "head".into(),
        cell_labels: parts.heads.iter().map(|x| decimals(*x as f32, scale.max, 2)).collect(),
        whole_texts: true,
        scale: scale.clone(),
        ..Heatmap::default()
    };
    let mut rest: Vec<(String, f64)> =
        parts.mlp.iter().enumerate().map(|(layer, x)| (format!("MLP {layer}"), *x)).collect();
    rest.extend([
        ("all heads".into(), parts.heads.iter().sum()),
        ("embedding".into(), parts.embedding),
        ("position".into(), parts.position),
        ("attention biases".into(), parts.attn_bias.iter().sum()),
        ("final bias".into(), parts.bias),
    ]);
    // Few bars are drawn: the ones that matter, whichever way.
    rest.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let bars = Bars {
        title: "Heads together, MLPs and the rest".into(),
        labels: rest.iter().map(|(name, _)| name.clone()).collect(),
        values: rest.iter().map(|(_, x)| *x as f32).collect(),
        unit: scale.unit,
        more: 0,
        note: String::new(),
    };
    vec![Panel::Heatmap(map), Panel::Bars(bars)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lens_has_as_many_lines_as_let_its_texts_be_read_or_one_where_these_are_too_many() {
        let columns = |n: usize, top: &str, room: Option<f32>| -> Vec<usize> {
            let text = |text: &str, n: usize| vec![String::from(text); n];
            let labels = Labels { layers: text("layer", 3), tokens: text("a", n), tops: text(top, 3 * n) };
            let panels = answers(vec![0.5; 3 * n], labels, Scale::default(), room);
            let columns = panels.iter().map(|panel| match panel {
                Panel::Heatmap(map) => (map.values.rows, map.values.cols),
                other => panic!("{other:?}"),
            });
            columns.map(|(rows, cols)| (cols, assert_eq!(rows, 3)).0).collect()
        };
        assert_eq!(columns(60, "answer", None), [15; 4]);
        assert_eq!(columns(97, "answer", None), [97]);
        // Ten cells of two letters, or five of seven.
        assert_eq!(columns(60, "it", Some(229.0)), [10; 6]);
        assert_eq!(columns(13, "answers", Some(229.0)), [5, 5, 3]);
        // Seven letters would need twelve lines; cut, six are enough.
        assert_eq!(columns(60, "answers", Some(229.0)), [10; 6]);
        assert_eq!(columns(61, "it", Some(229.0)), [61]);
        assert_eq!(columns(3, "it", Some(0.0)), [1; 3]);
    }
}
