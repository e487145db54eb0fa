//! What figures of attention patterns say in words.

use super::Patterns;
use crate::analysis::attention::Extent;
use crate::analysis::{Reduction, Sink};
use crate::findings::subject::{empty_rows, in_a_line, percent};
use crate::text;

/// Attention on the first token above which it is spoken of.
const LARGE_SINK: f32 = 0.4;
/// Sums of rows that are as near to one another as this are given as one number.
const LOOSE: f32 = 0.01;

impl Patterns<'_> {
    pub(super) fn subtitle(&self, map: Option<usize>) -> Vec<String> {
        let Extent { queries, keys, .. } = self.attention.extent;
        let mut lines = vec![match self.rows {
            None => self.about.line(&self.what(map)),
            Some(_) => format!(
                "{} · {} · cross-attention: {}, {}",
                self.about.source(),
                self.what(map),
                text::count(queries, "query"),
                text::count(keys, "key")
            ),
        }];
        lines.extend(self.asking.as_ref().map(|text| format!("queries: {text}")));
        lines.extend(self.next.clone());
        lines.extend(self.oddities());
        let (first, shares) = (self.first(), self.attention.has_shares());
        let share = percent(f64::from(self.attention.sink_share));
        let hidden = if shares {
            format!("attention on the {first}, {share} of all, is hidden")
        } else {
            format!("attention on the {first} is hidden")
        };
        match self.view.selection.sink {
            Sink::Keep if self.has_sink() => lines.push(format!("{share} of the attention is on the {first}")),
            Sink::Keep => {}
            Sink::Mask => lines.push(hidden),
            Sink::Renorm => lines.push(format!("{hidden} and rows are rescaled to 1")),
        }
        lines.extend(self.faint_rows());
        lines.extend(self.left_out_rows());
        lines.extend(self.marked(map));
        lines
    }

    /// Whether much of the attention that is shown is on the first token.
    pub(super) fn has_sink(&self) -> bool {
        let is_kept = self.view.selection.sink == Sink::Keep;
        is_kept && self.attention.has_shares() && self.attention.sink_share >= LARGE_SINK
    }

    /// What a reader of patterns would not expect of them.
    fn oddities(&self) -> Option<String> {
        let (extent, (least, most)) = (self.attention.extent, self.attention.row_sums);
        let mut odd = Vec::new();
        if extent.past() > 0 {
            odd.push(match extent.queries {
                1 => format!("the query is the last of {}", text::count(extent.keys, "token")),
                many => format!("queries are the last {many} of {} tokens", extent.keys),
            });
        }
        if !self.attention.has_shares() {
            let range = if most - least < LOOSE { format!("{least:.2}") } else { format!("{least:.2} to {most:.2}") };
            odd.push(format!("weights as saved: rows sum to {range}, not 1"));
        }
        (!odd.is_empty()).then(|| odd.join(" · "))
    }

    /// What is drawn, in words.
    fn what(&self, map: Option<usize>) -> String {
        if self.view.received {
            return "words ranked by the attention they receive".into();
        }
        if map.is_none() && !self.attention.picked.is_empty() {
            let heads: Vec<String> =
                self.attention.picked.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
            return format!("heads {}", heads.join(", "));
        }
        let (layers, heads) = self.axes(map);
        let one = |what: &str, names: &[String], reduced: Option<Reduction>, all: usize| match (reduced, names) {
            (Some(_), [how]) => format!("{how} of {}", text::count(all, what)),
            (None, [number]) => format!("{what} {number}"),
            (_, many) => text::count(many.len(), what),
        };
        let attention = &self.attention;
        format!(
            "{}, {}{}",
            one("layer", &layers, attention.layers_to, attention.layers.len()),
            one("head", &heads, attention.heads_to, attention.heads.len()),
            if self.by_word || self.view.selection.words.is_some() { ", by word" } else { "" }
        )
    }

    /// What the first column is.
    pub(super) fn first(&self) -> &'static str {
        if self.rows.is_some() { "first key" } else { "first token" }
    }

    /// What hatched cells are.
    pub(super) fn hatched(&self) -> String {
        let first = format!("attention on the {}, left out", self.first());
        match self.attention.faint_rows {
            0 => first,
            _ => format!("{first}, and rows that keep less than 5 % without it"),
        }
    }

    /// How many rows hardly anything is left of.
    fn faint_rows(&self) -> Option<String> {
        let (count, first) = (self.attention.faint_rows, self.first());
        let (rows, are) = if count == 1 { ("1 row keeps".into(), "is") } else { (format!("{count} rows keep"), "are") };
        (count > 0).then(|| format!("{rows} less than 5 % without the {first}, and {are} not drawn"))
    }

    /// That the first token is not among the ranked words, and how much of the attention it has.
    pub(super) fn without_first(&self) -> String {
        let label = self.about.prompt.tokens.first().map_or("", |token| &token.label);
        let share = percent(f64::from(self.attention.sink_share));
        let none = !self.attention.has_shares() || self.about.prompt.tokens.len() < 2;
        let share = if none { String::new() } else { format!(", {share} of the attention") };
        format!("without the {} {}{share}", self.first(), in_a_line(label))
    }

    /// What is left out, or is not there.
    pub(super) fn left_out_rows(&self) -> Vec<String> {
        let absent = self.attention.absent_rows;
        let absent = (absent > 0).then(|| {
            let rows = if absent == 1 { "1 row is".into() } else { format!("{absent} rows are") };
            format!("{rows} absent: the file holds NaN throughout")
        });
        let empty = empty_rows(self.attention.empty_rows).map(|text| text.replace("first token", self.first()));
        self.left_out.iter().cloned().chain(absent).chain(empty).collect()
    }
}
