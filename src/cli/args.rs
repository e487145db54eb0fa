//! What the user types: the groups of flags that commands share, and what they mean.

use attnviz::Named;
use attnviz::analysis::{Reduction, Sink};
use attnviz::encoding::{START, mark, not_utf8};
use attnviz::error::{Error, Result};
use attnviz::export::read_at_most;
use attnviz::figure::{Colormap, ScaleKind, Theme};
use attnviz::findings::{FontFile, Length, Picks, Reading, Reduce, Selection, Style, Words};
use attnviz::prompt::{Truncate, WordRule};
use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Reads one of a few names.
pub fn one_of<T: Named>() -> OneOf<T> {
    OneOf(PhantomData)
}

/// Reads one of a few names, however it is written; help and completions have each choice's own name.
#[derive(Clone)]
pub struct OneOf<T>(PhantomData<T>);

impl<T: Named> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        if let Some(one) = value.to_str().and_then(T::typed) {
            return Ok(one);
        }
        // clap says what is wrong, and which names there are.
        let wrong = |_| command.clone().error(ErrorKind::InvalidValue, "it is unknown");
        let names = T::ALL.iter().map(|(_, name, _)| *name);
        PossibleValuesParser::new(names).parse_ref(command, arg, value).and_then(|name| Err(wrong(name)))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(T::ALL.iter().map(|(_, name, about)| PossibleValue::new(*name).help(*about))))
    }
}

/// Takes any text, of which completions offer these; what it means is asked later.
#[derive(Clone)]
pub struct Suggested(pub Vec<&'static str>);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(|name| PossibleValue::new(*name))))
    }
}

/// The names of methods, and `all`.
pub fn method_names<M: Named>() -> Suggested {
    Suggested(M::ALL.iter().map(|(_, name, _)| *name).chain(["all"]).collect())
}

/// The methods of these names in the order typed; `all` stands for all of them.
pub fn methods<M: Named>(typed: &[String]) -> Result<Vec<M>> {
    let mut methods = Vec::new();
    for name in typed {
        match M::typed(name) {
            Some(method) => methods.push(method),
            None if name.eq_ignore_ascii_case("all") => methods.extend(M::all()),
            None => {
                return Err(Error::usage(format!("--method {name:?} is not a method"))
                    .hint(format!("methods are {}, or all", M::names())));
            }
        }
    }
    Ok(methods)
}

/// Which text.
#[derive(Args, Default)]
#[command(next_help_heading = "Prompt")]
pub struct PromptArgs {
    /// The prompt; `-` reads standard input, `--` goes before one that begins with a dash or is one
    #[arg(value_name = "TEXT")]
    pub text: Option<String>,
    /// Read the prompt from a file (one final newline is dropped, and a byte-order mark)
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Token ids instead of text
    #[arg(long, value_name = "464,2068,…", value_delimiter = ',', conflicts_with_all = ["text", "file"])]
    pub ids: Option<Vec<u32>>,
    /// Begin with the model's own beginning-of-text token
    #[arg(long)]
    pub bos: bool,
    /// Leave out the tokens that the tokenizer puts in front of a text and behind it
    #[arg(long, visible_alias = "no-bos")]
    pub no_special: bool,
    /// Take the text as a user's turn in the model's own chat template
    #[arg(long, conflicts_with_all = ["ids", "no_special", "truncate"])]
    pub chat: bool,
    /// Shorten a prompt that is longer than the model's context
    #[arg(long, value_name = "SIDE", value_parser = one_of::<Truncate>())]
    pub truncate: Option<Truncate>,
}

/// A prompt larger than this cannot be meant: GPT-2's longest is a few kilobytes.
const LARGEST_PROMPT: u64 = 4 << 20;

impl PromptArgs {
    /// Whether there is one.
    pub fn is_given(&self) -> bool {
        self.text.is_some() || self.file.is_some() || self.ids.is_some()
    }

    /// How it is read.
    pub fn reading(&self) -> Reading {
        let (bos, no_special, chat) = (self.bos, self.no_special, self.chat);
        Reading { bos, truncate: self.truncate.unwrap_or_default(), no_special, chat, ..Reading::default() }
    }

    /// The file, where it is too large for a prompt and is not to be shortened.
    pub fn long_file(&self) -> Option<&Path> {
        let path = self.file.as_deref().filter(|_| self.truncate.is_none())?;
        let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
        (size > LARGEST_PROMPT).then_some(path)
    }

    /// Reads the prompt, so that a missing one is noticed before a model is loaded.
    pub fn words(&self) -> Result<Words> {
        match (&self.text, &self.file, &self.ids) {
            (_, _, Some(ids)) => Ok(Words::Ids(ids.clone())),
            (Some(text), None, None) => words(text),
            (None, Some(path), None) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(path).map_err(|e| {
                    Error::failed(format!("cannot read {name}: {e}")).hint("check the path").option("file")
                })?;
                not_empty(read_text(file, &name)?)
            }
            _ => Err(Error::usage("there is no prompt")
                .hint("give a text, as in: attnviz \"Once upon a time\" (or --file, --ids, or - for standard input)")),
        }
    }
}

/// What stands before a dash that is the prompt itself; no word of a command line can hold it.
pub const ITSELF: char = '\0';

/// A text as typed; a dash is standard input.
pub fn words(typed: &str) -> Result<Words> {
    not_empty(match typed {
        "-" => read_text(std::io::stdin().lock(), "standard input")?,
        text => text.strip_prefix(ITSELF).unwrap_or(text).to_owned(),
    })
}

fn not_empty(text: String) -> Result<Words> {
    if text.is_empty() {
        return Err(Error::usage("the prompt is empty").hint("give at least one character, or --ids"));
    }
    Ok(Words::Text(text))
}

fn read_text(from: impl Read, name: &str) -> Result<String> {
    let mut bytes = read_at_most(from, LARGEST_PROMPT).map_err(|e| match e.kind() {
        io::ErrorKind::FileTooLarge => Error::usage(format!("{name} is larger than 4 MiB")).hint("give a part of it"),
        _ => Error::failed(format!("cannot read {name}: {e}")).hint("give a text file"),
    })?;
    let start = mark(name, &bytes[..bytes.len().min(START)])?;
    bytes.drain(..start);
    let mut text = String::from_utf8(bytes).map_err(|e| not_utf8(name, e.utf8_error().valid_up_to() as u64))?;
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
    /// Heads, in the same way [default: all]; or single heads in an order of their own, such as 4.11,5.1 or L4H11
    #[arg(long, visible_alias = "heads", value_name = "LIST", allow_hyphen_values = true)]
    pub head: Option<String>,
    /// One map of several: heads=mean, layers=max, or both with a comma
    #[arg(long, value_name = "heads=mean,layers=max", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = Suggested(vec!["heads=mean", "heads=max", "layers=mean", "layers=max"]))]
    pub reduce: Vec<String>,
    /// The attention on the first token
    #[arg(long, value_name = "POLICY", default_value = "keep", value_parser = one_of::<Sink>())]
    pub sink: Sink,
    /// Gather tokens to words; `--words=space` splits at whitespace only
    #[arg(long, value_name = "RULE", num_args = 0..=1, require_equals = true, default_missing_value = "default")]
    #[arg(value_parser = one_of::<WordRule>())]
    pub words: Option<WordRule>,
}

impl SelectionArgs {
    /// What is meant.
    pub fn selection(&self) -> Result<Selection> {
        let list = |list: &Option<String>, option| {
            list.as_deref().map(|list| list.parse().map_err(|error: Error| error.of(option).option(option))).transpose()
        };
        let picked = self.head.as_deref().filter(|list| Picks::is_meant(list));
        let heads =
            picked.map(|list| list.parse().map_err(|error: Error| error.of("head").option("head"))).transpose()?;
        let head = if picked.is_some() { None } else { list(&self.head, "head")? };
        if picked.is_some() && (self.layer.is_some() || !self.reduce.is_empty()) {
            return Err(Error::usage(
                "--head names single heads with their layers, and --layer or --reduce goes with all heads of a layer",
            )
            .hint("leave --layer and --reduce out, or write heads as plain numbers"));
        }
        let layer = list(&self.layer, "layer")?;
        Ok(Selection { layer, head, heads, reduce: reduce(&self.reduce)?, sink: self.sink, words: self.words })
    }
}

/// `heads=mean` and `layers=max`.
fn reduce(typed: &[String]) -> Result<Reduce> {
    let mut reduce = Reduce::default();
    for item in typed {
        let wrong = || {
            Error::usage(format!("--reduce {item:?} is not a reduction"))
                .hint("write heads=mean, heads=max, layers=mean or layers=max, two of them with a comma")
        };
        let (what, how) = item.split_once('=').ok_or_else(wrong)?;
        let how = Some(Reduction::typed(how).ok_or_else(wrong)?);
        match &what.to_ascii_lowercase()[..] {
            "heads" => reduce.heads = how,
            "layers" => reduce.layers = how,
            _ => return Err(wrong()),
        }
    }
    Ok(reduce)
}

/// How it looks.
#[derive(Args)]
#[command(next_help_heading = "Figure")]
pub struct FigureArgs {
    /// How numbers are spread over the colours
    #[arg(long, value_name = "SCALE", default_value = "linear", value_parser = one_of::<ScaleKind>())]
    pub scale: ScaleKind,
    /// The colours: tide, grey, viridis, magma, inferno, cividis or balance
    /// [default: tide, or balance where numbers have signs]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Colormap>(), hide_possible_values = true)]
    pub colormap: Option<Colormap>,
    /// The headline [default: the prompt]; an empty one leaves it out
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Width: 3.25in, 8.5cm, 85mm, 234pt or 312px, exactly so in SVG and PDF, to a pixel of a 96th of an inch in PNG; a number alone is pixels [default: as wide as the
    /// content, with 2 pixels a token up to 3000 pixels of maps; tokens that share a pixel are averaged, and the picture says so]
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub width: Option<Length>,
    /// Height, in the same way [default: as high as the content]
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub height: Option<Length>,
    /// The size of ordinary text, in points; tokens and numbers are at most an eighth smaller [default: 8, more on a large page]
    #[arg(long, value_name = "POINTS", value_parser = points)]
    pub font_size: Option<f32>,
    /// A TrueType or OpenType font for all texts; in an SVG they become outlines
    #[arg(long, value_name = "FILE")]
    pub font: Option<PathBuf>,
    /// Only maps with their axes and colour bar, or a text with its scale: no headline, hardly a margin
    #[arg(long)]
    pub bare: bool,
    /// Resolution of a PNG, in pixels per inch
    #[arg(long, value_name = "N", default_value_t = 96.0, allow_negative_numbers = true)]
    pub dpi: f32,
    /// Dark ink on white, or light ink on black
    #[arg(long, value_name = "THEME", default_value = "light", value_parser = one_of::<Theme>())]
    pub theme: Theme,
    /// Take characters that the bundled fonts lack from the system's: the picture then depends on the machine
    #[arg(long)]
    pub system_fonts: bool,
}

impl FigureArgs {
    /// What is meant.
    pub fn style(&self) -> Result<Style> {
        let Self { scale, colormap, width, height, font_size, bare, dpi, theme, system_fonts, .. } = *self;
        let (title, font) = (self.title.clone(), self.font.as_deref().map(FontFile::read).transpose()?);
        Ok(Style { scale, colormap, title, width, height, font_size, font, bare, dpi, theme, system_fonts })
    }
}

/// Pixels of a screen in an inch.
const INCH: f64 = 96.0;
/// The units of lengths, in inches.
const UNITS: [(&str, f64); 5] =
    [("in", 1.0), ("cm", 1.0 / 2.54), ("mm", 1.0 / 25.4), ("pt", 1.0 / 72.0), ("px", 1.0 / INCH)];

/// A number with a unit, in inches.
fn inches(typed: &str, alone: f64) -> Result<f64, String> {
    let text = typed.trim().to_ascii_lowercase();
    let with = UNITS.iter().find_map(|(unit, inches)| Some((text.strip_suffix(unit)?, *inches)));
    let (number, unit) = with.unwrap_or((&text, alone));
    let number = number.trim_end().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number
        .map(|number| number * unit)
        .ok_or_else(|| "it is no length, such as 3.25in, 8.5cm, 85mm, 234pt or 312px".into())
}

/// A length in pixels of a screen.
fn length(typed: &str) -> Result<Length, String> {
    Length::new(inches(typed, 1.0 / INCH)? * INCH)
}

/// A length in points, as sizes of text are given.
fn points(typed: &str) -> Result<f32, String> {
    Ok((inches(typed, 1.0 / 72.0)? * 72.0) as f32)
}
