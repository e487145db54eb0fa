//! `attnviz saliency`: which tokens moved a prediction, by one method or several, and how far they can be trusted.

use super::args::{FigureArgs, PromptArgs, method_names, methods, one_of};
use super::model::ModelArgs;
use super::output::OutputArgs;
use super::run::{Groups, PromptCommand};
use super::target::TargetArgs;
use attnviz::analysis::Of;
use attnviz::analysis::attribution::{Method, Score, Steps};
use attnviz::error::Result;
use attnviz::findings::Asked;
use attnviz::findings::saliency::{Absent, Like, Options};
use attnviz::prompt::WordRule;
use clap::Args;
use clap::builder::PossibleValue;

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
    /// More arrays in a .safetensors, .npz or .json file: what was drawn at random, for another implementation to repeat
    #[arg(long, value_name = "draws", ignore_case = true, help_heading = "Output")]
    #[arg(value_parser = [PossibleValue::new("draws").help("Noise, interpolation weights, baselines; with --evaluate the random orders")])]
    with: Option<String>,
}

/// How scores are found.
#[derive(Args)]
#[command(next_help_heading = "Method")]
struct MethodArgs {
    /// One method or several with commas, or all: gradient, input-x-gradient, integrated-gradients, smoothgrad, gradient-shap,
    /// occlusion, attention-x-gradient
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "input-x-gradient")]
    #[arg(value_parser = method_names::<Method>(), hide_possible_values = true)]
    method: Vec<String>,
    /// The number that is explained [default: logprob]
    #[arg(long, value_name = "NUMBER", value_parser = one_of::<Of>())]
    of: Option<Of>,
    /// What stands for a token that is not there [default: zero]
    #[arg(long, value_name = "BASELINE", value_parser = one_of::<Absent>())]
    baseline: Option<Absent>,
    /// What becomes of a token's contributions, one for each dimension of its embedding [default: signed]
    #[arg(long, value_name = "SCORE", value_parser = one_of::<Score>())]
    score: Option<Score>,
    /// Explain as another tool does: its number, baseline and scores
    #[arg(long, value_name = "TOOL", value_parser = one_of::<Like>(), conflicts_with_all = ["of", "baseline", "score"])]
    like: Option<Like>,
    /// Nodes of integrated gradients; `auto` doubles them until the gap is under 1 %
    #[arg(long, value_name = "N", default_value = "50")]
    steps: Steps,
    /// Samples of smoothgrad [default: 25] and gradient-shap [default: 50]
    #[arg(long, value_name = "N")]
    samples: Option<u32>,
    /// Seed of the random draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// What else is done.
#[derive(Args)]
#[command(next_help_heading = "Selection")]
struct MoreArgs {
    /// Gather tokens to words, whose scores are sums; `--words=space` splits at whitespace only
    #[arg(long, value_name = "RULE", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    #[arg(value_parser = one_of::<WordRule>())]
    words: Option<WordRule>,
    /// Remove tokens in the order of their scores, and see how far the methods can be trusted on this prompt
    #[arg(long)]
    evaluate: bool,
    /// Let the model write so many tokens, and explain each of them
    #[arg(long, value_name = "N", conflicts_with_all = ["target", "foil", "position", "words", "evaluate"])]
    generate: Option<u16>,
    /// Draw the tokens that --generate writes instead of taking the most probable ones
    #[arg(long, value_name = "T", requires = "generate")]
    temperature: Option<f64>,
    /// Draw only from the most probable tokens that together have this probability
    #[arg(long, value_name = "P", requires = "generate")]
    top_p: Option<f64>,
}

impl MethodArgs {
    /// The number explained, the baseline and the kind of score.
    fn settings(&self) -> (Of, Absent, Score) {
        match self.like {
            Some(tool) => tool.settings(),
            None => (self.of.unwrap_or_default(), self.baseline.unwrap_or_default(), self.score.unwrap_or_default()),
        }
    }
}

impl PromptCommand for SaliencyArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn asked(&self) -> Result<Asked> {
        let (of, baseline, score) = self.method.settings();
        let MethodArgs { method, steps, samples, seed, .. } = &self.method;
        let MoreArgs { words, evaluate, generate, temperature, top_p } = self.more;
        Ok(Asked::Saliency(Options {
            reading: self.prompt.reading(),
            target: self.target.target(),
            method: methods(method)?,
            of,
            baseline,
            score,
            steps: *steps,
            samples: *samples,
            seed: *seed,
            words,
            evaluate,
            generate,
            temperature,
            top_p,
            draws: self.with.is_some(),
            style: self.figure.style()?,
        }))
    }
}
