//! What was counted of cloze items, as figures, data and tables.

use super::super::said::{left_out, unusable};
use super::{Candidate, Found, Item, Options, Suite};
use crate::analysis::proportion::{mean, wilson};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Data, Entry, Table};
use crate::figure::pairs::{self as figure, Level};
use crate::figure::{Figure, Panel};
use crate::findings::reading::said_of_front;
use crate::findings::survey::Survey;
use crate::findings::{About, Findings};
use crate::prompt::Prompt;
use crate::record::Record;
use crate::text;
use serde_json::{Map, Value, json};

/// The ranks up to which an answer counts.
const RANKS: [usize; 3] = [1, 5, 10];
/// Items that a figure names.
const SHOWN: usize = 24;

/// What models say of a suite of items.
pub struct Cloze<'a> {
    options: &'a Options,
    suite: &'a Suite,
    found: Vec<Found>,
    about: About,
}

impl<'a> Cloze<'a> {
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

    /// Ranks of the items that a model can read.
    fn ranks<'b>(&'b self, found: &'b Found) -> impl Iterator<Item = Option<usize>> + Clone + 'b {
        self.suite.items.iter().enumerate().map(|(at, item)| found.rank(item, at))
    }

    /// Hits up to a rank, and items.
    fn hits(&self, found: &Found, most: usize) -> (usize, usize) {
        let ranks = self.ranks(found).flatten();
        (ranks.clone().filter(|rank| *rank <= most).count(), ranks.count())
    }

    fn lines(&self) -> Vec<String> {
        let models: Vec<&str> = self.found.iter().map(|found| &found.model.name[..]).collect();
        let bos = said_of_front(self.options.bos, self.found.iter().map(|found| found.begun));
        let mut lines = vec![format!("{} · cloze: answers scored whole after the prompt, {bos}", models.join(", "))];
        let among = self.suite.items.iter().filter(|item| item.has_distractors()).count();
        let alone = self.suite.items.len() - among;
        let said = [
            (among, "ranked among the item's candidates"),
            (alone, "without distractors: ranked in the whole vocabulary by the first token"),
        ];
        let said = said
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, how)| format!("{} {how}", text::count(*count, "item")));
        lines.push(said.collect::<Vec<_>>().join("; "));
        for found in self.found.iter().skip(1) {
            let hit = |rank: Option<usize>| rank.map(|rank| f64::from(u8::from(rank == 1)));
            let both = self.ranks(found).zip(self.ranks(&self.found[0])).filter_map(|(a, b)| Some(hit(a)? - hit(b)?));
            let (above, [low, high]) = mean(both);
            let name = &self.found[0].model.name;
            let line = format!(
                "{}: {above:+.3} [{low:+.3}, {high:+.3}] at rank 1 against {name}, item by item",
                found.model.title()
            );
            lines.push(line.replace('-', "−"));
        }
        let bad = self.suite.bad.len() + self.found.iter().map(|found| found.bad.len()).max().unwrap_or(0);
        lines.extend(left_out(self.options.sample, self.suite.items.len() + self.suite.bad.len(), self.suite.all, bad));
        lines
    }

    fn accuracy(&self, most: usize) -> Level {
        let share = |found: &Found| {
            let (hits, count) = self.hits(found, most);
            let [low, high] = wilson(hits, count);
            [(hits as f64 / count as f64) as f32, low as f32, high as f32]
        };
        let shares: Vec<[f32; 3]> = self.found.iter().map(share).collect();
        let count = self.found.first().map_or(0, |found| self.hits(found, most).1);
        let remark = shares
            .first()
            .map_or_else(String::new, |[p, low, high]| format!("{p:.3} [{low:.3}, {high:.3}] of {count}"));
        Level { name: format!("answer at rank {most} or better"), strong: false, shares, remark }
    }

    /// The first items of the first model.
    fn items(&self) -> Option<Panel> {
        let found = self.found.first()?;
        let row = |(at, item): (usize, &Item)| {
            let all = found.items[at].as_ref()?;
            let best = |range: std::ops::Range<usize>| {
                let best = range.max_by(|a, b| all[*a].log_p.total_cmp(&all[*b].log_p));
                best.map_or_else(
                    || ["–".to_owned(), "–".to_owned()],
                    |at| [item.candidates[at].clone(), small(all[at].log_p.exp())],
                )
            };
            let rank = found.rank(item, at).map_or_else(String::new, |rank| rank.to_string());
            let (answer, other) = (best(0..item.answers), best(item.answers..all.len()));
            Some([item.prompt.clone()].into_iter().chain(answer).chain([rank]).chain(other).collect::<Vec<String>>())
        };
        let rows: Vec<Vec<String>> = self.suite.items.iter().enumerate().filter_map(row).take(SHOWN).collect();
        let left_out = self.suite.items.len().saturating_sub(rows.len());
        let note = match left_out {
            0 => String::new(),
            1 => "1 more item is in data files".into(),
            many => format!("{many} more items are in data files"),
        };
        let heads = ["prompt", "best answer", "p", "rank", "best distractor", "p"];
        Some(figure::words(&format!("What {} says", found.model.title()), &heads, &rows, &note))
    }
}

/// A probability in few digits.
fn small(p: f64) -> String {
    if p >= 1e-3 || p == 0.0 { format!("{p:.3}") } else { format!("{p:.0e}").replace('-', "−") }
}

impl Findings for Cloze<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        unusable(self.suite.bad.iter().chain(self.found.iter().flat_map(|found| &found.bad)))
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let models = self.found.iter().map(|found| found.model.title()).collect();
        let levels = RANKS.map(|most| self.accuracy(most)).into_iter().collect();
        let mut panels = vec![figure::shares("Share of items with an answer that high", None, levels, models)];
        panels.extend(self.items());
        let mut figure = self.options.style.figure(&self.about, self.lines(), panels);
        if self.options.style.title.is_none() {
            figure.title.clone_from(&self.suite.input.name);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let entry = |found: &Found| {
            let item = |(at, item): (usize, &Item)| {
                let of = |(text, one): (&String, &Candidate)| json!({ "text": text, "logprob": one.log_p as f32, "tokens": one.tokens, "first_token_rank": one.place });
                let all = found.items[at].as_ref();
                let candidates: Vec<Value> =
                    all.map_or_else(Vec::new, |all| item.candidates.iter().zip(all).map(of).collect());
                let (answers, distractors) = candidates.split_at(item.answers.min(candidates.len()));
                json!({
                    "file": item.file, "line": item.line, "prompt": item.prompt, "rank": found.rank(item, at),
                    "ranked_in": if item.has_distractors() { "candidates" } else { "vocabulary" },
                    "answers": answers, "distractors": distractors,
                })
            };
            let accuracy = RANKS.map(|most| {
                let (hits, count) = self.hits(found, most);
                let share = (count > 0).then(|| hits as f64 / count as f64);
                json!({ "at": most, "items": count, "accuracy": share, "interval": wilson(hits, count) })
            });
            let bad: Vec<String> = self.suite.bad.iter().chain(&found.bad).map(ToString::to_string).collect();
            Entry {
                method: "cloze".into(),
                settings: Map::from_iter([
                    ("model".into(), json!(found.model)),
                    ("bos".into(), found.begun.into()),
                    ("limit".into(), json!(self.options.sample.limit)),
                    ("seed".into(), json!(self.options.sample.seed)),
                ]),
                fields: Map::from_iter([
                    ("accuracy".into(), json!(accuracy)),
                    ("items".into(), self.suite.items.iter().enumerate().map(item).collect()),
                    ("unusable".into(), json!(bad)),
                ]),
                arrays: Vec::new(),
            }
        };
        Ok(self.about.data(self.found.iter().map(entry).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let mut rows = Vec::new();
        for found in &self.found {
            for (at, item) in self.suite.items.iter().enumerate() {
                for (place, (text, one)) in item.candidates.iter().zip(found.items[at].iter().flatten()).enumerate() {
                    rows.push(vec![
                        found.model.title().into(),
                        item.file.clone().into(),
                        item.line.into(),
                        item.prompt.clone().into(),
                        text.clone().into(),
                        usize::from(place < item.answers).into(),
                        one.tokens.into(),
                        Cell::from(one.log_p as f32),
                        one.place.into(),
                        found.rank(item, at).into(),
                    ]);
                }
            }
        }
        let named = [
            text("model"),
            text("file"),
            whole("line"),
            text("prompt"),
            text("candidate"),
            whole("is_answer"),
            whole("tokens"),
        ];
        let numbers = [number("log_p"), whole("first_token_rank"), whole("item_rank")];
        Ok(Table { columns: named.into_iter().chain(numbers).collect(), rows })
    }
}
