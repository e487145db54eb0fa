//! What differs, as figures, data and tables.

use super::DiffArgs;
use super::look::{Look, aligned, check};
use super::words::{excerpts, short};
use crate::cli::args::{SinkArg, WordsArg};
use crate::cli::findings::Findings;
use crate::cli::subject::About;
use attnviz::analysis::Reduction;
use attnviz::analysis::alignment::Alignment;
use attnviz::analysis::difference::{Apart, Change, Difference, difference};
use attnviz::error::{Error, Result};
use attnviz::export::csv::{Table, write_table};
use attnviz::export::{Array as Axes, Data, Entry};
use attnviz::figure::attention::{heatmap, matrix, panel};
use attnviz::figure::difference::{bars, labels, scale, table};
use attnviz::figure::{Figure, Matrix, Panel};
use serde_json::{Map, Value, json};

/// Everything that is known once two things are compared.
pub struct Found<'a> {
    pub args: &'a DiffArgs,
    pub about: About<'a>,
    pub looks: [Look; 2],
    /// Attention, head by head; nothing where the files hold other results.
    pub heads: Option<Heads>,
    /// Arrays of one name and shape in both files.
    pub arrays: Vec<Array>,
    /// What else a reader should know.
    pub remarks: Vec<String>,
}

/// Attention that was compared.
pub struct Heads {
    pub alignment: Alignment,
    /// The labels of the alignment's slots.
    pub labels: Vec<String>,
    pub difference: Difference,
    /// The layers and heads by number, and by the names that files are given.
    pub numbers: [Vec<usize>; 2],
    pub names: [Vec<String>; 2],
}

/// An array that was compared.
pub struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    pub apart: Apart,
}

impl<'a> Found<'a> {
    /// Compares two runs' attention.
    pub fn of_attention(args: &'a DiffArgs, about: About<'a>, mut looks: [Look; 2]) -> Result<Self> {
        check(&looks)?;
        let alignment = aligned(&mut looks)?;
        let axis = looks.each_ref().map(|look| look.axis.iter().map(|(_, label)| label.clone()).collect::<Vec<_>>());
        let labels = labels(&alignment, &axis[0], &axis[1]);
        let (Some(a), Some(b)) = (looks[0].attention.take(), looks[1].attention.take()) else {
            return Err(Error::failed("there is no attention to compare"));
        };
        let (numbers, names) = ([a.layers.clone(), a.heads.clone()], [a.layer_names(), a.head_names()]);
        let difference = difference(a, b, &alignment)?;
        let heads = Some(Heads { alignment, labels, difference, numbers, names });
        Ok(Self { args, about, looks, heads, arrays: Vec::new(), remarks: Vec::new() })
    }

    /// Compares files that hold no attention.
    pub fn of_arrays(args: &'a DiffArgs, about: About<'a>, looks: [Look; 2]) -> Result<Self> {
        Ok(Self { args, about, looks, heads: None, arrays: Vec::new(), remarks: Vec::new() })
    }

    /// Fails where the two differ by more than is allowed.
    pub fn verdict(&self) -> Result<()> {
        let (names, tol) = (self.names(), self.args.tol);
        let (most, place) = self.largest();
        if most > tol {
            let (most, tol) = (short(most), short(tol));
            return Err(Error::different(format!("{names} differ by at most {most} ({place}), more than --tol {tol}"))
                .hint("the result shows where; a larger --tol allows more"));
        }
        match self.heads.as_ref().map(|heads| heads.alignment.counts()) {
            Some([_, _, removed, added]) if removed + added > 0 => Err(Error::different(format!(
                "{names} differ by no more than --tol {} where both have tokens, but {} in one of them only",
                short(tol),
                if removed + added == 1 { "1 is".into() } else { format!("{} are", removed + added) }
            ))
            .hint("the result shows which; compare prompts of the same tokens for equality")),
            _ => Ok(()),
        }
    }

    /// The two, in a sentence.
    fn names(&self) -> String {
        let [a, b] = &self.looks;
        match (&a.input, &b.input) {
            (Some(a), Some(b)) if a.name == b.name => "the two files".into(),
            (None, None) if a.hash == b.hash && a.model == b.model => "the two prompts".into(),
            (None, None) if a.model == b.model => "the two models".into(),
            _ => format!("{} and {}", a.name(), b.name()),
        }
    }

    /// The largest difference of any number, and where it is.
    fn largest(&self) -> (f32, String) {
        let heads = self.heads.as_ref().map(|heads| {
            let head = heads.difference.largest();
            (heads.difference.heads[head].max_abs, heads.place(head))
        });
        let arrays = self.arrays.iter().map(|array| (array.apart.max_abs, array.place()));
        heads
            .into_iter()
            .chain(arrays)
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .unwrap_or_default()
    }
}

impl Heads {
    /// The layer and the head of a map.
    fn name(&self, map: usize) -> (&str, &str) {
        let across = self.names[1].len();
        (&self.names[0][map / across], &self.names[1][map % across])
    }

    /// Where a map's largest difference is.
    fn place(&self, map: usize) -> String {
        let ((layer, head), change) = (self.name(map), &self.difference.heads[map]);
        let (query, key) = self.slots(change);
        format!("layer {layer}, head {head}, from {} to {}", self.labels[query], self.labels[key])
    }

    /// The slots of a map's largest difference.
    fn slots(&self, change: &Change) -> (usize, usize) {
        let map = &self.difference.maps[0];
        (map.cols - map.rows + change.at.0, change.at.1)
    }

    fn maps(&self) -> Vec<Matrix> {
        self.difference.maps.iter().map(|map| matrix(map, self.difference.causal)).collect()
    }
}

impl Array {
    fn place(&self) -> String {
        let mut at = self.apart.at;
        let mut place: Vec<usize> = self.shape.iter().rev().map(|axis| (at % axis, at /= axis).0).collect();
        place.reverse();
        if place.is_empty() { self.name.clone() } else { format!("{} {place:?}", self.name) }
    }
}

impl Findings for Found<'_> {
    fn about(&self) -> &About<'_> {
        &self.about
    }

    fn parts(&self) -> Vec<(String, String)> {
        let Some(Heads { names: [layers, heads], .. }) = &self.heads else { return Vec::new() };
        layers.iter().flat_map(|layer| heads.iter().map(|head| (layer.clone(), head.clone()))).collect()
    }

    fn remarks(&self) -> Vec<String> {
        let (most, _) = self.largest();
        let same = (self.verdict().is_ok()).then(|| match most {
            0.0 => format!("{} do not differ", self.names()),
            _ => format!(
                "{} differ by at most {}, no more than --tol {}",
                self.names(),
                short(most),
                short(self.args.tol)
            ),
        });
        self.remarks.iter().cloned().chain(same).collect()
    }

    fn figure(&self, part: Option<usize>) -> Figure {
        let style = &self.args.figure;
        let mut panels: Vec<Panel> = Vec::new();
        if let Some(heads) = &self.heads {
            let (maps, difference) = (heads.maps(), &heads.difference);
            let scale = scale(style.scale.into(), style.colormap, difference);
            match part {
                Some(map) => panels.push(heatmap(maps[map].clone(), &heads.labels, scale)),
                None => panels.push(panel(&heads.names[0], &heads.names[1], &maps, &heads.labels, scale)),
            }
            if part.is_none() && maps.len() > 1 {
                panels.push(bars(difference, &|map| {
                    let (layer, head) = heads.name(map);
                    format!("{layer}.{head}")
                }));
            }
        }
        if !self.arrays.is_empty() && part.is_none() {
            let names: Vec<_> = self.arrays.iter().map(|array| array.name.clone()).collect();
            let shapes: Vec<_> = self.arrays.iter().map(|array| array.shape.clone()).collect();
            let apart: Vec<_> = self.arrays.iter().map(|array| array.apart).collect();
            panels.push(table(&names, &shapes, &apart));
        }
        let figure = style.figure(&self.about, self.subtitle(part), panels, self.about.provenance());
        let title = if self.heads.is_some() { "Difference of attention, B − A" } else { "Difference of results" };
        Figure { title: style.title.clone().unwrap_or_else(|| title.into()), ..figure }
    }

    fn data(&self, part: Option<usize>) -> Result<Data> {
        Ok(self.about.data(vec![self.entry(part)]))
    }

    fn csv(&self, part: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        let number = |x: f32| if x.is_finite() { format!("{x:?}") } else { String::new() };
        let Some(heads) = &self.heads else {
            let row = |array: &Array| {
                let count = array.shape.iter().product::<usize>();
                vec![array.name.clone(), count.to_string(), array.apart.count.to_string(), number(array.apart.max_abs)]
            };
            let rows = self.arrays.iter().map(row).collect();
            return write_table(&Table { header: vec!["array", "numbers", "differing", "max_abs"], rows }, out);
        };
        let row = |map: usize| {
            let ((layer, head), change) = (heads.name(map), &heads.difference.heads[map]);
            let (query, key) = heads.slots(change);
            let mut row = vec![layer.to_owned(), head.to_owned()];
            row.extend([change.changed, change.max_abs].map(number));
            row.extend([query, key].map(|slot| heads.labels[slot].clone()));
            row.extend([change.removed, change.added].map(number));
            row
        };
        let order = part.map_or_else(|| heads.difference.ranking(), |map| vec![map]);
        let header = vec!["layer", "head", "changed", "max_abs", "max_query", "max_key", "removed", "added"];
        write_table(&Table { header, rows: order.into_iter().map(row).collect() }, out)
    }
}

impl Found<'_> {
    fn subtitle(&self, part: Option<usize>) -> Vec<String> {
        let [a, b] = &self.looks;
        let mut lines = Vec::new();
        let texts = excerpts(&a.prompt.written(), &b.prompt.written());
        let one_model = a.model == b.model && a.hash == b.hash;
        let mut first = if one_model && a.input.is_none() { vec![a.model.clone()] } else { Vec::new() };
        if let Some(heads) = &self.heads {
            let count = |what: &str, names: &[String]| match names {
                [one] => format!("{what} {one}"),
                many => format!("{} {what}s", many.len()),
            };
            first.push(match part.map(|map| heads.name(map)) {
                Some((layer, head)) => format!("layer {layer}, head {head}"),
                None => format!("{}, {}", count("layer", &heads.names[0]), count("head", &heads.names[1])),
            });
            first.push(self.edits(heads));
        } else {
            first.push(format!("{} arrays", self.arrays.len()));
        }
        lines.push(first.join(" · "));
        for (letter, (look, text)) in ["A", "B"].into_iter().zip(self.looks.iter().zip(texts)) {
            let mut said = Vec::new();
            said.extend(look.input.as_ref().map(|input| input.name.clone()));
            if !(one_model && look.input.is_none()) && !look.model.is_empty() {
                let weights: String = look.hash.chars().take(8).collect();
                let same_name = a.model == b.model && !one_model;
                said.push(if same_name { format!("{} ({weights})", look.model) } else { look.model.clone() });
            }
            said.push(text);
            said.extend(look.next.iter().map(|next| format!("next: {next}")));
            said.retain(|text| !text.is_empty());
            lines.push(format!("{letter}: {}", said.join(" · ")));
        }
        let (most, place) = match (&self.heads, part) {
            (Some(heads), Some(map)) => (heads.difference.heads[map].max_abs, heads.place(map)),
            _ => self.largest(),
        };
        lines.push(match most {
            0.0 => "no number differs".into(),
            _ => format!("largest difference {}: {place}", short(most)),
        });
        lines
    }

    /// What became of the tokens.
    fn edits(&self, heads: &Heads) -> String {
        let [kept, replaced, removed, added] = heads.alignment.counts();
        let what = if self.looks[0].by_word { "word" } else { "token" };
        let all = match kept {
            1 => format!("1 {what} in both"),
            _ => format!("{kept} {what}s in both"),
        };
        let said = [(replaced, "replaced (→)"), (removed, "only in A (−)"), (added, "only in B (+)")];
        let said = said.into_iter().filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}"));
        std::iter::once(all).chain(said).collect::<Vec<_>>().join(", ")
    }

    /// The numbers of all heads, or of one.
    ///
    /// Of attention: `difference` `[layer, head, query, key]` is B − A on the slots of `alignment`, which lists for each its position in
    /// A and in B (null where it has none); a query that one of them lacks is null, a key that one lacks counts as 0. `changed`,
    /// `max_abs`, `removed` and `added` `[layer, head]` are those of [`Change`]; `ranking` lists layer and head, the most changed first.
    /// Of other results: `differing` and `max_abs` `[array]`, in the order of `names`. `other`, at the top, is what A was compared with.
    fn entry(&self, part: Option<usize>) -> Entry {
        let mut settings = self.settings();
        let arrays: Vec<Value> = self.arrays.iter().map(|array| json!({ "name": array.name, "shape": array.shape, "differing": array.apart.count, "max_abs": array.apart.max_abs })).collect();
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
        if !arrays.is_empty() {
            fields.insert("arrays".into(), arrays.into());
        }
        let (rows, cols) = (difference.maps[0].rows, difference.maps[0].cols);
        let values = difference.maps[all.clone()].iter().flat_map(|map| &map.values).copied().collect();
        let mut arrays = vec![Axes { name: "difference".into(), shape: [&shape[..], &[rows, cols]].concat(), values }];
        let of: [(&str, fn(&Change) -> f32); 4] = [
            ("changed", |c| c.changed),
            ("max_abs", |c| c.max_abs),
            ("removed", |c| c.removed),
            ("added", |c| c.added),
        ];
        arrays.extend(of.map(|(name, of)| Axes {
            name: name.into(),
            shape: shape.to_vec(),
            values: difference.heads[all.clone()].iter().map(of).collect(),
        }));
        Entry { method: "difference".into(), settings, fields, arrays }
    }

    fn settings(&self) -> Map<String, Value> {
        let selection = &self.args.selection;
        let (heads, layers) = selection.reductions().unwrap_or_default();
        let name = |how: Option<Reduction>| json!(how.map(|how| if how == Reduction::Mean { "mean" } else { "max" }));
        let sink = match selection.sink {
            SinkArg::Keep => "keep",
            SinkArg::Mask => "mask",
            SinkArg::Renorm => "renorm",
        };
        let rule = selection.words.map(|rule| if rule == WordsArg::Space { "space" } else { "default" });
        Map::from_iter([
            ("of".into(), "attention".into()),
            ("sign".into(), "B - A".into()),
            ("tol".into(), json!(self.args.tol)),
            ("reduce_layers".into(), name(layers)),
            ("reduce_heads".into(), name(heads)),
            ("sink".into(), sink.into()),
            ("word_rule".into(), json!(rule)),
            ("bos".into(), self.args.bos.into()),
        ])
    }
}
