//! The options of a check.

use std::path::PathBuf;

/// How a suite is compared with its snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The folder of the snapshot.
    pub out: PathBuf,
    /// Accept what is made now as expected; off unless asked for.
    pub update: bool,
    /// The folder of the report; none means `attnviz-report`, and only where something differs.
    pub report: Option<PathBuf>,
}
