//! What `saliency` found of one prediction, as figures, data and tables.

use super::SaliencyArgs;
use crate::cli::args::WordsArg;
use crate::cli::findings::Findings;
use crate::cli::subject::{About, Subject, percent};
use crate::cli::target::{self, Explained};
use attnviz::analysis::attribution::{Attribution, Method, Probe, attribute};
use attnviz::analysis::faithfulness::{Faithfulness, faithfulness};
use attnviz::analysis::{Objective, Prediction, probability};
use attnviz::error::Result;
use attnviz::export::table::{Cell, number, text, whole};
use attnviz::export::{Array, Data, Entry, Table};
use attnviz::figure::saliency::{Row, bars, evaluation, strip};
use attnviz::figure::{Figure, Panel};
use attnviz::prompt::{Word, WordRule};
use serde_json::{Map, json};

/// Everything that is known once the methods have run.
pub struct Found<'a> {
    pub args: &'a SaliencyArgs,
    pub subject: Subject<'a>,
    pub words: Vec<Word>,
    pub objective: Objective,
    /// The target's probability.
    pub probability: f64,
    pub next: Vec<Prediction>,
    pub attributions: Vec<Attribution>,
    pub faithfulness: Option<Faithfulness>,
}

impl<'a> Found<'a> {
    /// Runs the methods, and the evaluation if that was asked for.
    pub fn find(args: &'a SaliencyArgs, subject: Subject<'a>) -> Result<Self> {
        let (model, ids) = (&*subject.session.model, &subject.prompt.ids);
        let Explained { objective, next, logits } = args.target.explained(&subject, args.method.of())?;
        let watch = |done, planned| subject.progress.watch(done, planned);
        let probe = Probe::new(model, ids, objective, args.method.baseline(&subject)?, &watch)?;
        let request = args.method.request(&subject, args.with.is_some());
        let attributions = args
            .method
            .methods()?
            .into_iter()
            .map(|method| attribute(&probe, method, &request))
            .collect::<Result<Vec<_>>>()?;
        let scores: Vec<&[f32]> = attributions.iter().map(|found| &found.scores[..]).collect();
        let faithfulness = args.more.evaluate.then(|| faithfulness(&probe, &scores)).transpose()?;
        let words = subject.prompt.words(args.more.words.map_or(WordRule::Default, WordRule::from));
        let probability = probability(&logits, objective.target)?;
        Ok(Self { args, words, objective, probability, next, attributions, faithfulness, subject })
    }

    /// What scores belong to.
    fn labels(&self) -> Vec<String> {
        match self.args.more.words {
            Some(_) => self.words.iter().map(|word| word.label.clone()).collect(),
            None => self.subject.labels(),
        }
    }

    /// Scores of words, or of tokens.
    fn scores(&self, found: &Attribution) -> Vec<f32> {
        match self.args.more.words {
            Some(_) => self.words.iter().map(|word| found.scores[word.tokens.clone()].iter().sum()).collect(),
            None => found.scores.clone(),
        }
    }

    fn row(&self, found: &Attribution) -> Row {
        let mut scores = self.scores(found);
        let seen = |i: usize| match self.args.more.words {
            Some(_) => self.words[i].tokens.start <= self.objective.position,
            None => i <= self.objective.position,
        };
        scores.iter_mut().enumerate().filter(|(i, _)| !seen(*i)).for_each(|(_, score)| *score = f32::NAN);
        Row { name: found.method.name().into(), note: note(found), scores }
    }

    fn subtitle(&self) -> Vec<String> {
        let what = match &self.attributions[..] {
            [one] => one.method.name().to_owned(),
            many => format!("{} methods", many.len()),
        };
        let words = if self.args.more.words.is_some() { ", by word" } else { "" };
        let mut lines = vec![self.subject.line(&format!("{what}{words}"))];
        let (what, target) = (self.args.explained(), self.subject.name(self.objective.target));
        let mut target = format!("what moved the {what} of {target} ({})", percent(self.probability));
        if let Some(foil) = self.objective.foil {
            target += &format!(" rather than {}", self.subject.name(foil));
        }
        target += &self.subject.after(self.objective.position);
        let mut parts = vec![target];
        if self.attributions.iter().any(|found| found.method.has_baseline()) || self.faithfulness.is_some() {
            parts.push(format!("baseline {}", self.args.baseline_name()));
        }
        if let [one] = &self.attributions[..]
            && !note(one).is_empty()
        {
            parts.push(note(one));
        }
        lines.push(parts.join(" · "));
        lines.push(self.subject.next_line(&self.next));
        lines.extend(self.remarks());
        lines
    }

    fn entry(&self, found: &Attribution) -> Entry {
        let (objective, prompt) = (&self.objective, &self.subject.prompt);
        let mut settings = target::settings(&self.subject, objective.target, objective.foil, objective.position);
        settings.extend(self.args.settings(found));
        let mut fields = Map::from_iter([("p_target".into(), json!(self.probability))]);
        if let Some(gap) = found.gap {
            fields.insert("gap".into(), json!(gap.gap));
            fields.insert("change".into(), json!(gap.change));
        }
        let vector = |name: &str, values: Vec<f32>| Array { name: name.into(), shape: vec![values.len()], values };
        let mut arrays = vec![vector("scores", found.scores.clone())];
        debug_assert_eq!(found.scores.len(), prompt.ids.len());
        if let Some(rule) = self.args.more.words {
            let rule = if rule == WordsArg::Space { "space" } else { "default" };
            settings.insert("word_rule".into(), rule.into());
            fields.insert("words".into(), json!(self.labels()));
            arrays.push(vector("word_scores", self.scores(found)));
        }
        let draws = |draw: &attnviz::analysis::attribution::Draws| Array {
            name: draw.name.into(),
            shape: draw.shape.clone(),
            values: draw.values.clone(),
        };
        arrays.extend(found.draws.iter().map(draws));
        Entry { method: found.method.name().into(), settings, fields, arrays }
    }

    /// One row for each method and token or word.
    fn scores_table(&self) -> Table {
        let of = [text("method"), text("target"), text("foil"), text("of"), text("baseline")];
        let how = [whole("steps"), whole("samples"), whole("seed"), number("gap")];
        let columns = of.into_iter().chain(how).chain([whole("position"), text("token"), number("score")]).collect();
        let token = |id: u32| self.subject.label(id);
        let tokens: Vec<String> = match self.args.more.words {
            Some(_) => self.labels(),
            None => self.subject.prompt.tokens.iter().map(|token| token.text.clone()).collect(),
        };
        let rows = self.attributions.iter().flat_map(|found| {
            let method = found.method;
            let head: [Cell; 9] = [
                method.name().into(),
                token(self.objective.target).into(),
                self.objective.foil.map(token).into(),
                self.args.method.of().name().into(),
                method.has_baseline().then(|| self.args.baseline_name()).into(),
                found.steps.into(),
                found.samples.into(),
                found.samples.map_or(Cell::Empty, |_| Cell::Whole(self.args.method.seed as i64)),
                found.gap.as_ref().map(|gap| gap.gap as f32).into(),
            ];
            let scores = self.scores(found).into_iter().zip(&tokens).enumerate();
            let row = move |(i, (score, token)): (usize, (f32, &String))| {
                let tail = [i.into(), token.clone().into(), score.into()];
                head.iter().cloned().chain(tail).collect::<Vec<_>>()
            };
            scores.map(row).collect::<Vec<_>>()
        });
        Table { columns, rows: rows.collect() }
    }
}

impl Findings for Found<'_> {
    fn about(&self) -> &About<'_> {
        &self.subject.about
    }

    fn figure(&self, _: Option<usize>) -> Figure {
        let labels = self.labels();
        let rows: Vec<Row> = self.attributions.iter().map(|found| self.row(found)).collect();
        let mut panels: Vec<Panel> = vec![strip(&rows, &labels, &|scores| self.args.scale(scores, &self.unit()))];
        if let Some(found) = &self.faithfulness {
            let names: Vec<&str> = self.attributions.iter().map(|found| found.method.name()).collect();
            panels.extend(evaluation(found, &names, &self.sentence(found)));
        } else if let [row] = &rows[..] {
            panels.push(bars(row, &labels, self.unit()));
        }
        self.args.figure.figure(&self.subject, self.subtitle(), panels, self.subject.provenance())
    }

    fn data(&self, _: Option<usize>) -> Result<Data> {
        let mut entries: Vec<Entry> = self.attributions.iter().map(|found| self.entry(found)).collect();
        entries.extend(self.faithfulness.as_ref().map(|found| self.evaluation(found)));
        Ok(self.subject.data(entries))
    }

    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(self.faithfulness.as_ref().map_or_else(|| self.scores_table(), |found| self.ranking(found)))
    }

    fn remarks(&self) -> Vec<String> {
        self.attributions.iter().filter_map(warning).collect()
    }
}

impl Found<'_> {
    /// What scores measure; empty where methods measure different things.
    fn unit(&self) -> String {
        match &self.attributions[..] {
            [one] => self.args.unit(one.method),
            _ => String::new(),
        }
    }
}

/// What is said after a method's name.
fn note(found: &Attribution) -> String {
    let steps = found.steps.map(|steps| format!("{steps} nodes"));
    let samples = found.samples.map(|samples| format!("{samples} samples"));
    let gap = found.gap.map(|gap| format!("gap {}", percent(gap.share())));
    [steps, samples, gap].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What is wrong with scores that do not add up.
pub(super) fn warning(found: &Attribution) -> Option<String> {
    let gap = found.gap.filter(|gap| gap.is_large())?;
    let way_out = if found.method == Method::IntegratedGradients { "--steps auto" } else { "more --samples" };
    Some(format!(
        "{}: the scores add up to {:.3}, not to {:.3}; {way_out} may close the gap",
        found.method.name(),
        gap.gap + gap.change,
        gap.change
    ))
}
