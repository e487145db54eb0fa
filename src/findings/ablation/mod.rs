//! What becomes of the answer without some of the parts, as figures, data and tables: ablation of heads, MLPs and positions.

mod asking;
mod each;
mod listed;
mod parts;

pub use parts::Parts;

use super::subject::Subject;
use super::{Advice, Analysis, Cost, Findings, Output, Reading, Style, TextsFile, Token, refuse_parts};
use crate::analysis::ablation::{Means, Totals, With};
use crate::analysis::patching::Metric;
use crate::error::{Error, Result};
use crate::model::Spec;
use crate::session::Session;
use asking::Asking;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The options of `patch --ablate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt, the other one and the reference's texts are read.
    pub reading: Reading,
    /// What is taken out: every head and every MLP one at a time, unless parts are listed.
    pub parts: Parts,
    /// What takes its place: zero, unless something else is named.
    pub with: With,
    /// Texts over whose positions means are taken; none takes those of the prompt.
    pub reference: Option<TextsFile>,
    /// The prompt whose values take the place, of as many tokens.
    pub other: Option<String>,
    /// The next token that is looked at; none means what the model itself would say.
    pub answer: Option<Token>,
    /// What it is compared with; none looks at the answer alone.
    pub foil: Option<Token>,
    /// The position whose next token is meant; negative ones count from the end, none means the last.
    pub position: Option<i64>,
    /// By what parts are ranked; none means the logit difference with a foil, else the log-probability.
    pub metric: Option<Metric>,
    /// How the figure looks.
    pub style: Style,
}

/// The means of a reference, and over how many positions they are.
type Reference = Option<(Arc<Means>, usize)>;

impl Options {
    /// What parts are ranked by.
    fn metric(&self) -> Metric {
        let own = if self.foil.is_some() { Metric::LogitDifference } else { Metric::LogProb };
        self.metric.unwrap_or(own)
    }

    /// The means of the reference, where there is one.
    fn reference(&self, session: &Session, watch: super::Watch) -> Result<Reference> {
        let Some(file) = &self.reference else { return Ok(None) };
        let texts = file.ids(&self.reading, &session.tokenizer, session.spec())?;
        let texts: Vec<&[u32]> = texts.iter().map(|ids| &ids[..]).collect();
        let totals = Totals::of(session.model(), &texts, watch)?;
        Ok(Some((Arc::new(totals.means(session.model())?), totals.positions())))
    }

    /// That an answer or a foil was typed without the space that makes it likely.
    ///
    /// # Errors
    /// A position that there is not; a model whose logits are not finite.
    pub(super) fn doubts(&self, subject: &Subject) -> Result<Vec<Advice>> {
        let tokens = [("answer", &self.answer), ("foil", &self.foil)];
        super::target::spaceless(subject.session, &subject.prompt.ids, || asking::position(self, subject), &tokens)
    }

    fn found<'a>(
        &'a self,
        subject: Subject<'a>,
        reference: impl FnOnce(&Subject<'a>) -> Result<Reference>,
    ) -> Result<Box<dyn Findings + 'a>> {
        let asking = Asking::new(self, subject, reference)?;
        Ok(match self.parts {
            Parts::Each => Box::new(each::Each::find(asking)?),
            Parts::Listed(_) => Box::new(listed::Listed::find(asking)?),
        })
    }
}

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("patch", outputs)?;
        let refused = |what: &str, hint: &str, option| Err(Error::usage(what).hint(hint).option(option));
        let none = self.other.as_deref().is_none_or(str::is_empty);
        if self.with == With::Other && none {
            return refused("there is no other prompt", "give one of as many tokens", "other");
        }
        if self.with != With::Other && self.other.is_some() {
            return refused("another prompt is for its values", "take the other's values, or leave it out", "other");
        }
        if self.with != With::Mean && self.reference.is_some() {
            return refused("a reference is for means", "take the mean, or leave it out", "reference");
        }
        if self.metric.is_some() && self.parts != Parts::Each {
            return refused("a metric ranks parts, and these go together", "leave it out, or ablate each", "metric");
        }
        if self.metric == Some(Metric::LogitDifference) && self.foil.is_none() {
            return refused("a logit difference needs a foil", "name one", "foil");
        }
        self.style.check()
    }

    fn fits(&self, spec: &Spec) -> Result<()> {
        self.parts.fits(spec)
    }

    /// What enters each layer, the values of another run, the runs that go together, and their logits in double precision.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let (n, d, layers) = (tokens as u64, spec.d_model as u64, spec.layers as u64);
        let kept = 4 * layers * 3 * n * d;
        let rows = n.max(512);
        let working = 4 * rows * (12 * d + 2 * spec.d_mlp as u64) + 4 * spec.heads as u64 * n * n;
        Cost { memory: kept + working + (4 + 8) * 64 * spec.vocab as u64, ..Cost::default() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        self.found(subject, |subject| self.reference(subject.session, subject.watch))
    }

    /// The reference is read once for all.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, _: &[Output]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        let known = subjects.first().map(|subject| self.reference(subject.session, subject.watch));
        let one = |subject: Subject<'a>| self.found(subject, |_| known.clone().unwrap_or(Ok(None)));
        subjects.into_par_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"ablate": "each"}"#);
        let options: Options = serde_json::from_str(r#"{"parts": "4.3,mlp1", "with": "mean"}"#).unwrap();
        assert_eq!((options.parts.to_string().as_str(), options.with), ("4.3,mlp1", With::Mean));
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        let other = Some("a".to_owned());
        assert_eq!(refused(Options { with: With::Other, ..Options::default() }), Some("other"));
        assert_eq!(refused(Options { other: other.clone(), ..Options::default() }), Some("other"));
        assert_eq!(refused(Options { with: With::Mean, other, ..Options::default() }), Some("other"));
        let metric = Some(Metric::LogitDifference);
        assert_eq!(refused(Options { metric, ..Options::default() }), Some("foil"));
        assert!(Options::default().check(&[]).is_ok());
    }
}
