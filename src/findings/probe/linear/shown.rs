//! What probes score, as figures, data and tables.

use super::super::said::unusable;
use super::numbers::{Estimate, Found};
use super::{Options, Task};
use crate::analysis::linear::{Part, Pool, STRENGTHS, Score};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{Figure, linear as figure};
use crate::findings::reading::said_of_front;
use crate::findings::survey::Survey;
use crate::findings::{About, Findings};
use crate::named::Named;
use crate::prompt::Prompt;
use crate::record::Record;
use crate::text;
use serde_json::{Map, Value, json};

/// What linear probes of models score on a task.
pub struct Probes<'a> {
    options: &'a Options,
    task: &'a Task,
    found: Vec<Found>,
    /// What files say of themselves.
    pub about: About,
}

impl<'a> Probes<'a> {
    /// One or more models' probes; the first is what the others are compared with.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn new(options: &'a Options, task: &'a Task, found: Vec<Found>, line: &str) -> Result<Self> {
        let mut record = Record::of(Options::COMMAND, options)?;
        line.clone_into(&mut record.line);
        record.model = found.first().map(|found| found.model.clone()).unwrap_or_default();
        record.others = found.len().saturating_sub(1);
        record.input = Some(task.input.clone());
        Ok(Self { options, task, found, about: About::new(record, Prompt::default()) })
    }

    /// What is labelled, in words.
    fn things(&self) -> &'static str {
        if self.task.by_word { "words" } else { "texts" }
    }

    /// How a word or a text is read.
    fn reading(&self) -> String {
        let thing = if self.task.by_word { "word" } else { "text" };
        let pool = match self.options.pool {
            Pool::Last => "its last token",
            Pool::Mean => "the mean of its tokens",
        };
        format!("{thing} = {pool}, {}", said_of_front(self.options.bos, self.found.iter().map(|found| found.begun)))
    }

    fn lines(&self) -> Vec<String> {
        let (task, options) = (self.task, self.options);
        let models: Vec<&str> = self.found.iter().map(|found| found.model.name.as_str()).collect();
        let first = self.found.first();
        let (examples, kinds) = first.map_or((0, 0), |found| (found.examples, found.kinds));
        let mut lines = vec![
            format!(
                "{} · linear probe · {} of {examples} {} ({}) in {}, {} · {}",
                models.join(", "),
                task.label,
                self.things(),
                text::count(kinds, "type"),
                text::count(task.items.len(), "item"),
                text::count(task.classes.len(), "class"),
                self.reading()
            ),
            format!(
                "L2-regularised logistic regression on standardised residuals, C from {} to {} chosen on dev; train, dev and test are 60, 20 and 20 % of the items, drawn by each of {}",
                STRENGTHS[0],
                STRENGTHS[STRENGTHS.len() - 1],
                text::count(options.seeds, "seed")
            ),
        ];
        for (number, found) in self.found.iter().enumerate() {
            let site = &found.sites[found.best()];
            let mut line = format!(
                "{}: {} at {}, the best on dev; control {}, selectivity {}; majority {}, layer 0 {}",
                found.model.title(),
                said(site.accuracy()),
                site.name,
                said(site.of_control()),
                said(site.selectivity()),
                said(found.of_majority()),
                said(found.sites[0].accuracy()),
            );
            if number > 0 {
                line += &format!(
                    "; a difference of {} to the best of {}",
                    said(found.above(&self.found[0])),
                    self.found[0].model.title()
                );
            }
            lines.push(line);
        }
        let taken = task.items.len() + task.bad.len();
        if let Some(limit) = options.sample.limit.filter(|limit| *limit < task.all) {
            let seed = options.sample.seed;
            lines.push(format!(
                "a sample of {} of each file, of {} in all (seed {seed}), {taken} of them labelled",
                text::count(limit, "item"),
                task.all
            ));
        }
        let bad = task.bad.len() + self.found.iter().map(|found| found.bad.len()).max().unwrap_or(0);
        let lost = self.found.iter().map(|found| found.lost).max().unwrap_or(0);
        for (count, what) in [
            (bad, "items could not be used"),
            (task.unlabelled, "words have no label"),
            (lost, "words are in no token"),
        ] {
            if count > 0 {
                lines.push(format!("{count} {what} and are in no number"));
            }
        }
        lines
    }

    fn entry(&self, number: usize) -> Entry {
        let (task, options, found) = (self.task, self.options, &self.found[number]);
        let seeds: Vec<u64> = options.all_seeds().collect();
        let scores = |scores: &[Score]| {
            let of = |of: fn(&Score) -> f64| scores.iter().map(of).collect::<Vec<_>>();
            json!({ "C": of(|s| s.strength), "train": of(|s| s.train), "dev": of(|s| s.dev), "test": of(|s| s.test) })
        };
        let site = |(at, site): (usize, &super::Site)| {
            json!({
                "layers_passed": at, "site": site.name, "accuracy": estimate(site.accuracy()), "control": estimate(site.of_control()),
                "selectivity": estimate(site.selectivity()), "above_layer_0": estimate(site.above(&found.sites[0])),
                "by_seed": { "task": scores(&site.task), "control": scores(&site.control) },
            })
        };
        let mut counts = vec![0usize; task.classes.len()];
        super::examples(task).for_each(|(_, example)| counts[example.label] += 1);
        let classes: Vec<Value> =
            task.classes.iter().zip(&counts).map(|(name, count)| json!({ "label": name, "count": count })).collect();
        let bad: Vec<String> = task.bad.iter().chain(&found.bad).map(ToString::to_string).collect();
        let mut fields = Map::from_iter([
            ("classes".into(), classes.into()),
            ("items".into(), task.items.len().into()),
            ("examples".into(), found.examples.into()),
            ("types".into(), found.kinds.into()),
            ("sites".into(), found.sites.iter().enumerate().map(site).collect()),
            ("best".into(), found.sites[found.best()].name.clone().into()),
            ("majority".into(), estimate(found.of_majority())),
            ("unlabelled".into(), task.unlabelled.into()),
            ("in_no_token".into(), found.lost.into()),
            ("unusable".into(), json!(bad)),
        ]);
        if number > 0 {
            let mut difference = estimate(found.above(&self.found[0]));
            difference["above"] = self.found[0].model.title().into();
            fields.insert("difference".into(), difference);
        }
        let settings = Map::from_iter([
            ("model".into(), json!(found.model)),
            ("label".into(), task.label.clone().into()),
            ("pool".into(), options.pool.name().into()),
            ("bos".into(), found.begun.into()),
            ("seeds".into(), json!(seeds)),
            ("limit".into(), json!(options.sample.limit)),
        ]);
        Entry { method: "linear".into(), settings, fields, arrays: arrays(found) }
    }
}

/// What was probed, where that is wanted.
fn arrays(found: &Found) -> Vec<Array> {
    let Some(features) = &found.features else { return Vec::new() };
    let (examples, seeds) = (features.labels.len(), found.parts.len());
    let whole = |all: &[usize]| all.iter().map(|x| *x as f32).collect::<Vec<_>>();
    let array = |name: &str, shape: Vec<usize>, values: Vec<f32>| Array { name: name.into(), shape, values };
    let part = |part: &Part| match part {
        Part::Train => 0.0,
        Part::Dev => 1.0,
        Part::Test => 2.0,
    };
    vec![
        array("features", vec![features.values.len(), examples, features.width], features.values.concat()),
        array("labels", vec![examples], whole(&features.labels)),
        array("item", vec![examples], whole(&features.items)),
        array("type", vec![examples], whole(&features.kinds)),
        array("part", vec![seeds, examples], found.parts.iter().flatten().map(part).collect()),
        array("control_labels", vec![seeds, examples], whole(&found.controls.concat())),
    ]
}

/// An estimate as JSON; nothing where there is no interval.
fn estimate((mean, interval): Estimate) -> Value {
    let finite = |x: f64| if x.is_finite() { json!(x) } else { Value::Null };
    json!({ "mean": finite(mean), "interval": interval.map(finite) })
}

fn said((mean, [low, high]): Estimate) -> String {
    let own = if low.is_nan() { format!("{mean:.3}") } else { format!("{mean:.3} [{low:.3}, {high:.3}]") };
    own.replace('-', "−")
}

/// For a figure, where one seed has no interval.
fn ends((mean, [low, high]): Estimate) -> [f32; 3] {
    let or_mean = |x: f64| if x.is_nan() { mean as f32 } else { x as f32 };
    [mean as f32, or_mean(low), or_mean(high)]
}

impl Findings for Probes<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        let bad = self.task.bad.iter().chain(self.found.iter().flat_map(|found| &found.bad));
        self.task.remarks.iter().cloned().chain(unusable(bad)).collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let probed = |found: &Found| figure::Probed {
            model: found.model.title(),
            sites: found
                .sites
                .iter()
                .map(|site| [site.accuracy(), site.of_control(), site.selectivity()].map(ends))
                .collect(),
            names: found.sites.iter().map(|site| site.name.clone()).collect(),
            majority: found.of_majority().0 as f32,
        };
        let models: Vec<figure::Probed> = self.found.iter().map(probed).collect();
        let panels = figure::panels(&models, self.options.seeds);
        let mut figure = self.options.style.figure(&self.about, self.lines(), panels);
        if self.options.style.title.is_none() {
            figure.title = format!("{} · {}", self.task.input.name, self.task.label);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        Ok(self.about.data((0..self.found.len()).map(|number| self.entry(number)).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let three = |(mean, [low, high]): Estimate| [mean, low, high].map(|x| Cell::from(x as f32));
        let mut rows = Vec::new();
        for found in &self.found {
            for (at, site) in found.sites.iter().enumerate() {
                let mut row: Vec<Cell> = vec![
                    found.model.title().into(),
                    self.task.label.clone().into(),
                    at.into(),
                    site.name.clone().into(),
                    usize::from(at == found.best()).into(),
                ];
                row.extend(three(site.accuracy()));
                row.extend(three(site.of_control()));
                row.extend(three(site.selectivity()));
                row.extend(three(site.above(&found.sites[0])));
                row.extend(site.on_train().map(|x| Cell::from(x as f32)));
                row.push((found.of_majority().0 as f32).into());
                rows.push(row);
            }
        }
        let first = [text("model"), text("label"), whole("layers_passed"), text("site"), whole("is_best")];
        let rest = [
            ["accuracy", "low", "high"],
            ["control", "control_low", "control_high"],
            ["selectivity", "selectivity_low", "selectivity_high"],
            ["above_layer_0", "above_layer_0_low", "above_layer_0_high"],
        ];
        let last = ["train", "control_train", "majority"];
        let numbers = rest.into_iter().flatten().chain(last).map(number);
        Ok(Table { columns: first.into_iter().chain(numbers).collect(), rows })
    }
}
