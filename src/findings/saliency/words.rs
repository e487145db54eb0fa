//! How methods were run, in the words of figures and files.

use super::options::Options;
use crate::analysis::Of;
use crate::analysis::attribution::{Attribution, Method, Score};
use crate::figure::Scale;
use crate::findings::Advice;
use crate::findings::subject::percent;
use crate::named::Named;
use crate::text;
use serde_json::{Map, Value};

impl Options {
    /// The number that is explained, in words.
    pub(in crate::findings) fn explained(&self) -> &'static str {
        match self.of {
            Of::Logit => "logit",
            Of::LogProb => "log-probability",
            Of::Probability => "probability",
        }
    }

    /// What a method's scores measure.
    pub(super) fn unit(&self, method: Method) -> String {
        match (self.score, method) {
            (Score::Share, _) => "share of all contributions".into(),
            (_, Method::Gradient) => format!("size of the {}'s gradient", self.explained()),
            (_, Method::AttentionXGradient) => "relevance".into(),
            (Score::Norm, _) => format!("size of the contributions to the {}", self.explained()),
            (Score::Signed, _) => format!("contribution to the {}", self.explained()),
        }
    }

    /// From scores to colours; 0 keeps the page's colour.
    pub(in crate::findings) fn scale(&self, scores: &[f32], unit: &str) -> Scale {
        let scale = Scale::of_scores(unit, scores.iter().copied());
        let colormap = self.style.colormap.unwrap_or(scale.colormap);
        let mut scale = Scale { kind: self.style.scale, colormap, ..scale };
        if !colormap.is_diverging() {
            scale.min = scores.iter().copied().filter(|score| score.is_finite()).fold(0.0, f32::min);
        }
        scale
    }

    /// How a method was run.
    pub(in crate::findings) fn settings(&self, found: &Attribution) -> Map<String, Value> {
        let mut settings = Map::from_iter([
            ("of".into(), self.of.name().into()),
            ("score".into(), self.score.name().into()),
            ("bos".into(), self.reading.bos.into()),
        ]);
        if found.method.has_baseline() {
            settings.insert("baseline".into(), self.baseline.name().into());
        }
        if let Some(steps) = found.steps {
            settings.insert("steps".into(), steps.into());
        }
        if let Some(samples) = found.samples {
            settings.insert("samples".into(), samples.into());
            settings.insert("seed".into(), self.seed.into());
        }
        settings
    }
}

/// What is said after a method's name.
pub(super) fn note(found: &Attribution) -> String {
    let steps = found.steps.map(|steps| text::count(steps, "node"));
    let samples = found.samples.map(|samples| text::count(samples, "sample"));
    let gap = found.gap.map(|gap| format!("gap {}", percent(gap.share())));
    [steps, samples, gap].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What is wrong with scores that do not add up.
pub(in crate::findings) fn warning(found: &Attribution) -> Option<String> {
    let gap = found.gap.filter(|gap| gap.is_large())?;
    Some(format!("{}: the scores add up to {:.3}, not to {:.3}", found.method.name(), gap.gap + gap.change, gap.change))
}

/// What may be done about it.
pub(in crate::findings) fn advice(found: &Attribution) -> Option<Advice> {
    found.gap.filter(|gap| gap.is_large())?;
    Some(match found.method {
        Method::IntegratedGradients => Advice::new("steps", "auto", "may close the gap of integrated-gradients"),
        other => Advice::new("samples", "", format!("with a larger number may close the gap of {}", other.name())),
    })
}
