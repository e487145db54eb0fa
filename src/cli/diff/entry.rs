//! A difference as numbers for data files.

use super::found::{Array, Found};
use attnviz::analysis::difference::Change;
use attnviz::export::{Array as Axes, Entry};
use serde_json::{Map, Value, json};

impl Found<'_> {
    /// The numbers of all heads, or of one.
    ///
    /// Of attention: `difference` `[layer, head, query, key]` is B − A on the slots of `alignment`, which lists for each its position in
    /// A and in B (null where it has none); a query that one of them lacks is null, a key that one lacks counts as 0. `changed`,
    /// `max_abs`, `removed` and `added` `[layer, head]` are those of [`Change`]; `ranking` lists layer and head, the most changed first.
    /// Of other results: `differing` and `max_abs` `[array]`, in the order of `names`. `other`, at the top, is what A was compared with.
    pub fn entry(&self, part: Option<usize>) -> Entry {
        let mut settings = self.settings();
        let same = self.verdict().is_ok();
        let Some(heads) = &self.heads else {
            let (names, count) =
                (self.arrays.iter().map(|array| array.name.as_str()).collect::<Vec<_>>(), self.arrays.len());
            let column = |name: &str, of: &dyn Fn(&Array) -> f32| Axes {
                name: name.into(),
                shape: vec![count],
                values: self.arrays.iter().map(of).collect(),
            };
            let fields = Map::from_iter([("same".into(), same.into()), ("names".into(), json!(names))]);
            let arrays = vec![
                column("differing", &|array| array.apart.count as f32),
                column("max_abs", &|array| array.apart.max_abs),
            ];
            settings.retain(|name, _| name == "tol");
            return Entry { method: "difference".into(), settings, fields, arrays };
        };
        let (difference, across) = (&heads.difference, heads.names[1].len());
        let (all, shape) = match part {
            Some(map) => (map..map + 1, [1, 1]),
            None => (0..difference.maps.len(), [heads.names[0].len(), across]),
        };
        let numbers = |axis: usize, at: usize| match part {
            Some(_) if heads.names[axis].len() == heads.numbers[axis].len() => vec![heads.numbers[axis][at]],
            _ => heads.numbers[axis].clone(),
        };
        let map = part.unwrap_or_default();
        let slots: Vec<_> = heads.alignment.slots.iter().map(|slot| (slot.a, slot.b)).collect();
        let ranking: Vec<_> =
            difference.ranking().into_iter().filter(|map| all.contains(map)).map(|map| heads.name(map)).collect();
        let mut fields = Map::from_iter([
            ("same".into(), same.into()),
            ("layers".into(), json!(numbers(0, map / across))),
            ("heads".into(), json!(numbers(1, map % across))),
            ("alignment".into(), json!(slots)),
            ("axis".into(), json!(heads.labels)),
            ("compared_queries".into(), json!(difference.compared)),
            ("ranking".into(), json!(ranking)),
        ]);
        if !self.arrays.is_empty() {
            let array = |Array { name, shape, apart }: &Array| json!({ "name": name, "shape": shape, "differing": apart.count, "max_abs": apart.max_abs });
            fields.insert("arrays".into(), self.arrays.iter().map(array).collect());
        }
        let (rows, cols) = (difference.maps[0].rows, difference.maps[0].cols);
        let values = difference.maps[all.clone()].iter().flat_map(|map| &map.values).copied().collect();
        let mut arrays = vec![Axes { name: "difference".into(), shape: [&shape[..], &[rows, cols]].concat(), values }];
        let mut column = |name: &str, of: fn(&Change) -> f32| {
            let values = difference.heads[all.clone()].iter().map(of).collect();
            arrays.push(Axes { name: name.into(), shape: shape.to_vec(), values });
        };
        column("changed", |change| change.changed);
        column("max_abs", |change| change.max_abs);
        column("removed", |change| change.removed);
        column("added", |change| change.added);
        Entry { method: "difference".into(), settings, fields, arrays }
    }

    fn settings(&self) -> Map<String, Value> {
        let (heads, layers) = self.args.selection.reductions().unwrap_or_default();
        let mut settings = self.args.selection.settings(layers, heads);
        settings.extend([
            ("of".into(), "attention".into()),
            ("sign".into(), "B - A".into()),
            ("tol".into(), json!(self.args.tol)),
            ("bos".into(), self.args.bos.into()),
        ]);
        settings
    }
}
