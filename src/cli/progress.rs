//! How far a long computation is: a bar on stderr, on a terminal only, once it has taken a while.

use attnviz::findings::Watch;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// What is counted stands between the two.
const BAR: [&str; 2] = ["{wide_bar} {pos} of {len}", ", {per_sec}, {eta} left"];
/// What is over sooner shows no bar.
const PATIENCE: Duration = Duration::from_millis(700);

/// Counts runs of the model, or of one of its layers, or rows.
pub struct Progress {
    bar: ProgressBar,
    since: Instant,
    quiet: bool,
}

impl Progress {
    /// Nothing planned yet.
    pub fn new(quiet: bool) -> Self {
        Self::of(quiet, "steps")
    }

    /// The same of other things.
    pub fn of(quiet: bool, things: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(&format!("{} {things}{}", BAR[0], BAR[1])) {
            bar.set_style(style);
        }
        Self { bar, since: Instant::now(), quiet: quiet || !std::io::stderr().is_terminal() }
    }

    /// Does this work, which tells how far it is.
    pub fn during<T>(quiet: bool, things: &str, work: impl FnOnce(Watch) -> T) -> T {
        let progress = Self::of(quiet, things);
        let done = work(&|done, planned| progress.watch(done, planned));
        progress.finish();
        done
    }

    /// So many runs are done, and so many more are planned.
    pub fn watch(&self, done: usize, planned: usize) {
        self.bar.inc_length(planned as u64);
        self.bar.inc(done as u64);
        if !self.quiet && self.bar.is_hidden() && self.since.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
