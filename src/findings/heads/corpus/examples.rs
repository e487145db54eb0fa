//! A head's examples as figures, data files and tables have them.

use super::OverCorpus;
use crate::analysis::heads::Example;
use crate::export::Table;
use crate::export::table::{Cell, number, text, whole};
use crate::figure::heads::ExampleRow;
use crate::findings::subject::in_a_line;
use crate::prompt::Prompt;
use serde_json::{Value, json};

/// A weight that a figure does not name: it would be 0.00.
const FAINT: f32 = 0.005;

impl OverCorpus<'_> {
    fn texts(&self, ids: &[u32]) -> Prompt {
        Prompt::from_ids(&self.session.tokenizer, ids.to_vec(), None)
    }

    /// A head's examples as a figure shows them, the strongest fifth first.
    pub(super) fn rows(&self, head: usize) -> Vec<ExampleRow> {
        let looked = &self.found[head];
        let row = |fifth: usize, example: &Example| {
            let around = self.texts(&example.around);
            let at = example.query - example.first;
            let before: String = around.tokens[..at].iter().map(|token| &*token.text).collect();
            let key = |(position, id, weight): &(usize, u32, f32)| {
                let back = example.query - position;
                let at = if back == 0 { "itself".into() } else { format!("−{back}") };
                format!("{} {weight:.2} ({at})", in_a_line(&self.session.tokenizer.label(*id)))
            };
            ExampleRow {
                bounds: looked.bounds(fifth),
                weight: example.weight,
                before: before.split_whitespace().collect::<Vec<_>>().join(" "),
                query: around.tokens[at].label.clone(),
                keys: example.keys.iter().filter(|key| key.2 >= FAINT).map(key).collect::<Vec<_>>().join(", "),
            }
        };
        let fifths = looked.examples.iter().enumerate().rev();
        fifths.flat_map(|(fifth, examples)| examples.iter().map(move |one| row(fifth, one))).collect()
    }

    /// A head's examples as data files have them.
    pub(super) fn said(&self, head: usize) -> Value {
        let label = |id: u32| self.texts(&[id]).tokens[0].text.clone();
        let one = |example: &Example| {
            let keys = example.keys.iter().map(
                |(position, id, weight)| json!({"position": position, "id": id, "token": label(*id), "weight": weight}),
            );
            json!({
                "sequence": example.sequence,
                "query": example.query,
                "weight": example.weight,
                "keys": keys.collect::<Value>(),
                "first": example.first,
                "ids": example.around,
                "tokens": self.texts(&example.around).tokens.iter().map(|token| &*token.text).collect::<Value>(),
            })
        };
        let looked = &self.found[head];
        let fifths = looked.examples.iter().map(|fifth| fifth.iter().map(one).collect::<Value>());
        let (layer, head) = (head / self.ranked.across, head % self.ranked.across);
        let (low, high) = looked.range;
        json!({"layer": layer, "head": head, "lowest": low, "highest": high, "fifths": fifths.collect::<Value>()})
    }

    /// A row for each key of each example of a head.
    pub(super) fn examples_table(&self, head: usize) -> Table {
        let named = [whole("layer"), whole("head"), whole("fifth"), number("weight"), whole("sequence")];
        let texts = [whole("query"), text("query_token"), text("text"), whole("place"), whole("key")];
        let columns = named.into_iter().chain(texts).chain([text("key_token"), number("key_weight")]).collect();
        let mut rows = Vec::new();
        for (fifth, examples) in self.found[head].examples.iter().enumerate().rev() {
            for example in examples {
                let around = self.texts(&example.around);
                for (place, (key, id, weight)) in (1usize..).zip(&example.keys) {
                    rows.push(vec![
                        (head / self.ranked.across).into(),
                        (head % self.ranked.across).into(),
                        Cell::from(fifth + 1),
                        example.weight.into(),
                        Cell::Whole(example.sequence as i64),
                        example.query.into(),
                        around.tokens[example.query - example.first].text.clone().into(),
                        around.written().into(),
                        place.into(),
                        (*key).into(),
                        self.texts(&[*id]).tokens[0].text.clone().into(),
                        (*weight).into(),
                    ]);
                }
            }
        }
        Table { columns, rows }
    }
}
