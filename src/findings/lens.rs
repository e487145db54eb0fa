//! What each layer would have answered, as figures, data and tables; who wrote the answer is in `direct`.

pub(super) mod options;

pub use options::{Colour, Options};

use super::cost;
use super::direct::DirectAttribution;
use super::residuals::Norms;
use super::subject::{About, Subject};
use super::{Analysis, Cost, Findings, Output, Reading, Style, Target, refuse_parts, within};
use crate::analysis::lens::ROWS;
use crate::analysis::{Answer, Lens, Prediction, lens};
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::lens::{Labels, answers};
use crate::figure::{Figure, Scale, ScaleKind};
use crate::model::Spec;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// The most tokens that are kept of an answer.
const MOST: u16 = 100;

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        refuse_parts("lens", outputs)?;
        within("top", self.top, 1, MOST)?;
        if self.norms {
            return self.check_norms();
        }
        let of_layers = |option| {
            Error::usage(format!("{option} is for the answers of layers, but direct attribution explains one answer"))
                .hint("leave one of the two out")
                .option(option)
        };
        if self.direct && self.top > 1 {
            return Err(of_layers("top"));
        }
        if self.direct && self.colour.is_some() {
            return Err(of_layers("colour"));
        }
        if self.target.position.is_some() && !self.direct {
            return Err(Error::usage("position chooses one answer, but the lens shows all positions")
                .hint("ask for direct attribution, or leave the position out")
                .option("direct"));
        }
        if self.colour == Some(Colour::Difference) && self.target.foil.is_none() {
            return Err(Error::usage("colour difference needs a foil")
                .hint("name the token to compare with")
                .option("foil"));
        }
        self.style.check()
    }

    /// What enters each layer, twice, and the logits that are made together.
    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let stream = 2 * 4 * (spec.layers as u64 + 1) * (tokens * spec.d_model) as u64;
        let logits = if self.norms { 0 } else { 3 * 4 * (ROWS * spec.vocab) as u64 };
        Cost::of_memory(stream + logits + cost::pass(spec, tokens, self.norms))
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        if self.norms {
            return Ok(Box::new(Norms::find(self, subject)?));
        }
        if self.direct {
            return Ok(Box::new(DirectAttribution::find(self, subject)?));
        }
        Ok(Box::new(LogitLens::find(self, subject)?))
    }
}

impl Options {
    /// Nothing is answered where norms are asked for.
    fn check_norms(&self) -> Result<()> {
        let Target { target, foil, position } = &self.target;
        let of_answers = [
            ("direct", self.direct),
            ("top", self.top > 1),
            ("colour", self.colour.is_some()),
            ("target", target.is_some()),
            ("foil", foil.is_some()),
            ("position", position.is_some()),
        ];
        match of_answers.into_iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(Error::usage(format!("{option} is for answers, and norms have none"))
                .hint("leave one of the two out")
                .option(option)),
            None => self.style.check(),
        }
    }
}

/// Every layer's answer at every position.
struct LogitLens<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    lens: Lens,
    target: Option<u32>,
    foil: Option<u32>,
    next: Vec<Prediction>,
    /// What each row of answers comes after.
    rows: Vec<String>,
    /// How a figure shows the tokens of all answers.
    labels: OnceLock<HashMap<u32, String>>,
}

impl<'a> LogitLens<'a> {
    fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let wanted = options.target.within(&subject)?;
        let (model, ids) = (subject.model(), &subject.prompt.ids);
        let lens = lens(model, ids, wanted.target, wanted.foil, options.top.into())?;
        let next = subject.next(&lens.resid)?;
        let layers = (0..model.spec().layers).map(|layer| format!("layer {layer}"));
        let rows = std::iter::once("embedding".into()).chain(layers).collect();
        let labels = OnceLock::new();
        Ok(Self { options, subject, lens, target: wanted.target, foil: wanted.foil, next, rows, labels })
    }

    fn label(&self, id: u32) -> String {
        let labels = self.labels.get_or_init(|| {
            let tops = self.lens.answers.iter().flat_map(|answer| answer.top.iter().map(|(id, _)| *id));
            let ids: HashSet<u32> = tops.chain(self.lens.followed.iter().copied()).collect();
            ids.into_iter().map(|id| (id, self.subject.label(id))).collect()
        });
        labels[&id].clone()
    }

    fn shade(&self, answer: &Answer) -> f32 {
        match self.options.colour() {
            Colour::Probability => answer.probability,
            Colour::Entropy => answer.entropy_bits,
            Colour::Rank => answer.rank as f32,
            Colour::Kl => answer.kl_bits,
            Colour::Difference => answer.difference.unwrap_or(f32::NAN),
        }
    }

    fn scale(&self, shades: &[f32]) -> Scale {
        let style = &self.options.style;
        let (min, max, unit) = match self.options.colour() {
            Colour::Probability => (0.0, 1.0, "probability"),
            Colour::Entropy => (0.0, f32::NAN, "entropy (bits)"),
            Colour::Rank => (1.0, f32::NAN, "rank"),
            Colour::Kl => (0.0, f32::NAN, "KL to the final answer (bits)"),
            Colour::Difference => {
                let scale = Scale::of_scores("logit difference", shades.iter().copied());
                return Scale { kind: style.scale, colormap: style.colormap.unwrap_or(scale.colormap), ..scale };
            }
        };
        let largest = || shades.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        Scale {
            // Ranks go from 1 to the size of a vocabulary: only their order of magnitude says something.
            kind: if self.options.colour() == Colour::Rank { ScaleKind::Log } else { style.scale },
            colormap: style.colormap.unwrap_or_default(),
            min,
            max: if max.is_nan() { largest().max(2.0 * min) } else { max },
            unit: unit.into(),
            ..Scale::default()
        }
    }

    fn what(&self) -> String {
        let name = |id: u32| self.subject.name(id);
        let of = self.target.map_or_else(|| "the final answer".into(), name);
        let colour = match (self.options.colour(), self.foil) {
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

impl Findings for LogitLens<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let tops = self.lens.answers.iter().map(|answer| self.label(answer.top[0].0)).collect();
        let shades: Vec<f32> = self.lens.answers.iter().map(|answer| self.shade(answer)).collect();
        let labels = Labels { layers: self.rows.clone(), tokens: self.subject.labels(), tops };
        let scale = self.scale(&shades);
        let mut lines = vec![self.subject.line(&self.what())];
        lines.extend(self.subject.next_line(&self.next));
        let style = &self.options.style;
        style.figure(&self.subject, lines, answers(shades, labels, scale, style.room_for_texts()))
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (rows, n) = (self.rows.len(), self.lens.followed.len());
        let array = |name: &str, of: &dyn Fn(&Answer) -> f32| Array {
            name: name.into(),
            shape: vec![rows, n],
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
                shape: vec![rows, n, k],
                values: self.lens.answers.iter().flat_map(|answer| answer.top.iter().map(of)).collect(),
            };
            arrays.push(many("best", |(id, _)| *id as f32));
            arrays.push(many("p_best", |(_, p)| *p));
            fields.insert("best".into(), whole(&|answer| answer.top.iter().map(|(id, _)| *id).collect()));
        }
        let settings = Map::from_iter([
            ("target".into(), json!(self.target)),
            ("foil".into(), json!(self.foil)),
            ("rows".into(), json!(self.rows)),
            ("bos".into(), self.options.reading.bos.into()),
        ]);
        Ok(self.subject.data(vec![Entry { method: "lens".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let tokens = &self.subject.prompt.tokens;
        let top = [text("after"), whole("position"), text("token"), whole("place"), whole("top"), text("top_token")];
        let target = [number("p_top"), whole("target"), text("target_token"), number("p_target"), whole("rank")];
        let all = [number("entropy_bits"), number("kl_bits"), number("difference")];
        let columns = top.into_iter().chain(target).chain(all).collect();
        let mut rows = Vec::new();
        for (after, answers) in self.rows.iter().zip(self.lens.answers.chunks(tokens.len())) {
            for (position, answer) in answers.iter().enumerate() {
                let followed = self.lens.followed[position];
                for (place, (top, p)) in (1usize..).zip(&answer.top) {
                    rows.push(vec![
                        after.clone().into(),
                        position.into(),
                        tokens[position].text.clone().into(),
                        Cell::from(place),
                        (*top).into(),
                        self.label(*top).into(),
                        (*p).into(),
                        followed.into(),
                        self.label(followed).into(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Token;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"color": "rank"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let (direct, one) = (Options { direct: true, ..Options::default() }, |id| Some(Token::Id(id)));
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options { top: 0, ..Options::default() }), Some("top"));
        assert_eq!(refused(Options { top: 101, ..Options::default() }), Some("top"));
        let norms = Options { norms: true, ..Options::default() };
        assert_eq!(refused(Options { direct: true, ..norms.clone() }), Some("direct"));
        assert_eq!(
            refused(Options { target: Target { target: one(3), ..Target::default() }, ..norms }),
            Some("target")
        );
        assert_eq!(refused(Options { top: 2, ..direct.clone() }), Some("top"));
        assert_eq!(refused(Options { colour: Some(Colour::Rank), ..direct.clone() }), Some("colour"));
        assert_eq!(refused(Options { colour: Some(Colour::Difference), ..Options::default() }), Some("foil"));
        let target = Target { position: Some(-2), foil: one(3), ..Target::default() };
        assert_eq!(refused(Options { target: target.clone(), ..Options::default() }), Some("direct"));
        assert!(Options { target, ..direct }.check(&[]).is_ok());
    }
}
