//! What is counted of pairs.

use super::super::rows::Bad;
use super::explained::Explained;
use super::suite::Suite;
use crate::analysis::proportion::{Interval, mean, wilson};
use crate::record::Identity;

/// What one model says of all pairs.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The model.
    pub model: Identity,
    /// The two scores of each pair, the good sentence's first; none of a pair that the model cannot read.
    pub scores: Vec<Option<[f64; 2]>>,
    /// Pairs that the model cannot read.
    pub bad: Vec<Bad>,
    /// Pairs that were looked into.
    pub explained: Vec<Explained>,
}

/// Pairs counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All that were scored.
    pub pairs: usize,
    /// Those whose good sentence has the higher score.
    pub right: usize,
    /// Those whose sentences have the same; they are not right.
    pub ties: usize,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everything.
    All,
    /// A phenomenon, by its number.
    Phenomenon(usize),
    /// A paradigm, by its number.
    Paradigm(usize),
}

impl Level {
    /// What is counted together, in a word.
    pub fn kind(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Phenomenon(_) => "phenomenon",
            Self::Paradigm(_) => "paradigm",
        }
    }
}

impl Tally {
    /// The share that is right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.pairs as f64
    }

    /// Its 95 % interval, by Wilson.
    pub fn interval(&self) -> Interval {
        wilson(self.right, self.pairs)
    }
}

impl Suite {
    /// All levels: everything, each phenomenon followed by its paradigms, paradigms of no phenomenon. One paradigm alone is everything.
    pub fn levels(&self) -> Vec<Level> {
        if self.paradigms.len() == 1 {
            return vec![Level::Paradigm(0)];
        }
        let phenomena = self.phenomena();
        let of = |name: Option<&str>| {
            let own =
                self.paradigms.iter().enumerate().filter(move |(_, paradigm)| paradigm.phenomenon.as_deref() == name);
            own.map(|(number, _)| Level::Paradigm(number)).collect::<Vec<_>>()
        };
        let mut levels = vec![Level::All];
        for (number, name) in phenomena.iter().enumerate() {
            levels.push(Level::Phenomenon(number));
            levels.extend(of(Some(name)));
        }
        levels.extend(of(None));
        levels
    }

    /// The pairs of a level.
    fn members(&self, level: Level) -> impl Iterator<Item = usize> + Clone + '_ {
        let phenomena = self.phenomena();
        let within: Vec<bool> = self
            .paradigms
            .iter()
            .enumerate()
            .map(|(number, paradigm)| match level {
                Level::All => true,
                Level::Phenomenon(wanted) => paradigm.phenomenon.as_deref() == Some(phenomena[wanted]),
                Level::Paradigm(wanted) => number == wanted,
            })
            .collect();
        let own: Vec<usize> = (0..self.pairs.len()).filter(|at| within[self.pairs[*at].paradigm]).collect();
        own.into_iter()
    }

    /// What a level is called.
    pub fn name(&self, level: Level) -> String {
        match level {
            Level::All => "all".into(),
            Level::Phenomenon(number) => self.phenomena()[number].into(),
            Level::Paradigm(number) => self.paradigms[number].name.clone(),
        }
    }
}

impl Found {
    /// The pairs of a level, counted.
    pub fn tally(&self, suite: &Suite, level: Level) -> Tally {
        let mut tally = Tally::default();
        for [good, bad] in suite.members(level).filter_map(|at| self.scores[at]) {
            tally.pairs += 1;
            tally.right += usize::from(good > bad);
            tally.ties += usize::from(good == bad);
        }
        tally
    }

    /// By how much its accuracy is above another model's on the pairs that both can read, with the interval of that.
    pub fn above(&self, other: &Self, suite: &Suite, level: Level) -> (f64, Interval) {
        let right = |[good, bad]: [f64; 2]| f64::from(u8::from(good > bad));
        let both: Vec<f64> =
            suite.members(level).filter_map(|at| Some(right(self.scores[at]?) - right(other.scores[at]?))).collect();
        mean(both.iter().copied())
    }

    /// The pairs whose bad sentence has the higher score, the furthest apart first.
    pub fn worst(&self) -> Vec<usize> {
        let gap = |at: &usize| self.scores[*at].map_or(0.0, |[good, bad]| good - bad);
        let mut wrong: Vec<usize> = (0..self.scores.len()).filter(|at| gap(at) < 0.0).collect();
        wrong.sort_by(|a, b| gap(a).total_cmp(&gap(b)));
        wrong
    }
}
