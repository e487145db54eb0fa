//! `attnviz render`: attention that some program saved, as `attention` shows a model's own.

use super::args::{Selection, SelectionArgs};
use super::attention::found::Found;
use super::attention::view::ViewArgs;
use super::findings;
use super::output::{OutputArgs, Target};
use super::recipe::Recipe;
use super::subject::About;
use attnviz::analysis::attention::Extent;
use attnviz::analysis::{Attention, Recorded, Reduction, Request, recorded};
use attnviz::error::{Error, Result};
use attnviz::export::{Input, Trace, read};
use attnviz::prompt::{Prompt, Word};
use clap::Args;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The flags of `render`.
#[derive(Args)]
pub struct RenderArgs {
    /// A .safetensors or .npz file with `attention` [layer, head, query, key]; `tokens`, `token_ids` and `prompt` are optional
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    pub view: ViewArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Layers and heads are not numbered higher than this by any model.
const MOST_NUMBER: usize = 1 << 16;

/// Draws or exports what the file holds.
pub fn run(args: &RenderArgs, recipe: &Recipe) -> Result<()> {
    let targets = args.output.targets(&recipe.command)?;
    args.view.check(&targets)?;
    let opened = Opened::read(&args.file)?;
    findings::deliver(&opened.look(&args.view, recipe, &targets)?, &targets, args.output.quiet)
}

/// A trace, and how it is identified.
pub struct Opened {
    pub input: Input,
    trace: Trace,
    layers: Axis,
    heads: Axis,
}

/// What the layers or the heads of a file are.
pub struct Axis {
    /// The number of each.
    numbers: Vec<usize>,
    /// Those that were reduced to one, and how.
    reduced: Option<(Vec<usize>, Reduction)>,
}

impl Opened {
    /// Reads it.
    pub fn read(path: &Path) -> Result<Self> {
        Self::of(read(path)?, path)
    }

    /// A trace that was read from a file.
    pub fn of(trace: Trace, path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let [layers, heads, ..] = trace.shape;
        let (layers, heads) = (Axis::of(&trace, "layers", layers), Axis::of(&trace, "heads", heads));
        Ok(Self { input: Input { name, hash: hash(path)? }, trace, layers, heads })
    }

    /// Whether the file says what its tokens are.
    pub fn has_tokens(&self) -> bool {
        self.trace.tokens.is_some()
    }

    /// What is selected of the file, gathered as `request` wants it of so many words and tokens.
    pub fn gather(
        &self,
        selection: &SelectionArgs,
        request: impl FnOnce(Selection, &[Word], usize) -> Request,
    ) -> Result<Gathered> {
        let Self { input, trace, layers, heads } = self;
        let by_word = trace.header.contains_key("words");
        if selection.words.is_some() && (by_word || trace.tokens.is_none()) {
            let (why, hint) = match by_word {
                true => ("holds words already", "leave --words out"),
                false => ("does not say what its tokens are", "save `tokens` beside `attention`, or leave --words out"),
            };
            return Err(Error::usage(format!("--words: {} {why}", input.name)).hint(hint));
        }
        let selected = selection.resolve_among("the file", &layers.numbers, &heads.numbers)?;
        let prompt = prompt(trace);
        let words = match &trace.tokens {
            Some(_) if !by_word => prompt.words(selection.word_rule()),
            _ => prompt
                .tokens
                .iter()
                .enumerate()
                .map(|(at, token)| Word { tokens: at..at + 1, label: token.label.clone() })
                .collect(),
        };
        let [.., queries, keys] = trace.shape;
        let patterns = Recorded {
            values: &trace.attention,
            layers: &layers.numbers,
            heads: &heads.numbers,
            extent: Extent { queries, keys, causal: is_causal(trace) },
        };
        let broken = |error: Error| Error { message: format!("{}: {}", input.name, error.message), ..error };
        let found = recorded(&patterns, &request(selected, &words, keys)).map_err(broken)?;
        Ok(Gathered { prompt, words, by_word, attention: reduced(found, layers, heads) })
    }

    /// The file as a command's findings.
    pub fn look<'a>(&self, view: &'a ViewArgs, recipe: &'a Recipe, targets: &[Target]) -> Result<Found<'a>> {
        let request = |selection, words: &[Word], tokens| view.request(selection, words, tokens, targets);
        let Gathered { prompt, words, by_word, attention } = self.gather(&view.selection, request)?;
        let said = |name: &str| self.trace.header.get(name).and_then(Value::as_str).map(str::to_owned);
        let about = About {
            model: said("model").unwrap_or_default(),
            revision: said("revision"),
            hash: said("hash").unwrap_or_default(),
            input: Some(self.input.clone()),
            other: None,
            prompt,
            note: None,
            recipe,
            index: 0,
        };
        Ok(Found { view, about, words, by_word, attention, next: None, extras: Vec::new() })
    }
}

/// What was selected of a file.
pub struct Gathered {
    pub prompt: Prompt,
    pub words: Vec<Word>,
    /// Whether what counts as tokens are words already.
    pub by_word: bool,
    pub attention: Attention,
}

impl Axis {
    /// As attnviz's own files say it, else counted from 0.
    fn of(trace: &Trace, name: &str, count: usize) -> Self {
        let said =
            trace.header.get(name).and_then(|numbers| serde_json::from_value::<Vec<usize>>(numbers.clone()).ok());
        let mut said = said.filter(|numbers| numbers.iter().all(|number| *number < MOST_NUMBER)).unwrap_or_default();
        let setting = trace.header.get("settings").and_then(|all| all.get(format!("reduce_{name}")));
        let how = match setting.and_then(Value::as_str) {
            Some("mean") => Some(Reduction::Mean),
            Some("max") => Some(Reduction::Max),
            _ => None,
        };
        if let Some(how) = how.filter(|_| count == 1 && !said.is_empty()) {
            return Self { numbers: vec![0], reduced: Some((said, how)) };
        }
        let mut sorted = said.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != count || said.len() != count {
            said = (0..count).collect();
        }
        Self { numbers: said, reduced: None }
    }
}

/// What was reduced before it was saved is called what it is.
fn reduced(mut attention: Attention, layers: &Axis, heads: &Axis) -> Attention {
    if let Some((numbers, how)) = &layers.reduced {
        (attention.layers, attention.layers_to) = (numbers.clone(), Some(*how));
    }
    if let Some((numbers, how)) = &heads.reduced {
        (attention.heads, attention.heads_to) = (numbers.clone(), Some(*how));
    }
    attention
}

/// The tokens that the file names, else their positions.
fn prompt(trace: &Trace) -> Prompt {
    let keys = trace.shape[3];
    let ids = trace.token_ids.as_ref().and_then(|ids| ids.iter().map(|id| u32::try_from(*id).ok()).collect());
    let (tokens, text) = match &trace.tokens {
        Some(tokens) => (tokens.clone(), trace.prompt.clone()),
        // Positions are no text.
        None => ((0..keys).map(|at| at.to_string()).collect(), Some(trace.prompt.clone().unwrap_or_default())),
    };
    Prompt::from_tokens(&tokens, ids.unwrap_or_default(), text)
}

/// Whether no query looks past its own position.
fn is_causal(trace: &Trace) -> bool {
    let [.., queries, keys] = trace.shape;
    trace
        .attention
        .chunks_exact(keys)
        .enumerate()
        .all(|(row, weights)| weights[keys - queries + row % queries + 1..].iter().all(|weight| *weight == 0.0))
}

/// XXH3-128 of a file.
pub fn hash(path: &Path) -> Result<String> {
    let broken = |e: std::io::Error| {
        Error::failed(format!("cannot read {}: {e}", path.display())).hint("it was there a moment ago; try again")
    };
    let mut file = File::open(path).map_err(broken)?;
    let (mut hasher, mut block) = (Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(broken)? {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            count => hasher.update(&block[..count]),
        }
    }
}
