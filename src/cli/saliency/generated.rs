//! `saliency --generate`: a row of scores for each token that the model wrote.

use super::found::warning;
use super::{END_OF_TEXT, SaliencyArgs};
use crate::cli::findings::Findings;
use crate::cli::subject::{About, Subject};
use attnviz::analysis::attribution::{Attribution, Method, Probe, attribute};
use attnviz::analysis::generate::{Choice, generate};
use attnviz::analysis::{Objective, Of};
use attnviz::error::Result;
use attnviz::export::table::{Cell, number, text, whole};
use attnviz::export::{Array, Data, Entry, Table};
use attnviz::figure::saliency::generated;
use attnviz::figure::{Figure, Matrix};
use attnviz::prompt::Prompt;
use serde_json::{Map, Value, json};

/// A continuation, and what moved each of its tokens.
pub struct Generated<'a> {
    args: &'a SaliencyArgs,
    /// Its prompt is the whole text, the continuation included.
    subject: Subject<'a>,
    /// Tokens of the prompt alone.
    len: usize,
    /// The probability of each written token.
    probabilities: Vec<f64>,
    /// For each method, what it found of each written token.
    methods: Vec<(Method, Vec<Attribution>)>,
}

impl<'a> Generated<'a> {
    /// Lets the model write, and runs the methods on each token.
    pub fn find(args: &'a SaliencyArgs, mut subject: Subject<'a>, count: usize) -> Result<Self> {
        let (session, model) = (subject.session, &*subject.session.model);
        let (len, bos) = (subject.prompt.ids.len(), subject.prompt.bos.then(|| subject.prompt.ids[0]));
        let stop = session.tokenizer.token_id(END_OF_TEXT).or(model.spec().bos);
        let written = generate(model, &subject.prompt.ids, count, args.choice(), stop)?;
        let ids: Vec<u32> = subject.prompt.ids.iter().chain(&written).copied().collect();
        let text = subject.about.prompt.text.take();
        subject.about.prompt = Prompt { text, ..Prompt::from_ids(&session.tokenizer, ids.clone(), bos) };
        let (baseline, request) = (args.method.baseline(&subject)?, args.method.request(&subject, false));
        let watch = |done, planned| subject.progress.watch(done, planned);
        let mut methods: Vec<(Method, Vec<Attribution>)> =
            args.method.methods()?.into_iter().map(|method| (method, Vec::new())).collect();
        let mut probabilities = Vec::with_capacity(written.len());
        for (position, target) in (len - 1..).zip(written) {
            let objective = Objective { position, target, foil: None, of: args.method.of().into() };
            let probe = Probe::new(model, &ids[..=position], objective, baseline, &watch)?;
            let asked = probe.asking(target, None, Of::Probability);
            probabilities.extend(asked.values(1, &|_| Ok(probe.embeddings().clone()))?);
            for (method, found) in &mut methods {
                found.push(attribute(&probe, *method, &request)?);
            }
        }
        Ok(Self { args, subject, len, probabilities, methods })
    }

    /// Scores `[written, token]`, NaN for tokens that a written one could not see.
    fn scores(&self, found: &[Attribution], cols: usize) -> Vec<f32> {
        let row = |found: &Attribution| {
            let unseen = std::iter::repeat(f32::NAN);
            found.scores.iter().copied().chain(unseen).take(cols).collect::<Vec<_>>()
        };
        found.iter().flat_map(row).collect()
    }

    fn written(&self) -> Vec<String> {
        self.subject.labels().split_off(self.len)
    }

    fn how(&self) -> String {
        match self.args.choice() {
            Choice::Greedy => "each the most probable one".into(),
            Choice::Sampled { temperature, top_p, seed } => {
                format!("drawn at temperature {temperature}, top-p {top_p}, seed {seed}")
            }
        }
    }
}

impl Findings for Generated<'_> {
    fn about(&self) -> &About<'_> {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let (labels, written) = (self.subject.labels(), self.written());
        let cols = labels.len() - 1; // nothing follows the last token
        let panels = self.methods.iter().map(|(method, found)| {
            let values = self.scores(found, cols);
            let scale = self.args.scale(&values, "score");
            let title = if self.methods.len() > 1 { method.name() } else { "" };
            generated(title, Matrix::new(written.len(), cols, values), &written, &labels[..cols], scale)
        });
        let names: Vec<&str> = self.methods.iter().map(|(method, _)| method.name()).collect();
        let what = format!("{} · {} + {} tokens", names.join(", "), self.len, written.len());
        let mut subtitle = vec![format!("{} · {what}", self.subject.note.unwrap_or(&self.subject.model))];
        let baseline = self.methods.iter().any(|(method, _)| method.has_baseline());
        let baseline = baseline.then(|| format!("baseline {}", self.args.baseline_name()));
        let parts = [
            Some(format!("what moved the {} of each written token ({})", self.args.explained(), self.how())),
            baseline,
        ];
        subtitle.push(parts.into_iter().flatten().collect::<Vec<_>>().join(" · "));
        let mut provenance = self.subject.provenance();
        if let Value::Object(provenance) = &mut provenance {
            provenance.insert("token_ids".into(), json!(self.subject.prompt.ids[..self.len]));
        }
        self.args.figure.figure(&self.subject, subtitle, panels.collect(), provenance)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let tokens = self.subject.prompt.ids.len();
        let choice = match self.args.choice() {
            Choice::Greedy => json!("greedy"),
            Choice::Sampled { temperature, top_p, seed } => {
                json!({ "temperature": temperature, "top_p": top_p, "seed": seed })
            }
        };
        let entries = self.methods.iter().map(|(method, found)| {
            let mut settings = found.first().map(|found| self.args.settings(found)).unwrap_or_default();
            settings.insert("choice".into(), choice.clone());
            let mut fields = Map::from_iter([
                ("prompt_tokens".into(), json!(self.len)),
                ("written_ids".into(), json!(self.subject.prompt.ids[self.len..])),
                ("written".into(), json!(self.written())),
                ("p_target".into(), json!(self.probabilities)),
            ]);
            if found.iter().any(|found| found.gap.is_some()) {
                fields.insert("gap".into(), found.iter().map(|found| json!(found.gap.map(|gap| gap.gap))).collect());
            }
            let values = self.scores(found, tokens);
            let arrays = vec![Array { name: "scores".into(), shape: vec![found.len(), tokens], values }];
            Entry { method: method.name().into(), settings, fields, arrays }
        });
        Ok(self.subject.data(entries.collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let token = |i: usize| Cell::from(self.subject.prompt.tokens[i].text.clone());
        let mut rows = Vec::new();
        for (method, found) in &self.methods {
            for (i, found) in found.iter().enumerate() {
                let at = self.len + i;
                for (j, score) in found.scores.iter().enumerate() {
                    rows.push(vec![method.name().into(), at.into(), token(at), j.into(), token(j), (*score).into()]);
                }
            }
        }
        let written = [text("method"), whole("written"), text("written_token")];
        let read = [whole("position"), text("token"), number("score")];
        Ok(Table { columns: [written, read].concat(), rows })
    }

    fn remarks(&self) -> Vec<String> {
        self.methods.iter().filter_map(|(_, found)| found.iter().find_map(warning)).collect()
    }
}
