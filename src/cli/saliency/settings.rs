//! How methods were run, in the words of figures and files.

use super::{BaselineArg, SaliencyArgs, ScoreArg};
use crate::cli::target::OfArg;
use attnviz::analysis::attribution::{Attribution, Method};
use attnviz::figure::{Colormap, Scale};
use serde_json::{Map, Value};

impl SaliencyArgs {
    /// The number that is explained, in words.
    pub(super) fn explained(&self) -> &'static str {
        match self.method.of() {
            OfArg::Logit => "logit",
            OfArg::Logprob => "log-probability",
            OfArg::Prob => "probability",
        }
    }

    pub(super) fn baseline_name(&self) -> &'static str {
        match self.method.meant().1 {
            BaselineArg::Zero => "zero",
            BaselineArg::Mean => "mean",
            BaselineArg::Endoftext => "endoftext",
        }
    }

    /// What a method's scores measure.
    pub(super) fn unit(&self, method: Method) -> String {
        match (self.method.meant().2, method) {
            (ScoreArg::Share, _) => "share of all contributions".into(),
            (_, Method::Gradient) => format!("size of the {}'s gradient", self.explained()),
            (_, Method::AttentionXGradient) => "relevance".into(),
            (ScoreArg::Norm, _) => format!("size of the contributions to the {}", self.explained()),
            (ScoreArg::Signed, _) => format!("contribution to the {}", self.explained()),
        }
    }

    /// From scores to colours; 0 keeps the page's colour.
    pub(super) fn scale(&self, scores: &[f32], unit: &str) -> Scale {
        let colormap = self.figure.colormap.unwrap_or(Colormap::Balance);
        let mut scale =
            Scale { kind: self.figure.scale.into(), colormap, ..Scale::signed(unit, scores.iter().copied()) };
        if !colormap.is_diverging() {
            scale.min = scores.iter().copied().filter(|score| score.is_finite()).fold(0.0, f32::min);
        }
        scale
    }

    /// How a method was run.
    pub(super) fn settings(&self, found: &Attribution) -> Map<String, Value> {
        let score = match self.method.meant().2 {
            ScoreArg::Signed => "signed",
            ScoreArg::Norm => "norm",
            ScoreArg::Share => "share",
        };
        let mut settings = Map::from_iter([
            ("of".into(), self.method.of().name().into()),
            ("score".into(), score.into()),
            ("bos".into(), self.prompt.bos.into()),
        ]);
        if found.method.has_baseline() {
            settings.insert("baseline".into(), self.baseline_name().into());
        }
        if let Some(steps) = found.steps {
            settings.insert("steps".into(), steps.into());
        }
        if let Some(samples) = found.samples {
            settings.insert("samples".into(), samples.into());
            settings.insert("seed".into(), self.method.seed.into());
        }
        settings
    }
}
