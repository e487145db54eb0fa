//! `attnviz mix`: how much of each token reaches each position, by several methods.

mod found;

use super::args::{FigureArgs, PromptArgs, SinkArg};
use super::findings::{Command, Findings, Groups};
use super::model::ModelArgs;
use super::output::{OutputArgs, Target};
use super::subject::Subject;
use super::target::{OfArg, TargetArgs};
use attnviz::analysis::mixing::Method;
use attnviz::error::{Error, Result};
use attnviz::model::Spec;
use clap::Args;
use found::Found;

/// The flags of `mix`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz mix \"The king and his\"      seven methods, and whether they agree
  attnviz mix \"The king and his\" --method rollout,flow --sink renorm
  attnviz mix \"The king and his\" --target \" son\" --foil \" wife\" -o mix.csv
  attnviz mix \"The king and his\" --method value-zeroing --all-rows -o mix.npz")]
pub struct MixArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How mixing is measured.
#[derive(Args)]
#[command(next_help_heading = "Method")]
struct MethodArgs {
    /// Methods with commas, or all: raw, rollout, flow, norm, norm-residual, value-zeroing, attention-x-gradient
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "all")]
    method: Vec<String>,
    /// The attention on the first token, for raw, rollout and flow
    #[arg(long, value_name = "POLICY", default_value = "keep")]
    sink: SinkArg,
    /// The number whose gradient attention-x-gradient takes
    #[arg(long, value_name = "NUMBER", default_value = "logprob")]
    of: OfArg,
    /// Compute flow and value-zeroing at every position, not only at the target's
    #[arg(long)]
    all_rows: bool,
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
}

impl Command for MixArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn check(&self, targets: &[Target]) -> Result<()> {
        self.method.methods()?;
        if targets.iter().any(Target::splits) {
            return Err(Error::usage("mix has no file for each layer or head").hint("leave {layer} and {head} out"));
        }
        if self.method.all_rows && targets.iter().all(|t| t.format().is_table()) {
            return Err(Error::usage("--all-rows: a .csv holds the target's row only")
                .hint("write a picture, .json, .npz or .safetensors, or leave --all-rows out"));
        }
        Ok(())
    }

    fn fits(&self, _: &Spec) -> Result<()> {
        Ok(())
    }

    fn find<'a>(&'a self, subject: Subject<'a>, _: &[Target]) -> Result<Box<dyn Findings + 'a>> {
        Ok(Box::new(Found::find(self, subject)?))
    }
}
