//! What the model is biased about: suites of sentences that differ in the group they are about.

mod caveats;
mod entry;
mod numbers;
mod shown;
mod stereoset;
mod suite;
mod tables;
mod template;
mod winobias;

pub use numbers::{Found, Own, Tally};
pub use shown::Bias;
pub use suite::{Cut, Item, Kind, Level, Suite};
pub use template::{Compared, Pair, Template, compare};

use super::rows::{Sample, both_named, none_read};
use super::scores::{Convention, Encoder, Sentences, scored, scored_apart};
use crate::error::{Error, Result};
use crate::findings::survey::Survey;
use crate::findings::{Findings, Output, Style, Watch, refuse_parts};
use crate::record::Input;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The options of `bias` with a suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How a sentence is scored; none means the sum of log p, and of StereoSet its own score, which alone it can have.
    pub convention: Option<Convention>,
    /// The field of the sentence that fits a stereotype more; none means CrowS-Pairs' `sent_more`.
    pub more: Option<String>,
    /// The field of the other one, likewise.
    pub less: Option<String>,
    /// The field of the category; none means `bias_type`, `category` or `UID`.
    pub category: Option<String>,
    /// Which rows are taken, and the seed of the permutations.
    pub sample: Sample,
    /// Each pair's scores, in data files and tables.
    pub pairs: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Survey for Options {
    const COMMAND: &'static str = "bias";
    type Items = Suite;
    type Answer<'a> = Found;

    fn style(&self) -> &Style {
        &self.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        Suite::read(files, self)
    }

    fn input(items: &mut Self::Items) -> Option<&mut Input> {
        Some(&mut items.input)
    }

    fn ask<'a>(&'a self, items: &'a Self::Items, session: &Session, watch: Watch) -> Result<Self::Answer<'a>> {
        find(self, items, session, watch)
    }

    fn shown<'a>(
        &'a self,
        items: &'a Self::Items,
        answers: Vec<Self::Answer<'a>>,
        line: &str,
    ) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Bias::new(self, items, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("bias", outputs)?;
        let hint = "name the one that fits a stereotype more, and the other";
        both_named([("more", &self.more), ("less", &self.less)], hint)?;
        self.sample.check_limit()?;
        self.style.check()
    }
}

impl Options {
    fn names(&self) -> Option<[&str; 2]> {
        Some([self.more.as_deref()?, self.less.as_deref()?])
    }

    /// What a suite's two sentences are called: the one that fits a stereotype more, and the other; by their fields where those are named.
    fn sides(&self, kind: Kind) -> [&str; 2] {
        self.names().unwrap_or(kind.sides())
    }

    /// What is said of how sentences are scored.
    fn scoring(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::StereoSet => {
                "stereoset: mean log p of all tokens, the first one after BOS alone, the others without it"
            }
            _ => self.convention.unwrap_or_default().said(),
        }
    }
}

/// What one model says of all items.
///
/// # Errors
/// A model that cannot score; logits that are not finite; with `strict`, an item that it cannot read.
pub fn find(options: &Options, suite: &Suite, session: &Session, watch: Watch) -> Result<Found> {
    let convention = options.convention.unwrap_or_default();
    let encoder = Encoder::new(session, convention).map_err(|error| match suite.kind {
        Kind::StereoSet => Error { option: None, ..error }.hint("StereoSet's score begins with such a token"),
        _ => error,
    })?;
    let mut found = Found { model: session.identity(), ..Found::default() };
    let items = suite.items.iter().map(|item| (&item.texts[..], &*suite.files[item.file], item.line));
    let Sentences { ids, places, bad } = encoder.items(items);
    found.bad = bad;
    options.sample.check(&found.bad)?;
    if places.is_empty() {
        return Err(none_read(&session.name, "pair", &suite.input, &found.bad));
    }
    let sentences: Vec<&[u32]> = ids.iter().map(|ids| &ids[..]).collect();
    let scores: Vec<f64> = match suite.kind {
        Kind::StereoSet => {
            let all = scored_apart(session, &sentences, watch)?;
            all.iter().map(|tokens| Convention::Normalized.score(tokens)).collect()
        }
        _ => scored(session, &sentences, watch)?.iter().map(|scored| convention.score(&scored.tokens)).collect(),
    };
    found.scores = vec![None; suite.items.len()];
    for (place, own) in places.iter().zip(scores.chunks(suite.kind.sentences())) {
        found.scores[*place] = Some(own.to_vec());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"file": "x"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { more: Some("a".into()), ..Options::default() }), Some("less"));
        let sample = Sample { limit: Some(0), ..Sample::default() };
        assert_eq!(refused(Options { sample, ..Options::default() }), Some("limit"));
    }
}
