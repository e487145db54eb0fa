//! What data files say of patterns: the maps with how they were made, and the words by the attention that they receive.

use super::Patterns;
use crate::analysis::attention::Map;
use crate::analysis::attention::received::Rank;
use crate::export::read::AttentionKind;
use crate::export::table::{number, text, whole};
use crate::export::{Entry, Table};
use crate::findings::Reduce;
use crate::named::Named;
use serde_json::{Value, json};

impl Patterns<'_> {
    fn attention(&self, map: Option<usize>) -> Entry {
        let (layers, heads) = self.axes(map);
        let one = |all: &[usize], names: &[String]| match (map, names) {
            (Some(_), [name]) => name.parse().map_or(all.to_vec(), |index| vec![index]),
            _ => all.to_vec(),
        };
        let mut fields = serde_json::Map::new();
        fields.insert("layers".into(), json!(one(&self.attention.layers, &layers)));
        fields.insert("heads".into(), json!(one(&self.attention.heads, &heads)));
        if self.by_word || self.view.selection.words.is_some() {
            fields.insert("words".into(), json!(self.labels()));
        }
        if let Some(rows) = &self.rows {
            fields.insert("query_tokens".into(), rows.iter().map(|(text, _)| text.clone()).collect());
        }
        let mut arrays = vec![self.array(map)];
        arrays.extend(self.extras().iter().filter(|_| map.is_none()).cloned());
        Entry { method: "attention".into(), settings: self.settings(), fields, arrays }
    }

    fn settings(&self) -> serde_json::Map<String, Value> {
        let reduce = Reduce { heads: self.attention.heads_to, layers: self.attention.layers_to };
        let mut settings = self.view.selection.settings(reduce);
        settings.insert("bos".into(), self.about.prompt.bos.into());
        if !self.attention.extent.causal {
            let kind = if self.rows.is_some() { AttentionKind::Cross } else { AttentionKind::Encoder };
            settings.insert("kind".into(), kind.name().into());
        }
        if self.attention.absent_rows > 0 {
            settings.insert("absent_rows".into(), self.attention.absent_rows.into());
        }
        if self.attention.empty_rows > 0 {
            settings.insert("empty_rows".into(), self.attention.empty_rows.into());
        }
        settings
    }

    /// All maps in one, or each head that was named by itself.
    pub(super) fn entries(&self, map: Option<usize>) -> Vec<Entry> {
        let one = |(map, values): (usize, &Map)| {
            let mut entry = self.attention(Some(map));
            let (layer, head) = self.attention.picked[map];
            entry.method = format!("attention-{layer}-{head}"); // arrays of one name would not be told apart
            entry.arrays.iter_mut().for_each(|array| array.values.clone_from(&values.values));
            entry
        };
        match (map, self.attention.picked.len()) {
            (Some(_), _) | (None, 0) => vec![self.attention(map)],
            _ => self.attention.maps.iter().enumerate().map(one).collect(),
        }
    }

    /// The words by the attention that they receive.
    pub(super) fn received(&self) -> Entry {
        let settings = serde_json::Map::from_iter([
            ("queries".into(), "those that can see the token".into()),
            ("first_token_is".into(), "left out".into()),
        ]);
        let column = |pick: &dyn Fn(&Rank) -> Value| Value::Array(self.ranks().iter().map(pick).collect());
        let fields = serde_json::Map::from_iter([
            ("words".into(), column(&|rank| rank.word.label.clone().into())),
            ("first_token".into(), column(&|rank| rank.first_token().into())),
            ("last_token".into(), column(&|rank| rank.last_token().into())),
            ("lift".into(), column(&|rank| json!(rank.received.lift() as f32))),
            ("share".into(), column(&|rank| json!(rank.received.share as f32))),
            ("sink_share".into(), json!(self.attention.has_shares().then_some(self.attention.sink_share))),
        ]);
        Entry { method: "attention-received".into(), settings, fields, arrays: Vec::new() }
    }

    pub(super) fn ranking(&self) -> Table {
        let row = |(place, rank): (usize, &Rank)| {
            let (first, last) = (rank.first_token().into(), rank.last_token().into());
            let (lift, share) = (rank.received.lift() as f32, rank.received.share as f32);
            vec![place.into(), rank.word.label.clone().into(), first, last, lift.into(), share.into()]
        };
        let columns = vec![
            whole("rank"),
            text("word"),
            whole("first_token"),
            whole("last_token"),
            number("lift"),
            number("share"),
        ];
        Table { columns, rows: (1usize..).zip(self.ranks()).map(row).collect() }
    }
}
