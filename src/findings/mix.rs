//! How much of each token reaches each position, by several methods, as figures, data and tables.

mod need;

use super::subject::{About, Subject, empty_rows, in_a_line, percent};
use super::target::{Explained, settings};
use super::{Advice, Analysis, Cost, Findings, Output, Reading, Style, Target, cost, each_once, refuse_parts};
use crate::analysis::attribution::{Baseline, Evaluator};
use crate::analysis::mixing::{Hidden, Method, Mixing, agreement, mixing};
use crate::analysis::rollout::RESIDUAL;
use crate::analysis::{Objective, Of, Prediction, Sink};
use crate::error::{Error, Result};
use crate::export::table::{number, text, whole};
use crate::export::{Array, Data, Entry, Table, check_text_size};
use crate::figure::{Figure, Panel, Scale, mix};
use crate::format::Format;
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::Remark;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

/// Attention on the first token above which it is spoken of.
const LARGE_SINK: f64 = 0.4;
/// Fewer tokens than this have no ranking to agree on; the numbers are in data files all the same.
const RANKED: usize = 5;

/// From so many tokens on, all rows are worth a warning, and a single one is.
const MANY_ROWS: usize = 150;
const MANY_TOKENS: usize = 500;

/// The options of `mix`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How the prompt is read.
    pub reading: Reading,
    /// The prediction whose gradient attention-x-gradient takes; its position is the row that words and agreement are about.
    pub target: Target,
    /// The methods, in this order; all of them unless some are named.
    pub method: Vec<Method>,
    /// The attention on the first token, for raw, rollout and flow: kept unless another policy is named.
    pub sink: Sink,
    /// The number whose gradient attention-x-gradient takes: the log-probability unless another is named.
    pub of: Of,
    /// Compute flow and value-zeroing at every position, not only at the target's; off unless asked for.
    pub all_rows: bool,
    /// How the figure looks.
    pub style: Style,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reading: Reading::default(),
            target: Target::default(),
            method: Method::all().collect(),
            sink: Sink::Keep,
            of: Of::LogProb,
            all_rows: false,
            style: Style::default(),
        }
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
        refuse_parts("mix", outputs)?;
        if self.method.is_empty() {
            return Err(Error::usage("no method is named")
                .hint(format!("methods are {}", Method::names()))
                .option("method"));
        }
        if let Some(Output { format, .. }) = outputs.first()
            && self.all_rows
            && outputs.iter().all(|output| output.format.is_table())
        {
            let extension = format.extension();
            return Err(Error::usage(format!("all_rows: a .{extension} holds the target's row only"))
                .hint("write a picture, .json, .npz or .safetensors, or leave it out")
                .option("all_rows"));
        }
        self.style.check()
    }

    fn cost(&self, spec: &Spec, tokens: usize, outputs: &[Output]) -> Cost {
        let by_row: Vec<&str> =
            self.method.iter().filter(|method| method.is_by_row()).map(|method| method.name()).collect();
        let slow = by_row.join(" and ");
        let remark = match (self.all_rows, tokens) {
            _ if by_row.is_empty() => None,
            (true, MANY_ROWS..) => Some(Remark {
                text: format!(
                    "{tokens} rows of {slow} take long: about 8 to 11 times for twice the tokens; the last row alone is quick"
                ),
                option: Some("all_rows"),
            }),
            (false, MANY_TOKENS..) => Some(Remark {
                text: format!("{slow} of {tokens} tokens take a while: about 4 to 6 times for twice the tokens"),
                option: Some("method"),
            }),
            _ => None,
        };
        let disk = cost::files(outputs, self.numbers(spec, tokens));
        Cost { memory: self.memory(spec, tokens), disk, remarks: remark.into_iter().collect() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, outputs: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        if outputs.iter().any(|output| output.format == Format::Json) {
            check_text_size(self.numbers(subject.session.spec(), subject.prompt.ids.len()) as usize, "JSON")?;
        }
        Ok(Box::new(TokenMixing::find(self, subject)?))
    }
}

/// The maps of all methods.
struct TokenMixing<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    objective: Objective,
    next: Vec<Prediction>,
    mixings: Vec<Mixing>,
    /// Spearman's ρ, `[method, method]`.
    rho: Vec<f32>,
}

impl<'a> TokenMixing<'a> {
    fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let (model, ids, watch) = (subject.model(), &subject.prompt.ids, subject.watch);
        let mut methods = each_once(&options.method);
        // Where all methods are meant, what a model has no answer for is not among them; where it is named, the model refuses.
        let all = methods.len() == Method::all().count();
        methods.retain(|method| !all || model.adds_by_head() || !method.is_by_head());
        let Target { target, foil, .. } = &options.target;
        let (objective, next) = if model.has_logits() || target.is_some() || foil.is_some() {
            let Explained { objective, next, .. } = options.target.explained(&subject, options.of)?;
            (objective, next)
        } else {
            methods.retain(|method| !all || *method != Method::AttentionXGradient);
            let position = options.target.within(&subject)?.position;
            (Objective { position, target: 0, foil: None, of: options.of }, Vec::new())
        };
        let evaluator = Evaluator::new(model, ids, objective, Baseline::Zero, watch)?;
        let mixings = mixing(&evaluator, &methods, options.sink, options.all_rows, watch)?;
        let rho = agreement(&mixings, objective.position);
        Ok(Self { options, subject, objective, next, mixings, rho })
    }

    fn scale(&self, unit: &str, values: &[f32]) -> Scale {
        let style = &self.options.style;
        let max = values.iter().copied().filter(|x| x.is_finite()).fold(0.0, f32::max);
        Scale {
            kind: style.scale,
            colormap: style.colormap.unwrap_or_default(),
            min: 0.0,
            max: if max > 0.0 { max } else { 1.0 },
            unit: unit.into(),
            ..Scale::default()
        }
    }

    /// Where the rows stand, and what the gradient is of.
    fn place(&self) -> String {
        let name = |id: u32| self.subject.name(id);
        let Objective { position, target, foil, .. } = self.objective;
        let token = in_a_line(&self.subject.prompt.tokens[position].label);
        let after = if position + 1 == self.subject.prompt.tokens.len() {
            format!("at the last token {token}")
        } else {
            format!("at token {token} (position {position})")
        };
        let gradient = match foil {
            _ if self.mixings.iter().all(|mixing| mixing.method != Method::AttentionXGradient) => String::new(),
            Some(foil) => format!("; gradient of {} rather than {}", name(target), name(foil)),
            None => format!("; gradient of {}", name(target)),
        };
        format!("words and agreement {after}{gradient}")
    }

    fn sink_line(&self) -> Option<String> {
        let methods: Vec<&str> =
            self.mixings.iter().filter(|mixing| mixing.method.has_sink()).map(|mixing| mixing.method.name()).collect();
        let share = self.hidden()?.share;
        match self.options.sink {
            Sink::Keep => self.has_sink().then(|| format!("{} of the attention is on the first token", percent(share))),
            _ => Some(format!(
                "attention on the first token, {} of all, is left out of {}",
                percent(share),
                methods.join(", ")
            )),
        }
    }

    /// Whether much of the attention that methods start from is on the first token.
    fn has_sink(&self) -> bool {
        self.options.sink == Sink::Keep && self.hidden().is_some_and(|hidden| hidden.share >= LARGE_SINK)
    }

    /// What the sink policy did to the mean patterns, where a method starts from them.
    fn hidden(&self) -> Option<Hidden> {
        self.mixings.iter().find_map(|mixing| mixing.sink)
    }

    fn settings(&self, method: Method) -> Map<String, serde_json::Value> {
        let mut all = settings(&self.subject, self.objective.target, self.objective.foil, self.objective.position);
        if method != Method::AttentionXGradient {
            all.retain(|name, _| name == "position");
        } else {
            all.insert("of".into(), self.options.of.name().into());
        }
        if method.has_sink() {
            all.insert("sink".into(), self.options.sink.name().into());
            all.insert("reduce_heads".into(), "mean".into());
        }
        if matches!(method, Method::Rollout | Method::Flow) {
            all.insert("residual".into(), RESIDUAL.into());
        }
        if method.is_by_row() {
            all.insert("all_rows".into(), self.options.all_rows.into());
        }
        all.insert("bos".into(), self.options.reading.bos.into());
        all
    }
}

impl Findings for TokenMixing<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn remarks(&self) -> Vec<String> {
        let is_in = |method| self.mixings.iter().any(|mixing| mixing.method == method);
        let wanted = |method| self.options.method.contains(&method) && !is_in(method);
        let gradient = wanted(Method::AttentionXGradient).then(|| {
            "attention-x-gradient is left out: this model has no language-model head, whose prediction it explains"
                .into()
        });
        let by_head = wanted(Method::Norm).then(|| {
            "norm, norm-residual and value-zeroing are left out: this model norms what its heads add together".into()
        });
        let empty = self.hidden().and_then(|hidden| empty_rows(hidden.empty_rows));
        gradient.into_iter().chain(by_head).chain(empty).collect()
    }

    fn advice(&self) -> Vec<Advice> {
        let hide = || Advice::new("sink", "renorm", "hides the attention on the first token");
        self.has_sink().then(hide).into_iter().collect()
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let labels = self.subject.labels();
        let n = labels.len();
        let visible = self.mixings.iter().flat_map(|mixing| {
            // The first row is the first token whatever the method: it would set the scale of all others.
            mixing.shares[n.min(mixing.shares.len() - 1)..].iter().copied()
        });
        let scale = self.scale("share", &visible.collect::<Vec<_>>());
        let mut panels: Vec<Panel> = vec![
            mix::sheet(&self.mixings, &labels, scale),
            mix::rows(&self.mixings, self.objective.position, &labels, &|values| self.scale("share", values)),
        ];
        if self.mixings.len() > 1 && self.objective.position + 1 >= RANKED {
            panels.push(mix::agreement(&self.mixings, &self.rho));
        }
        let mut lines = vec![self.subject.line("mixing of tokens"), self.place()];
        lines.extend(self.sink_line());
        lines.extend(self.remarks());
        if self.objective.position + 1 == n {
            lines.extend(self.subject.next_line(&self.next));
        }
        self.options.style.figure(&self.subject, lines, panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let n = self.subject.prompt.ids.len();
        let entry = |mixing: &Mixing| {
            let shape = if mixing.method.has_layers() { vec![mixing.maps.len(), n, n] } else { vec![n, n] };
            let arrays = vec![Array { name: "map".into(), shape, values: mixing.maps.concat() }];
            let mut fields = Map::from_iter([("row".into(), json!(mixing.row(self.objective.position)))]);
            if let Some(Hidden { share, empty_rows }) = mixing.sink {
                fields.insert("sink_share".into(), json!(share as f32));
                fields.insert("empty_rows".into(), json!(empty_rows));
            }
            Entry { method: mixing.method.name().into(), settings: self.settings(mixing.method), fields, arrays }
        };
        let mut results: Vec<Entry> = self.mixings.iter().map(entry).collect();
        if self.mixings.len() > 1 {
            let names: Vec<&str> = self.mixings.iter().map(|mixing| mixing.method.name()).collect();
            let count = names.len();
            results.push(Entry {
                method: "agreement".into(),
                settings: Map::from_iter([("position".into(), json!(self.objective.position))]),
                fields: Map::from_iter([("methods".into(), json!(names))]),
                arrays: vec![Array { name: "spearman".into(), shape: vec![count, count], values: self.rho.clone() }],
            });
        }
        Ok(self.subject.data(results))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let position = self.objective.position;
        let shares = self.mixings.iter().map(|mixing| number(mixing.method.name()));
        let columns = [whole("key"), text("token")].into_iter().chain(shares).collect();
        let row = |key: usize| {
            let mut row = vec![key.into(), self.subject.prompt.tokens[key].text.clone().into()];
            row.extend(self.mixings.iter().map(|mixing| mixing.row(position)[key].into()));
            row
        };
        Ok(Table { columns, rows: (0..=position).map(row).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"methods": ["raw"]}"#);
        assert!(serde_json::from_str::<Options>(r#"{"method": ["all"]}"#).is_err());
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let all_rows = Options { all_rows: true, ..Options::default() };
        let outputs = [Format::Csv, Format::Json].map(Output::whole);
        assert_eq!(all_rows.check(&outputs[..1]).unwrap_err().option, Some("all_rows"));
        assert!(all_rows.check(&[Output::whole(Format::Parquet)]).unwrap_err().message.contains(".parquet"));
        assert!(all_rows.check(&outputs).is_ok() && all_rows.check(&[]).is_ok());
        assert_eq!(Options { method: Vec::new(), ..all_rows }.check(&[]).unwrap_err().option, Some("method"));
    }
}
