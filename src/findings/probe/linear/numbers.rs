//! What probes score, over seeds.

use super::{Bad, Features, Task};
use crate::analysis::linear::{Part, Score, sites};
use crate::analysis::proportion::{Interval, mean_of_few};
use crate::record::Identity;
use crate::session::Session;

/// A mean over seeds with its 95 % interval.
pub type Estimate = (f64, Interval);

/// The probes of one site.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Of each seed.
    pub task: Vec<Score>,
    /// Of each seed.
    pub control: Vec<Score>,
}

impl Site {
    /// Accuracy on test.
    pub fn accuracy(&self) -> Estimate {
        over(&self.task, |score| score.test)
    }

    /// The control task's accuracy on test.
    pub fn of_control(&self) -> Estimate {
        over(&self.control, |score| score.test)
    }

    /// Task − control, seed by seed.
    pub fn selectivity(&self) -> Estimate {
        apart(&self.task, &self.control)
    }

    /// By how much its accuracy is above another site's, seed by seed.
    pub fn above(&self, other: &Self) -> Estimate {
        apart(&self.task, &other.task)
    }

    /// Mean accuracies on train: the task's and the control's.
    pub fn on_train(&self) -> [f64; 2] {
        [&self.task, &self.control].map(|scores| over(scores, |score| score.train).0)
    }
}

/// A mean over seeds.
fn over(scores: &[Score], of: impl Fn(&Score) -> f64) -> Estimate {
    share(&scores.iter().map(of).collect::<Vec<_>>())
}

/// A mean of shares, whose interval ends where shares do.
fn share(values: &[f64]) -> Estimate {
    let (mean, interval) = mean_of_few(values);
    (mean, interval.map(|end| end.clamp(0.0, 1.0)))
}

fn apart(these: &[Score], others: &[Score]) -> Estimate {
    mean_of_few(&these.iter().zip(others).map(|(a, b)| a.test - b.test).collect::<Vec<_>>())
}

/// What probes of one model score.
pub struct Found {
    /// The model.
    pub model: Identity,
    /// From the embedding on.
    pub sites: Vec<Site>,
    /// The share of the commonest label of train among test, of each seed.
    pub majority: Vec<f64>,
    /// The part of each example, of each seed.
    pub parts: Vec<Vec<Part>>,
    /// The control task's labels, of each seed.
    pub controls: Vec<Vec<usize>>,
    /// How many examples were read.
    pub examples: usize,
    /// How many types they have.
    pub kinds: usize,
    /// Whether texts begin with a token that is no part of them.
    pub begun: bool,
    /// Words that are in no token.
    pub lost: usize,
    /// Items that the model cannot read.
    pub bad: Vec<Bad>,
    /// What was probed, where that is wanted.
    pub features: Option<Features>,
}

impl Found {
    pub(super) fn new(
        session: &Session,
        task: &Task,
        draws: &[(Vec<Part>, Vec<usize>)],
        scores: &[Score],
        mut features: Features,
        keep: bool,
    ) -> Self {
        let names = sites(session.spec().layers);
        let site = |(name, scores): (String, &[Score])| Site {
            name,
            task: scores.iter().step_by(2).copied().collect(),
            control: scores.iter().skip(1).step_by(2).copied().collect(),
        };
        let mut kinds = features.kinds.clone();
        kinds.sort_unstable();
        kinds.dedup();
        Self {
            model: session.identity(),
            sites: names.into_iter().zip(scores.chunks(2 * draws.len())).map(site).collect(),
            majority: draws.iter().map(|(parts, _)| majority(&features.labels, parts, task.classes.len())).collect(),
            parts: draws.iter().map(|(parts, _)| parts.clone()).collect(),
            controls: draws.iter().map(|(_, control)| control.clone()).collect(),
            examples: features.labels.len(),
            kinds: kinds.len(),
            begun: features.begun,
            lost: features.lost,
            bad: std::mem::take(&mut features.bad),
            features: keep.then_some(features),
        }
    }

    /// The site with the best mean accuracy on dev, the first of equals.
    pub fn best(&self) -> usize {
        let dev = |site: &Site| over(&site.task, |score| score.dev).0;
        let better = |best: usize, at: usize| if dev(&self.sites[at]) > dev(&self.sites[best]) { at } else { best };
        (1..self.sites.len()).fold(0, better)
    }

    /// The baseline of saying the commonest label.
    pub fn of_majority(&self) -> Estimate {
        share(&self.majority)
    }

    /// By how much its best site is above another model's, seed by seed.
    pub fn above(&self, other: &Self) -> Estimate {
        self.sites[self.best()].above(&other.sites[other.best()])
    }
}

fn majority(labels: &[usize], parts: &[Part], classes: usize) -> f64 {
    let mut counts = vec![[0usize; 2]; classes];
    for (label, part) in labels.iter().zip(parts) {
        counts[*label][0] += usize::from(*part == Part::Train);
        counts[*label][1] += usize::from(*part == Part::Test);
    }
    let tests: usize = counts.iter().map(|[_, test]| test).sum();
    // The first of equals.
    let most = counts.iter().rev().max_by_key(|[train, _]| *train).map_or(0, |[_, test]| *test);
    most as f64 / tests as f64
}
