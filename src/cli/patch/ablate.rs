//! `patch --ablate`: what becomes of the answer without some parts.

use crate::cli::args::one_of;
use attnviz::analysis::ablation::With;
use attnviz::error::{Error, Result};
use attnviz::findings::TextsFile;
use attnviz::findings::ablation::Options;
use clap::Args;
use std::path::PathBuf;

/// What is taken out, and what takes its place.
#[derive(Args)]
#[command(next_help_heading = "Ablation")]
pub struct AblateArgs {
    /// Take out these parts together: heads such as 4.3 or L4H3, MLPs such as mlp4, at one position 4.3@-1, all at one position @2;
    /// or `each` head and MLP, one at a time
    #[arg(long, value_name = "LIST|each", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["site", "by", "direction", "attribution", "rule"])]
    ablate: Option<String>,
    /// What takes their place [default: zero; the mean with --reference, the other's with --other]
    #[arg(long, value_name = "WHAT", value_parser = one_of::<With>(), requires = "ablate")]
    with: Option<With>,
    /// Take means over the positions of these texts, one a line, instead of the prompt's
    #[arg(long, value_name = "FILE", requires = "ablate")]
    reference: Option<PathBuf>,
}

impl AblateArgs {
    /// Whether parts are taken out of one prompt, instead of patching one into another.
    pub fn is_meant(&self) -> bool {
        self.ablate.is_some()
    }

    /// What is meant, but for what patching has as well; `other` is the other prompt.
    pub fn options(&self, other: Option<&str>) -> Result<Options> {
        let parts = self.ablate.as_deref().unwrap_or("each").parse().map_err(|error: Error| error.option("ablate"))?;
        let reference = self.reference.as_deref().map(|path| TextsFile::read(path, "reference")).transpose()?;
        let own = match (&reference, other) {
            (Some(_), _) => With::Mean,
            (None, Some(_)) => With::Other,
            (None, None) => With::Zero,
        };
        let (with, other) = (self.with.unwrap_or(own), other.map(str::to_owned));
        Ok(Options { parts, with, reference, other, ..Options::default() })
    }
}
