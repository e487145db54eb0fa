//! What each layer would have answered, as figures, data and tables.

use super::{Colour, LensArgs};
use crate::cli::findings::Findings;
use crate::cli::subject::{About, Subject};
use attnviz::analysis::{Answer, Lens, Prediction, lens};
use attnviz::error::Result;
use attnviz::export::table::{Cell, number, text, whole};
use attnviz::export::{Array, Data, Entry, Table};
use attnviz::figure::lens::{Labels, answers};
use attnviz::figure::{Figure, Scale, ScaleKind};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Every layer's answer at every position.
pub struct Answers<'a> {
    args: &'a LensArgs,
    subject: Subject<'a>,
    lens: Lens,
    target: Option<u32>,
    foil: Option<u32>,
    next: Vec<Prediction>,
}

impl<'a> Answers<'a> {
    pub fn find(args: &'a LensArgs, subject: Subject<'a>) -> Result<Self> {
        let wanted = args.target.resolve(&subject)?;
        let model = &*subject.session.model;
        let lens = lens(model, &subject.prompt.ids, wanted.target, wanted.foil, args.top.into())?;
        let next = subject.next(&lens.resid)?;
        Ok(Self { args, subject, lens, target: wanted.target, foil: wanted.foil, next })
    }
}

impl Findings for Answers<'_> {
    fn about(&self) -> &About<'_> {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let mut known = HashMap::new();
        let mut label = |id: u32| known.entry(id).or_insert_with(|| self.subject.label(id)).clone();
        let tops = self.lens.answers.iter().map(|answer| label(answer.top[0].0)).collect();
        let values = self.lens.answers.iter().map(|answer| self.shade(answer)).collect();
        let labels = Labels { layers: self.rows(), tokens: self.subject.labels(), tops };
        let panels = answers(values, labels, self.scale());
        let lines = vec![self.subject.line(&self.what()), self.subject.next_line(&self.next)];
        self.args.figure.figure(&self.subject, lines, panels, self.subject.provenance())
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let n = self.lens.followed.len();
        let array = |name: &str, of: &dyn Fn(&Answer) -> f32| Array {
            name: name.into(),
            shape: vec![self.rows().len(), n],
            values: self.lens.answers.iter().map(of).collect(),
        };
        let whole = |of: &dyn Fn(&Answer) -> Value| -> Value {
            self.lens.answers.chunks(n).map(|row| row.iter().map(of).collect::<Value>()).collect()
        };
        let k = self.lens.answers[0].top.len();
        let mut arrays = vec![
            array("top", &|answer| answer.top[0].0 as f32),
            array("p_top", &|answer| answer.top[0].1),
            array("p_target", &|answer| answer.probability),
            array("rank", &|answer| answer.rank as f32),
            array("entropy_bits", &|answer| answer.entropy_bits),
            array("kl_bits", &|answer| answer.kl_bits),
        ];
        let mut fields = Map::from_iter([
            ("followed".into(), json!(self.lens.followed)),
            ("top".into(), whole(&|answer| answer.top[0].0.into())),
            ("rank".into(), whole(&|answer| answer.rank.into())),
        ]);
        if self.foil.is_some() {
            arrays.push(array("difference", &|answer| answer.difference.unwrap_or(f32::NAN)));
        }
        if k > 1 {
            let many = |name: &str, of: fn(&(u32, f32)) -> f32| Array {
                name: name.into(),
                shape: vec![self.rows().len(), n, k],
                values: self.lens.answers.iter().flat_map(|answer| answer.top.iter().map(of)).collect(),
            };
            arrays.push(many("best", |(id, _)| *id as f32));
            arrays.push(many("p_best", |(_, p)| *p));
            fields.insert("best".into(), whole(&|answer| answer.top.iter().map(|(id, _)| *id).collect()));
        }
        let settings = Map::from_iter([
            ("target".into(), json!(self.target)),
            ("foil".into(), json!(self.foil)),
            ("rows".into(), json!(self.rows())),
            ("bos".into(), self.args.prompt.bos.into()),
        ]);
        Ok(self.subject.data(vec![Entry { method: "lens".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let tokens = &self.subject.prompt.tokens;
        let label = |id: u32| self.subject.label(id);
        let top = [text("after"), whole("position"), text("token"), whole("place"), whole("top"), text("top_token")];
        let target = [number("p_top"), whole("target"), text("target_token"), number("p_target"), whole("rank")];
        let all = [number("entropy_bits"), number("kl_bits"), number("difference")];
        let columns = top.into_iter().chain(target).chain(all).collect();
        let mut rows = Vec::new();
        for (after, answers) in self.rows().iter().zip(self.lens.answers.chunks(tokens.len())) {
            for (position, answer) in answers.iter().enumerate() {
                let followed = self.lens.followed[position];
                for (place, (top, p)) in (1usize..).zip(&answer.top) {
                    rows.push(vec![
                        after.clone().into(),
                        position.into(),
                        tokens[position].text.clone().into(),
                        Cell::from(place),
                        (*top).into(),
                        label(*top).into(),
                        (*p).into(),
                        followed.into(),
                        label(followed).into(),
                        answer.probability.into(),
                        answer.rank.into(),
                        answer.entropy_bits.into(),
                        answer.kl_bits.into(),
                        answer.difference.into(),
                    ]);
                }
            }
        }
        Ok(Table { columns, rows })
    }
}

impl Answers<'_> {
    /// What each row of answers comes after.
    fn rows(&self) -> Vec<String> {
        let layers = self.lens.answers.len() / self.lens.followed.len() - 1;
        std::iter::once("embedding".into()).chain((0..layers).map(|layer| format!("layer {layer}"))).collect()
    }

    fn shade(&self, answer: &Answer) -> f32 {
        match self.args.colour() {
            Colour::Probability => answer.probability,
            Colour::Entropy => answer.entropy_bits,
            Colour::Rank => answer.rank as f32,
            Colour::Kl => answer.kl_bits,
            Colour::Difference => answer.difference.unwrap_or(f32::NAN),
        }
    }

    fn scale(&self) -> Scale {
        let style = &self.args.figure;
        let (min, max, unit) = match self.args.colour() {
            Colour::Probability => (0.0, 1.0, "probability"),
            Colour::Entropy => (0.0, f32::NAN, "entropy (bits)"),
            Colour::Rank => (1.0, f32::NAN, "rank"),
            Colour::Kl => (0.0, f32::NAN, "KL to the final answer (bits)"),
            Colour::Difference => {
                let values = self.lens.answers.iter().map(|answer| self.shade(answer));
                let scale = Scale::signed("logit difference", values);
                return Scale { kind: style.scale.into(), colormap: style.colormap.unwrap_or(scale.colormap), ..scale };
            }
        };
        let largest = || self.lens.answers.iter().map(|answer| self.shade(answer)).fold(f32::MIN_POSITIVE, f32::max);
        Scale {
            // Ranks go from 1 to the size of a vocabulary: only their order of magnitude says something.
            kind: if self.args.colour() == Colour::Rank { ScaleKind::Log } else { style.scale.into() },
            colormap: style.colormap.unwrap_or_default(),
            min,
            max: if max.is_nan() { largest().max(2.0 * min) } else { max },
            unit: unit.into(),
        }
    }

    fn what(&self) -> String {
        let name = |id: u32| self.subject.name(id);
        let of = self.target.map_or_else(|| "the final answer".into(), name);
        let colour = match (self.args.colour(), self.foil) {
            (Colour::Probability, _) => format!("probability of {of}"),
            (Colour::Entropy, _) => "entropy".into(),
            (Colour::Rank, _) => format!("rank of {of}"),
            (Colour::Kl, _) => "KL(final ‖ layer)".into(),
            (Colour::Difference, Some(foil)) => format!("logit of {of} minus that of {}", name(foil)),
            (Colour::Difference, None) => "logit difference".into(),
        };
        format!("logit lens: each layer's next token, coloured by {colour}")
    }
}
