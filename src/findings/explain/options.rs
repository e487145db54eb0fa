//! What can be asked of an explanation, and the questions that it is made of.

use super::facts;
use super::story;
use crate::analysis::attribution::{Method, Steps};
use crate::analysis::mixing;
use crate::analysis::patching::Metric;
use crate::export::Entry;
use crate::findings::{
    Asked, Picks, Reading, Style, Target, Token, ablation, attention, heads, lens, mix, patching, qk, saliency,
    surprisal,
};
use crate::named::Named;
use serde::{Deserialize, Serialize};

/// The methods whose words are compared, unless all are: two that follow gradients, and one that takes tokens away.
const METHODS: [Method; 3] = [Method::InputXGradient, Method::IntegratedGradients, Method::Occlusion];
/// Nodes of integrated gradients: with so many their sum is within 1 % of what it should be, or the figure says that it is not.
const STEPS: usize = 16;

/// A section of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Which tokens mattered.
    Saliency,
    /// How much of each token reaches the prediction.
    Mixing,
    /// What each layer would have said.
    Lens,
    /// Who wrote the answer.
    Direct,
    /// What becomes of it without the heads that wrote it.
    Without,
    /// What each head does.
    Heads,
    /// Why these heads look where they look.
    Qk,
    /// How surprising the prompt was.
    Surprisal,
    /// What each head attends to.
    Attention,
    /// Every section, by every method.
    All,
}

impl Named for Part {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Saliency, "saliency", "Which tokens mattered"),
        (Self::Mixing, "mixing", "How much of each token reaches the prediction"),
        (Self::Lens, "lens", "What each layer would have said"),
        (Self::Direct, "direct", "Who wrote the answer"),
        (Self::Without, "without", "What becomes of it without the heads that wrote it"),
        (Self::Heads, "heads", "What each head does"),
        (Self::Qk, "qk", "Why these heads look where they look"),
        (Self::Surprisal, "surprisal", "How surprising the prompt was"),
        (Self::Attention, "attention", "What each head attends to"),
        (Self::All, "all", "All of them, by every method of attribution and mixing"),
    ];
}

impl Part {
    /// Its heading.
    pub(super) fn title(self) -> &'static str {
        Self::ALL[self as usize].2
    }
}

/// The options of `explain`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// Which prediction is explained.
    pub target: Target,
    /// Another prompt, and what becomes of the answer there; none compares with none.
    pub versus: Option<String>,
    /// The sections, in this order of telling whatever order they are named in; none named are all of them, by a few methods each.
    pub panels: Vec<Part>,
    /// Removes tokens in the order of their scores, and sees how far the methods can be trusted; off unless asked for.
    pub evaluate: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    /// Whether a section is wanted.
    pub(super) fn wants(&self, part: Part) -> bool {
        self.panels.is_empty() || self.is_thorough() || self.panels.contains(&part)
    }

    fn is_thorough(&self) -> bool {
        self.panels.contains(&Part::All)
    }

    /// The figure's look within a section: what a section shows is said above it.
    pub(super) fn style_within(&self) -> Style {
        Style { title: None, ..self.style.clone() }
    }

    /// What is asked before anything is known, by section.
    pub(super) fn first(&self) -> Vec<(Part, Asked)> {
        let (reading, target, style) = (self.reading, &self.target, || self.style_within());
        let lens = |direct| {
            let target = target.clone();
            // The lens shows all positions.
            let target = if direct { target } else { Target { position: None, ..target } };
            Asked::Lens(lens::Options { reading, target, direct, style: style(), ..lens::Options::default() })
        };
        let all = self.is_thorough();
        let saliency = saliency::Options {
            reading,
            target: target.clone(),
            method: if all { Method::all().collect() } else { METHODS.to_vec() },
            steps: Steps::Fixed(STEPS),
            evaluate: self.evaluate,
            style: style(),
            ..saliency::Options::default()
        };
        let mix = mix::Options {
            reading,
            target: target.clone(),
            method: if all { mixing::Method::all().collect() } else { vec![mixing::Method::Rollout] },
            style: style(),
            ..mix::Options::default()
        };
        let view = attention::View { style: style(), no_received: true, ..attention::View::default() };
        let heads = heads::Options { reading, style: style(), ..heads::Options::default() };
        let surprisal = surprisal::Options { reading, style: style(), ..surprisal::Options::default() };
        let attention = attention::Options { reading, view, ..attention::Options::default() };
        let asked = [
            (Part::Saliency, Asked::Saliency(saliency)),
            (Part::Mixing, Asked::Mix(mix)),
            (Part::Lens, lens(false)),
            (Part::Direct, lens(true)),
            (Part::Heads, Asked::Heads(heads)),
            (Part::Surprisal, Asked::Surprisal(surprisal)),
            (Part::Attention, Asked::Attention(attention)),
        ];
        let follows = [Part::Without, Part::Qk].iter().any(|part| self.wants(*part));
        asked.into_iter().filter(|(part, _)| self.wants(*part) || *part == Part::Direct && follows).collect()
    }

    /// The heads that wrote most towards the answer taken out, by direct logit attribution.
    pub(super) fn without(&self, direct: &Entry) -> Option<Asked> {
        let heads = story::best_heads(direct);
        let parts = heads.into_iter().map(|[layer, head]| format!("{layer}.{head}")).collect::<Vec<_>>();
        let foil = facts::number(direct, "foil").map(|foil| Token::Id(foil as u32));
        Some(Asked::Ablate(ablation::Options {
            reading: self.reading,
            parts: parts.join(",").parse().ok()?,
            answer: Some(Token::Id(facts::number(direct, "target")? as u32)),
            foil,
            position: self.target.position,
            style: self.style_within(),
            ..ablation::Options::default()
        }))
    }

    /// The looks of the heads that wrote most, each taken apart at the token that it attends to most.
    pub(super) fn looks(&self, direct: &Entry, position: usize) -> Vec<Asked> {
        let look = |[layer, head]: [usize; 2]| {
            let head: Picks = format!("{layer}.{head}").parse().ok()?;
            let (head, query) = (Some(head), position as i64);
            let style = self.style_within();
            Some(Asked::Qk(qk::Options { reading: self.reading, head, query, key: None, style }))
        };
        story::best_heads(direct).into_iter().filter_map(look).collect()
    }

    /// What the difference to the other prompt is made of, by position: of the two answers' logits, or of the one answer's probability.
    pub(super) fn apart(&self, corrupt: &str, answer: u32, foil: Option<u32>) -> Asked {
        let metric = if foil.is_some() { Metric::LogitDifference } else { Metric::LogProb };
        Asked::Patch(patching::Options {
            reading: self.reading,
            corrupt: corrupt.to_owned(),
            answer: Some(Token::Id(answer)),
            foil: foil.map(Token::Id),
            metric,
            style: self.style_within(),
            ..patching::Options::default()
        })
    }
}
