//! Parts taken out together: what becomes of the answer, of the next token, and of surprisal everywhere.

use super::super::subject::percent;
use super::super::{About, Findings};
use super::asking::{Asking, fields, signed};
use super::parts;
use crate::analysis::ablation::{Said, kl};
use crate::analysis::shifts::{Shift, Shifts, shifts};
use crate::analysis::{Prediction, next_tokens};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::ablation::{self as figure, Next};
use crate::figure::surprisal::READ;
use crate::figure::{Figure, Panel};
use candle_core::Tensor;
use serde_json::{Map, Value, json};

/// Next tokens that the figure names, and that files do.
const SHOWN: usize = 6;
const TOLD: usize = 50;

/// What was found.
pub(super) struct Listed<'a> {
    asking: Asking<'a>,
    /// What the model says of the answer then.
    said: Said,
    /// KL(before ‖ after), in nats.
    kl: f64,
    shifts: Shifts,
    /// The most probable next tokens before and after.
    next: [Vec<Prediction>; 2],
    /// In bits, before and after, `[token]`; NaN of the first.
    surprisal: [Vec<f64>; 2],
}

impl<'a> Listed<'a> {
    pub fn find(asking: Asking<'a>) -> Result<Self> {
        (asking.subject.watch)(0, 3);
        let without = asking.run.without(&asking.cuts)?;
        (asking.subject.watch)(1, 0);
        let surprisal = |resid: &Tensor| -> Result<Vec<f64>> {
            let mut bits = asking.run.surprisal(resid)?;
            // What the tokenizer put around the text is no part of it.
            let prompt = &asking.subject.prompt;
            let text = prompt.front..prompt.ids.len() - prompt.behind;
            bits.iter_mut().enumerate().filter(|(at, _)| !text.contains(at)).for_each(|(_, bits)| *bits = f64::NAN);
            (asking.subject.watch)(1, 0);
            Ok(bits)
        };
        let surprisal = [surprisal(asking.run.plain())?, surprisal(&without)?];
        let logits = asking.run.logits(&without, asking.position)?;
        let said = Said::of(&logits, asking.answer, asking.foil)?;
        let kl = kl(&asking.logits, &logits)?;
        let both = [&asking.logits, &logits];
        let floats = both.map(|logits| logits.iter().map(|x| *x as f32).collect::<Vec<_>>());
        let shifts = shifts([&floats[0], &floats[1]], TOLD)?;
        let top = |logits: &[f64]| next_tokens(&Tensor::new(logits, without.device())?, TOLD);
        let next = [top(both[0])?, top(both[1])?];
        Ok(Self { said, kl, shifts, next, surprisal, asking })
    }

    fn lines(&self) -> Vec<String> {
        let asking = &self.asking;
        let (names, before, after) = (asking.cuts.iter().map(|cut| asking.name(cut)), &asking.said, &self.said);
        let what = format!("{} {}", names.collect::<Vec<_>>().join(", "), asking.replaced());
        let change = |what: &str, before: f64, after: f64| {
            format!("{what} {} → {} ({})", signed(before), signed(after), signed(after - before))
        };
        let measured = match (before.difference(), after.difference()) {
            (Some(before), Some(after)) => change("logit difference", before, after),
            _ => change("logit", before.logit, after.logit),
        };
        let mean = |values: &[f64]| {
            let known: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        let course = mean(&self.surprisal[0])
            .zip(mean(&self.surprisal[1]))
            .map(|(before, after)| format!("; surprisal {before:.2} → {after:.2} bits a token"));
        vec![
            asking.subject.line(&what),
            format!(
                "{}: {measured}; {}; rank {} → {}",
                asking.question(),
                change("log-probability", before.log_p, after.log_p),
                before.rank,
                after.rank
            ),
            format!(
                "next token{}: KL(before ‖ after) {:.4} nats{}",
                asking.subject.after(asking.position),
                self.kl,
                course.unwrap_or_default()
            ),
        ]
    }

    fn label(&self, id: u32) -> String {
        self.asking.subject.label(id)
    }

    /// The tokens that shift most, those that gain first.
    fn bars(&self) -> Option<Panel> {
        let [gain, lose] = self.shifts.tokens.each_ref().map(|own| &own[..own.len().min(SHOWN)]);
        let all: Vec<&Shift> = gain.iter().chain(lose.iter().rev()).collect();
        let labels = all.iter().map(|shift| self.label(shift.id)).collect();
        let values = all.iter().map(|shift| shift.change() as f32).collect();
        (!all.is_empty()).then(|| figure::shifts(labels, values))
    }
}

impl Findings for Listed<'_> {
    fn about(&self) -> &About {
        &self.asking.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let subject = &self.asking.subject;
        let next = |which: usize| -> Vec<Next> {
            let one = |next: &Prediction| Next { label: self.label(next.id), p: percent(next.probability) };
            self.next[which].iter().take(SHOWN).map(one).collect()
        };
        let mut labels = subject.labels();
        let mut lines = self.lines();
        if labels.len() > READ {
            lines.push(format!("surprisal is shown of the first {READ} tokens"));
            labels.truncate(READ);
        }
        let floats = |which: usize| self.surprisal[which].iter().take(READ).map(|x| *x as f32).collect();
        let strip = figure::surprisal(labels, floats(0), floats(1));
        let panels = [Some(figure::next(&next(0), &next(1))), self.bars(), Some(strip)].into_iter().flatten().collect();
        self.asking.options.style.figure(subject, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let array = |name: &str, which: usize| Array {
            name: name.into(),
            shape: vec![self.surprisal[which].len()],
            values: self.surprisal[which].iter().map(|x| *x as f32).collect(),
        };
        let arrays = vec![array("surprisal_before", 0), array("surprisal_after", 1)];
        let next = |which: usize| -> Value {
            let one = |next: &Prediction| json!({ "id": next.id, "token": self.label(next.id), "p": next.probability });
            self.next[which].iter().map(one).collect()
        };
        let shift = |which: usize| -> Value {
            let one = |shift: &Shift| json!({ "id": shift.id, "token": self.label(shift.id), "p": shift.p, "change": shift.change() });
            self.shifts.tokens[which].iter().map(one).collect()
        };
        let mut settings = self.asking.settings();
        settings.insert("ablated".into(), self.asking.cuts.iter().map(parts::name).collect());
        let fields = Map::from_iter([
            ("before".into(), fields(&self.asking.said)),
            ("after".into(), fields(&self.said)),
            ("kl".into(), json!(self.kl)),
            ("jensen_shannon_bits".into(), json!(self.shifts.bits)),
            ("next_before".into(), next(0)),
            ("next_after".into(), next(1)),
            ("gained".into(), shift(0)),
            ("lost".into(), shift(1)),
        ]);
        Ok(self.asking.subject.data(vec![Entry { method: "ablation".into(), settings, fields, arrays }]))
    }

    /// A row for each number of the answer, for each next token that is told, and for each token's surprisal.
    fn table(&self, _: Option<usize>) -> Result<Table> {
        let asking = &self.asking;
        let columns = vec![
            text("quantity"),
            whole("position"),
            whole("token_id"),
            text("token"),
            number("before"),
            number("after"),
            number("change"),
        ];
        let row = |what: &str, position: usize, id: Option<u32>, [before, after]: [f64; 2]| -> Vec<Cell> {
            let token = id.map(|id| self.label(id));
            let numbers = [before, after, after - before].map(|x| Cell::from(x as f32));
            [what.into(), position.into(), id.into(), token.into()].into_iter().chain(numbers).collect()
        };
        let (before, after, at) = (&asking.said, &self.said, asking.position);
        let answer = Some(asking.answer);
        let mut rows = vec![
            row("logit", at, answer, [before.logit, after.logit]),
            row("logprob", at, answer, [before.log_p, after.log_p]),
            row("rank", at, answer, [before.rank as f64, after.rank as f64]),
        ];
        if let Some(both) = before.difference().zip(after.difference()) {
            rows.push(row("logit_difference", at, answer, both.into()));
        }
        rows.push(row("kl", at, None, [0.0, self.kl]));
        let mut told: Vec<Shift> = self.shifts.tokens.concat();
        told.sort_by(|a, b| b.change().abs().total_cmp(&a.change().abs()).then(a.id.cmp(&b.id)));
        rows.extend(told.iter().map(|shift| row("probability", at, Some(shift.id), shift.p)));
        let ids = &asking.subject.prompt.ids;
        let bits = |at: usize| [self.surprisal[0][at], self.surprisal[1][at]];
        rows.extend((0..ids.len()).map(|at| row("surprisal", at, Some(ids[at]), bits(at))));
        Ok(Table { columns, rows })
    }
}
