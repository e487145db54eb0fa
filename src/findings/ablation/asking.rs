//! What is asked of a prompt without some of its parts, and what the model says of it with all of them.

use super::super::subject::in_a_line;
use super::super::target::answer_and_foil;
use super::super::{Subject, Target, Words, patching};
use super::{Options, Reference};
use crate::analysis::ablation::{Ablation, Cut, Part, Said, Values, With};
use crate::analysis::next::next_tokens;
use crate::analysis::patching::Metric;
use crate::error::{Error, Result};
use crate::named::Named;
use crate::text::count;
use serde_json::{Map, Value, json};

/// A prompt, the answer to it, and the run as it is.
pub(super) struct Asking<'a> {
    pub options: &'a Options,
    pub subject: Subject<'a>,
    pub run: Ablation<'a>,
    /// What is taken out at once; none where each part is.
    pub cuts: Vec<Cut>,
    /// The position that predicts.
    pub position: usize,
    pub answer: u32,
    pub foil: Option<u32>,
    /// The logits there, as they are.
    pub logits: Vec<f64>,
    /// What the model says of the answer.
    pub said: Said,
    /// Over how many positions means are taken.
    positions: usize,
}

/// The position whose next token is meant.
pub(super) fn position(options: &Options, subject: &Subject) -> Result<usize> {
    Ok(Target { position: options.position, ..Target::default() }.within(subject)?.position)
}

impl<'a> Asking<'a> {
    pub fn new(
        options: &'a Options,
        subject: Subject<'a>,
        reference: impl FnOnce(&Subject<'a>) -> Result<Reference>,
    ) -> Result<Self> {
        let session = subject.session;
        session.has_next_tokens()?;
        let ids = &subject.prompt.ids;
        // All that can be wrong is found before the model runs.
        let position = position(options, &subject)?;
        let [answer, foil] = answer_and_foil(session, [&options.answer, &options.foil])?;
        let cuts = options.parts.cuts(session.spec(), ids.len())?;
        let other = match &options.other {
            Some(text) => {
                let other = options.reading.read(Words::Text(text.clone()), &session.tokenizer, session.spec())?;
                patching::as_long(["prompt", "other one"], &subject.prompt, &other)?;
                other.ids
            }
            None => Vec::new(),
        };
        let mut positions = ids.len();
        let values = match (options.with, reference(&subject)?) {
            (With::Zero, _) => Values::Zero,
            (With::Other, _) => Values::Other(other),
            (With::Mean, None) => Values::OwnMean,
            (With::Mean, Some((means, count))) => {
                positions = count;
                Values::Mean(means)
            }
        };
        let run = Ablation::new(session.model(), ids, values)?;
        let row = session.next_logits(&[&run.plain().narrow(0, 0, position + 1)?])?.get(0)?;
        let own = next_tokens(&row, 1)?.first().map(|next| next.id);
        let answer = answer.or(own).ok_or_else(|| Error::failed("the model's vocabulary is empty"))?;
        if foil == Some(answer) {
            return Err(Error::usage("the foil is what the model itself would say")
                .hint("name an answer, too")
                .option("answer"));
        }
        let logits = run.logits(run.plain(), position)?;
        let said = Said::of(&logits, answer, foil)?;
        Ok(Self { options, subject, run, cuts, position, answer, foil, logits, said, positions })
    }

    /// What a cut is called in a sentence.
    pub fn name(&self, cut: &Cut) -> String {
        let part = match cut.part {
            Part::Head(layer, head) => format!("head {layer}.{head}"),
            Part::Mlp(layer) => format!("MLP {layer}"),
            Part::All => "all heads and MLPs".into(),
        };
        match cut.position {
            Some(at) => format!("{part} at {} ({at})", in_a_line(&self.subject.prompt.tokens[at].label)),
            None => part,
        }
    }

    /// What becomes of the parts.
    pub fn replaced(&self) -> String {
        match (&self.options.with, &self.options.reference, &self.options.other) {
            (With::Mean, Some(file), _) => {
                format!("set to the mean over {} of {}", count(self.positions, "position"), file.name)
            }
            (With::Mean, None, _) => format!("set to the mean over the prompt's {}", count(self.positions, "position")),
            (With::Other, _, Some(text)) => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("as in {}", in_a_line(&text))
            }
            _ => "set to zero".into(),
        }
    }

    /// What is asked, in words.
    pub fn question(&self) -> String {
        let (answer, place) = (self.subject.name(self.answer), self.subject.after(self.position));
        match self.foil {
            Some(foil) => format!("{answer} rather than {}{place}", self.subject.name(foil)),
            None => format!("{answer}{place}"),
        }
    }

    /// What files say of how it was done.
    pub fn settings(&self) -> Map<String, Value> {
        let text = |id: u32| self.subject.session.tokenizer.label(id);
        Map::from_iter([
            ("with".into(), self.options.with.name().into()),
            ("reference".into(), json!(self.options.reference.as_ref().map(super::TextsFile::input))),
            ("mean_positions".into(), json!((self.options.with == With::Mean).then_some(self.positions))),
            ("other".into(), json!(self.options.other)),
            ("answer".into(), self.answer.into()),
            ("answer_token".into(), text(self.answer).into()),
            ("foil".into(), json!(self.foil)),
            ("foil_token".into(), json!(self.foil.map(text))),
            ("position".into(), self.position.into()),
            ("bos".into(), self.options.reading.bos.into()),
        ])
    }
}

/// What is measured of the answer, and how far it moved; of KL, which has no number before, only that.
pub(super) fn moved(metric: Metric, before: &Said, after: &Said, kl: f64) -> f64 {
    match metric {
        Metric::LogitDifference => after.difference().unwrap_or(f64::NAN) - before.difference().unwrap_or(f64::NAN),
        Metric::LogProb => after.log_p - before.log_p,
        Metric::Kl => kl,
    }
}

/// What files say of an answer.
pub(super) fn fields(said: &Said) -> Value {
    json!({
        "logit": said.logit, "foil_logit": said.foil, "logit_difference": said.difference(),
        "logprob": said.log_p, "rank": said.rank,
    })
}

/// A number with its sign.
pub(super) fn signed(x: f64) -> String {
    format!("{x:+.3}").replace('-', "−")
}
