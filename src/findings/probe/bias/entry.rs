//! What was counted of a suite, as data.

use super::caveats::paragraph;
use super::numbers::TIE;
use super::{Bias, Kind, Own};
use crate::analysis::permutation::DRAWS;
use crate::analysis::proportion::Interval;
use crate::export::{Array, Entry};
use crate::named::Named;
use serde_json::{Map, Value, json};

/// The most lopsided pairs that data files name.
const TOLD: usize = 100;

fn finite(x: f64) -> Value {
    if x.is_finite() { json!(x) } else { Value::Null }
}

fn ends(interval: Interval) -> Value {
    interval.map(finite).to_vec().into()
}

impl Bias<'_> {
    /// The convention's name.
    pub(super) fn convention(&self) -> &'static str {
        match self.suite.kind {
            Kind::StereoSet => Kind::StereoSet.name(),
            _ => self.options.convention.unwrap_or_default().name(),
        }
    }

    /// One model's numbers. `categories` holds every level: `level` says by what it is divided, `category` what all of it have there;
    /// `stereotype` is the share whose first sentence is preferred, ties counted half; `gap` the mean difference of scores in nats.
    pub(super) fn entry(&self, number: usize) -> Entry {
        let (suite, found, sample) = (self.suite, &self.found[number], self.options.sample);
        let bad: Vec<String> = suite.bad.iter().chain(&found.bad).map(ToString::to_string).collect();
        let lopsided: Vec<Value> = found.lopsided().into_iter().take(TOLD).map(|at| self.pair(number, at)).collect();
        let mut fields = Map::from_iter([
            ("categories".into(), (0..self.levels.len()).map(|at| self.level(number, at)).collect()),
            ("most_lopsided".into(), lopsided.into()),
            ("unusable".into(), json!(bad)),
            ("remarks".into(), json!(suite.remarks)),
            ("does_not_show".into(), paragraph(suite.kind).into()),
        ]);
        let mut arrays = Vec::new();
        if self.options.pairs {
            fields.insert("pairs".into(), (0..suite.items.len()).map(|at| self.pair(number, at)).collect());
            for (which, name) in ["more", "less", "unrelated"].into_iter().take(suite.kind.sentences()).enumerate() {
                let score = |scores: &Option<Vec<f64>>| scores.as_ref().map_or(f32::NAN, |scores| scores[which] as f32);
                let values: Vec<f32> = found.scores.iter().map(score).collect();
                arrays.push(Array { name: name.into(), shape: vec![values.len()], values });
            }
        }
        let settings = Map::from_iter([
            ("model".into(), json!(found.model)),
            ("suite".into(), suite.kind.name().into()),
            ("convention".into(), self.convention().into()),
            ("limit".into(), json!(sample.limit)),
            ("seed".into(), json!(sample.seed)),
            ("permutations".into(), DRAWS.into()),
            ("tie".into(), json!(TIE)),
        ]);
        Entry { method: "bias".into(), settings, fields, arrays }
    }

    fn level(&self, number: usize, at: usize) -> Value {
        let (level, tally) = (&self.levels[at], &self.tallies[number][at]);
        let mut fields = Map::from_iter([
            ("level".into(), level.cut.map_or("all", |cut| cut.name()).into()),
            ("category".into(), level.name.clone().into()),
            ("pairs".into(), tally.pairs.into()),
            ("more".into(), tally.more.into()),
            ("ties".into(), tally.ties.into()),
            ("stereotype".into(), finite(tally.share())),
            ("interval".into(), ends(tally.interval())),
            ("gap".into(), finite(tally.gap.0)),
            ("gap_interval".into(), ends(tally.gap.1)),
            ("mean_abs_gap".into(), finite(tally.size)),
            ("p".into(), finite(tally.p)),
        ]);
        fields.extend(tally.own.as_ref().into_iter().flat_map(own));
        if number > 0 {
            let (count, [(share, by), (gap, by_gap)]) = self.found[number].above(&self.found[0], self.suite, level);
            let difference = json!({
                "above": self.found[0].model.title(), "pairs": count, "stereotype": finite(share), "interval": ends(by),
                "gap": finite(gap), "gap_interval": ends(by_gap),
            });
            fields.insert("difference".into(), difference);
        }
        Value::Object(fields)
    }

    fn pair(&self, number: usize, at: usize) -> Value {
        let (suite, item) = (self.suite, &self.suite.items[at]);
        let mut pair = Map::from_iter([
            ("file".into(), suite.files[item.file].clone().into()),
            ("line".into(), item.line.into()),
            ("texts".into(), json!(item.texts)),
            ("scores".into(), json!(self.found[number].scores[at])),
            ("gap".into(), self.found[number].gap(at).into()),
        ]);
        pair.extend(item.tags.iter().map(|(cut, name)| (cut.name().to_owned(), name.clone().into())));
        if !item.target.is_empty() {
            pair.insert("target".into(), item.target.clone().into());
        }
        Value::Object(pair)
    }
}

fn own(own: &Own) -> [(String, Value); 6] {
    let some = |interval: Option<Interval>| interval.map_or(Value::Null, ends);
    [
        ("terms".into(), own.terms.into()),
        ("lms".into(), finite(own.lms.0)),
        ("lms_interval".into(), some(own.lms.1)),
        ("ss".into(), finite(own.ss.0)),
        ("ss_interval".into(), some(own.ss.1)),
        ("icat".into(), finite(own.icat)),
    ]
}
