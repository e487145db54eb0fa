//! One prediction looked at by several methods at once, in sentences that are made of their numbers and lead to them.

mod facts;
mod story;

use super::found::{Section, Sentence};
use super::subject::{About, Subject};
use super::{
    Analysis, Asked, Findings, Output, Reading, Style, Target, Token, ablation, attention, find, heads, lens,
    refuse_parts, saliency, surprisal,
};
use crate::analysis::attribution::{Method, Steps};
use crate::error::Result;
use crate::export::table::text;
use crate::export::{Data, Entry, Table};
use crate::figure::{Figure, Panel};
use crate::format::Format;
use crate::prompt::Prompt;
use crate::trace::Replay;
use facts::Facts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// The methods whose words are compared: two that follow gradients, and one that takes tokens away.
const METHODS: [Method; 3] = [Method::InputXGradient, Method::IntegratedGradients, Method::Occlusion];

/// Nodes of integrated gradients: with so many their sum is within 1 % of what it should be, or the figure says that it is not.
const STEPS: usize = 16;

/// Up to so many weights of attention, one pass over the prompt is kept for all analyses.
const MOST_KEPT: usize = 16 << 20;

/// The options of `explain`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// Which prediction is explained.
    pub target: Target,
    /// Removes tokens in the order of their scores, and sees how far the methods can be trusted; off unless asked for.
    pub evaluate: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    /// What is asked, each with what it is called.
    fn parts(&self) -> Vec<(&'static str, &'static str, Asked)> {
        let (reading, target, style) = (self.reading, &self.target, &self.style);
        let style = || Style { title: None, ..style.clone() };
        let lens = |direct| lens::Options {
            reading,
            target: target.clone(),
            direct,
            style: style(),
            ..lens::Options::default()
        };
        let saliency = saliency::Options {
            reading,
            target: target.clone(),
            method: METHODS.to_vec(),
            steps: Steps::Fixed(STEPS),
            evaluate: self.evaluate,
            style: style(),
            ..saliency::Options::default()
        };
        let view = attention::View { style: style(), no_received: true, ..attention::View::default() };
        vec![
            ("saliency", "Which tokens mattered", Asked::Saliency(saliency)),
            ("lens", "What each layer would have said", Asked::Lens(lens(false))),
            ("direct", "Who wrote the answer", Asked::Lens(lens(true))),
            (
                "heads",
                "What each head does",
                Asked::Heads(heads::Options { reading, style: style(), ..heads::Options::default() }),
            ),
            (
                "surprisal",
                "How surprising the prompt was",
                Asked::Surprisal(surprisal::Options { reading, style: style(), ..surprisal::Options::default() }),
            ),
            (
                "attention",
                "What each head attends to",
                Asked::Attention(attention::Options { reading, view, ..attention::Options::default() }),
            ),
        ]
    }

    /// The heads that wrote most towards the answer taken out, by direct logit attribution.
    fn without(&self, direct: &Entry) -> Option<Asked> {
        let heads = story::best_heads(direct);
        let target = facts::number(direct, "target")? as u32;
        let parts = heads.into_iter().map(|[layer, head]| format!("{layer}.{head}")).collect::<Vec<_>>();
        let foil = facts::number(direct, "foil").map(|foil| Token::Id(foil as u32));
        Some(Asked::Ablate(ablation::Options {
            reading: self.reading,
            parts: parts.join(",").parse().ok()?,
            answer: Some(Token::Id(target)),
            foil,
            position: self.target.position,
            style: Style { title: None, ..self.style.clone() },
            ..ablation::Options::default()
        }))
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
        refuse_parts("explain", outputs)?;
        self.parts().iter().try_for_each(|(_, _, asked)| asked.analysis().check(&[]))
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        subject.session.has_next_tokens()?;
        let position = self.target.within(&subject)?.position;
        let (session, watch, prompt): (_, _, &Prompt) = (subject.session, subject.watch, &subject.prompt);
        let spec = session.spec();
        let is_small = spec.layers * spec.heads * prompt.ids.len().pow(2) <= MOST_KEPT;
        let replay = is_small.then(|| Replay::new(session.model(), &prompt.ids)).transpose()?;
        let whole = [Output::whole(Format::Html)];
        let ask = |(id, title, asked): (&'static str, &'static str, Asked)| {
            let subject = Subject { watch, replay: replay.as_ref(), ..Subject::new(session, prompt.clone(), &asked)? };
            let found = find(asked.analysis(), subject, &whole)?;
            Result::Ok(Found { id, title, figure: found.figure(None), results: found.data(None)?.results })
        };
        let mut panels = self.parts().into_iter().map(ask).collect::<Result<Vec<_>>>()?;
        let direct = panels.iter().flat_map(|panel| &panel.results).find_map(|entry| self.without(entry));
        if let Some(asked) = direct {
            let at = panels.iter().position(|panel| panel.id == "heads").unwrap_or(panels.len());
            panels.insert(at, ask(("without", "What becomes of it without the heads that wrote it", asked))?);
        }
        let results: Vec<&Entry> = panels.iter().flat_map(|panel| &panel.results).collect();
        let facts =
            Facts { results: &results, tokens: &subject.labels(), position, label: &|id| session.tokenizer.label(id) };
        let sentences = story::tell(&facts, self);
        Ok(Box::new(Explained { options: self, about: subject.about, panels, sentences }))
    }
}

/// What one of the methods found.
struct Found {
    id: &'static str,
    title: &'static str,
    figure: Figure,
    results: Vec<Entry>,
}

/// What all of them found.
struct Explained<'a> {
    options: &'a Options,
    about: About,
    panels: Vec<Found>,
    sentences: Vec<Sentence>,
}

impl Findings for Explained<'_> {
    fn about(&self) -> &About {
        &self.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let lines = std::iter::once(self.about.line("one prediction by several methods"));
        let lines = lines.chain(self.sentences.iter().map(|sentence| sentence.text.clone())).collect();
        let panels: Vec<Panel> = self.panels.iter().flat_map(|found| found.figure.panels.clone()).collect();
        self.options.style.figure(&self.about, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let sentence = |sentence: &Sentence| json!({ "text": sentence.text, "panel": sentence.panel });
        let own = Entry {
            method: "explain".into(),
            settings: Map::from_iter([("bos".into(), self.about.prompt.bos.into())]),
            fields: Map::from_iter([("sentences".into(), self.sentences.iter().map(sentence).collect())]),
            arrays: Vec::new(),
        };
        let results = self.panels.iter().flat_map(|found| found.results.iter().cloned());
        Ok(self.about.data(std::iter::once(own).chain(results).collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let row = |sentence: &Sentence| vec![sentence.panel.into(), sentence.text.clone().into()];
        Ok(Table { columns: vec![text("panel"), text("sentence")], rows: self.sentences.iter().map(row).collect() })
    }

    fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    fn sections(&self) -> Vec<Section<'_>> {
        let all = self.panels.iter();
        all.map(|found| Section { id: found.id, title: found.title, figure: &found.figure }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"panels": []}"#);
    }
}
