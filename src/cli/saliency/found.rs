//! What `saliency` found of one prediction, as figures, data and tables.

use super::{BaselineArg, SaliencyArgs, ScoreArg};
use crate::cli::args::WordsArg;
use crate::cli::findings::Findings;
use crate::cli::subject::{NEXT, Subject, percent};
use crate::cli::target;
use attnviz::analysis::attribution::{Attribution, Method, Probe, attribute};
use attnviz::analysis::faithfulness::{Faithfulness, Measured, SEEDS, SHARES, faithfulness};
use attnviz::analysis::{Objective, Of, Prediction, next_tokens, probability};
use attnviz::error::{Error, Result};
use attnviz::export::csv::{Table, write_table};
use attnviz::export::{Array, Data, Entry};
use attnviz::figure::saliency::{Row, bars, evaluation, strip};
use attnviz::figure::{Colormap, Figure, Panel, Scale};
use attnviz::prompt::{Word, WordRule};
use attnviz::trace::{NoTap, forward};
use serde_json::{Map, Value, json};

/// Everything that is known once the methods have run.
pub struct Found<'a> {
    args: &'a SaliencyArgs,
    subject: Subject<'a>,
    words: Vec<Word>,
    objective: Objective,
    /// The target's probability.
    probability: f64,
    next: Vec<Prediction>,
    attributions: Vec<Attribution>,
    faithfulness: Option<Faithfulness>,
}

impl<'a> Found<'a> {
    /// Runs the methods, and the evaluation if that was asked for.
    pub fn find(args: &'a SaliencyArgs, subject: Subject<'a>) -> Result<Self> {
        let (session, ids) = (subject.session, &subject.prompt.ids);
        let wanted = args.target.resolve(&subject)?;
        let resid = forward(&session.model, &[&ids[..=wanted.position]], &mut NoTap)?;
        let logits = session.next_logits(&resid)?;
        let next = next_tokens(&logits, NEXT)?;
        let own = next.first().ok_or_else(|| Error::failed("the model's vocabulary is empty"))?.id;
        let target = wanted.target.unwrap_or(own);
        if wanted.foil == Some(target) {
            return Err(Error::usage("--foil is what the model itself would say").hint("name a --target, too"));
        }
        let objective = Objective { position: wanted.position, target, foil: wanted.foil, of: args.method.of() };
        let watch = |done, planned| subject.progress.watch(done, planned);
        let probe = Probe::new(&session.model, ids, objective, args.method.baseline(&subject)?, &watch)?;
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
        let probability = probability(&logits, target)?;
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
        let (what, target) = (self.args.explained(), self.subject.label(self.objective.target));
        let mut target = format!("what moved the {what} of {target} ({})", percent(self.probability));
        if let Some(foil) = self.objective.foil {
            target += &format!(" rather than {}", self.subject.label(foil));
        }
        if self.objective.position + 1 < self.subject.prompt.ids.len() {
            let at = self.objective.position;
            target += &format!(" after {} (position {at})", self.subject.prompt.tokens[at].label);
        }
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

    /// Which method is to be trusted here, in one sentence.
    fn sentence(&self, found: &Faithfulness) -> String {
        let points = |p: f64| format!("{:.1}", 100.0 * p);
        let best = found.ranking()[0];
        let (name, aopc) = (self.attributions[best].method.name(), found.methods[best].deletion_aopc);
        let (chance, spread) = found.random(|m| m.deletion_aopc);
        let label = self.subject.label(self.objective.target);
        let cost = format!(
            "removing tokens in its order costs {label} {} points of probability on average, a random order {} ± {}",
            points(aopc),
            points(chance),
            points(spread)
        );
        if aopc <= chance + 2.0 * spread {
            let none = if found.methods.len() > 1 { "no method does clearly" } else { "it does not do clearly" };
            return format!("On this prompt {none} better than chance. The best is {name}: {cost}.");
        }
        match found.methods.len() {
            1 => format!("On this prompt {name} does better than chance: {cost}."),
            _ => format!("On this prompt {name} finds best what the prediction rests on: {cost}."),
        }
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

    /// The evaluation as data.
    fn evaluation(&self, found: &Faithfulness) -> Entry {
        let names: Vec<&str> = self.attributions.iter().map(|found| found.method.name()).collect();
        let all = || found.methods.iter().chain(&found.random);
        let (methods, orders, points) = (names.len(), all().count(), found.counts.len());
        let array = |name: &str, shape: Vec<usize>, values: Vec<f64>| Array {
            name: name.into(),
            shape,
            values: values.into_iter().map(|v| v as f32).collect(),
        };
        let of = |pick: fn(&Measured) -> &Vec<f64>| -> Vec<f64> { all().flat_map(|m| pick(m).clone()).collect() };
        let mut arrays = vec![
            array("deletion", vec![orders, points], of(|m| &m.deletion)),
            array("insertion", vec![orders, points], of(|m| &m.insertion)),
            array("deletion_aopc", vec![orders], all().map(|m| m.deletion_aopc).collect()),
            array("insertion_mean", vec![orders], all().map(|m| m.insertion_mean).collect()),
        ];
        if !found.spearman.is_empty() {
            arrays.push(array("comprehensiveness", vec![orders, SHARES.len()], of(|m| &m.comprehensiveness)));
            arrays.push(array("sufficiency", vec![orders, SHARES.len()], of(|m| &m.sufficiency)));
            arrays.push(array("spearman", vec![methods, methods], found.spearman.clone()));
            arrays.push(array("kendall", vec![methods, methods], found.kendall.clone()));
        }
        let settings = Map::from_iter([
            ("baseline".into(), self.args.baseline_name().into()),
            ("shares".into(), json!(SHARES)),
            ("random_orders".into(), json!(SEEDS)),
        ]);
        let ranking: Vec<&str> = found.ranking().into_iter().map(|i| names[i]).collect();
        let fields = Map::from_iter([
            ("methods".into(), json!(names)),
            ("rows_after_the_methods".into(), "random orders".into()),
            ("tokens_removed".into(), json!(found.counts)),
            ("ranking".into(), json!(ranking)),
            ("conclusion".into(), self.sentence(found).into()),
        ]);
        Entry { method: "faithfulness".into(), settings, fields, arrays }
    }

    /// The methods ranked.
    fn ranking(&self, found: &Faithfulness) -> Table {
        let header = vec![
            "rank",
            "method",
            "deletion_aopc",
            "insertion_mean",
            "comprehensiveness_10",
            "comprehensiveness_20",
            "comprehensiveness_50",
            "sufficiency_10",
            "sufficiency_20",
            "sufficiency_50",
        ];
        let cell = |v: f64| if v.is_nan() { String::new() } else { format!("{:?}", v as f32) };
        let row = |rank: String, name: &str, numbers: Vec<f64>| -> Vec<String> {
            [rank, name.into()].into_iter().chain(numbers.into_iter().map(cell)).collect()
        };
        let methods = (1usize..)
            .zip(found.ranking())
            .map(|(rank, i)| row(rank.to_string(), self.attributions[i].method.name(), numbers(&found.methods[i])));
        let chance = (0..header.len() - 2).map(|i| found.random(|m| numbers(m)[i]).0).collect();
        let rows = methods.chain([row(String::new(), "random order", chance)]);
        Table { header, rows: rows.collect() }
    }

    /// One row for each method and token or word.
    fn table(&self) -> Table {
        let header = vec![
            "method", "target", "foil", "of", "baseline", "steps", "samples", "seed", "gap", "position", "token",
            "score",
        ];
        let text = |id: Option<u32>| id.map_or(String::new(), |id| self.subject.label(id));
        let number = |n: Option<usize>| n.map_or(String::new(), |n| n.to_string());
        let tokens: Vec<String> = match self.args.more.words {
            Some(_) => self.labels(),
            None => self.subject.prompt.tokens.iter().map(|token| token.text.clone()).collect(),
        };
        let rows = self.attributions.iter().flat_map(|found| {
            let method = found.method;
            let head = [
                method.name().to_owned(),
                text(Some(self.objective.target)),
                text(self.objective.foil),
                self.args.of_name().into(),
                if method.has_baseline() { self.args.baseline_name().into() } else { String::new() },
                number(found.steps),
                number(found.samples),
                found.samples.map_or(String::new(), |_| self.args.method.seed.to_string()),
                found.gap.map_or(String::new(), |gap| format!("{:?}", gap.gap as f32)),
            ];
            let scores = self.scores(found).into_iter().zip(&tokens).enumerate();
            let row = move |(i, (score, token)): (usize, (f32, &String))| {
                let tail = [i.to_string(), token.clone(), format!("{score:?}")];
                head.iter().cloned().chain(tail).collect()
            };
            scores.map(row).collect::<Vec<_>>()
        });
        Table { header, rows: rows.collect() }
    }
}

impl Findings for Found<'_> {
    fn subject(&self) -> &Subject<'_> {
        &self.subject
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

    fn csv(&self, _: Option<usize>, out: &mut Vec<u8>) -> Result<()> {
        let table = self.faithfulness.as_ref().map_or_else(|| self.table(), |found| self.ranking(found));
        write_table(&table, out)
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

impl SaliencyArgs {
    pub(super) fn of_name(&self) -> &'static str {
        match self.method.of() {
            Of::Logit => "logit",
            Of::LogProb => "logprob",
            Of::Probability => "prob",
        }
    }

    /// The number that is explained, in words.
    pub(super) fn explained(&self) -> &'static str {
        match self.method.of() {
            Of::Logit => "logit",
            Of::LogProb => "log-probability",
            Of::Probability => "probability",
        }
    }

    pub(super) fn baseline_name(&self) -> &'static str {
        match self.method.meant().1 {
            BaselineArg::Zero => "zero",
            BaselineArg::Mean => "mean",
            BaselineArg::Endoftext => "endoftext",
        }
    }

    /// What a method's scores measure.
    pub(super) fn unit(&self, method: Method) -> String {
        match (self.method.meant().2, method) {
            (ScoreArg::Share, _) => "share of all contributions".into(),
            (_, Method::Gradient) => format!("size of the {}'s gradient", self.explained()),
            (_, Method::AttentionXGradient) => "relevance".into(),
            (ScoreArg::Norm, _) => format!("size of the contributions to the {}", self.explained()),
            (ScoreArg::Signed, _) => format!("contribution to the {}", self.explained()),
        }
    }

    /// From scores to colours; 0 keeps the page's colour.
    pub(super) fn scale(&self, scores: &[f32], unit: &str) -> Scale {
        let colormap = self.figure.colormap.unwrap_or(Colormap::Balance);
        let mut scale =
            Scale { kind: self.figure.scale.into(), colormap, ..Scale::signed(unit, scores.iter().copied()) };
        if !colormap.is_diverging() {
            scale.min = scores.iter().copied().filter(|score| score.is_finite()).fold(0.0, f32::min);
        }
        scale
    }

    /// How a method was run.
    pub(super) fn settings(&self, found: &Attribution) -> Map<String, Value> {
        let score = match self.method.meant().2 {
            ScoreArg::Signed => "signed",
            ScoreArg::Norm => "norm",
            ScoreArg::Share => "share",
        };
        let mut settings = Map::from_iter([
            ("of".into(), self.of_name().into()),
            ("score".into(), score.into()),
            ("bos".into(), self.prompt.bos.into()),
        ]);
        if found.method.has_baseline() {
            settings.insert("baseline".into(), self.baseline_name().into());
        }
        if let Some(steps) = found.steps {
            settings.insert("steps".into(), steps.into());
        }
        if let Some(samples) = found.samples {
            settings.insert("samples".into(), samples.into());
            settings.insert("seed".into(), self.method.seed.into());
        }
        settings
    }
}

/// The columns of a ranking, NaN where the prompt is too short.
fn numbers(m: &Measured) -> Vec<f64> {
    let shares = |values: &[f64]| (0..SHARES.len()).map(|i| values.get(i).copied().unwrap_or(f64::NAN)).collect();
    let (comprehensiveness, sufficiency): (Vec<f64>, Vec<f64>) = (shares(&m.comprehensiveness), shares(&m.sufficiency));
    [vec![m.deletion_aopc, m.insertion_mean], comprehensiveness, sufficiency].concat()
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
