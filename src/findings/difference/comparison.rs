//! What differs, as figures, data and tables.

use super::Options;
use super::side::{Side, aligned, comparable};
use super::words::short;
use crate::analysis::alignment::Alignment;
use crate::analysis::attention::Map;
use crate::analysis::difference::{Apart, Change, Difference, difference};
use crate::analysis::{Attention, Sink};
use crate::axes::place;
use crate::error::{Error, Result};
use crate::export::table::{number, text, whole};
use crate::export::{Data, Table};
use crate::figure::attention::{hatched, matrix, multiples, panel, without_sink};
use crate::figure::difference::{bars, labels, scale, table};
use crate::figure::{Figure, Matrix, Panel, Pooling, Scale};
use crate::findings::subject::{empty_rows, in_a_line};
use crate::findings::{About, Advice, Findings, Style};
use crate::record::{Part, Record};
use std::sync::OnceLock;

/// A share of the largest difference whose colour is hardly seen, and how few are more where a figure says so: one in so many.
const FAINT: f32 = 0.05;
const RARE: usize = 20;

/// Up to this many maps are drawn from all their numbers: each may be large.
const WHOLE: usize = 4;

/// Everything that is known once two things are compared.
pub struct Comparison<'a> {
    pub(super) options: &'a Options,
    /// What is said of both.
    pub about: About,
    pub(super) sides: [Side; 2],
    /// Attention, head by head; nothing where the files hold other results.
    pub(super) attention: Option<ComparedAttention>,
    /// Arrays of one name and shape in both files.
    pub(super) arrays: Vec<ComparedArray>,
    /// What else a reader should know.
    pub(super) remarks: Vec<String>,
}

/// Attention that was compared.
pub(super) struct ComparedAttention {
    pub(super) alignment: Alignment,
    /// The labels of the alignment's slots.
    pub(super) labels: Vec<String>,
    pub(super) difference: Difference,
    /// The heads by how much they changed, the most first.
    pub(super) ranking: Vec<usize>,
    /// The layers and heads by number, and by the names that files are given.
    pub(super) numbers: [Vec<usize>; 2],
    pub(super) names: [Vec<String>; 2],
    /// The layer and the head of each map, by these names.
    places: Vec<(String, String)>,
    /// The same by number, where these are not all heads of those layers; else empty.
    pub(super) picked: Vec<(usize, usize)>,
    /// One for all heads, whichever of them are drawn.
    scale: Scale,
    /// Whether hardly any of what differs would be seen on a linear scale.
    faint: OnceLock<bool>,
    /// Whether all of the first column is attention that was left out of both.
    hides_column: bool,
}

/// An array that was compared.
pub(super) struct ComparedArray {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) apart: Apart,
}

impl<'a> Comparison<'a> {
    /// Two sides of which nothing is compared yet.
    pub(super) fn new(options: &'a Options, sides: [Side; 2]) -> Result<Self> {
        let [a, b] = &sides;
        let (model, input, other) = (a.model.clone(), a.input.clone(), Some(b.other()));
        let record = Record { model, input, other, ..Record::of("diff", options)? };
        let about = About::new(record, a.prompt.clone());
        Ok(Self { options, about, sides, attention: None, arrays: Vec::new(), remarks: Vec::new() })
    }

    /// Compares the attention of both.
    pub(super) fn of_attention(options: &'a Options, mut sides: [Side; 2], attention: [Attention; 2]) -> Result<Self> {
        comparable(&sides, attention.each_ref())?;
        let keys = attention.each_ref().map(|side| side.maps.first().map_or(0, |map| map.cols));
        let alignment = aligned(&mut sides, keys)?;
        let remarks = empty_rows(attention.iter().map(|side| side.empty_rows).sum()).into_iter().collect();
        let compared = ComparedAttention::new(options, &sides, alignment, attention)?;
        Ok(Self { attention: Some(compared), remarks, ..Self::new(options, sides)? })
    }

    /// The hashes of the files that were read.
    pub fn hashes(&self) -> [Option<&str>; 2] {
        self.sides.each_ref().map(|side| side.input.as_ref().map(|input| &input.hash[..]))
    }

    /// Calls the files that were read by other names.
    pub fn rename(&mut self, names: [&str; 2]) {
        let Record { input, other, .. } = &mut self.about.record;
        let said = [input.as_mut(), other.as_mut().and_then(|other| other.input.as_mut())];
        let own = self.sides.each_mut().map(|side| side.input.as_mut());
        for ((own, said), name) in own.into_iter().zip(said).zip(names) {
            [own, said].into_iter().flatten().for_each(|input| name.clone_into(&mut input.name));
        }
    }

    /// Fails where the two differ by more than is allowed.
    ///
    /// # Errors
    /// That they do, of the kind [`crate::Kind::Different`].
    pub fn verdict(&self) -> Result<()> {
        let (names, tol) = (self.names(), self.options.tol);
        let (most, place) = self.largest();
        if most > tol {
            let (most, tol) = (short(most), short(tol));
            return Err(Error::different(format!("{names} differ by at most {most} ({place}), more than tol {tol}"))
                .hint("the result shows where; a larger tolerance allows more")
                .option("tol"));
        }
        match self.attention.as_ref().map(|attention| attention.alignment.counts()) {
            Some([_, _, removed, added]) if removed + added > 0 => Err(Error::different(format!(
                "{names} differ by no more than tol {} where both have tokens, but {} in one of them only",
                short(tol),
                if removed + added == 1 { "1 is".into() } else { format!("{} are", removed + added) }
            ))
            .hint("the result shows which; compare prompts of the same tokens for equality")),
            _ => Ok(()),
        }
    }

    /// The two, in a sentence.
    fn names(&self) -> String {
        let [a, b] = &self.sides;
        match (&a.input, &b.input) {
            (Some(a), Some(b)) if a.name == b.name => "the two files".into(),
            (None, None) if a.has_model_of(b) => "the two prompts".into(),
            (None, None) if a.model.name == b.model.name => "the two models".into(),
            _ => format!("{} and {}", a.name(), b.name()),
        }
    }

    /// The largest difference of any number, and where it is.
    pub(super) fn largest(&self) -> (f32, String) {
        let attention = self.attention.as_ref().map(|attention| {
            let head = attention.difference.largest();
            (attention.difference.heads[head].max_abs, attention.place(head))
        });
        let arrays = self.arrays.iter().map(|array| (array.apart.max_abs, array.place()));
        attention
            .into_iter()
            .chain(arrays)
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .unwrap_or_default()
    }
}

impl ComparedAttention {
    fn new(options: &Options, sides: &[Side; 2], alignment: Alignment, attention: [Attention; 2]) -> Result<Self> {
        let axis = sides.each_ref().map(|side| side.axis.iter().map(|key| key.label.clone()).collect::<Vec<_>>());
        let labels = labels(&alignment, &axis[0], &axis[1]);
        let [a, b] = attention;
        let (numbers, names) = ([a.layers.clone(), a.heads.clone()], [a.layer_names(), a.head_names()]);
        let (places, picked) = (a.places(), a.picked.clone());
        let first = alignment.slots.first().is_some_and(|slot| (slot.a, slot.b) == (Some(0), Some(0)));
        let hides_column = options.selection.sink != Sink::Keep && first && !sides[0].by_word;
        let difference = difference(a, b, &alignment)?;
        let style = &options.style;
        let (scale, ranking) = (scale(style.scale, style.colormap, &difference), difference.ranking());
        let faint = OnceLock::new();
        Ok(Self { alignment, labels, difference, ranking, numbers, names, places, picked, scale, faint, hides_column })
    }

    /// The layer and the head of a map.
    pub(super) fn name(&self, map: usize) -> (&str, &str) {
        let (layer, head) = &self.places[map];
        (layer, head)
    }

    /// Where a map's largest difference is.
    pub(super) fn place(&self, map: usize) -> String {
        let ((layer, head), change) = (self.name(map), &self.difference.heads[map]);
        let (query, key) = self.slots(change);
        let [query, key] = [query, key].map(|slot| in_a_line(&self.labels[slot]));
        format!("layer {layer}, head {head}, from {query} to {key}")
    }

    /// The slots of a map's largest difference.
    fn slots(&self, change: &Change) -> (usize, usize) {
        let map = &self.difference.maps[0];
        (map.cols - map.rows + change.at.0, change.at.1)
    }

    /// Whether hardly any of what differs would be seen on a linear scale.
    pub(super) fn is_faint(&self) -> bool {
        *self.faint.get_or_init(|| {
            let most = self.scale.max;
            let (mut differ, mut seen) = (0usize, 0);
            for value in self.difference.maps.iter().flat_map(|map| &map.values).filter(|value| value.abs() > 0.0) {
                differ += 1;
                seen += usize::from(value.abs() > FAINT * most);
            }
            seen < differ / RARE
        })
    }

    /// One map as it is, or all; of many, as much as a sheet shows.
    fn maps(&self, part: Option<usize>, style: &Style) -> Vec<Matrix> {
        let Difference { maps, causal, .. } = &self.difference;
        let drawn = |map: &Map| without_sink(matrix(map, *causal), map, self.hides_column);
        if let Some(map) = part {
            return vec![drawn(&maps[map])];
        }
        let side = || style.map_pixels(self.names[1].len(), self.labels.len());
        let pixels = if maps.len() > WHOLE && self.picked.is_empty() { side() } else { usize::MAX };
        maps.iter().map(|map| drawn(map).pool(pixels, Pooling::Largest)).collect()
    }

    fn panels(&self, part: Option<usize>, style: &Style) -> Vec<Panel> {
        let ([layers, heads], maps) = (&self.names, self.maps(part, style));
        let bars = (maps.len() > 1).then(|| {
            bars(&self.difference, &|map| {
                let (layer, head) = self.name(map);
                format!("{layer}.{head}")
            })
        });
        let maps = match &self.picked[..] {
            picked if part.is_none() && !picked.is_empty() => multiples(picked, maps, &self.labels, self.scale.clone()),
            _ => panel(layers, heads, maps, &self.labels, self.scale.clone()),
        };
        let maps = hatched(maps, self.hatched(part));
        std::iter::once(maps).chain(bars).collect()
    }

    /// How many rows hardly anything is left of in one of the two, in all maps or one.
    pub(super) fn faint_rows(&self, part: Option<usize>) -> usize {
        let maps = part.map_or(&self.difference.maps[..], |map| std::slice::from_ref(&self.difference.maps[map]));
        let first = usize::from(self.difference.causal); // it sees nothing but itself
        maps.iter().map(|map| map.faint.iter().skip(first).filter(|faint| **faint).count()).sum()
    }

    /// What hatched cells are.
    fn hatched(&self, part: Option<usize>) -> String {
        let column = self.hides_column.then_some("attention on the first token, left out");
        let rows = (self.faint_rows(part) > 0).then_some("rows that keep less than 5 % without it in A or B");
        column.into_iter().chain(rows).collect::<Vec<_>>().join(", and ")
    }

    /// The heads, the most changed first, or one.
    fn table(&self, part: Option<usize>) -> Table {
        let row = |map: usize| {
            let ((layer, head), change) = (self.name(map), &self.difference.heads[map]);
            let (query, key) = self.slots(change);
            let mut row = vec![layer.into(), head.into(), change.changed.into(), change.max_abs.into()];
            row.extend([query, key].map(|slot| self.labels[slot].clone().into()));
            row.extend([change.removed.into(), change.added.into()]);
            row
        };
        let columns = ["layer", "head"].map(text).into_iter();
        let columns = columns.chain(["changed", "max_abs"].map(number)).chain(["max_query", "max_key"].map(text));
        let columns = columns.chain(["removed", "added"].map(number)).collect();
        let order = part.map_or_else(|| self.ranking.clone(), |map| vec![map]);
        Table { columns, rows: order.into_iter().map(row).collect() }
    }
}

impl ComparedArray {
    fn place(&self) -> String {
        let place = place(self.apart.at, &self.shape);
        if place.is_empty() { self.name.clone() } else { format!("{} {place:?}", self.name) }
    }
}

impl Findings for Comparison<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn parts(&self) -> Vec<Part> {
        let places = self.attention.iter().flat_map(|attention| attention.places.iter().cloned());
        places.map(|(layer, head)| Part { layer, head }).collect()
    }

    fn verdict(&self) -> Result<()> {
        Comparison::verdict(self)
    }

    fn remarks(&self) -> Vec<String> {
        let (names, (most, _)) = (self.names(), self.largest());
        let same = self.verdict().is_ok().then(|| match most {
            0.0 => format!("{names} do not differ"),
            _ => format!("{names} differ by at most {}, no more than tol {}", short(most), short(self.options.tol)),
        });
        self.remarks.iter().cloned().chain(same).collect()
    }

    fn advice(&self) -> Vec<Advice> {
        let show = || Advice::new("scale", "sqrt", "shows small differences beside large ones");
        self.is_faint().then(show).into_iter().collect()
    }

    fn figure(&self, part: Option<usize>) -> Figure {
        let style = &self.options.style;
        let mut panels = self.attention.as_ref().map_or(Vec::new(), |attention| attention.panels(part, style));
        if !self.arrays.is_empty() && part.is_none() {
            let names: Vec<_> = self.arrays.iter().map(|array| array.name.clone()).collect();
            let shapes: Vec<_> = self.arrays.iter().map(|array| array.shape.clone()).collect();
            let apart: Vec<_> = self.arrays.iter().map(|array| array.apart).collect();
            let title = if self.attention.is_some() { "Other numbers" } else { "" };
            panels.push(table(title, &names, &shapes, &apart));
        }
        let figure = style.figure(&self.about, self.subtitle(part), panels);
        let title = if self.attention.is_some() { "Difference of attention, B − A" } else { "Difference of results" };
        Figure { title: style.title.clone().unwrap_or_else(|| title.into()), ..figure }
    }

    fn data(&self, part: Option<usize>) -> Result<Data> {
        Ok(self.about.data(self.entries(part)))
    }

    /// The heads, the most changed first; of other results, the arrays.
    fn table(&self, part: Option<usize>) -> Result<Table> {
        if let Some(attention) = &self.attention {
            return Ok(attention.table(part));
        }
        let row = |array: &ComparedArray| {
            let (numbers, Apart { count, max_abs, .. }) = (array.shape.iter().product::<usize>(), array.apart);
            vec![array.name.clone().into(), numbers.into(), count.into(), max_abs.into()]
        };
        let columns = vec![text("array"), whole("numbers"), whole("differing"), number("max_abs")];
        Ok(Table { columns, rows: self.arrays.iter().map(row).collect() })
    }
}
