//! Who wrote an answer, as figures, data and tables: direct logit attribution.

use super::Findings;
use super::lens::options::Options;
use super::subject::{About, Subject};
use super::target::{foil_is_own, settings};
use crate::analysis::{Direct, Parts, Prediction, direct};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::{self, Figure, Scale};
use serde_json::{Map, Value, json};

/// A part's name, layer, head and number.
type Part = (&'static str, Option<usize>, Option<usize>, f64);

/// A logit, or a difference of two, in parts.
pub(super) struct DirectAttribution<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    direct: Direct,
    position: usize,
    foil: Option<u32>,
    next: Vec<Prediction>,
}

impl<'a> DirectAttribution<'a> {
    /// The parts of the prediction that is asked about.
    ///
    /// # Errors
    /// A target that the prompt or the model does not have; a foil that is the model's own answer.
    pub(super) fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let wanted = options.target.within(&subject)?;
        let (model, ids) = (subject.model(), &subject.prompt.ids);
        let direct = direct(model, ids, wanted.target, wanted.foil, wanted.position)?;
        if wanted.foil == Some(direct.target) {
            return Err(foil_is_own());
        }
        let next = subject.next(&direct.resid)?;
        Ok(Self { options, subject, direct, position: wanted.position, foil: wanted.foil, next })
    }

    fn heads(&self) -> usize {
        self.subject.session.spec().heads
    }

    /// What is explained, in words.
    fn what(&self) -> String {
        let target = self.subject.name(self.direct.target);
        let place = self.subject.after(self.position);
        match self.foil {
            Some(foil) => format!("direct attribution of {target} rather than {}{place}", self.subject.name(foil)),
            None => format!("direct attribution of {target}{place}"),
        }
    }

    fn cap(&self) -> Option<f64> {
        self.subject.session.model().logit_cap()
    }

    /// How large it is.
    fn total(&self) -> String {
        let number = |x: f64| format!("{x:+.2}").replace('-', "−");
        let capped = self.cap().map_or_else(String::new, |cap| format!(", logits before they are kept below {cap}"));
        match self.foil {
            Some(_) => format!("logit difference {}, the sum of all parts{capped}", number(self.direct.logit)),
            None => format!(
                "logit {}; {} against the mean of all tokens, the sum of all parts{capped}",
                number(self.direct.logit),
                number(self.direct.centred.total)
            ),
        }
    }

    /// Layer, head and number of each part, under its name.
    fn rows(&self, parts: &Parts) -> Vec<Part> {
        let single = |name, value| (name, None, None, value);
        let mut rows = vec![single("embedding", parts.embedding), single("position", parts.position)];
        for (layer, heads) in parts.heads.chunks(self.heads()).enumerate() {
            rows.extend(heads.iter().enumerate().map(|(head, value)| ("head", Some(layer), Some(head), *value)));
            rows.push(("attn_bias", Some(layer), None, parts.attn_bias[layer]));
            rows.push(("mlp", Some(layer), None, parts.mlp[layer]));
        }
        rows.extend([single("bias", parts.bias), single("total", parts.total)]);
        rows
    }
}

impl Findings for DirectAttribution<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let style = &self.options.style;
        let unit = if self.foil.is_some() { "logit difference" } else { "logit, centred" };
        let signed = Scale::of_scores(unit, self.direct.centred.heads.iter().map(|x| *x as f32));
        let scale = Scale { kind: style.scale, colormap: style.colormap.unwrap_or(signed.colormap), ..signed };
        let panels = figure::lens::direct(&self.direct.centred, self.heads(), scale);
        let mut lines = vec![self.subject.line(&self.what()), self.total()];
        lines.extend(self.subject.next_line(&self.next));
        style.figure(&self.subject, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (mut fields, mut arrays) = (Map::new(), Vec::new());
        for (name, parts) in [("parts", &self.direct.parts), ("parts_centred", &self.direct.centred)] {
            fields.insert(name.into(), tree(parts, self.heads()));
            arrays.extend(flat(name, parts, self.heads()));
        }
        let mut settings = settings(&self.subject, self.direct.target, self.foil, self.position);
        settings.insert("of".into(), "logit".into());
        settings.insert("logit".into(), json!(self.direct.logit));
        settings.extend(self.cap().map(|cap| ("before_logit_cap".into(), json!(cap))));
        settings.insert("bos".into(), self.options.reading.bos.into());
        Ok(self.subject.data(vec![Entry { method: "direct-logit-attribution".into(), settings, fields, arrays }]))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let all = self.rows(&self.direct.parts).into_iter().zip(self.rows(&self.direct.centred));
        let row = |((name, layer, head, value), (.., centred)): (Part, Part)| -> Vec<Cell> {
            vec![name.into(), layer.into(), head.into(), (value as f32).into(), (centred as f32).into()]
        };
        let columns = vec![text("part"), whole("layer"), whole("head"), number("logit"), number("logit_centred")];
        Ok(Table { columns, rows: all.map(row).collect() })
    }
}

/// As JSON shows it.
fn tree(parts: &Parts, heads: usize) -> Value {
    json!({
        "embedding": parts.embedding,
        "position": parts.position,
        "heads": parts.heads.chunks(heads).collect::<Vec<_>>(),
        "attn_bias": parts.attn_bias,
        "mlp": parts.mlp,
        "bias": parts.bias,
        "total": parts.total,
    })
}

/// As binary files hold it.
fn flat(name: &str, parts: &Parts, heads: usize) -> Vec<Array> {
    let layers = parts.mlp.len();
    let array = |part: &str, shape: Vec<usize>, values: &[f64]| Array {
        name: format!("{name}.{part}"),
        shape,
        values: values.iter().map(|x| *x as f32).collect(),
    };
    vec![
        array("embedding", vec![], &[parts.embedding]),
        array("position", vec![], &[parts.position]),
        array("heads", vec![layers, heads], &parts.heads),
        array("attn_bias", vec![layers], &parts.attn_bias),
        array("mlp", vec![layers], &parts.mlp),
        array("bias", vec![], &[parts.bias]),
        array("total", vec![], &[parts.total]),
    ]
}
