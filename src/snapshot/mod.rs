//! What a suite of questions gives, recorded once and compared ever after.
//!
//! ```text
//! suite ─► made, job by job ─► record: expected files and a lock
//!                          └─► check: compared with them ─► outcomes ─► report
//! ```
//!
//! Whoever calls says how a case's command is read and how a model is opened: a suite is a file of commands, and this library knows
//! no command line.

mod check;
mod file;
mod lock;
mod make;
mod model;
mod options;
mod outcome;
mod recording;
mod report;
mod suite;

pub use check::{Change, Checked, check};
pub use options::Options;
pub use outcome::{Difference, Outcome, Verdict};
pub use recording::record;
pub use suite::{Asks, Case, Job, Question, Suite};

use crate::checkpoint::{Checkpoint, Source};
use crate::error::Result;
use std::path::PathBuf;

/// Reads the command and the args of a case, with the files that it names: what is asked, and the line that people read.
pub type Parse<'a> = &'a dyn Fn(&str, &[String], &[PathBuf]) -> Result<(Asks, String)>;
/// Opens a model.
pub type Open<'a> = &'a dyn Fn(&Source) -> Result<Checkpoint>;
/// Is told what is worth knowing besides, a line at a time.
pub type Remark<'a> = &'a dyn Fn(&str);
