//! What the user types: the groups of flags that commands share, and what they mean.

use super::subject::About;
use attnviz::analysis::{Reduction, Sink};
use attnviz::error::{Error, Result};
use attnviz::export::read_at_most;
use attnviz::figure::{Colormap, Figure, Panel, ScaleKind, Theme};
use attnviz::model::Spec;
use attnviz::prompt::{Prompt, Tokenizer, Truncate, WordRule};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// Which text.
#[derive(Args)]
#[command(next_help_heading = "Prompt")]
pub struct PromptArgs {
    /// The prompt; `-` reads standard input, `--` goes before one that begins with a dash
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// Read the prompt from a file (one final newline is dropped)
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Token ids instead of text
    #[arg(long, value_name = "464,2068,…", value_delimiter = ',', conflicts_with_all = ["text", "file"])]
    pub ids: Option<Vec<u32>>,
    /// Begin with the model's own beginning-of-text token
    #[arg(long)]
    pub bos: bool,
    /// Shorten a prompt that is longer than the model's context
    #[arg(long, value_name = "SIDE")]
    pub truncate: Option<Side>,
}

/// Where tokens are dropped.
#[derive(Clone, Copy, ValueEnum)]
pub enum Side {
    /// Drop the beginning
    Left,
    /// Drop the end
    Right,
}

/// What the prompt is, before there is a tokenizer.
#[derive(Clone)]
pub enum Words {
    Text(String),
    Ids(Vec<u32>),
}

/// A prompt larger than this cannot be meant: GPT-2's longest is a few kilobytes.
const LARGEST_PROMPT: u64 = 64 << 20;

impl PromptArgs {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.text.is_some() || self.file.is_some() || self.ids.is_some()
    }

    /// Reads the prompt, so that a missing one is noticed before a model is loaded.
    pub fn read(&self) -> Result<Words> {
        let text = match (&self.text, &self.file, &self.ids) {
            (_, _, Some(ids)) => return Ok(Words::Ids(ids.clone())),
            (Some(dash), None, None) if dash == "-" => read_text(std::io::stdin().lock(), "standard input")?,
            (Some(text), None, None) => text.clone(),
            (None, Some(path), None) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(path).map_err(|e| {
                    Error::failed(format!("cannot read {name}: {e}")).hint("check the path after --file")
                })?;
                read_text(file, &name)?
            }
            _ => {
                return Err(Error::usage("there is no prompt").hint(
                    "give a text, as in: attnviz \"Once upon a time\" (or --file, --ids, or - for standard input)",
                ));
            }
        };
        if text.is_empty() {
            return Err(Error::usage("the prompt is empty").hint("give at least one character, or --ids"));
        }
        Ok(Words::Text(text))
    }

    /// The prompt as the model will see it.
    pub fn resolve(&self, words: Words, tokenizer: &Tokenizer, spec: &Spec) -> Result<Prompt> {
        let bos = match (self.bos, spec.bos) {
            (true, None) => {
                return Err(Error::usage("--bos: the model's config names no bos_token_id")
                    .hint("leave --bos out, or add bos_token_id to config.json"));
            }
            (asked, bos) => bos.filter(|_| asked),
        };
        let prompt = match words {
            Words::Text(text) => Prompt::from_text(tokenizer, &text, bos)?,
            Words::Ids(ids) => Prompt::from_ids(tokenizer, ids, bos),
        };
        let truncate = match self.truncate {
            None => Truncate::No,
            Some(Side::Left) => Truncate::Left,
            Some(Side::Right) => Truncate::Right,
        };
        prompt.fit(spec.context, spec.vocab, truncate)
    }
}

fn read_text(from: impl Read, name: &str) -> Result<String> {
    let bytes = read_at_most(from, LARGEST_PROMPT).map_err(|e| match e.kind() {
        ErrorKind::FileTooLarge => Error::usage(format!("{name} is larger than 64 MiB")).hint("give a part of it"),
        _ => Error::failed(format!("cannot read {name}: {e}")).hint("give a text file"),
    })?;
    let mut text = String::from_utf8(bytes).map_err(|e| {
        Error::failed(format!("{name} is not UTF-8 (byte {})", e.utf8_error().valid_up_to()))
            .hint("convert it, for example with iconv -t utf-8")
    })?;
    if text.ends_with('\n') {
        text.truncate(text.len() - if text.ends_with("\r\n") { 2 } else { 1 });
    }
    Ok(text)
}

/// Which layers and heads, and what becomes of them.
#[derive(Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArgs {
    /// Layers, such as 0,3-5; negative ones count from the end [default: all]
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub layer: Option<String>,
    /// Heads, in the same way [default: all]
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub head: Option<String>,
    /// One map of several: heads=mean, layers=max, or both with a comma
    #[arg(long, value_name = "heads=mean,layers=max", value_delimiter = ',')]
    pub reduce: Vec<String>,
    /// The attention on the first token
    #[arg(long, value_name = "POLICY", default_value = "keep")]
    pub sink: SinkArg,
    /// Gather tokens to words; `--words=space` splits at whitespace only
    #[arg(long, value_name = "RULE", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    pub words: Option<WordsArg>,
}

/// `--sink`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SinkArg {
    /// Show it
    Keep,
    /// Hide its column
    Mask,
    /// Hide its column and rescale each row to 1
    Renorm,
}

impl SinkArg {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Mask => "mask",
            Self::Renorm => "renorm",
        }
    }
}

impl From<SinkArg> for Sink {
    fn from(sink: SinkArg) -> Self {
        match sink {
            SinkArg::Keep => Sink::Keep,
            SinkArg::Mask => Sink::Mask,
            SinkArg::Renorm => Sink::Renorm,
        }
    }
}

/// `--words`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WordsArg {
    /// Letters, punctuation and CJK characters apart
    Default,
    /// At whitespace only
    Space,
}

impl From<WordsArg> for WordRule {
    fn from(words: WordsArg) -> Self {
        match words {
            WordsArg::Default => WordRule::Default,
            WordsArg::Space => WordRule::Space,
        }
    }
}

/// A selection as meant.
pub struct Selection {
    pub layers: Vec<usize>,
    pub heads: Vec<usize>,
    pub heads_to: Option<Reduction>,
    pub layers_to: Option<Reduction>,
}

impl SelectionArgs {
    /// Whether anything but all of it as it is was asked for.
    pub fn is_given(&self) -> bool {
        let Self { layer, head, reduce, sink, words } = self;
        layer.is_some() || head.is_some() || !reduce.is_empty() || *sink != SinkArg::Keep || words.is_some()
    }

    /// What data files say of how it was selected, beside what its layers and heads were reduced to.
    pub fn settings(&self, layers_to: Option<Reduction>, heads_to: Option<Reduction>) -> Map<String, Value> {
        let name = |how: Option<Reduction>| json!(how.map(|how| if how == Reduction::Mean { "mean" } else { "max" }));
        let rule = self.words.map(|rule| if rule == WordsArg::Space { "space" } else { "default" });
        Map::from_iter([
            ("reduce_layers".into(), name(layers_to)),
            ("reduce_heads".into(), name(heads_to)),
            ("sink".into(), self.sink.name().into()),
            ("word_rule".into(), json!(rule)),
        ])
    }

    /// Where words begin.
    pub fn word_rule(&self) -> WordRule {
        self.words.map_or(WordRule::Default, WordRule::from)
    }

    /// The reductions, checked before there is a model.
    pub fn reductions(&self) -> Result<(Option<Reduction>, Option<Reduction>)> {
        let (mut heads, mut layers) = (None, None);
        for item in &self.reduce {
            let wrong = || {
                Error::usage(format!("--reduce {item:?} is not a reduction"))
                    .hint("write heads=mean, heads=max, layers=mean or layers=max, two of them with a comma")
            };
            let (what, how) = item.split_once('=').ok_or_else(wrong)?;
            let how = match how {
                "mean" => Reduction::Mean,
                "max" => Reduction::Max,
                _ => return Err(wrong()),
            };
            match what {
                "heads" => heads = Some(how),
                "layers" => layers = Some(how),
                _ => return Err(wrong()),
            }
        }
        Ok((heads, layers))
    }

    /// The selection within a model.
    pub fn resolve(&self, spec: &Spec) -> Result<Selection> {
        let all = |count| (0..count).collect::<Vec<_>>();
        self.resolve_among("the model", &all(spec.layers), &all(spec.heads))
    }

    /// The selection among the layers and heads of these numbers, none of them twice.
    pub fn resolve_among(&self, whose: &str, layers: &[usize], heads: &[usize]) -> Result<Selection> {
        let (heads_to, layers_to) = self.reductions()?;
        Ok(Selection {
            layers: indices("--layer", self.layer.as_deref(), whose, layers)?,
            heads: indices("--head", self.head.as_deref(), whose, heads)?,
            heads_to,
            layers_to,
        })
    }
}

/// `0,3-5,-1` as numbers out of `all`, in the order written, none twice; all where nothing is written.
fn indices(flag: &str, list: Option<&str>, whose: &str, all: &[usize]) -> Result<Vec<usize>> {
    let Some(list) = list else { return Ok(all.to_vec()) };
    let count = all.iter().max().map_or(0, |last| last + 1);
    let wrong = |item: &str| {
        Error::usage(format!("{flag} {item:?} is not a number or a range"))
            .hint("write numbers and ranges, such as 0,3-5,-1")
    };
    let resolve = |text: &str, item: &str| -> Result<usize> {
        let index: i64 = text.parse().map_err(|_| wrong(item))?;
        let from_start = if index < 0 { index.saturating_add(count as i64) } else { index };
        usize::try_from(from_start).ok().filter(|i| all.contains(i)).ok_or_else(|| {
            let (what, there) = (flag.trim_start_matches('-'), all.len());
            let error = Error::usage(format!(
                "{flag} {index}: {whose} has {there} {what}{}",
                if there == 1 { "" } else { "s" }
            ));
            if there == count {
                return error.hint(format!("{what}s are numbered 0 to {}; -1 is the last", count.saturating_sub(1)));
            }
            let numbers: Vec<String> = all.iter().map(usize::to_string).collect();
            error.hint(format!("{whose} has only {}", numbers.join(", ")))
        })
    };
    let mut found = Vec::new();
    for item in list.split(',').map(str::trim) {
        // The dash of a range is one that follows a digit.
        let dash = item.char_indices().skip(1).find(|(at, c)| *c == '-' && item.as_bytes()[at - 1].is_ascii_digit());
        let (first, last) = match dash {
            Some((at, _)) => (resolve(&item[..at], item)?, resolve(&item[at + 1..], item)?),
            None => (resolve(item, item)?, resolve(item, item)?),
        };
        if first > last {
            return Err(Error::usage(format!("{flag} {item:?} runs backwards")).hint("write the smaller number first"));
        }
        found.extend((first..=last).filter(|number| all.contains(number)));
    }
    let mut seen = vec![false; count];
    found.retain(|index| !std::mem::replace(&mut seen[*index], true));
    Ok(found)
}

/// How it looks.
#[derive(Args)]
#[command(next_help_heading = "Figure")]
pub struct FigureArgs {
    /// How numbers are spread over the colours
    #[arg(long, value_name = "SCALE", default_value = "linear")]
    pub scale: ScaleArg,
    /// The colours: tide, grey, viridis, magma, inferno, cividis or balance
    /// [default: tide, or balance where numbers have signs]
    #[arg(long, value_name = "NAME", value_parser = colormap)]
    pub colormap: Option<Colormap>,
    /// The headline [default: the prompt]; an empty one leaves it out
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Width in pixels at 96 dpi [default: as wide as the content]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(120..=20_000))]
    pub width: Option<u32>,
    /// Height in pixels at 96 dpi [default: as high as the content]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(120..=20_000))]
    pub height: Option<u32>,
    /// Resolution of a PNG, in pixels per inch
    #[arg(long, value_name = "N", default_value_t = 96.0, value_parser = resolution, allow_negative_numbers = true)]
    pub dpi: f32,
    /// Dark ink on white, or light ink on black
    #[arg(long, value_name = "THEME", default_value = "light")]
    pub theme: ThemeArg,
}

impl FigureArgs {
    /// These panels in this style.
    pub fn figure(&self, subject: &About, subtitle: Vec<String>, panels: Vec<Panel>, provenance: Value) -> Figure {
        Figure {
            title: self.title.clone().unwrap_or_else(|| subject.headline()),
            subtitle,
            panels,
            theme: self.theme.into(),
            width: self.width,
            height: self.height,
            dpi: self.dpi,
            provenance,
        }
    }
}

/// `--scale`.
#[derive(Clone, Copy, ValueEnum)]
pub enum ScaleArg {
    /// Evenly
    Linear,
    /// By square root: small numbers show
    Sqrt,
    /// By logarithm: every decade gets the same room
    Log,
}

impl From<ScaleArg> for ScaleKind {
    fn from(scale: ScaleArg) -> Self {
        match scale {
            ScaleArg::Linear => ScaleKind::Linear,
            ScaleArg::Sqrt => ScaleKind::Sqrt,
            ScaleArg::Log => ScaleKind::Log,
        }
    }
}

/// `--theme`.
#[derive(Clone, Copy, ValueEnum)]
pub enum ThemeArg {
    /// For paper
    Light,
    /// For screens
    Dark,
}

impl From<ThemeArg> for Theme {
    fn from(theme: ThemeArg) -> Self {
        match theme {
            ThemeArg::Light => Theme::Light,
            ThemeArg::Dark => Theme::Dark,
        }
    }
}

fn colormap(name: &str) -> Result<Colormap, String> {
    Colormap::named(name).ok_or_else(|| {
        format!("there is no such colour map; known are {}", Colormap::ALL.map(Colormap::name).join(", "))
    })
}

fn resolution(text: &str) -> Result<f32, String> {
    let dpi = text.parse().ok().filter(|dpi| (10.0..=2400.0).contains(dpi));
    dpi.ok_or_else(|| "a resolution is a number from 10 to 2400".into())
}
