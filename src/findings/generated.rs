//! What moved each token that the model wrote: a row of scores for each.

use super::saliency::options::{Options, end_of_text};
use super::saliency::words::{advice, warning};
use super::subject::{About, Subject};
use super::{Advice, Findings};
use crate::analysis::attribution::{Attribution, Draws, Evaluator, Method, attribute};
use crate::analysis::generate::{Choice, generate};
use crate::analysis::{Objective, Of};
use crate::error::Result;
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::saliency::generated;
use crate::figure::{Figure, Matrix};
use crate::named::Named;
use crate::prompt::Prompt;
use crate::text;
use serde_json::{Map, json};

/// A continuation, and what moved each of its tokens.
pub(super) struct Generated<'a> {
    options: &'a Options,
    subject: Subject<'a>,
    /// The prompt and its continuation.
    whole: Prompt,
    /// The probability of each written token.
    probabilities: Vec<f64>,
    /// For each method, what it found of each written token.
    methods: Vec<(Method, Vec<Attribution>)>,
}

impl<'a> Generated<'a> {
    /// Lets the model write, and runs the methods on each token.
    ///
    /// # Errors
    /// A continuation that the model's context does not hold, a baseline that there is not; a model whose numbers are not finite.
    pub fn find(options: &'a Options, mut subject: Subject<'a>, count: usize) -> Result<Self> {
        subject.prompt = std::mem::take(&mut subject.prompt).without_end();
        let (session, model) = (subject.session, subject.session.model());
        let mut ids = subject.prompt.ids.clone();
        let (len, bos) = (ids.len(), subject.prompt.bos.then(|| ids[0]));
        let written = generate(model, &ids, count, options.choice(), end_of_text(session))?;
        ids.extend(&written);
        let (baseline, mut request) = (options.baseline(session)?, options.request(session, false));
        let mut methods: Vec<(Method, Vec<Attribution>)> =
            options.methods().into_iter().map(|method| (method, Vec::new())).collect();
        let mut probabilities = Vec::with_capacity(written.len());
        let last = len + written.len() - 2;
        for (position, target) in (len - 1..).zip(written) {
            // The last token sees most: what is drawn for each earlier one are the first tokens of that.
            request.keep_draws = options.draws && position == last;
            let objective = Objective { position, target, foil: None, of: options.of };
            let evaluator = Evaluator::new(model, &ids[..=position], objective, baseline, subject.watch)?;
            let asked = evaluator.asking(target, None, Of::Probability);
            probabilities.extend(asked.values(1, &|_| Ok(evaluator.embeddings().clone()))?);
            for (method, found) in &mut methods {
                found.push(attribute(&evaluator, *method, &request)?);
            }
        }
        let whole = Prompt::from_ids(&session.tokenizer, ids, bos);
        Ok(Self { options, subject, whole, probabilities, methods })
    }

    /// Tokens of the prompt alone.
    fn len(&self) -> usize {
        self.subject.prompt.ids.len()
    }

    /// Scores `[written, token]`, NaN for tokens that a written one could not see.
    fn scores(&self, found: &[Attribution], cols: usize) -> Vec<f32> {
        let row = |found: &Attribution| {
            let unseen = std::iter::repeat(f32::NAN);
            found.scores.iter().copied().chain(unseen).take(cols).collect::<Vec<_>>()
        };
        found.iter().flat_map(row).collect()
    }

    /// The labels of the prompt and its continuation.
    fn labels(&self) -> Vec<String> {
        self.whole.tokens.iter().map(|token| token.label.clone()).collect()
    }

    fn how(&self) -> String {
        match self.options.choice() {
            Choice::Greedy => "each the most probable one".into(),
            Choice::Sampled { temperature, top_p, seed } => {
                format!("drawn at temperature {temperature}, top-p {top_p}, seed {seed}")
            }
        }
    }

    fn subtitle(&self) -> Vec<String> {
        let names: Vec<&str> = self.methods.iter().map(|(method, _)| method.name()).collect();
        let (model, written) = (self.subject.model_name(), self.probabilities.len());
        let what = format!("what moved the {} of each written token ({})", self.options.explained(), self.how());
        let has_baseline = self.methods.iter().any(|(method, _)| method.has_baseline());
        vec![
            format!("{model} · {} · {} + {}", names.join(", "), self.len(), text::count(written, "token")),
            if has_baseline { format!("{what} · baseline {}", self.options.baseline.name()) } else { what },
        ]
    }
}

impl Findings for Generated<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let labels = self.labels();
        let (seen, written) = (&labels[..labels.len() - 1], &labels[self.len()..]); // nothing follows the last token
        let panels = self.methods.iter().map(|(method, found)| {
            let values = self.scores(found, seen.len());
            let scale = self.options.scale(&values, "score");
            let title = if self.methods.len() > 1 { method.name() } else { "" };
            generated(title, Matrix::new(written.len(), seen.len(), values), written, seen, scale)
        });
        self.options.style.figure(&self.subject, self.subtitle(), panels.collect())
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let (tokens, written) = (self.whole.ids.len(), self.labels().split_off(self.len()));
        let choice = match self.options.choice() {
            Choice::Greedy => json!("greedy"),
            Choice::Sampled { temperature, top_p, seed } => {
                json!({ "temperature": temperature, "top_p": top_p, "seed": seed })
            }
        };
        let entries = self.methods.iter().map(|(method, found)| {
            let mut settings = found.first().map(|found| self.options.settings(found)).unwrap_or_default();
            settings.insert("choice".into(), choice.clone());
            let mut fields = Map::from_iter([
                ("prompt_tokens".into(), json!(self.len())),
                ("written_ids".into(), json!(self.whole.ids[self.len()..])),
                ("written".into(), json!(written)),
                ("p_target".into(), json!(self.probabilities)),
            ]);
            if found.iter().any(|found| found.gap.is_some()) {
                fields.insert("gap".into(), found.iter().map(|found| json!(found.gap.map(|gap| gap.gap))).collect());
            }
            let values = self.scores(found, tokens);
            let mut arrays = vec![Array { name: "scores".into(), shape: vec![found.len(), tokens], values }];
            arrays.extend(found.iter().flat_map(|found| &found.draws).map(Draws::array));
            Entry { method: method.name().into(), settings, fields, arrays }
        });
        Ok(self.subject.data(entries.collect()))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        let token = |i: usize| Cell::from(self.whole.tokens[i].text.clone());
        let mut rows = Vec::new();
        for (method, found) in &self.methods {
            for (at, found) in (self.len()..).zip(found) {
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

    fn advice(&self) -> Vec<Advice> {
        self.methods.iter().filter_map(|(_, found)| found.iter().find_map(advice)).collect()
    }
}
