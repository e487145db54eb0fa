//! Patterns as lines and as a shaded text, numbers in cells and frames around them.

use super::Patterns;
use crate::analysis::attention::Map;
use crate::error::{Error, Result};
use crate::figure::number::number;
use crate::figure::{Lines, Link, Links, Matrix, Panel, Scale, Strip, StripRow};
use crate::findings::attention::shape::{Shape, place};
use crate::findings::subject::percent;

/// Heads that have a colour of their own, or a row.
const MOST_COLOURS: usize = 7;
const MOST_ROWS: usize = 24;
/// Lines of each query where nobody says how many.
const TOP: usize = 5;

impl Patterns<'_> {
    /// The labels of the queries.
    fn queries(&self) -> Vec<String> {
        let labels = self.labels();
        let count = self.extent().0;
        match &self.rows {
            Some(rows) => rows.iter().map(|(_, label)| label.clone()).collect(),
            None => labels[labels.len().saturating_sub(count)..].to_vec(),
        }
    }

    /// How many queries and keys there are to name.
    fn extent(&self) -> (usize, usize) {
        let keys = self.labels().len();
        let past = if self.rows.is_none() { self.attention.extent.past() } else { 0 };
        match (&self.rows, self.view.selection.words) {
            (Some(rows), _) => (rows.len(), keys),
            (None, None) => (keys - past, keys),
            (None, Some(_)) => (self.words.iter().filter(|word| word.tokens.end > past).count(), keys),
        }
    }

    /// Fails where a query or a key that is named is not there, or where there are too many heads for the shape.
    pub(in crate::findings) fn checked(mut self) -> Result<Self> {
        let (view, heads, (queries, keys)) = (self.view, self.attention.maps.len(), self.extent());
        let (most, what) = match view.shape {
            Shape::Map => (usize::MAX, ""),
            Shape::Lines => (MOST_COLOURS, "lines have a colour"),
            Shape::Text => (MOST_ROWS, "the text has a row"),
        };
        if heads > most {
            return Err(Error::usage(format!("{what} for each of at most {most} heads, and these are {heads}"))
                .hint("choose some, as in 4.11,5.1, or reduce them to one")
                .option("head"));
        }
        if view.shape == Shape::Text {
            self.query = place("query", view.query.unwrap_or(-1), queries, "query")?;
        }
        for mark in &view.mark {
            let query = place("mark: query", mark.query, queries, "mark")?;
            self.marks.push((query, place("mark: key", mark.key, keys, "mark")?));
        }
        Ok(self)
    }

    /// The maps that are drawn: all, or one; each with its name.
    fn chosen(&self, map: Option<(usize, &Map)>) -> Vec<(String, Matrix)> {
        let name = |part: &str, name: &str| match name.parse::<usize>() {
            Ok(_) => format!("{part} {name}"),
            Err(_) => format!("{name} of {part}s"),
        };
        let places: Vec<String> = self
            .attention
            .places()
            .iter()
            .map(|(layer, head)| format!("{}, {}", name("layer", layer), name("head", head)))
            .collect();
        match map {
            Some((at, map)) => vec![(places[at].clone(), self.matrix(map))],
            None => places.into_iter().zip(&self.attention.maps).map(|(name, map)| (name, self.matrix(map))).collect(),
        }
    }

    /// The panel of a shape that is no map.
    pub(super) fn shaped(&self, map: Option<(usize, &Map)>, scale: Scale) -> Option<Panel> {
        match self.view.shape {
            Shape::Map => None,
            Shape::Lines => Some(self.lines(map)),
            Shape::Text => Some(self.text(map, scale)),
        }
    }

    fn text(&self, map: Option<(usize, &Map)>, scale: Scale) -> Panel {
        let row = |(name, values): (String, Matrix)| StripRow {
            name,
            values: (0..values.cols).map(|col| values.at(self.query, col)).collect(),
            ..StripRow::default()
        };
        let query = self.queries().into_iter().nth(self.query).unwrap_or_default();
        Panel::Strip(Strip {
            title: format!("What query {} {query} attends to", self.query),
            labels: self.labels(),
            rows: self.chosen(map).into_iter().map(row).collect(),
            scale,
        })
    }

    fn lines(&self, map: Option<(usize, &Map)>) -> Panel {
        let top = self.view.top.unwrap_or(TOP);
        let (mut kept, mut all) = (0.0, 0.0);
        let series: Vec<Links> = self
            .chosen(map)
            .into_iter()
            .map(|(name, values)| {
                let mut links = Vec::new();
                for from in 0..values.rows {
                    let seen = (0..values.cols).map(|to| (values.at(from, to), to));
                    let mut row: Vec<(f32, usize)> = seen.filter(|(weight, _)| *weight > 0.0).collect();
                    all += row.iter().map(|(weight, _)| f64::from(*weight)).sum::<f64>();
                    row.sort_by(|a, b| b.0.total_cmp(&a.0));
                    row.truncate(top);
                    kept += row.iter().map(|(weight, _)| f64::from(*weight)).sum::<f64>();
                    links.extend(row.into_iter().map(|(weight, to)| Link { from, to, weight }));
                }
                Links { name, links }
            })
            .collect();
        let most = series.iter().flat_map(|one| &one.links).map(|link| link.weight).fold(0.0, f32::max);
        let share = if all > 0.0 { kept / all } else { 1.0 };
        let keys = if top == 1 { "key".to_owned() } else { format!("{top} keys") };
        Panel::Lines(Lines {
            left: self.queries(),
            right: self.labels(),
            left_axis: "query".into(),
            right_axis: "key".into(),
            series,
            most,
            note: format!(
                "the strongest {keys} of each query: {} of what is shown in a map; the strongest line is {}, others are paler and thinner, and under 6 % of it not drawn",
                percent(share),
                number(most)
            ),
        })
    }

    /// What stands under the headline of marks and of numbers.
    pub(super) fn marked(&self, map: Option<usize>) -> Vec<String> {
        let drawn = match (map, self.attention.maps.len()) {
            (Some(map), _) => Some(map),
            (None, count) => (count == 1).then_some(0),
        };
        let (queries, keys) = (self.queries(), self.labels());
        // A pooled map has no cell of one query and one key.
        let whole = drawn.map(|map| &self.attention.maps[map]).filter(|map| map.cols == keys.len());
        let pair = |(query, key): &(usize, usize)| {
            let (row, col) = (queries.get(*query), keys.get(*key));
            let names = format!("{} → {}", row.map_or("", String::as_str), col.map_or("", String::as_str));
            match whole.map(|map| self.matrix(map).at(*query, *key)) {
                Some(value) if value.is_finite() => format!("{names} {}", number(value)),
                Some(_) => format!("{names} (not drawn)"),
                None => names,
            }
        };
        let marks: Vec<String> = self.marks.iter().map(pair).collect();
        let framed = (!marks.is_empty()).then(|| format!("framed, query → key: {}", marks.join(", ")));
        let left_out = self.view.numbers && drawn.is_none();
        let numbers = left_out.then(|| "numbers do not fit into cells of so many maps".to_owned());
        framed.into_iter().chain(numbers).collect()
    }

    /// The frames, as parts of a map: left, top, width and height.
    pub(super) fn frames(&self) -> Vec<[f32; 4]> {
        let (rows, cols) = self.extent();
        let (w, h) = (1.0 / cols.max(1) as f32, 1.0 / rows.max(1) as f32);
        self.marks.iter().map(|(query, key)| [*key as f32 * w, *query as f32 * h, w, h]).collect()
    }
}
