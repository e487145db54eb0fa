//! The figures of `attention`: maps of layers and heads, and the words ranked by the attention that they receive.

use super::{Bars, Grid, Heatmap, Matrix, Panel, Scale};
use crate::analysis::Attention;
use crate::analysis::attention::Map;
use crate::prompt::{Prompt, Word};

/// Bars shown beside a map.
const MOST_BARS: usize = 12;

/// The map as a figure's matrix: of causal attention, NaN where no query can see a key.
pub fn matrix(map: &Map, causal: bool) -> Matrix {
    let mut values = map.values.clone();
    let past = map.cols - map.rows;
    for (row, values) in values.chunks_mut(map.cols.max(1)).enumerate().filter(|_| causal) {
        // Pooled maps have their NaNs already, and their diagonal may lie a block further right.
        values.iter_mut().skip(past + row + 1).filter(|value| **value == 0.0).for_each(|value| *value = f32::NAN);
    }
    Matrix::new(map.rows, map.cols, values)
}

/// One map as a large labelled heatmap, several as a sheet of layers × heads, by their names.
pub fn panel(layers: &[String], heads: &[String], maps: &[Matrix], labels: &[String], scale: Scale) -> Panel {
    match maps {
        [one] => heatmap(one.clone(), labels, scale),
        many => {
            let titles = |what: &str, names: &[String]| names.iter().map(|name| format!("{what} {name}")).collect();
            let (mut rows, mut cols): (Vec<_>, Vec<_>) = (titles("layer", layers), titles("head", heads));
            if cols.len() == 1 {
                std::mem::swap(&mut rows, &mut cols); // layers side by side rather than a tower
            }
            Panel::Grid(Grid { cells: many.to_vec(), row_titles: rows, col_titles: cols, scale })
        }
    }
}

/// One map with a label on each row and column. The labels are those of the keys; the queries are the last of them.
pub fn heatmap(values: Matrix, labels: &[String], scale: Scale) -> Panel {
    let first_query = labels.len().saturating_sub(values.rows);
    Panel::Heatmap(Heatmap {
        title: String::new(),
        values,
        row_labels: labels[first_query..].to_vec(),
        col_labels: labels.to_vec(),
        row_axis: "query".into(),
        col_axis: "key".into(),
        cell_labels: Vec::new(),
        scale,
    })
}

/// A word and the attention that its tokens receive together, the most first.
pub struct Rank<'a> {
    /// The word.
    pub word: &'a Word,
    /// What its tokens receive, the first token of the prompt left out: it is the sink.
    pub received: f32,
}

impl Rank<'_> {
    /// The position of its first token, without the sink.
    pub fn first_token(&self) -> usize {
        self.word.tokens.start.max(1)
    }

    /// The position of its last token.
    pub fn last_token(&self) -> usize {
        self.word.tokens.end - 1
    }
}

/// All words but the first token, ranked.
pub fn rank<'a>(attention: &Attention, words: &'a [Word]) -> Vec<Rank<'a>> {
    let mut ranks: Vec<Rank> = words
        .iter()
        .filter(|word| word.tokens.end > 1)
        .map(|word| Rank { word, received: attention.received[word.tokens.start.max(1)..word.tokens.end].iter().sum() })
        .collect();
    ranks.sort_by(|a, b| b.received.total_cmp(&a.received));
    ranks
}

/// The ranked words as bars, the sink in a note.
pub fn bars(attention: &Attention, ranks: &[Rank], prompt: &Prompt, most: Option<usize>) -> Panel {
    let shown = &ranks[..ranks.len().min(most.unwrap_or(MOST_BARS))];
    let first = attention.received.first().copied().unwrap_or_default();
    let label = prompt.tokens.first().map_or("", |token| &token.label);
    Panel::Bars(Bars {
        title: "Attention received".into(),
        labels: shown.iter().map(|rank| rank.word.label.clone()).collect(),
        values: shown.iter().map(|rank| rank.received).collect(),
        unit: if attention.extent.causal { "mean share of each later query" } else { "mean share of each query" }
            .into(),
        note: format!("first token {label}: {first:.2}"),
    })
}
