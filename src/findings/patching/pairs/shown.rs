//! Mean effects over pairs, as figures, data and tables.

use super::super::{how, said_off, same};
use super::{Found, Item, Options, Suite};
use crate::analysis::patching::{By, Direction, Metric};
use crate::analysis::proportion::mean_of_few;
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::patching::{Confirmed, Labels, confirmed, has_numbers, intervals, map};
use crate::figure::{Figure, Scale};
use crate::findings::probe::rows::Bad;
use crate::findings::probe::said::{left_out, unusable};
use crate::findings::survey::Survey;
use crate::findings::{About, Findings};
use crate::named::Named;
use crate::prompt::Prompt;
use crate::record::Record;
use crate::text::count;
use serde_json::{Map, Value, json};

/// Cells whose intervals the figure shows.
const SHOWN: usize = 12;

/// What one model's runs give over many pairs.
pub struct Pairs<'a> {
    options: &'a Options,
    suite: &'a Suite,
    found: Found,
    /// Mean and interval of every cell, layer by layer; an interval of NaN of one pair.
    cells: Vec<[f64; 3]>,
    /// Layer, cell and exact mean with its interval of those that were estimated and then patched.
    confirmed: Vec<(usize, usize, [f64; 3])>,
    /// What files say of themselves.
    pub about: About,
}

impl<'a> Pairs<'a> {
    /// What was found, with its means.
    ///
    /// # Errors
    /// More than one model, or none.
    pub fn new(options: &'a Options, suite: &'a Suite, mut found: Vec<Found>, line: &str) -> Result<Self> {
        let (Some(found), true) = (found.pop(), found.is_empty()) else {
            return Err(Error::usage("pairs are patched in one model").hint("name one model"));
        };
        let mut record = Record::of(Options::COMMAND, options)?;
        line.clone_into(&mut record.line);
        record.model = found.model.clone();
        record.input = Some(suite.input.clone());
        let count = found.grids.first().map_or(0, |grid| grid.iter().map(Vec::len).sum());
        let flat: Vec<Vec<f64>> = found.grids.iter().map(|grid| grid.concat()).collect();
        let mean = |all: &[f64]| {
            let (mean, [low, high]) = mean_of_few(all);
            [mean, low, high]
        };
        let cells = (0..count).map(|at| mean(&flat.iter().map(|grid| grid[at]).collect::<Vec<_>>())).collect();
        let confirmed = found.confirmed.iter().map(|(layer, cell, exact)| (*layer, *cell, mean(exact))).collect();
        Ok(Self { options, suite, found, cells, confirmed, about: About::new(record, Prompt::default()) })
    }

    /// The mean estimate of a cell.
    fn estimate(&self, layer: usize, cell: usize) -> f64 {
        self.cells[layer * self.columns() + cell][0]
    }

    /// How far mean estimates are off where they were confirmed.
    fn off(&self) -> Option<String> {
        let off = |(layer, cell, [exact, ..]): &(usize, usize, [f64; 3])| (self.estimate(*layer, *cell) - exact).abs();
        said_off(&self.confirmed.iter().map(off).collect::<Vec<_>>())
    }

    fn columns(&self) -> usize {
        self.found.cells.len()
    }

    /// Columns that are not drawn: before the first difference nothing can change.
    fn hidden(&self) -> usize {
        if self.options.by() == By::Position { self.found.first } else { 0 }
    }

    /// The cells that are drawn, by their places.
    fn drawn(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.cells.len()).filter(|at| at % self.columns() >= self.hidden())
    }

    /// Whether a cell's interval holds 0.
    fn is_doubtful(&self, at: usize) -> bool {
        let [_, low, high] = self.cells[at];
        !(low > 0.0 || high < 0.0)
    }

    fn has_intervals(&self) -> bool {
        self.found.grids.len() > 1
    }

    fn name(&self, at: usize) -> String {
        let (layer, cell) = (at / self.columns(), at % self.columns());
        match self.options.by() {
            By::Head => format!("head {layer}.{cell}"),
            By::Position if self.found.cells[cell].starts_with('#') => format!("layer {layer}, position {cell}"),
            By::Position => format!("layer {layer}, {} ({cell})", self.found.cells[cell]),
        }
    }

    fn lines(&self) -> Vec<String> {
        let signed = |x: f64| format!("{x:+.3}").replace('-', "−");
        let (found, options) = (&self.found, self.options);
        let (base, source) = match options.direction {
            Direction::Denoising => ("corrupt", "clean"),
            Direction::Noising => ("clean", "corrupt"),
        };
        let metric = match options.metric {
            Metric::LogitDifference => "logit of the answer minus that of the foil",
            Metric::LogProb => "log-probability of the answer",
            Metric::Kl => "KL(clean ‖ run) in nats",
        };
        let mean = |which: usize| found.values.iter().map(|both| both[which]).sum::<f64>() / found.values.len() as f64;
        let mut lines = vec![
            format!(
                "{} · {} of {} by {}: the {base} run with the {source} one's · mean of {}",
                found.model.title(),
                how(options.attribution, options.rule),
                options.site.name(),
                options.by().name(),
                count(found.pairs.len(), "pair")
            ),
            format!(
                "{metric}: clean {}, corrupt {} on average; of each pair 0 is the {base} run, 1 the {source} one",
                signed(mean(0)),
                signed(mean(1))
            ),
        ];
        let (all, doubtful) = (self.drawn().count(), self.drawn().filter(|at| self.is_doubtful(*at)).count());
        lines.push(match (self.has_intervals(), has_numbers(self.columns() - self.hidden())) {
            (false, _) => "one pair has no interval".into(),
            (true, true) => format!("in brackets: the 95 % interval holds 0 ({doubtful} of {all} cells)"),
            (true, false) => format!("the 95 % interval of {doubtful} of {all} cells holds 0"),
        });
        lines.extend(same(self.hidden()).map(|line| line.replace("both prompts", "both prompts of every pair")));
        lines.extend(self.off());
        let (suite, bad) = (self.suite, self.suite.bad.len() + found.bad.len());
        lines.extend(left_out(options.sample, suite.items.len() + suite.bad.len(), suite.all, bad));
        lines
    }

    /// Rows that are in no number, in the order of the files.
    fn bad(&self) -> Vec<&Bad> {
        let mut bad: Vec<&Bad> = self.suite.bad.iter().chain(&self.found.bad).collect();
        bad.sort_by_key(|bad| (self.suite.files.iter().position(|file| *file == bad.file), bad.line));
        bad
    }
}

impl Findings for Pairs<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        let bad = unusable(self.bad().into_iter());
        self.suite.remarks.iter().cloned().chain(bad).chain(self.found.doubt.clone()).chain(self.off()).collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let values: Vec<f32> = self.drawn().map(|at| self.cells[at][0] as f32).collect();
        let unit = if self.options.attribution { "mean estimated effect" } else { "mean effect" };
        let signed = Scale::signed(unit, values.iter().copied());
        let scale = Scale { kind: style.scale, colormap: style.colormap.unwrap_or(signed.colormap), ..signed };
        let labels =
            Labels { cells: self.found.cells[self.hidden()..].to_vec(), axis: self.options.by().name().to_owned() };
        let doubtful: Vec<bool> = self.drawn().map(|at| self.has_intervals() && self.is_doubtful(at)).collect();
        let mut panels = vec![map("", values, labels, &doubtful, scale)];
        if self.has_intervals() {
            let mut order: Vec<usize> = self.drawn().collect();
            order.sort_by(|a, b| self.cells[*b][0].abs().total_cmp(&self.cells[*a][0].abs()));
            let row = |at: &usize| (self.name(*at), self.cells[*at].map(|x| x as f32));
            panels.push(intervals(order.iter().take(SHOWN).map(row).collect()));
        }
        let both = self.confirmed.iter().map(|(layer, cell, [exact, ..])| Confirmed {
            place: self.name(layer * self.columns() + cell),
            estimate: self.estimate(*layer, *cell) as f32,
            exact: *exact as f32,
        });
        panels.extend(confirmed(&both.collect::<Vec<_>>()));
        let mut figure = style.figure(&self.about, self.lines(), panels);
        if style.title.is_none() {
            figure.title.clone_from(&self.suite.input.name);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let Options { site, metric, direction, sample, reading, attribution, rule, .. } = self.options;
        let layers = self.cells.len() / self.columns().max(1);
        let array = |name: &str, which: usize| Array {
            name: name.into(),
            shape: vec![layers, self.columns()],
            values: self.cells.iter().map(|cell| cell[which] as f32).collect(),
        };
        let settings = Map::from_iter([
            ("model".into(), json!(self.found.model)),
            ("site".into(), site.name().into()),
            ("by".into(), self.options.by().name().into()),
            ("metric".into(), metric.name().into()),
            ("direction".into(), direction.name().into()),
            ("rule".into(), json!(attribution.then(|| rule.name()))),
            ("limit".into(), json!(sample.limit)),
            ("seed".into(), json!(sample.seed)),
            ("bos".into(), reading.bos.into()),
        ]);
        let pair = |(at, [clean, corrupt]): (&usize, &[f64; 2])| -> Value {
            let Item { file, line, .. } = &self.suite.items[*at];
            json!({ "file": self.suite.files[*file], "line": line, "clean": clean, "corrupt": corrupt })
        };
        let mut fields = Map::from_iter([
            ("cells".into(), json!(self.found.cells)),
            ("pairs".into(), self.found.pairs.iter().zip(&self.found.values).map(pair).collect()),
            ("unusable".into(), json!(self.bad().iter().map(ToString::to_string).collect::<Vec<_>>())),
        ]);
        if *attribution {
            let both = self.confirmed.iter().map(|(layer, cell, [exact, low, high])| {
                let estimate = self.estimate(*layer, *cell);
                json!({ "layer": layer, "cell": cell, "estimate": estimate, "exact": exact, "low": low, "high": high })
            });
            fields.insert("confirmed".into(), both.collect());
        }
        let arrays = vec![array("grid", 0), array("low", 1), array("high", 2)];
        let method = if *attribution { "attribution-patching-pairs" } else { "patching-pairs" };
        Ok(self.about.data(vec![Entry { method: method.into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let columns = vec![
            whole("layer"),
            whole(if self.options.by() == By::Head { "head" } else { "position" }),
            text("label"),
            number("effect"),
            number("low"),
            number("high"),
            number("exact"),
            whole("pairs"),
        ];
        let row = |at: usize| -> Vec<Cell> {
            let (layer, cell) = (at / self.columns(), at % self.columns());
            let numbers = self.cells[at].map(|x| Cell::from(x as f32));
            let place = [layer.into(), cell.into(), self.found.cells[cell].clone().into()];
            let known = self.confirmed.iter().find(|known| (known.0, known.1) == (layer, cell));
            let exact = if self.options.attribution { known.map(|known| known.2[0]) } else { Some(self.cells[at][0]) };
            let exact = Cell::from(exact.map(|exact| exact as f32));
            place.into_iter().chain(numbers).chain([exact]).chain([self.found.pairs.len().into()]).collect()
        };
        Ok(Table { columns, rows: (0..self.cells.len()).map(row).collect() })
    }
}
