//! A difference as numbers for data files.

use super::comparison::{ComparedArray, ComparedAttention, Comparison};
use crate::analysis::difference::Change;
use crate::export::{Array, Entry};
use serde_json::{Map, Value, json};

impl Comparison<'_> {
    /// All heads in one, one head, or each that was named by itself: arrays of one name would not be told apart.
    pub(super) fn entries(&self, part: Option<usize>) -> Vec<Entry> {
        let picked = self.attention.as_ref().map_or(&[][..], |attention| &attention.picked);
        let one = |(map, (layer, head)): (usize, &(usize, usize))| Entry {
            method: format!("difference-{layer}-{head}"),
            ..self.entry(Some(map))
        };
        match (part, picked) {
            (Some(_), _) | (None, []) => vec![self.entry(part)],
            _ => picked.iter().enumerate().map(one).collect(),
        }
    }

    /// The numbers of all heads, or of one.
    ///
    /// Of attention: `difference` `[layer, head, query, key]` is B − A on the slots of `alignment`, which lists for each its position in
    /// A and in B (null where it has none); a query that one of them lacks is null, a key that one lacks counts as 0. `changed`,
    /// `max_abs`, `removed` and `added` `[layer, head]` are those of [`Change`]; `ranking` lists layer and head, the most changed first.
    /// Of other results: `differing` and `max_abs` `[array]`, in the order of `names`. `other`, at the top, is what A was compared with.
    fn entry(&self, part: Option<usize>) -> Entry {
        let mut settings = self.settings();
        let same = ("same".into(), self.verdict().is_ok().into());
        let Some(attention) = &self.attention else {
            let (names, count) =
                (self.arrays.iter().map(|array| array.name.as_str()).collect::<Vec<_>>(), self.arrays.len());
            let column = |name: &str, of: &dyn Fn(&ComparedArray) -> f32| Array {
                name: name.into(),
                shape: vec![count],
                values: self.arrays.iter().map(of).collect(),
            };
            let fields = Map::from_iter([same, ("names".into(), json!(names))]);
            let arrays = vec![
                column("differing", &|array| array.apart.count as f32),
                column("max_abs", &|array| array.apart.max_abs),
            ];
            settings.retain(|name, _| name == "tol");
            return Entry { method: "difference".into(), settings, fields, arrays };
        };
        let mut fields = attention.fields(part);
        fields.extend([same]);
        if !self.arrays.is_empty() {
            let array = |ComparedArray { name, shape, apart }: &ComparedArray| json!({ "name": name, "shape": shape, "differing": apart.count, "max_abs": apart.max_abs });
            fields.insert("arrays".into(), self.arrays.iter().map(array).collect());
        }
        Entry { method: "difference".into(), settings, fields, arrays: attention.arrays(part) }
    }

    fn settings(&self) -> Map<String, Value> {
        let options = self.options;
        let mut settings = options.selection.settings(options.selection.reduce);
        settings.extend([
            ("of".into(), "attention".into()),
            ("sign".into(), "B - A".into()),
            ("tol".into(), json!(options.tol)),
            ("bos".into(), options.reading.bos.into()),
        ]);
        settings
    }
}

impl ComparedAttention {
    fn fields(&self, part: Option<usize>) -> Map<String, Value> {
        let (difference, across) = (&self.difference, self.names[1].len());
        let numbers = |axis: usize, at: usize| match part {
            Some(map) if !self.picked.is_empty() => vec![<[usize; 2]>::from(self.picked[map])[axis]],
            Some(_) if self.names[axis].len() == self.numbers[axis].len() => vec![self.numbers[axis][at]],
            _ => self.numbers[axis].clone(),
        };
        let map = part.unwrap_or_default();
        let slots: Vec<_> = self.alignment.slots.iter().map(|slot| (slot.a, slot.b)).collect();
        let ranked = self.ranking.iter().filter(|map| part.is_none_or(|part| part == **map));
        let ranking: Vec<_> = ranked.map(|map| self.name(*map)).collect();
        Map::from_iter([
            ("layers".into(), json!(numbers(0, map / across))),
            ("heads".into(), json!(numbers(1, map % across))),
            ("alignment".into(), json!(slots)),
            ("axis".into(), json!(self.labels)),
            ("compared_queries".into(), json!(difference.compared)),
            ("ranking".into(), json!(ranking)),
        ])
    }

    fn arrays(&self, part: Option<usize>) -> Vec<Array> {
        let difference = &self.difference;
        let (all, shape) = match part {
            Some(map) => (map..map + 1, [1, 1]),
            None => (0..difference.maps.len(), [self.names[0].len(), self.names[1].len()]),
        };
        let (rows, cols) = (difference.maps[0].rows, difference.maps[0].cols);
        let values = difference.maps[all.clone()].iter().flat_map(|map| &map.values).copied().collect();
        let mut arrays = vec![Array { name: "difference".into(), shape: [&shape[..], &[rows, cols]].concat(), values }];
        let mut column = |name: &str, of: fn(&Change) -> f32| {
            let values = difference.heads[all.clone()].iter().map(of).collect();
            arrays.push(Array { name: name.into(), shape: shape.to_vec(), values });
        };
        column("changed", |change| change.changed);
        column("max_abs", |change| change.max_abs);
        column("removed", |change| change.removed);
        column("added", |change| change.added);
        arrays
    }
}
