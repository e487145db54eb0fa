//! `attnviz saliency`: which tokens moved a prediction, by one method or several, and how far they can be trusted.

mod found;
mod generated;
mod settings;
mod trust;

use super::args::{FigureArgs, PromptArgs, WordsArg};
use super::findings::{Command, Findings, Groups};
use super::model::ModelArgs;
use super::output::{OutputArgs, Target};
use super::subject::Subject;
use super::target::{OfArg, TargetArgs};
use attnviz::analysis::attribution::{Baseline, Method, Request, Score, Steps};
use attnviz::analysis::generate::Choice;
use attnviz::error::{Error, Result};
use attnviz::model::Spec;
use clap::{Args, ValueEnum};
use found::Found;
use generated::Generated;

/// The flags of `saliency`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz saliency \"The king and his\"              what moved the next token
  attnviz saliency \"The king and his\" --target \" son\" --foil \" wife\"
  attnviz saliency \"The king and his\" --method all --evaluate -o trust.png
  attnviz saliency \"The king and his\" --generate 12   a row for each new token")]
pub struct SaliencyArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    more: MoreArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// More arrays in a .safetensors, .npz or .json file: what methods drew at random
    #[arg(long, value_name = "draws", help_heading = "Output")]
    with: Option<Extra>,
}

/// How scores are found.
#[derive(Args)]
#[command(next_help_heading = "Method")]
struct MethodArgs {
    /// One method or several with commas, or all: gradient, input-x-gradient, integrated-gradients, smoothgrad, gradient-shap,
    /// occlusion, attention-x-gradient
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "input-x-gradient")]
    method: Vec<String>,
    /// The number that is explained [default: logprob]
    #[arg(long, value_name = "NUMBER")]
    of: Option<OfArg>,
    /// What stands for a token that is not there [default: zero]
    #[arg(long, value_name = "BASELINE")]
    baseline: Option<BaselineArg>,
    /// What becomes of a token's contributions, one for each dimension of its embedding [default: signed]
    #[arg(long, value_name = "SCORE")]
    score: Option<ScoreArg>,
    /// Explain as another tool does: its number, baseline and scores
    #[arg(long, value_name = "TOOL", conflicts_with_all = ["of", "baseline", "score"])]
    like: Option<Like>,
    /// Nodes of integrated gradients; `auto` doubles them until the gap is under 1 %
    #[arg(long, value_name = "N", default_value = "50", value_parser = steps)]
    steps: Steps,
    /// Samples of smoothgrad [default: 25] and gradient-shap [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    samples: Option<u32>,
    /// Where chance begins
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
}

/// What else is done.
#[derive(Args)]
#[command(next_help_heading = "Selection")]
struct MoreArgs {
    /// Gather tokens to words, whose scores are sums; `--words=space` splits at whitespace only
    #[arg(long, value_name = "RULE", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    words: Option<WordsArg>,
    /// Remove tokens in the order of their scores, and see how far the methods can be trusted on this prompt
    #[arg(long)]
    evaluate: bool,
    /// Let the model write so many tokens, and explain each of them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with_all = ["target", "foil", "position", "words", "evaluate"])]
    generate: Option<u16>,
    /// Draw the tokens that --generate writes instead of taking the most probable ones
    #[arg(long, value_name = "T", requires = "generate")]
    temperature: Option<f64>,
    /// Draw only from the most probable tokens that together have this probability
    #[arg(long, value_name = "P", requires = "generate")]
    top_p: Option<f64>,
}

/// `--baseline`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BaselineArg {
    /// The zero vector
    Zero,
    /// The mean of all embeddings
    Mean,
    /// The embedding of <|endoftext|>
    Endoftext,
}

/// `--score`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScoreArg {
    /// Their sum
    Signed,
    /// Their Euclidean norm
    Norm,
    /// Their norm as a share of all tokens' norms
    Share,
}

/// `--like`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Like {
    /// Log-probability, zero baseline, signed
    Captum,
    /// Probability, <|endoftext|> baseline, shares
    Inseq,
    /// Probability, zero baseline, shares
    Ecco,
}

/// `--with`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extra {
    /// Noise, interpolation weights and baselines
    Draws,
}

impl MethodArgs {
    /// The methods, none twice, in the order typed.
    fn methods(&self) -> Result<Vec<Method>> {
        let mut methods = Vec::new();
        for name in &self.method {
            let named: Vec<Method> =
                Method::ALL.into_iter().filter(|method| name == "all" || name == method.name()).collect();
            if named.is_empty() {
                return Err(Error::usage(format!("--method {name:?} is not a method"))
                    .hint(format!("methods are {}, or all", Method::ALL.map(Method::name).join(", "))));
            }
            methods.extend(named);
        }
        let mut seen = std::collections::HashSet::new();
        methods.retain(|method| seen.insert(*method));
        Ok(methods)
    }

    /// The number explained, the baseline and the kind of score.
    fn meant(&self) -> (OfArg, BaselineArg, ScoreArg) {
        match self.like {
            Some(Like::Captum) => (OfArg::Logprob, BaselineArg::Zero, ScoreArg::Signed),
            Some(Like::Inseq) => (OfArg::Prob, BaselineArg::Endoftext, ScoreArg::Share),
            Some(Like::Ecco) => (OfArg::Prob, BaselineArg::Zero, ScoreArg::Share),
            None => (
                self.of.unwrap_or(OfArg::Logprob),
                self.baseline.unwrap_or(BaselineArg::Zero),
                self.score.unwrap_or(ScoreArg::Signed),
            ),
        }
    }

    fn of(&self) -> OfArg {
        self.meant().0
    }

    fn baseline(&self, subject: &Subject) -> Result<Baseline> {
        Ok(match self.meant().1 {
            BaselineArg::Zero => Baseline::Zero,
            BaselineArg::Mean => Baseline::Mean,
            BaselineArg::Endoftext => {
                let session = subject.session;
                let id = session.tokenizer.token_id(END_OF_TEXT).or(session.model.spec().bos);
                Baseline::Token(id.ok_or_else(|| {
                    Error::usage(format!("--baseline endoftext: the model has no {END_OF_TEXT}"))
                        .hint("use --baseline zero or mean")
                })?)
            }
        })
    }

    fn request(&self, subject: &Subject, keep_draws: bool) -> Request {
        let (tokenizer, vocab) = (&subject.session.tokenizer, subject.session.model.spec().vocab);
        let known = vocab.min(tokenizer.size()) as u32;
        Request {
            score: match self.meant().2 {
                ScoreArg::Signed => Score::Signed,
                ScoreArg::Norm => Score::Norm,
                ScoreArg::Share => Score::Share,
            },
            steps: self.steps,
            samples: self.samples.map(|samples| samples as usize),
            seed: self.seed,
            draw_from: (0..known).filter(|id| !tokenizer.is_special(*id)).collect(),
            keep_draws,
        }
    }
}

/// What ends a text, and what stands for none.
const END_OF_TEXT: &str = "<|endoftext|>";

impl Command for SaliencyArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn check(&self, targets: &[Target]) -> Result<()> {
        self.method.methods()?;
        if targets.iter().any(Target::splits) {
            return Err(
                Error::usage("saliency has no file for each layer or head").hint("leave {layer} and {head} out")
            );
        }
        if self.with.is_some() && targets.iter().all(|t| t.format().is_picture() || t.format().is_table()) {
            return Err(
                Error::usage("--with needs a data file").hint("write a .safetensors, .npz or .json file with -o")
            );
        }
        if let Some(t) = self.more.temperature.filter(|t| !(t.is_finite() && *t > 0.0)) {
            return Err(Error::usage(format!("--temperature {t} is not more than 0"))
                .hint("leave it out to take the most probable token each time"));
        }
        if let Some(p) = self.more.top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return Err(Error::usage(format!("--top-p {p} is not a share")).hint("give more than 0 and at most 1"));
        }
        Ok(())
    }

    fn fits(&self, _: &Spec) -> Result<()> {
        Ok(())
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Target]) -> Result<Box<dyn Findings + 'a>> {
        Ok(match self.more.generate {
            Some(count) => Box::new(Generated::find(self, subject, count.into())?),
            None => Box::new(Found::find(self, subject)?),
        })
    }
}

impl SaliencyArgs {
    /// How --generate chooses tokens.
    fn choice(&self) -> Choice {
        let MoreArgs { temperature, top_p, .. } = self.more;
        if temperature.is_none() && top_p.is_none() {
            return Choice::Greedy;
        }
        Choice::Sampled { temperature: temperature.unwrap_or(1.0), top_p: top_p.unwrap_or(1.0), seed: self.method.seed }
    }
}

fn steps(typed: &str) -> Result<Steps, String> {
    match typed.parse() {
        Ok(steps @ 1..=10_000) => Ok(Steps::Fixed(steps)),
        _ if typed == "auto" => Ok(Steps::Auto),
        _ => Err("give 1 to 10000, or auto".into()),
    }
}
