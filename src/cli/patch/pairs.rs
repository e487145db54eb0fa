//! `patch --pairs`: the mean effect over many pairs of prompts.

use super::PatchArgs;
use crate::cli::probe::SampleArgs;
use crate::cli::survey::{Names, ask};
use attnviz::error::{Error, Result};
use attnviz::findings::patching::pairs::Options;
use attnviz::findings::probe::Sample;
use clap::Args;
use std::path::{Path, PathBuf};

/// Which pairs.
#[derive(Args)]
pub struct PairsArgs {
    /// Average over the pairs of a file instead: .jsonl, .csv or .tsv with the fields clean, corrupt, answer and foil; or a folder of
    /// such files
    #[arg(long, value_name = "FILE|FOLDER", help_heading = "Items")]
    #[arg(conflicts_with_all = ["text", "file", "ids", "corrupt", "other", "ablate", "answer", "foil", "position"])]
    pairs: Option<PathBuf>,
    #[command(flatten)]
    sample: SampleArgs,
}

impl PairsArgs {
    /// The file of pairs.
    pub fn path(&self) -> Option<&Path> {
        self.pairs.as_deref()
    }

    /// Fails for what is not for one prompt or two.
    pub fn refuse(&self) -> Result<()> {
        let Sample { limit, strict, seed } = self.sample.sample();
        let given =
            [("pairs", self.pairs.is_some()), ("limit", limit.is_some()), ("strict", strict), ("seed", seed != 0)];
        match given.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Error::usage(format!("{option} is not for prompts that are given one by one"))
                .hint("pairs out of a file go through patch by itself")
                .option(option)),
            None => Ok(()),
        }
    }
}

impl PatchArgs {
    /// Patches all pairs of a file; `line` is what was typed, for people.
    pub(super) fn run_pairs(&self, path: &Path, line: &str) -> Result<()> {
        self.model.one()?;
        let options = Options {
            reading: self.prompt.reading(),
            sample: self.pairs.sample.sample(),
            site: self.site.one()?,
            by: self.by,
            metric: self.metric.unwrap_or_default(),
            direction: self.direction,
            attribution: self.attribution,
            rule: self.rule,
            style: self.figure.style()?,
        };
        let names = Names { results: "patch-pairs", things: "pairs" };
        ask(&options, &[path.to_path_buf()], (&self.model, &self.output), &names, line)
    }
}
