//! What the weights alone say of each head, as figures, data and tables.

use super::Options;
use crate::analysis::composition::{Composition, DRAWS, composition};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::composition::{by_head, pairs, strongest};
use crate::figure::{Colormap, Figure, Scale};
use crate::findings::{About, Findings, Subject};
use serde_json::{Map, json};

/// What the later head takes what it reads for.
const INPUTS: [&str; 3] = ["query", "key", "value"];

/// What was read out of the weights.
pub(super) struct OfWeights<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    found: Composition,
    seed: u64,
}

impl<'a> OfWeights<'a> {
    pub fn find(options: &'a Options, subject: Subject<'a>, seed: u64) -> Result<Self> {
        let found = composition(subject.session.model(), seed, subject.watch)?;
        Ok(Self { options, subject, found, seed })
    }

    fn across(&self) -> usize {
        self.subject.session.spec().heads
    }

    /// How many heads there are.
    fn count(&self) -> usize {
        self.across() * self.subject.session.spec().layers
    }

    /// That some numbers are not there where a reader would look for them.
    fn absent(&self) -> Option<String> {
        let (across, all) = (self.across(), self.count());
        let earlier = |at: &usize| at % all / across < at / all / across;
        let of_pairs = self.found.read.iter().flat_map(|map| (0..all * all).filter(earlier).map(|at| map[at]));
        let own = self.found.copying.iter().chain(&self.found.position).flatten().copied();
        let count = of_pairs.chain(own).filter(|x| x.is_nan()).count();
        (count > 0).then(|| format!("{count} heads or pairs of heads have no number: a matrix of theirs is 0"))
    }

    fn maps(&self) -> [(&'static str, &[f64]); 3] {
        std::array::from_fn(|input| (INPUTS[input], &self.found.read[input][..]))
    }

    fn scale(&self, scale: Scale) -> Scale {
        let style = &self.options.style;
        Scale { kind: style.scale, colormap: style.colormap.unwrap_or(scale.colormap), ..scale }
    }
}

impl Findings for OfWeights<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn remarks(&self) -> Vec<String> {
        let copying = "the model has no language-model head: what its heads copy is not known";
        let position =
            "the model has no embeddings of positions: their share is left out, and composition is at equal positions";
        let said = [(self.found.copying.is_none(), copying), (self.found.position.is_none(), position)];
        said.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what.to_owned()).collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let across = self.across();
        let names: Vec<String> = (0..self.count()).map(|at| format!("{}.{}", at / across, at % across)).collect();
        let (style, mut panels) = (&self.options.style, Vec::new());
        if let Some(copying) = &self.found.copying {
            let scale = Scale { colormap: Colormap::Balance, min: -1.0, ..Scale::default() };
            let scale = self.scale(Scale { unit: "copying score".into(), ..scale });
            panels.push(by_head("Copying: 1 makes what it looks at more probable, −1 less", copying, across, scale));
        }
        if let Some(position) = &self.found.position {
            let scale = self.scale(Scale { unit: "share of position".into(), ..Scale::default() });
            let title = "Matching: how much of a score’s variance is where keys stand, not what they are";
            panels.push(by_head(title, position, across, scale));
        }
        let all = self.found.read.iter().flatten().map(|x| *x as f32);
        panels.push(pairs(self.maps(), &names, self.scale(Scale::signed("above chance", all))));
        panels.push(strongest(self.maps(), &names));
        let chance = format!(
            "composition is shown above that of random matrices of the same shapes: {:.4} ± {:.4} over {DRAWS} draws (seed {})",
            self.found.chance, self.found.spread, self.seed
        );
        let mut lines = vec![self.subject.line("what each head is made for, by its weights alone"), chance];
        lines.extend(self.remarks());
        lines.extend(self.absent());
        style.figure(&self.subject, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (across, all) = (self.across(), self.count());
        let array = |name: String, shape: &[usize], values: &[f64]| Array {
            name,
            shape: shape.to_vec(),
            values: values.iter().map(|x| *x as f32).collect(),
        };
        let (heads, layers) = ([all / across, across], all / across);
        let copying = self.found.copying.iter().map(|values| array("copying".into(), &heads, values));
        let position = self.found.position.iter().map(|values| array("position_share".into(), &heads, values));
        let shape = [layers, across, layers, across];
        let read = self.maps().map(|(name, values)| array(format!("{name}_composition"), &shape, values));
        let settings = Map::from_iter([
            ("on".into(), "weights".into()),
            ("seed".into(), json!(self.seed)),
            ("draws".into(), DRAWS.into()),
            ("chance".into(), json!(self.found.chance)),
            ("chance_deviation".into(), json!(self.found.spread)),
        ]);
        let arrays = copying.chain(position).chain(read).collect();
        Ok(self.subject.data(vec![Entry { method: "weights".into(), settings, fields: Map::new(), arrays }]))
    }

    /// A row for each head's own numbers, and one for each pair of heads and input.
    fn table(&self, _: Option<usize>) -> Result<Table> {
        let (across, all) = (self.across(), self.count());
        let named = [text("measure"), whole("layer"), whole("head"), whole("from_layer"), whole("from_head")];
        let columns = named.into_iter().chain([number("value")]).collect();
        let row = |measure: &str, at: usize, from: Option<usize>, value: f64| -> Vec<Cell> {
            let from = from.map(|from| [from / across, from % across]);
            let [layer, head] = [0, 1].map(|which| from.map_or(Cell::Empty, |from| from[which].into()));
            vec![measure.into(), (at / across).into(), (at % across).into(), layer, head, (value as f32).into()]
        };
        let own = |measure: &'static str, values: &[f64]| -> Vec<Vec<Cell>> {
            values.iter().enumerate().map(|(at, value)| row(measure, at, None, *value)).collect()
        };
        let mut rows = self.found.copying.as_ref().map_or_else(Vec::new, |values| own("copying", values));
        rows.extend(self.found.position.iter().flat_map(|values| own("position_share", values)));
        for (name, values) in self.maps() {
            let earlier = |at: &usize| at % all / across < at / all / across;
            let pair = |at: usize| row(&format!("{name}_composition"), at / all, Some(at % all), values[at]);
            rows.extend((0..all * all).filter(earlier).map(pair));
        }
        Ok(Table { columns, rows })
    }
}
