//! One prediction looked at by several methods at once, in sentences that are made of their numbers and lead to them.

mod both;
mod facts;
mod markdown;
mod next;
mod options;
mod shown;
mod story;

pub use both::{Both, Told, find as find_beside};
pub use options::{Options, Part};

use super::subject::Subject;
use super::{Analysis, Asked, Cost, Findings, Output, Reading, Style, find, refuse_parts};
use crate::error::{Error, Kind, Result};
use crate::export::Entry;
use crate::figure::Figure;
use crate::format::Format;
use crate::model::Spec;
use crate::named::Named;
use crate::trace::Replay;
use facts::Facts;
use next::{Versus, next};
use shown::Explained;

/// Up to so many weights of attention, one pass over the prompt is kept for all analyses.
const MOST_KEPT: usize = 16 << 20;

/// What the sentences are, and how tokens stand in them.
const LINE: &str = "one prediction by several methods; · is a space, (3) a token's place, the first being (0)";

/// The heads whose looks are taken apart.
const LOOKS: [(&str, &str); 2] =
    [("qk", "Why the first of these heads looks where it looks"), ("qk-2", "Why the second looks where it looks")];

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("explain", outputs)?;
        if self.evaluate && !self.wants(Part::Saliency) {
            return Err(Error::usage(
                "evaluate puts methods of attribution to the test, and their section is left out",
            )
            .hint("name saliency among the panels, too")
            .option("panels"));
        }
        self.first().iter().try_for_each(|(_, asked)| asked.analysis().check(&[]))
    }

    /// The activations that all sections look at, where they are kept, and the largest section.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let (n, patterns) = (tokens as u64, spec.layers as u64 * spec.heads as u64 * (tokens as u64).pow(2));
        let kept = if patterns <= MOST_KEPT as u64 {
            4 * (patterns + 5 * spec.layers as u64 * n * spec.d_model as u64)
        } else {
            0
        };
        let sections = self.first();
        let costs = sections.iter().map(|(_, asked)| asked.analysis().cost(spec, tokens, &[]));
        Cost { memory: kept + costs.map(|cost| cost.memory).max().unwrap_or_default(), ..Cost::default() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(self.explain(subject)?))
    }
}

impl Options {
    /// Everything that is wanted of one model.
    fn explain(&self, subject: Subject) -> Result<Explained<'_>> {
        subject.session.has_next_tokens()?;
        let (session, prompt, spec) = (subject.session, &subject.prompt, subject.session.spec());
        let is_small = spec.layers * spec.heads * prompt.ids.len().pow(2) <= MOST_KEPT;
        let replay = is_small.then(|| Replay::new(session.model(), &prompt.ids)).transpose()?;
        let looked = Subject { watch: subject.watch, replay: replay.as_ref(), about: subject.about.clone(), session };
        let panels = self.panels(&looked)?;
        let results: Vec<&Entry> = panels.iter().flat_map(|panel| &panel.results).collect();
        let position = self.target.within(&subject)?.position;
        let facts =
            Facts { results: &results, tokens: &subject.labels(), position, label: &|id| session.tokenizer.label(id) };
        let mut sentences = story::tell(&facts, self);
        // Whoever wants one section reads of what is in it.
        sentences.retain(|sentence| panels.iter().any(|panel| panel.id == sentence.panel));
        Ok(Explained { options: self, about: subject.about, panels, sentences })
    }

    /// All sections, in the order in which they are told.
    fn panels(&self, subject: &Subject) -> Result<Vec<Found>> {
        let ask = |id: &'static str, title: &'static str, asked: &Asked| found(subject, id, title, asked);
        let (here, first, target) = next(self, subject)?;
        let mut panels = vec![first];
        if let Some(text) = &self.versus {
            let versus = Versus::of(self, text, subject)?;
            panels.push(versus.found(self, subject, &here, target)?);
            let own = versus.next.own()?;
            let is_last = self.target.position.is_none();
            if is_last && versus.prompt.ids.len() == subject.prompt.ids.len() {
                let asked = self.apart(text, target, (own != target).then_some(own));
                match ask("apart", "Where the two prompts part", &asked) {
                    Ok(found) => panels.push(found),
                    // Nothing differs in what is measured: there is no difference to be taken apart.
                    Err(error) if error.kind == Kind::Usage => (),
                    Err(error) => return Err(error),
                }
            }
        }
        let position = self.target.within(subject)?.position;
        for (part, asked) in self.first() {
            panels.push(ask(part.name(), part.title(), &asked)?);
            if part != Part::Direct {
                continue;
            }
            let Some(direct) = panels.last().and_then(|panel| panel.results.first()).cloned() else { continue };
            if self.wants(Part::Without)
                && let Some(asked) = self.without(&direct)
            {
                panels.push(ask("without", Part::Without.title(), &asked)?);
            }
            let looks = self.looks(&direct, position);
            for ((id, title), asked) in LOOKS.into_iter().zip(looks).filter(|_| self.wants(Part::Qk)) {
                panels.push(ask(id, title, &asked)?);
            }
        }
        Ok(panels)
    }
}

/// A section, from its question.
fn found(subject: &Subject, id: &'static str, title: &'static str, asked: &Asked) -> Result<Found> {
    let own = Subject::new(subject.session, subject.prompt.clone(), asked)?;
    let own = Subject { watch: subject.watch, replay: subject.replay, ..own };
    let found = find(asked.analysis(), own, &[Output::whole(Format::Html)])?;
    Ok(Found { id, title, figure: found.figure(None), results: found.data(None)?.results })
}

/// What was found of one section.
struct Found {
    id: &'static str,
    title: &'static str,
    figure: Figure,
    results: Vec<Entry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"pannels": []}"#);
    }

    #[test]
    fn what_follows_who_wrote_the_answer_brings_it_and_a_test_needs_its_methods() {
        let of = |panels: &[Part]| Options { panels: panels.to_vec(), ..Options::default() };
        let parts = |panels| of(panels).first().into_iter().map(|(part, _)| part).collect::<Vec<_>>();
        assert_eq!(parts(&[Part::Qk]), [Part::Direct]);
        assert_eq!(parts(&[Part::Attention, Part::Lens]), [Part::Lens, Part::Attention]);
        assert_eq!(parts(&[]), parts(&[Part::All]));
        let refused = Options { evaluate: true, ..of(&[Part::Lens]) }.check(&[]).unwrap_err();
        assert_eq!(refused.option, Some("panels"));
    }
}
