//! `attnviz heads`: what each head does, by name.

mod found;

use super::args::{FigureArgs, PromptArgs};
use super::findings::{Command, Findings, Groups, together};
use super::model::ModelArgs;
use super::output::{OutputArgs, Target};
use super::subject::{Subject, next_of_all};
use attnviz::analysis::heads::{Score, of_prompts, of_repeats, repeats};
use attnviz::error::{Error, Result};
use attnviz::model::Spec;
use attnviz::session::Session;
use clap::{Args, ValueEnum};
use found::{Found, Text};

/// The flags of `heads`.
#[derive(Args)]
#[command(after_help = "\
Without a TEXT, heads are measured on ten sequences of random tokens, each repeated once: what is found there is the model's,
not a prompt's.

Examples:
  attnviz heads                 an atlas of all heads, and the table behind it
  attnviz heads --sort induction -o heads.csv
  attnviz heads \"When Mary and John went out, John gave a drink to\"")]
pub struct HeadsArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Colour and rank the heads by this score
    #[arg(long, value_name = "SCORE", help_heading = "Method")]
    sort: Option<ScoreArg>,
    /// Where the random tokens begin; not for a TEXT
    #[arg(long, value_name = "N", help_heading = "Method")]
    seed: Option<u64>,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// `--sort`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScoreArg {
    /// Attention on the token just before
    Previous,
    /// Attention on earlier occurrences of the same token
    Duplicate,
    /// Attention on what followed earlier occurrences of the same token
    Induction,
    /// Attention on the first token
    Sink,
    /// Attention on the token itself
    #[value(name = "self")]
    Own,
    /// How many tokens back attention reaches
    Distance,
    /// How evenly attention is spread
    Entropy,
}

impl From<ScoreArg> for Score {
    fn from(score: ScoreArg) -> Self {
        Score::ALL[score as usize]
    }
}

impl Command for HeadsArgs {
    fn groups(&self) -> Groups<'_> {
        Groups { prompt: &self.prompt, model: &self.model, output: &self.output }
    }

    fn needs_prompt(&self) -> bool {
        false
    }

    fn check(&self, targets: &[Target]) -> Result<()> {
        if targets.iter().any(Target::splits) {
            return Err(Error::usage("heads has no file for each layer or head").hint("leave {layer} and {head} out"));
        }
        if self.seed.is_some() && self.prompt.is_given() {
            return Err(
                Error::usage("--seed is for random tokens, but there is a prompt").hint("leave one of the two out")
            );
        }
        Ok(())
    }

    fn fits(&self, _: &Spec) -> Result<()> {
        Ok(())
    }

    fn find<'a>(&'a self, subject: Subject<'a>, targets: &[Target]) -> Result<Box<dyn Findings + 'a>> {
        if subject.has_prompt() {
            return self.find_all(vec![subject], targets).remove(0);
        }
        let (session, seed) = (subject.session, self.seed.unwrap_or_default());
        let (sequences, period) = repeats(&pool(session), session.model.spec().context, seed)?;
        let heads = of_repeats(&*session.model, &sequences, period)?;
        Ok(Box::new(Found { args: self, subject, heads, text: Text::Repeats { seed, period } }))
    }

    /// All prompts in one forward pass.
    fn find_all<'a>(&'a self, subjects: Vec<Subject<'a>>, targets: &[Target]) -> Vec<Result<Box<dyn Findings + 'a>>> {
        let Some(Subject { session, .. }) = subjects.first() else { return Vec::new() };
        let prompts: Vec<&[u32]> = subjects.iter().map(|subject| &subject.prompt.ids[..]).collect();
        let found = of_prompts(&*session.model, &prompts).and_then(|found| {
            let next = next_of_all(session, found.iter().map(|(_, resid)| resid))?;
            Ok(found.into_iter().map(|(heads, _)| heads).zip(next).collect())
        });
        let each = |subject, (heads, next)| -> Result<Box<dyn Findings + 'a>> {
            Ok(Box::new(Found { args: self, subject, heads, text: Text::Prompt(next) }))
        };
        together(subjects, found, |subject| self.find(subject, targets), each)
    }
}

/// Sizes of GPT-2's own vocabulary, and the ids in it that are common whole words.
const GPT2: (usize, std::ops::Range<u32>) = (50_257, 1000..10_000);

/// The ids that random sequences are made of.
fn pool(session: &Session) -> Vec<u32> {
    let (tokenizer, vocab) = (&session.tokenizer, session.model.spec().vocab);
    if tokenizer.size() == GPT2.0 && vocab >= GPT2.0 {
        return GPT2.1.collect();
    }
    (0..vocab.min(tokenizer.size()) as u32).filter(|id| !tokenizer.is_special(*id)).collect()
}
