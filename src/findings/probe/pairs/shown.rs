//! What was counted of pairs, as figures, data and tables.

use super::super::said::{left_out, unusable};
use super::numbers::{Found, Level, Tally};
use super::{Options, Suite};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{Figure, Panel, pairs as figure};
use crate::findings::survey::Survey;
use crate::findings::{About, Findings};
use crate::named::Named;
use crate::prompt::Prompt;
use crate::record::Record;
use crate::text;
use serde_json::{Map, Value, json};

/// The pairs furthest from right that a figure names, and that data files do.
const SHOWN: usize = 8;
const TOLD: usize = 100;

/// What models say of a suite of pairs.
pub struct Pairs<'a> {
    pub(super) options: &'a Options,
    pub(super) suite: &'a Suite,
    pub(super) found: Vec<Found>,
    /// What files say of themselves.
    pub about: About,
}

/// A narrower figure shows of two sentences where they part.
const NARROW: u32 = 640;

/// Two sentences from the last word on that both begin with.
fn apart(both: &[String; 2]) -> [String; 2] {
    let words = both.each_ref().map(|text| text.split_whitespace().collect::<Vec<_>>());
    let same = words[0].iter().zip(&words[1]).take_while(|(a, b)| a == b).count();
    match same {
        0 | 1 => both.clone(),
        _ => words.map(|words| format!("… {}", words[same - 1..].join(" "))),
    }
}

impl<'a> Pairs<'a> {
    /// One or more models' answers; the first is what the others are compared with.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn new(options: &'a Options, suite: &'a Suite, found: Vec<Found>, line: &str) -> Result<Self> {
        let mut record = Record::of(Options::COMMAND, options)?;
        line.clone_into(&mut record.line);
        record.model = found.first().map(|found| found.model.clone()).unwrap_or_default();
        record.input = Some(suite.input.clone());
        record.others = found.len().saturating_sub(1);
        Ok(Self { options, suite, found, about: About::new(record, Prompt::default()) })
    }

    fn models(&self) -> Vec<String> {
        self.found.iter().map(|found| found.model.title()).collect()
    }

    /// The level that stands for everything.
    fn whole(&self) -> Level {
        self.suite.levels()[0]
    }

    fn lines(&self) -> Vec<String> {
        let (suite, options) = (self.suite, self.options);
        let mut lines = vec![format!("{} · minimal pairs · {}", self.models().join(", "), options.convention.said())];
        for (number, found) in self.found.iter().enumerate() {
            let tally = found.tally(suite, self.whole());
            let mut line = format!("{}: {}", found.model.title(), said(&tally));
            if number > 0 {
                let (above, [low, high]) = found.above(&self.found[0], suite, self.whole());
                line += &format!(
                    "; {above:+.3} [{low:+.3}, {high:+.3}] against {}, pair by pair",
                    self.found[0].model.title()
                );
            }
            lines.push(line.replace('-', "−"));
        }
        let bad = suite.bad.len() + self.found.iter().map(|found| found.bad.len()).max().unwrap_or(0);
        lines.extend(left_out(options.sample, suite.pairs.len() + suite.bad.len(), suite.all, bad));
        lines
    }

    /// The pairs that the first model gets most wrong.
    fn worst(&self, most: usize) -> Vec<usize> {
        self.found.first().map_or_else(Vec::new, |found| found.worst().into_iter().take(most).collect())
    }

    fn worst_table(&self) -> Option<Panel> {
        let scores = &self.found.first()?.scores;
        // A column of paradigms, and what both sentences begin with, would take the room of the words in which they differ.
        let narrow = self.options.style.width.is_some_and(|width| width.whole() < NARROW);
        let several = self.suite.paradigms.len() > 1 && !narrow;
        let row = |at: &usize| {
            let pair = &self.suite.pairs[*at];
            let [good, bad] = scores[*at].unwrap_or([f64::NAN; 2]);
            let gap = format!("{:.2}", good - bad).replace('-', "−");
            let paradigm = several.then(|| self.suite.paradigms[pair.paradigm].name.clone());
            let [good, bad] = if narrow { apart(&pair.texts) } else { pair.texts.clone() };
            [gap, good, bad].into_iter().chain(paradigm).collect()
        };
        let rows: Vec<Vec<String>> = self.worst(SHOWN).iter().map(row).collect();
        let title = format!("The pairs that {} gets most wrong", self.found[0].model.title());
        (!rows.is_empty()).then(|| {
            figure::words(
                &title,
                &["gap", "good", "bad", "paradigm"][..if several { 4 } else { 3 }],
                &rows,
                match narrow {
                    false => "gap: score of the good sentence − that of the bad one",
                    true => "gap: score of the good sentence − that of the bad one; …: words that both begin with",
                },
            )
        })
    }

    fn entry(&self, number: usize) -> Entry {
        let (suite, found) = (self.suite, &self.found[number]);
        let level = |level: &Level| {
            let mut entry = counted(&found.tally(suite, *level));
            entry.insert(level.kind().into(), suite.name(*level).into());
            if number > 0 {
                let (above, interval) = found.above(&self.found[0], suite, *level);
                entry.insert("difference".into(), json!({ "above": self.found[0].model.title(), "accuracy": finite(above), "interval": interval.map(finite) }));
            }
            Value::Object(entry)
        };
        let pair = |at: &usize| {
            let pair = &suite.pairs[*at];
            json!({
                "file": suite.files[pair.file], "line": pair.line, "paradigm": suite.paradigms[pair.paradigm].name,
                "good": pair.texts[0], "bad": pair.texts[1], "scores": found.scores[*at],
            })
        };
        let worst: Vec<Value> = found.worst().iter().take(TOLD).map(pair).collect();
        let bad: Vec<String> = suite.bad.iter().chain(&found.bad).map(ToString::to_string).collect();
        let mut fields = Map::from_iter([
            ("levels".into(), suite.levels().iter().map(level).collect()),
            ("most_wrong".into(), worst.into()),
            ("unusable".into(), json!(bad)),
        ]);
        let mut arrays = Vec::new();
        if self.options.pairs {
            fields.insert("pairs".into(), (0..suite.pairs.len()).map(|at| pair(&at)).collect());
            let of =
                |which: usize| found.scores.iter().map(move |both| both.map_or(f32::NAN, |both| both[which] as f32));
            let array = |name: &str, which| Array {
                name: name.into(),
                shape: vec![suite.pairs.len()],
                values: of(which).collect(),
            };
            arrays.extend([array("good", 0), array("bad", 1)]);
        }
        if !found.explained.is_empty() {
            fields.insert("explained".into(), found.explained.iter().map(|one| self.explanation(one)).collect());
        }
        let settings = Map::from_iter([
            ("model".into(), json!(found.model)),
            ("convention".into(), self.options.convention.name().into()),
            ("limit".into(), json!(self.options.sample.limit)),
            ("seed".into(), json!(self.options.sample.seed)),
        ]);
        Entry { method: "pairs".into(), settings, fields, arrays }
    }
}

fn finite(x: f64) -> Value {
    if x.is_finite() { json!(x) } else { Value::Null }
}

fn counted(tally: &Tally) -> Map<String, Value> {
    Map::from_iter([
        ("pairs".into(), tally.pairs.into()),
        ("right".into(), tally.right.into()),
        ("ties".into(), tally.ties.into()),
        ("accuracy".into(), finite(tally.accuracy())),
        ("interval".into(), json!(tally.interval())),
    ])
}

/// A share with its interval and what it is of.
fn said(tally: &Tally) -> String {
    let [low, high] = tally.interval();
    let ties = if tally.ties > 0 { format!(", {}", text::count(tally.ties, "tie")) } else { String::new() };
    match tally.pairs {
        0 => "no pair".into(),
        pairs => format!("{:.3} [{low:.3}, {high:.3}] of {pairs}{ties}", tally.accuracy()),
    }
}

impl Findings for Pairs<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        let bad = self.suite.bad.iter().chain(self.found.iter().flat_map(|found| &found.bad));
        self.suite.remarks.iter().cloned().chain(unusable(bad)).collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let suite = self.suite;
        let of = |level: &Level| {
            let tallies: Vec<Tally> = self.found.iter().map(|found| found.tally(suite, *level)).collect();
            let share = |tally: &Tally| {
                let [low, high] = tally.interval();
                [tally.accuracy() as f32, low as f32, high as f32]
            };
            figure::Level {
                name: suite.name(*level),
                strong: !matches!(level, Level::Paradigm(_)),
                shares: tallies.iter().map(share).collect(),
                remark: tallies.first().map_or_else(String::new, said),
            }
        };
        let mut panels = vec![figure::accuracies(suite.levels().iter().map(of).collect(), self.models())];
        panels.extend(self.worst_table());
        panels.extend(self.explained_table());
        let mut figure = self.options.style.figure(&self.about, self.lines(), panels);
        if self.options.style.title.is_none() {
            figure.title.clone_from(&suite.input.name);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        Ok(self.about.data((0..self.found.len()).map(|number| self.entry(number)).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let (suite, convention) = (self.suite, self.options.convention.name());
        let mut rows = Vec::new();
        if self.options.pairs {
            for found in &self.found {
                for (pair, both) in suite.pairs.iter().zip(&found.scores) {
                    let score = |which: usize| Cell::from(both.map(|both| both[which] as f32));
                    rows.push(vec![
                        found.model.title().into(),
                        convention.into(),
                        suite.files[pair.file].clone().into(),
                        pair.line.into(),
                        suite.paradigms[pair.paradigm].name.clone().into(),
                        pair.texts[0].clone().into(),
                        pair.texts[1].clone().into(),
                        score(0),
                        score(1),
                        both.map(|[good, bad]| usize::from(good > bad)).into(),
                    ]);
                }
            }
            let named = [
                text("model"),
                text("convention"),
                text("file"),
                whole("line"),
                text("paradigm"),
                text("good"),
                text("bad"),
            ];
            let columns =
                named.into_iter().chain([number("score_good"), number("score_bad"), whole("is_right")]).collect();
            return Ok(Table { columns, rows });
        }
        for found in &self.found {
            for level in suite.levels() {
                let tally = found.tally(suite, level);
                let [low, high] = tally.interval();
                let (above, [from, to]) = found.above(&self.found[0], suite, level);
                let other = |x: f64| Cell::from(if std::ptr::eq(found, &self.found[0]) { f32::NAN } else { x as f32 });
                rows.push(vec![
                    found.model.title().into(),
                    convention.into(),
                    level.kind().into(),
                    suite.name(level).into(),
                    tally.pairs.into(),
                    tally.right.into(),
                    tally.ties.into(),
                    (tally.accuracy() as f32).into(),
                    (low as f32).into(),
                    (high as f32).into(),
                    other(above),
                    other(from),
                    other(to),
                ]);
            }
        }
        let named = [
            text("model"),
            text("convention"),
            text("level"),
            text("name"),
            whole("pairs"),
            whole("right"),
            whole("ties"),
        ];
        let shares = [number("accuracy"), number("low"), number("high")];
        let against = [number("above_first"), number("above_low"), number("above_high")];
        Ok(Table { columns: named.into_iter().chain(shares).chain(against).collect(), rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_a_narrow_table_begin_with_the_last_word_that_they_share() {
        let of = |a: &str, b: &str| apart(&[a.to_owned(), b.to_owned()]);
        assert_eq!(of("The fox runs.", "The fox run."), ["… fox runs.", "… fox run."]);
        assert_eq!(of("The fox runs.", "A fox runs."), ["The fox runs.", "A fox runs."]);
        assert_eq!(of("The fox", "The fox ran"), ["… fox", "… fox ran"]);
    }
}
