//! Minimal pairs: which of two sentences the model finds more probable.

mod explained;
mod numbers;
mod shown;
mod suite;
mod told;

pub use explained::{Explained, Writer};
pub use numbers::{Found, Level, Tally};
pub use shown::Pairs;
pub use suite::{Pair, Paradigm, Suite};

use super::rows::{Sample, both_named, none_read};
use super::scores::{Convention, Encoder, Sentences, scored};
use crate::error::Result;
use crate::findings::survey::{Survey, one};
use crate::findings::{Findings, Output, Style, Watch, refuse_parts, within};
use crate::record::Input;
use crate::session::Session;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The most pairs that are explained.
const MOST_EXPLAINED: usize = 20;

/// The options of `probe pairs`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How a sentence is scored.
    pub convention: Convention,
    /// The field of the good sentence; none means BLiMP's `sentence_good`, or `good`.
    pub good: Option<String>,
    /// The field of the bad sentence, likewise.
    pub bad: Option<String>,
    /// Which rows are taken.
    pub sample: Sample,
    /// Each pair's two numbers, in data files and tables.
    pub pairs: bool,
    /// How many of the pairs that it gets most wrong are explained.
    pub explain: usize,
    /// How the figure looks.
    pub style: Style,
}

impl Survey for Options {
    const COMMAND: &'static str = "pairs";
    type Items = Suite;
    type Answer<'a> = Found;

    fn style(&self) -> &Style {
        &self.style
    }

    fn read(&self, files: &[PathBuf]) -> Result<Self::Items> {
        Suite::read(one(files)?, self)
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
        Ok(Box::new(Pairs::new(self, items, answers, line)?))
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("probe pairs", outputs)?;
        both_named([("good", &self.good), ("bad", &self.bad)], "name the good one and the bad one")?;
        self.sample.check_limit()?;
        within("explain", self.explain, 0, MOST_EXPLAINED)?;
        self.style.check()
    }
}

impl Options {
    fn names(&self) -> Option<[&str; 2]> {
        Some([self.good.as_deref()?, self.bad.as_deref()?])
    }
}

/// What one model says of all pairs.
///
/// # Errors
/// A model that cannot score; logits that are not finite; with `strict`, a pair that it cannot read.
pub fn find(options: &Options, suite: &Suite, session: &Session, watch: Watch) -> Result<Found> {
    let encoder = Encoder::new(session, options.convention)?;
    let mut found = Found { model: session.identity(), ..Found::default() };
    let items = suite.pairs.iter().map(|pair| (&pair.texts[..], &*suite.files[pair.file], pair.line));
    let Sentences { ids, places, bad } = encoder.items(items);
    found.bad = bad;
    options.sample.check(&found.bad)?;
    if places.is_empty() {
        return Err(none_read(&session.name, "pair", &suite.input, &found.bad));
    }
    let sentences: Vec<&[u32]> = ids.iter().map(|ids| &ids[..]).collect();
    let scores = scored(session, &sentences, watch)?;
    found.scores = vec![None; suite.pairs.len()];
    for (place, both) in places.iter().zip(scores.chunks(2)) {
        let score = |at: usize| options.convention.score(&both[at].tokens);
        found.scores[*place] = Some([score(0), score(1)]);
    }
    for place in found.worst().into_iter().take(options.explain) {
        let at = 2 * places.partition_point(|known| *known < place);
        found.explained.push(explained::explain(
            session,
            place,
            [&ids[at], &ids[at + 1]],
            [&scores[at], &scores[at + 1]],
        )?);
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
        assert_eq!(refused(Options { good: Some("a".into()), ..Options::default() }), Some("bad"));
        assert_eq!(refused(Options { explain: 21, ..Options::default() }), Some("explain"));
        let sample = Sample { limit: Some(0), ..Sample::default() };
        assert_eq!(refused(Options { sample, ..Options::default() }), Some("limit"));
    }
}
