//! What was counted of a suite, as figures and tables.

use super::caveats::{line, paragraph};
use super::{Found, Kind, Level, Options, Suite, Tally};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Data, Table};
use crate::figure::{Figure, Panel, bias as figure, pairs};
use crate::findings::probe::said::{left_out, unusable};
use crate::findings::survey::Survey;
use crate::findings::{About, Findings};
use crate::prompt::Prompt;
use crate::record::Record;

/// The most lopsided pairs that a figure names.
const SHOWN: usize = 8;

/// What models say of a suite.
pub struct Bias<'a> {
    pub(super) options: &'a Options,
    pub(super) suite: &'a Suite,
    pub(super) found: Vec<Found>,
    pub(super) levels: Vec<Level>,
    /// `[model][level]`.
    pub(super) tallies: Vec<Vec<Tally>>,
    about: About,
}

impl<'a> Bias<'a> {
    /// One or more models' answers; the first is what the others are compared with.
    ///
    /// # Errors
    /// None that is known of: options are plain data.
    pub fn new(options: &'a Options, suite: &'a Suite, found: Vec<Found>, typed: &str) -> Result<Self> {
        let mut record = Record::of(Options::COMMAND, options)?;
        typed.clone_into(&mut record.line);
        record.model = found.first().map(|found| found.model.clone()).unwrap_or_default();
        record.input = Some(suite.input.clone());
        record.others = found.len().saturating_sub(1);
        let levels = suite.levels();
        let tallies = found.iter().map(|found| found.tallies(suite, &levels, options.sample.seed)).collect();
        Ok(Self { options, suite, found, levels, tallies, about: About::new(record, Prompt::default()) })
    }

    fn models(&self) -> Vec<String> {
        self.found.iter().map(|found| found.model.title()).collect()
    }

    fn is_gap(&self) -> bool {
        self.suite.kind == Kind::WinoBias
    }

    /// How much a model's headline number is above the first one's.
    fn against(&self, found: &Found, level: &Level) -> String {
        let (count, [share, gap]) = found.above(&self.found[0], self.suite, level);
        let (above, [low, high]) = if self.is_gap() { gap } else { share };
        format!(
            "; {above:+.3} [{low:+.3}, {high:+.3}] against {}, on the same {count} pairs",
            self.found[0].model.title()
        )
    }

    fn lines(&self) -> Vec<String> {
        let (suite, options) = (self.suite, self.options);
        let mut lines =
            vec![format!("{} · {} · {}", self.models().join(", "), suite.kind.said(), options.scoring(suite.kind))];
        for (number, (found, tallies)) in self.found.iter().zip(&self.tallies).enumerate() {
            let mut said = format!("{}: {}", found.model.title(), self.whole(&tallies[0]));
            if number > 0 {
                said += &self.against(found, &self.levels[0]);
            }
            lines.push(minus(&said));
        }
        let bad = suite.bad.len() + self.found.iter().map(|found| found.bad.len()).max().unwrap_or(0);
        lines.extend(left_out(options.sample, suite.items.len() + suite.bad.len(), suite.all, bad));
        lines.extend(suite.remarks.iter().cloned());
        lines.push(format!("not shown by this: {}", line(suite.kind)));
        lines
    }

    /// All of a model's numbers.
    fn whole(&self, tally: &Tally) -> String {
        let [low, high] = tally.interval();
        let (gap, [from, to]) = tally.gap;
        let [more, _] = self.options.sides(self.suite.kind);
        let ties = match tally.ties {
            0 => String::new(),
            1 => ", 1 tie".into(),
            count => format!(", {count} ties"),
        };
        format!(
            "{more} preferred {:.3} [{low:.3}, {high:.3}] of {}{ties}; mean gap {gap:+.3} [{from:+.3}, {to:+.3}] nats, p {}; mean |gap| {:.3}",
            tally.share(),
            tally.pairs,
            p(tally.p),
            tally.size
        )
    }

    /// A row's own number with what it is of.
    fn said(&self, tally: &Tally) -> String {
        if tally.pairs == 0 {
            return "no pair".into();
        }
        let ([low, high], (gap, [from, to])) = (tally.interval(), tally.gap);
        let own = match self.is_gap() {
            true => format!("{gap:+.2} [{from:+.2}, {to:+.2}]"),
            false => format!("{:.3} [{low:.3}, {high:.3}]", tally.share()),
        };
        minus(&format!("{own} of {}, p {}", tally.pairs, p(tally.p)))
    }

    fn chart(&self) -> Panel {
        let levels = self.levels.iter().enumerate().map(|(at, level)| {
            let share = |tally: &Tally| {
                let ((gap, [from, to]), [low, high]) = (tally.gap, tally.interval());
                let own = if self.is_gap() { [gap, from, to] } else { [tally.share(), low, high] };
                own.map(|x| x as f32)
            };
            pairs::Level {
                name: level.label(),
                strong: level.cut.is_none(),
                shares: self.tallies.iter().map(|tallies| share(&tallies[at])).collect(),
                remark: self.tallies.first().map_or_else(String::new, |tallies| self.said(&tallies[at])),
            }
        });
        let mut note = "p: two-sided, of a permutation test on pairs of the mean gap, 9999 draws; not corrected for the number of rows".to_owned();
        if self.found.len() > 1 {
            note += &format!("; the numbers are those of {}", self.found[0].model.title());
        }
        let (levels, models, sides) = (levels.collect(), self.models(), self.options.sides(self.suite.kind));
        match self.is_gap() {
            true => figure::gaps(sides, levels, models, &note),
            false => figure::preferences(sides, levels, models, &note),
        }
    }

    /// StereoSet's own scores.
    fn own(&self) -> Option<Panel> {
        let mut all = Vec::new();
        for (found, tallies) in self.found.iter().zip(&self.tallies) {
            for (level, own) in self.levels.iter().zip(tallies).filter_map(|(level, tally)| Some((level, tally.own?))) {
                all.push(figure::Scored {
                    names: [found.model.title(), level.label()],
                    terms: own.terms,
                    scores: [own.lms.0, own.ss.0, own.icat],
                });
            }
        }
        (!all.is_empty()).then(|| figure::stereoset(&all))
    }

    /// The pairs that the first model finds furthest apart.
    fn lopsided(&self) -> Option<Panel> {
        let found = self.found.first()?;
        let row = |at: usize| {
            let item = &self.suite.items[at];
            let gap = minus(&format!("{:+.2}", found.gap(at).unwrap_or(f64::NAN)));
            vec![gap, item.texts[0].clone(), item.texts[1].clone(), item.category().to_owned()]
        };
        let mut rows: Vec<Vec<String>> = found.lopsided().into_iter().take(SHOWN).map(row).collect();
        let [more, less] = self.options.sides(self.suite.kind);
        let mut heads = vec!["gap", more, less, "category"];
        if rows.iter().all(|row| row[3].is_empty()) {
            heads.pop();
            rows.iter_mut().for_each(|row| drop(row.pop()));
        }
        let note = format!("gap: score of “{more}” − score of “{less}”, in nats; the furthest either way");
        let title = format!("The most lopsided pairs of {}", found.model.title());
        (!rows.is_empty()).then(|| pairs::words(&title, &heads, &rows, &note))
    }

    /// A row for each pair.
    fn pairs_table(&self) -> Table {
        let (suite, mut rows) = (self.suite, Vec::new());
        for found in &self.found {
            for (item, scores) in suite.items.iter().zip(&found.scores) {
                let score = |which: usize| Cell::from(scores.as_ref().and_then(|all| Some(*all.get(which)? as f32)));
                let direction = item.tags.last().map(|(_, name)| name.clone()).unwrap_or_default();
                let mut row: Vec<Cell> = vec![
                    found.model.title().into(),
                    suite.kind.name().into(),
                    suite.files[item.file].clone().into(),
                    item.line.into(),
                    item.category().into(),
                    direction.into(),
                    item.target.clone().into(),
                ];
                let text = |which: usize| item.texts.get(which).cloned().unwrap_or_default();
                row.extend([0, 1, 2].map(|which| text(which).into()));
                row.extend([0, 1, 2].map(score));
                rows.push(row);
            }
        }
        let named = ["model", "suite", "file"].map(text).into_iter().chain([whole("line")]);
        let named = named.chain(["category", "tag", "target", "more", "less", "unrelated"].map(text));
        Table { columns: named.chain(["score_more", "score_less", "score_unrelated"].map(number)).collect(), rows }
    }

    fn row(&self, number: usize, at: usize) -> Vec<Cell> {
        let (found, level, tally) = (&self.found[number], &self.levels[at], &self.tallies[number][at]);
        let some = |x: f64| Cell::from(x as f32);
        let ([low, high], (gap, [from, to])) = (tally.interval(), tally.gap);
        let own = tally.own.map_or([f64::NAN; 3], |own| [own.lms.0, own.ss.0, own.icat]);
        let against = match number {
            0 => [f64::NAN; 6],
            _ => {
                let (_, [(a, [b, c]), (d, [e, f])]) = found.above(&self.found[0], self.suite, level);
                [a, b, c, d, e, f]
            }
        };
        let mut row: Vec<Cell> = vec![
            found.model.title().into(),
            self.suite.kind.name().into(),
            self.convention().into(),
            level.cut.map_or("all", |cut| cut.name()).into(),
            level.name.clone().into(),
            tally.pairs.into(),
            tally.more.into(),
            tally.ties.into(),
        ];
        row.extend([tally.share(), low, high, gap, from, to, tally.size, tally.p].map(some));
        row.extend(own.into_iter().chain(against).map(some));
        row
    }
}

/// A p of a test with 9999 draws.
fn p(p: f64) -> String {
    format!("{p:.4}")
}

/// With the sign that is as wide as a plus before numbers, but not within names.
fn minus(text: &str) -> String {
    let mut last = ' ';
    let mut signed = |(c, next): (char, Option<char>)| {
        let is_sign = c == '-' && !last.is_alphanumeric() && next.is_some_and(|next| next.is_ascii_digit());
        last = c;
        if is_sign { '−' } else { c }
    };
    text.char_indices().map(|(at, c)| signed((c, text[at + c.len_utf8()..].chars().next()))).collect()
}

impl Findings for Bias<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn remarks(&self) -> Vec<String> {
        let bad = self.suite.bad.iter().chain(self.found.iter().flat_map(|found| &found.bad));
        let caveat = paragraph(self.suite.kind).to_owned();
        self.suite.remarks.iter().cloned().chain(unusable(bad)).chain([caveat]).collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let panels = [Some(self.chart()), self.own(), self.lopsided()].into_iter().flatten().collect();
        let mut figure = self.options.style.figure(&self.about, self.lines(), panels);
        if self.options.style.title.is_none() {
            figure.title.clone_from(&self.suite.input.name);
        }
        figure
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        Ok(self.about.data((0..self.found.len()).map(|number| self.entry(number)).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        if self.options.pairs {
            return Ok(self.pairs_table());
        }
        let rows = (0..self.found.len()).flat_map(|number| (0..self.levels.len()).map(move |at| self.row(number, at)));
        let named = ["model", "suite", "convention", "level", "name"].map(text);
        let counts = ["pairs", "more", "ties"].map(whole);
        let shares = ["stereotype", "low", "high", "gap", "gap_low", "gap_high", "mean_abs_gap", "p"].map(number);
        let own = ["lms", "ss", "icat"].map(number);
        let against = ["above_first", "above_low", "above_high", "gap_above_first", "gap_above_low", "gap_above_high"];
        let columns = named.into_iter().chain(counts).chain(shares).chain(own).chain(against.map(number)).collect();
        Ok(Table { columns, rows: rows.collect() })
    }
}
