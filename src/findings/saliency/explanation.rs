//! What moved one prediction, as a figure, data and tables.

use super::options::Options;
use super::words::{advice, note, warning};
use crate::analysis::attribution::{Attribution, Draws, Evaluator, Method, attribute};
use crate::analysis::faithfulness::faithfulness;
use crate::analysis::{Objective, Prediction};
use crate::error::{Error, Result};
use crate::export::table::{Cell, number, text, whole};
use crate::export::{Array, Data, Entry, Table};
use crate::figure::saliency::{Row, bars, strip};
use crate::figure::{Figure, Panel};
use crate::findings::answers::Answers;
use crate::findings::faithfulness::Evaluation;
use crate::findings::subject::{About, Subject};
use crate::findings::target::Explained;
use crate::findings::{Advice, Findings};
use crate::model::Odds;
use crate::named::Named;
use crate::prompt::Word;
use serde_json::{Map, json};
use std::borrow::Cow;

/// Everything that is known once the methods have run.
pub(super) struct Explanation<'a> {
    options: Cow<'a, Options>,
    subject: Subject<'a>,
    /// The words that tokens are gathered to, where they are.
    words: Option<Vec<Word>>,
    objective: Objective,
    /// The target's probability, or its score.
    probability: f64,
    next: Vec<Prediction>,
    attributions: Vec<Attribution>,
    /// For each method, the scores of words, or of tokens.
    scores: Vec<Vec<f32>>,
    evaluation: Option<Evaluation>,
}

impl<'a> Explanation<'a> {
    /// Runs the methods, and the evaluation if that was asked for.
    ///
    /// # Errors
    /// A target or a baseline that there is not; a model whose numbers are not finite.
    pub fn find(options: &'a Options, subject: Subject<'a>) -> Result<Self> {
        let (session, ids) = (subject.session, &subject.prompt.ids);
        let Explained { objective, probability, next } = options.target.answered(&subject, options.of)?;
        // Of scores it is always the logit.
        let options = match objective.of == options.of {
            true => Cow::Borrowed(options),
            false => Cow::Owned(Options { of: objective.of, ..options.clone() }),
        };
        let answers = Answers::of(&subject);
        if options.evaluate && answers.odds() == Odds::Score {
            return Err(Error::usage("evaluate watches a probability, but this model gives scores")
                .hint("leave it out")
                .option("evaluate"));
        }
        let evaluator = Evaluator::new(subject.model(), ids, objective, options.baseline(session)?, subject.watch)?;
        let (methods, request) = (options.methods(), options.request(session, options.draws));
        let run = |method: &Method| attribute(&evaluator, *method, &request);
        let attributions = methods.iter().map(run).collect::<Result<Vec<_>>>()?;
        let evaluation = match options.evaluate {
            false => None,
            true => {
                let scores: Vec<&[f32]> = attributions.iter().map(|found| &found.scores[..]).collect();
                let found = faithfulness(&evaluator, &scores)?;
                Some(Evaluation::new(found, &methods, &answers.name(objective.target), &options))
            }
        };
        let words = options.words.map(|rule| subject.prompt.words(rule));
        let gathered = |found: &Attribution| match &words {
            Some(words) => words.iter().map(|word| found.scores[word.tokens.clone()].iter().sum()).collect(),
            None => found.scores.clone(),
        };
        let scores = attributions.iter().map(gathered).collect();
        Ok(Self { options, words, objective, probability, next, attributions, scores, evaluation, subject })
    }

    /// What scores belong to.
    fn labels(&self) -> Vec<String> {
        match &self.words {
            Some(words) => words.iter().map(|word| word.label.clone()).collect(),
            None => self.subject.labels(),
        }
    }

    /// A method's scores in a figure, without those of what the prediction could not see.
    fn row(&self, found: &Attribution, scores: &[f32]) -> Row {
        let first = |i: usize| self.words.as_ref().map_or(i, |words| words[i].tokens.start);
        let seen = |(i, score): (usize, &f32)| if first(i) <= self.objective.position { *score } else { f32::NAN };
        let scores = scores.iter().enumerate().map(seen).collect();
        Row { name: found.method.name().into(), note: note(found), scores }
    }

    /// What scores measure; empty where methods measure different things.
    fn unit(&self) -> String {
        match &self.attributions[..] {
            [one] => self.options.unit(one.method),
            _ => String::new(),
        }
    }

    fn subtitle(&self) -> Vec<String> {
        let what = match &self.attributions[..] {
            [one] => one.method.name().to_owned(),
            many => format!("{} methods", many.len()),
        };
        let words = if self.words.is_some() { ", by word" } else { "" };
        let mut lines = vec![self.subject.line(&format!("{what}{words}"))];
        let (what, answers) = (self.options.explained(), Answers::of(&self.subject));
        let (target, number) = (answers.name(self.objective.target), answers.number(self.probability));
        let mut target = format!("what moved the {what} of {target} ({number})");
        if let Some(foil) = self.objective.foil {
            target += &format!(" rather than {}", answers.name(foil));
        }
        target += &self.subject.after(self.objective.position);
        let mut parts = vec![target];
        if self.attributions.iter().any(|found| found.method.has_baseline()) || self.evaluation.is_some() {
            parts.push(format!("baseline {}", self.options.baseline.name()));
        }
        if let [one] = &self.attributions[..]
            && !note(one).is_empty()
        {
            parts.push(note(one));
        }
        lines.push(parts.join(" · "));
        lines.extend(answers.line(&self.next));
        lines.extend(self.remarks());
        lines
    }

    fn entry(&self, (found, scores): (&Attribution, &Vec<f32>)) -> Entry {
        let (objective, answers) = (&self.objective, Answers::of(&self.subject));
        let mut settings = answers.settings(objective.target, objective.foil, objective.position);
        settings.extend(self.options.settings(found));
        let number = if answers.odds() == Odds::Score { "score_target" } else { "p_target" };
        let mut fields = Map::from_iter([(number.into(), json!(self.probability))]);
        if let Some(gap) = found.gap {
            fields.insert("gap".into(), json!(gap.gap));
            fields.insert("change".into(), json!(gap.change));
        }
        let vector = |name: &str, values: &[f32]| Array {
            name: name.into(),
            shape: vec![values.len()],
            values: values.to_vec(),
        };
        let mut arrays = vec![vector("scores", &found.scores)];
        if let Some(rule) = self.options.words {
            settings.insert("word_rule".into(), rule.name().into());
            fields.insert("words".into(), json!(self.labels()));
            arrays.push(vector("word_scores", scores));
        }
        arrays.extend(found.draws.iter().map(Draws::array));
        Entry { method: found.method.name().into(), settings, fields, arrays }
    }

    /// One row for each method and token or word.
    fn scores_table(&self) -> Table {
        let of = [text("method"), text("target"), text("foil"), text("of"), text("baseline")];
        let how = [whole("steps"), whole("samples"), whole("seed"), number("gap")];
        let columns = of.into_iter().chain(how).chain([whole("position"), text("token"), number("score")]).collect();
        let answers = Answers::of(&self.subject);
        let token = |id: u32| answers.label(id);
        let tokens = if self.words.is_some() { self.labels() } else { self.subject.texts() };
        let rows = self.attributions.iter().zip(&self.scores).flat_map(|(found, scores)| {
            let (options, method) = (&self.options, found.method);
            let head: [Cell; 9] = [
                method.name().into(),
                token(self.objective.target).into(),
                self.objective.foil.map(token).into(),
                options.of.name().into(),
                method.has_baseline().then(|| options.baseline.name()).into(),
                found.steps.into(),
                found.samples.into(),
                found.samples.map_or(Cell::Empty, |_| Cell::Whole(options.seed as i64)),
                found.gap.as_ref().map(|gap| gap.gap as f32).into(),
            ];
            let row = move |(i, (score, token)): (usize, (&f32, &String))| {
                let tail = [i.into(), token.clone().into(), (*score).into()];
                head.iter().cloned().chain(tail).collect::<Vec<_>>()
            };
            scores.iter().zip(&tokens).enumerate().map(row).collect::<Vec<_>>()
        });
        Table { columns, rows: rows.collect() }
    }
}

impl Findings for Explanation<'_> {
    fn about(&self) -> &About {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let (labels, unit) = (self.labels(), self.unit());
        let all = self.attributions.iter().zip(&self.scores);
        let rows: Vec<Row> = all.map(|(found, scores)| self.row(found, scores)).collect();
        let mut panels: Vec<Panel> = vec![strip(&rows, &labels, &|scores| self.options.scale(scores, &unit))];
        if let Some(evaluation) = &self.evaluation {
            panels.extend(evaluation.panels());
        } else if let [row] = &rows[..] {
            panels.push(bars(row, &labels, unit));
        }
        self.options.style.figure(&self.subject, self.subtitle(), panels)
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let mut entries: Vec<Entry> =
            self.attributions.iter().zip(&self.scores).map(|found| self.entry(found)).collect();
        entries.extend(self.evaluation.as_ref().map(Evaluation::entry));
        Ok(self.subject.data(entries))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(self.evaluation.as_ref().map_or_else(|| self.scores_table(), Evaluation::table))
    }

    fn remarks(&self) -> Vec<String> {
        let interpolated = self.evaluation.as_ref().and_then(Evaluation::remark);
        self.attributions.iter().filter_map(warning).chain(interpolated).collect()
    }

    fn advice(&self) -> Vec<Advice> {
        self.attributions.iter().filter_map(advice).chain(self.options.idle()).collect()
    }
}
