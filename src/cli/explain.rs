//! `attnviz explain`: one prediction by several methods at once, on one page.

use super::args::{FigureArgs, PromptArgs, one_of};
use super::deliver::deliver;
use super::model::ModelArgs;
use super::output::{self, Destination, OutputArgs};
use super::progress::Progress;
use super::run::{Groups, PromptCommand};
use super::target::TargetArgs;
use attnviz::error::{Error, Result};
use attnviz::findings::explain::{Both, Options, Part, find_beside};
use attnviz::findings::{Analysis, Asked};
use attnviz::format::Format;
use clap::Args;

/// The flags of `explain`.
#[derive(Args)]
#[command(after_help = "\
Without -o, a page for a browser is written. Its sentences are made of what was measured, and each
leads to the figure that it is taken from.

Examples:
  attnviz explain \"The king and his\" -m builtin
  attnviz explain \"The king and his\" --evaluate -o king.html -o king.json
  attnviz explain \"The king and his\" --target \" son\" --foil \" wife\"
  attnviz explain \"The king and his\" --versus \"The queen and her\" -o king.md
  attnviz explain \"The king and his\" --panels lens,direct -o king.svg
  attnviz explain \"The king and his\" -m builtin --against ./my-gpt2")]
pub struct ExplainArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    /// Another prompt: what becomes of the answer there, and of prompts of as many tokens where they part
    #[arg(long, value_name = "TEXT", help_heading = "Prompt")]
    versus: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Another model, whose explanation stands beside the first one's, their explorers linked
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    against: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Remove tokens in the order of each method's scores, and see which method can be trusted here
    #[arg(long, help_heading = "Method")]
    evaluate: bool,
    /// The sections [default: each of them by a few methods]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = one_of::<Part>(), help_heading = "Method")]
    panels: Vec<Part>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl ExplainArgs {
    fn options(&self) -> Result<Options> {
        Ok(Options {
            reading: self.prompt.reading(),
            target: self.target.target(),
            versus: self.versus.clone(),
            panels: self.panels.clone(),
            evaluate: self.evaluate,
            style: self.figure.style()?,
        })
    }

    /// The same of two models.
    fn run_both(&self, other: &str, line: &str) -> Result<()> {
        let quiet = self.output.quiet;
        let destinations = self.destinations("explain", line)?;
        let outputs: Vec<_> = destinations.iter().map(|destination| destination.output()).collect();
        let options = self.options()?;
        options.check(&outputs)?;
        let words = self.prompt.words()?;
        let own = self.model.one()?.map_or_else(|| self.model.named(), |name| Some(name.to_owned()));
        let models = ModelArgs { model: own.into_iter().chain([other.to_owned()]).collect(), ..self.model.clone() };
        if models.model.len() < 2 {
            return Err(Error::usage("--against needs a first model").hint("name it with --model"));
        }
        let mut told = models.each(quiet, |session| {
            let prompt = options.reading().read(words.clone(), &session.tokenizer, session.spec())?;
            output::remark_on_prompt(&prompt, quiet);
            Progress::during(quiet, "runs", |watch| find_beside(&options, prompt, session, watch))
        })?;
        let (Some(second), Some(first)) = (told.pop(), told.pop()) else {
            return Err(Error::failed("there are not two models, this should not happen"));
        };
        deliver(&Both::new(first, second, line), &destinations, &options.style.fonts()?, quiet)
    }
}

impl PromptCommand for ExplainArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn destinations(&self, command: &str, line: &str) -> Result<Vec<Destination>> {
        self.output.destinations_or(Format::Html, command, self.model.named().as_deref(), line)
    }

    fn asked(&self) -> Result<Asked> {
        match self.against {
            None => self.options().map(Asked::Explain),
            Some(_) => Err(Error::usage("--against puts two models on one page of one prompt")
                .hint("leave it out here, and run attnviz explain by itself")),
        }
    }

    fn otherwise(&self, line: &str) -> Option<Result<()>> {
        self.against.as_deref().map(|other| self.run_both(other, line))
    }
}
