//! Which tokens moved a prediction, by one method or several, and how far they can be trusted.

mod explanation;
pub(super) mod options;
pub(super) mod words;

pub use options::{Absent, Like, Options};

use super::cost;
use super::generated::Generated;
use super::subject::Subject;
use super::{Analysis, Cost, Findings, Output, Reading, Style, Target, each_once, need_arrays, refuse_parts, within};
use crate::analysis::attribution::{GRADIENT, Method, Steps};
use crate::error::{Error, Result};
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::Remark;
use crate::text;
use explanation::Explanation;

/// Beyond these, nobody waits for the answer.
const MOST_STEPS: usize = 10_000;
const MOST_SAMPLES: u32 = 100_000;
/// From so many rows of tokens on, it is said how many runs there will be.
const MANY_RUNS: usize = 50_000;

impl Analysis for Options {
    fn reading(&self) -> Reading {
        self.reading
    }

    fn style(&self) -> Style {
        self.style.clone()
    }

    fn check(&self, outputs: &[Output]) -> Result<()> {
        if self.method.is_empty() {
            return Err(Error::usage("no method is named")
                .hint(format!("methods are {}", Method::names()))
                .option("method"));
        }
        refuse_parts("saliency", outputs)?;
        if self.draws {
            need_arrays(outputs)?;
            self.check_draws()?;
        }
        if let Steps::Fixed(steps) = self.steps {
            within("steps", steps, 1, MOST_STEPS)?;
        }
        within("samples", self.samples.unwrap_or(1), 1, MOST_SAMPLES)?;
        within("seed", self.seed, 0, i64::MAX as u64)?; // tables hold it as i64
        within("generate", self.generate.unwrap_or(1), 1, u16::MAX)?;
        self.check_generated()?;
        self.style.check()
    }

    fn cost(&self, spec: &Spec, tokens: usize, _: &[Output]) -> Cost {
        let memory = cost::pass(spec, tokens.max(512), false).max(cost::followed(spec, tokens, spec.layers, false));
        let times = usize::from(self.generate.unwrap_or(1));
        let samples = self.samples.map(|samples| samples as usize);
        let runs: Vec<(&str, usize)> = each_once(&self.method)
            .into_iter()
            .map(|method| (method.name(), times * method.runs(tokens, self.steps, samples)))
            .collect();
        let all: usize = runs.iter().map(|(_, runs)| runs).sum();
        if all.saturating_mul(tokens) < MANY_RUNS {
            return Cost::of_memory(memory);
        }
        let each: Vec<String> = runs.iter().map(|(name, runs)| format!("{name} {runs}")).collect();
        let least = if self.steps == Steps::Auto || self.evaluate { "at least " } else { "" };
        let text = format!(
            "{least}{} of the model over {}, a gradient counted as {GRADIENT}: {}",
            text::count(all, "run"),
            text::count(tokens, "token"),
            each.join(", ")
        );
        Cost { memory, remarks: vec![Remark { text, option: Some("method") }], ..Cost::default() }
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Output]) -> Result<Box<dyn Findings + 'a>> {
        Ok(match self.generate {
            Some(count) => Box::new(Generated::find(self, subject, count.into())?),
            None => Box::new(Explanation::find(self, subject)?),
        })
    }
}

impl Options {
    /// Fails where nothing is drawn at random that could be written.
    fn check_draws(&self) -> Result<()> {
        if self.evaluate || self.method.iter().any(|method| method.samples().is_some()) {
            return Ok(());
        }
        let names: Vec<&str> = Method::all().filter(|method| method.samples().is_some()).map(Named::name).collect();
        Err(Error::usage("draws: nothing that is asked for is drawn at random")
            .hint(format!("methods that draw are {}; an evaluation has random orders", names.join(" and ")))
            .option("with"))
    }

    /// Fails where the model cannot write like that, or where one prediction and a continuation are asked for at once.
    fn check_generated(&self) -> Result<()> {
        if let Some(t) = self.temperature.filter(|t| !(t.is_finite() && *t > 0.0)) {
            return Err(Error::usage(format!("temperature {t} is not more than 0"))
                .hint("leave it out to take the most probable token each time")
                .option("temperature"));
        }
        if let Some(p) = self.top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return Err(Error::usage(format!("top_p {p} is not a share"))
                .hint("give more than 0 and at most 1")
                .option("top_p"));
        }
        let Target { target, foil, position } = &self.target;
        let of_one = [
            ("target", target.is_some()),
            ("foil", foil.is_some()),
            ("position", position.is_some()),
            ("words", self.words.is_some()),
            ("evaluate", self.evaluate),
        ];
        let of_written = [("temperature", self.temperature.is_some()), ("top_p", self.top_p.is_some())];
        let (given, why, hint) = match self.generate {
            Some(_) => (&of_one[..], "is about one prediction, generate about many", "ask for one after the other"),
            None => (&of_written[..], "is about what the model writes, and it writes nothing", "say how many tokens"),
        };
        match given.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => Err(Error::usage(format!("{option} {why}")).hint(hint).option("generate")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Of;
    use crate::analysis::attribution::Score;
    use crate::findings::{Style, Token, options};
    use crate::format::Format;
    use crate::prompt::{Truncate, WordRule};
    use serde_json::json;

    /// Nothing as it is by default.
    fn full() -> Options {
        Options {
            reading: Reading { bos: true, truncate: Truncate::Left, ..Reading::default() },
            target: Target { target: Some(Token::Text(" time".into())), foil: Some(Token::Id(7)), position: Some(-2) },
            method: vec![Method::IntegratedGradients, Method::GradientShap],
            of: Of::Probability,
            baseline: Absent::Endoftext,
            score: Score::Share,
            steps: Steps::Auto,
            samples: Some(9),
            seed: 3,
            words: Some(WordRule::Space),
            evaluate: true,
            generate: Some(4),
            temperature: Some(0.8),
            top_p: Some(0.9),
            draws: true,
            style: Style { dpi: 192.0, ..Style::default() },
        }
    }

    #[test]
    fn options_are_read_as_they_are_written() {
        for written in [Options::default(), full()] {
            let json = serde_json::to_value(&written).unwrap();
            assert_eq!(options::<Options>(json.clone()).unwrap(), written, "{json}");
        }
        assert_eq!(options::<Options>(json!({})).unwrap(), Options::default());
        let json = serde_json::to_value(full()).unwrap();
        assert_eq!([&json["of"], &json["score"], &json["steps"]], [&json!("prob"), &json!("share"), &json!("auto")]);
        assert_eq!(json["method"], json!(["integrated-gradients", "gradient-shap"]));
        assert_eq!(serde_json::to_value(Options::default()).unwrap()["steps"], 50);
    }

    #[test]
    fn options_that_nobody_knows_are_refused() {
        for unknown in [json!({ "model": "x" }), json!({ "steps": "many" }), json!({ "method": ["magic"] })] {
            assert!(options::<Options>(unknown.clone()).is_err(), "{unknown}");
        }
    }

    #[test]
    fn draws_need_a_method_that_draws_or_random_orders() {
        let outputs = [Output::whole(Format::Npz)];
        let said =
            |options: Options| Options { draws: true, ..options }.check(&outputs).err().map(|error| error.message);
        let quiet = || Options { method: vec![Method::Gradient, Method::Occlusion], ..Options::default() };
        assert!(said(quiet()).unwrap().contains("nothing"));
        assert!(said(Options { generate: Some(2), temperature: Some(1.0), ..quiet() }).unwrap().contains("nothing"));
        assert_eq!(said(Options { evaluate: true, ..quiet() }), None);
        assert_eq!(said(Options { generate: Some(2), method: vec![Method::Smoothgrad], ..quiet() }), None);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let outputs = [Output::whole(Format::Png)];
        let table: [(Options, Option<&str>); 11] = [
            (Options::default(), None),
            (Options { generate: Some(4), top_p: Some(0.5), ..Options::default() }, None),
            (Options { method: Vec::new(), ..Options::default() }, Some("method")),
            (Options { steps: Steps::Fixed(0), ..Options::default() }, Some("steps")),
            (Options { samples: Some(0), ..Options::default() }, Some("samples")),
            (Options { seed: u64::MAX, ..Options::default() }, Some("seed")),
            (Options { generate: Some(0), ..Options::default() }, Some("generate")),
            (Options { generate: Some(1), evaluate: true, ..Options::default() }, Some("generate")),
            (Options { temperature: Some(f64::NAN), generate: Some(1), ..Options::default() }, Some("temperature")),
            (Options { top_p: Some(0.5), ..Options::default() }, Some("generate")),
            (Options { draws: true, ..Options::default() }, Some("with")),
        ];
        for (options, option) in table {
            assert_eq!(options.check(&outputs).err().and_then(|error| error.option), option, "{options:?}");
        }
    }
}
