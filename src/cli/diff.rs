//! `attnviz diff`: what one run attends to more than another: two prompts, two models, or two saved results.

mod entry;
mod files;
mod found;
mod look;
pub mod runs;
mod sides;
mod subtitle;
mod words;

use super::args::{FigureArgs, SelectionArgs, Side};
use super::findings::{self, Findings};
use super::model::{ModelArgs, Opened};
use super::output::{OutputArgs, Target};
use super::recipe::Recipe;
use attnviz::analysis::Request;
use attnviz::checkpoint::Checkpoint;
use attnviz::error::{Error, Result};
use attnviz::prompt::Word;
use attnviz::session::{self, Session};
use clap::Args;
use sides::Sides;

/// The flags of `diff`.
#[derive(Args)]
#[command(after_help = "\
A word that ends in .json, .npz or .safetensors is a file, any other a prompt;
`text:` before a prompt forces it, `ids:464,2068` gives token ids. Prompts of
unequal length are aligned token by token, by the fewest edits. Blue is where B
attends more, orange where A does.

Exit: 0 no number differs by more than --tol; 3 some do, or one of the two has
tokens that the other lacks. Files are written either way.

Examples:
  attnviz diff \"The cat sat\" \"The old dog sat\" -m builtin
  attnviz diff \"Once upon a time\" -m builtin --against ./my-gpt2
  attnviz diff before.json after.safetensors --tol 1e-3")]
pub struct DiffArgs {
    /// The first: a prompt, or a file of results; `-` is a prompt on standard input
    #[arg(value_name = "A", help_heading = "Prompt")]
    a: String,
    /// The second, of the same kind
    #[arg(value_name = "B", help_heading = "Prompt", conflicts_with = "against")]
    b: Option<String>,
    /// Begin with the model's own beginning-of-text token
    #[arg(long, help_heading = "Prompt")]
    bos: bool,
    /// Shorten a prompt that is longer than the model's context
    #[arg(long, value_name = "SIDE", help_heading = "Prompt")]
    truncate: Option<Side>,
    /// The model to compare with on one prompt, such as a fine-tune
    #[arg(long, value_name = "MODEL", help_heading = "Model")]
    against: Option<String>,
    /// How far apart two numbers may be and still count as the same
    #[arg(long, value_name = "X", default_value = "1e-4", value_parser = tolerance, help_heading = "Comparison")]
    tol: f32,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn tolerance(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|tol: &f32| tol.is_finite() && *tol >= 0.0);
    number.ok_or_else(|| "a tolerance is a number from 0".into())
}

/// Compares, writes what was asked for, and fails where the two differ.
pub fn run(args: &DiffArgs, recipe: &Recipe) -> Result<()> {
    let targets = args.output.targets(&recipe.command)?;
    args.selection.reductions()?;
    let sides = args.sides()?;
    args.model.start_threads()?;
    let found = match sides {
        Sides::Files(a, b) => args.of_files([&a, &b], recipe)?,
        Sides::Prompts(a, b) => {
            let session = Session::new(args.open(&args.model)?)?;
            let prompts = [args.prompt(a, &session)?, args.prompt(b, &session)?];
            args.of_runs(runs::pair([&session, &session], prompts), recipe)?
        }
        Sides::Models(words, against) => {
            let [a, b] = args.open_both([&args.model, &args.model.instead(&against)])?;
            let prompts = [args.prompt(words.clone(), &a)?, args.prompt(words, &b)?];
            args.of_runs(runs::pair([&a, &b], prompts), recipe)?
        }
    };
    if found.parts().is_empty() && targets.iter().any(Target::splits) {
        return Err(Error::usage("these results have no layers and heads").hint("leave {layer} and {head} out of -o"));
    }
    findings::deliver(&found, &targets, args.output.quiet)?;
    found.verdict()
}

impl DiffArgs {
    /// A model that has what is selected. None stands in for one that cannot be had: differences from another would be no answer.
    pub fn open(&self, model: &ModelArgs) -> Result<Checkpoint> {
        let Opened { checkpoint, .. } = model.open(false, self.output.quiet)?;
        self.selection.resolve(session::family(&checkpoint)?.spec())?;
        Ok(checkpoint)
    }

    /// Two models that can be compared head by head.
    pub fn open_both(&self, models: [&ModelArgs; 2]) -> Result<[Session; 2]> {
        let opened = [self.open(models[0])?, self.open(models[1])?];
        sides::alike(&opened)?;
        let [a, b] = opened;
        Ok([Session::new(a)?, Session::new(b)?])
    }

    /// What is looked at on either side: whole maps, since they are compared number by number.
    fn request(&self, selection: super::args::Selection, words: &[Word]) -> Request {
        Request {
            layers: selection.layers,
            heads: selection.heads,
            sink: self.selection.sink.into(),
            words: self.selection.words.is_some().then(|| words.iter().map(|word| word.tokens.clone()).collect()),
            heads_to: selection.heads_to,
            layers_to: selection.layers_to,
            ..Request::default()
        }
    }
}
