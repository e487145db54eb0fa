//! What differs, as figures, data and tables.

use super::DiffArgs;
use super::look::{Look, aligned, check};
use super::words::short;
use crate::cli::args::FigureArgs;
use crate::cli::findings::Findings;
use crate::cli::subject::{About, in_a_line};
use attnviz::analysis::alignment::Alignment;
use attnviz::analysis::difference::{Apart, Change, Difference, difference};
use attnviz::error::{Error, Result};
use attnviz::export::table::{number, text, whole};
use attnviz::export::{Data, Table, place};
use attnviz::figure::attention::{matrix, panel};
use attnviz::figure::difference::{bars, labels, scale, table};
use attnviz::figure::{Figure, Matrix, Panel, panel_pixels};

/// A share of the largest difference whose colour is hardly seen, and how few are more where a figure says so: one in so many.
const FAINT: f32 = 0.05;
const RARE: usize = 20;

/// Up to this many maps are drawn from all their numbers: each may be large.
const WHOLE: usize = 4;

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

    /// The hashes of the files that were read.
    pub fn hashes(&self) -> [Option<&String>; 2] {
        self.looks.each_ref().map(|look| look.input.as_ref().map(|input| &input.hash))
    }

    /// Calls the files that were read by other names.
    pub fn rename(&mut self, names: [&str; 2]) {
        let [a, b] = &mut self.looks;
        let others = [self.about.input.as_mut(), self.about.other.as_mut().and_then(|other| other.input.as_mut())];
        for (inputs, name) in [a.input.as_mut(), b.input.as_mut()].into_iter().zip(others).zip(names) {
            [inputs.0, inputs.1].into_iter().flatten().for_each(|input| name.clone_into(&mut input.name));
        }
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
            (None, None) if self.args.against.is_none() && a.model == b.model => "the two prompts".into(),
            (None, None) if a.model == b.model => "the two models".into(),
            _ => format!("{} and {}", a.name(), b.name()),
        }
    }

    /// The largest difference of any number, and where it is.
    pub fn largest(&self) -> (f32, String) {
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
    pub fn name(&self, map: usize) -> (&str, &str) {
        let across = self.names[1].len();
        (&self.names[0][map / across], &self.names[1][map % across])
    }

    /// Where a map's largest difference is.
    pub fn place(&self, map: usize) -> String {
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
    pub fn is_faint(&self) -> bool {
        let most = self.difference.heads.iter().map(|head| head.max_abs).fold(0.0, f32::max);
        let (mut differ, mut seen) = (0usize, 0);
        for value in self.difference.maps.iter().flat_map(|map| &map.values).filter(|value| value.abs() > 0.0) {
            differ += 1;
            seen += usize::from(value.abs() > FAINT * most);
        }
        seen < differ / RARE
    }

    /// One map as it is, or all; of many, as much as a sheet shows.
    fn maps(&self, part: Option<usize>, style: &FigureArgs) -> Vec<Matrix> {
        let Difference { maps, causal, .. } = &self.difference;
        if let Some(map) = part {
            return vec![matrix(&maps[map], *causal)];
        }
        let side = panel_pixels(self.names[1].len(), self.labels.len(), style.width, true) as f32;
        let pixels = if maps.len() > WHOLE { (side * (style.dpi / 96.0).max(1.0)).ceil() as usize } else { usize::MAX };
        maps.iter().map(|map| matrix(map, *causal).pool(pixels)).collect()
    }
}

impl Array {
    fn place(&self) -> String {
        let place = place(self.apart.at, &self.shape);
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
            let (maps, difference) = (heads.maps(part, style), &heads.difference);
            let scale = scale(style.scale.into(), style.colormap, difference);
            panels.push(panel(&heads.names[0], &heads.names[1], &maps, &heads.labels, scale));
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
            let title = if self.heads.is_some() { "Other numbers" } else { "" };
            panels.push(table(title, &names, &shapes, &apart));
        }
        let figure = style.figure(&self.about, self.subtitle(part), panels, self.about.provenance());
        let title = if self.heads.is_some() { "Difference of attention, B − A" } else { "Difference of results" };
        Figure { title: style.title.clone().unwrap_or_else(|| title.into()), ..figure }
    }

    fn data(&self, part: Option<usize>) -> Result<Data> {
        Ok(self.about.data(vec![self.entry(part)]))
    }

    /// The heads, the most changed first; of other results, the arrays.
    fn table(&self, part: Option<usize>) -> Result<Table> {
        let Some(heads) = &self.heads else {
            let row = |array: &Array| {
                let (numbers, Apart { count, max_abs, .. }) = (array.shape.iter().product::<usize>(), array.apart);
                vec![array.name.clone().into(), numbers.into(), count.into(), max_abs.into()]
            };
            let columns = vec![text("array"), whole("numbers"), whole("differing"), number("max_abs")];
            return Ok(Table { columns, rows: self.arrays.iter().map(row).collect() });
        };
        let row = |map: usize| {
            let ((layer, head), change) = (heads.name(map), &heads.difference.heads[map]);
            let (query, key) = heads.slots(change);
            let mut row = vec![layer.into(), head.into(), change.changed.into(), change.max_abs.into()];
            row.extend([query, key].map(|slot| heads.labels[slot].clone().into()));
            row.extend([change.removed.into(), change.added.into()]);
            row
        };
        let columns = ["layer", "head"].map(text).into_iter();
        let columns = columns.chain(["changed", "max_abs"].map(number)).chain(["max_query", "max_key"].map(text));
        let columns = columns.chain(["removed", "added"].map(number)).collect();
        let order = part.map_or_else(|| heads.difference.ranking(), |map| vec![map]);
        Ok(Table { columns, rows: order.into_iter().map(row).collect() })
    }
}
