//! Where results go: files by extension or template, standard output.

use attnviz::compare;
use attnviz::error::{Error, Result};
use attnviz::export::{Field, Fields, Template, write_bytes};
pub use attnviz::text::printable;
use clap::{Args, ValueEnum};
use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::{Component, Path, PathBuf};

/// Where to and how loud.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// A file, or a template with {layer}, {head}, {slug} or {hash}; the extension decides; `-` is standard output
    #[arg(short, long, value_name = "PATH")]
    pub output: Vec<String>,
    /// The format for `-o -`, or of the file in the current folder without -o
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Print no preview and no remarks
    #[arg(short, long)]
    pub quiet: bool,
    /// Say how long each part took
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// Picture
    Png,
    /// Picture, vector
    Svg,
    /// Picture in characters, as in a terminal without colours
    Txt,
    /// Numbers and tokens, one object
    Json,
    /// Numbers for NumPy
    Npz,
    /// Numbers for tensor libraries
    Safetensors,
    /// Numbers for spreadsheets and data frames
    Csv,
    /// A table for DuckDB, Polars and Spark; of a batch, one for every 64 prompts
    Parquet,
}

impl Format {
    /// Whether it shows a figure rather than numbers.
    pub fn is_picture(self) -> bool {
        matches!(self, Format::Png | Format::Svg | Format::Txt)
    }

    /// How two of its files are compared, if they can be.
    pub fn compared(self) -> Option<compare::Format> {
        Some(match self {
            Format::Png => compare::Format::Png,
            Format::Svg => compare::Format::Svg,
            Format::Txt => compare::Format::Txt,
            Format::Json => compare::Format::Json,
            Format::Npz | Format::Safetensors => compare::Format::Arrays,
            Format::Csv => compare::Format::Csv,
            Format::Parquet => return None,
        })
    }

    /// Whether it is a table, which holds less than the other formats of numbers.
    pub fn is_table(self) -> bool {
        matches!(self, Format::Csv | Format::Parquet)
    }

    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Svg => "svg",
            Format::Txt => "txt",
            Format::Json => "json",
            Format::Npz => "npz",
            Format::Safetensors => "safetensors",
            Format::Csv => "csv",
            Format::Parquet => "parquet",
        }
    }
}

/// One destination, checked before anything is computed.
pub enum Target {
    /// Standard output.
    Stdout(Format),
    /// A file, or one for each head.
    File(Template, Format),
}

impl Target {
    /// Its format.
    pub fn format(&self) -> Format {
        match self {
            Target::Stdout(format) | Target::File(_, format) => *format,
        }
    }

    /// Whether there is one file for each layer or head.
    pub fn splits(&self) -> bool {
        matches!(self, Target::File(template, _) if template.fields().iter().any(|f| matches!(f, Field::Layer | Field::Head)))
    }
}

impl OutputArgs {
    /// Every destination; without `-o`, a file in the current folder named after the command and the prompt.
    pub fn targets(&self, command: &str) -> Result<Vec<Target>> {
        if self.output.is_empty() {
            let format = self.format.unwrap_or(Format::Png);
            let template = Template::parse(&format!("{command}-{{slug}}.{}", format.extension()))?;
            return Ok(vec![Target::File(template, format)]);
        }
        let plain =
            |path: &str| Path::new(path).components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        let mut names = HashSet::new();
        if let Some(path) = self.output.iter().find(|path| !names.insert(plain(path))) {
            return Err(Error::usage(format!("-o {path} is given twice")).hint("every result needs a name of its own"));
        }
        self.output.iter().map(|path| self.target(path)).collect()
    }

    fn target(&self, path: &str) -> Result<Target> {
        if path == "-" {
            let format = self.format.ok_or_else(|| {
                Error::usage("-o - needs a format")
                    .hint("add --format json (or png, svg, txt, npz, safetensors, csv, parquet)")
            })?;
            let binary = matches!(format, Format::Png | Format::Npz | Format::Safetensors | Format::Parquet);
            if binary && std::io::stdout().is_terminal() {
                return Err(Error::usage(format!("-o - would write {} to a terminal", format.extension()))
                    .hint("send it to a file or a pipe, or choose --format txt"));
            }
            return Ok(Target::Stdout(format));
        }
        let extension = Path::new(path).extension().map(|e| e.to_string_lossy().to_lowercase());
        let format = match extension.as_deref().map(|e| Format::from_str(e, false)) {
            Some(Ok(format)) => format,
            _ => {
                return Err(Error::usage(format!("-o {path}: its extension names no format"))
                    .hint("use .png, .svg, .txt, .json, .npz, .safetensors, .csv or .parquet"));
            }
        };
        let meant = !self.output.iter().any(|path| path == "-"); // else it is the format of `-o -`
        if meant && self.format.is_some_and(|asked| asked != format) {
            return Err(Error::usage(format!(
                "-o {path} and --format {} disagree",
                self.format.unwrap_or(format).extension()
            ))
            .hint("leave --format out; the extension decides"));
        }
        let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir() && !folder.to_string_lossy().contains('{')) {
            return Err(Error::failed(format!("-o {path}: there is no folder {}", folder.display()))
                .hint(format!("create it: mkdir -p {}", folder.display())));
        }
        Ok(Target::File(Template::parse(path)?, format))
    }
}

/// What marks an error as a closed pipe.
pub const CLOSED: &str = "standard output was closed";

/// Bytes to standard output.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => Error::failed(CLOSED),
        _ => Error::failed(format!("cannot write to standard output: {e}"))
            .hint("check where it is sent to, or write a file with -o"),
    })
}

/// A remark on stderr.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text)); // a remark that nobody can read is no failure
}

/// The file that a template names for these fields, written whole or not at all.
pub fn write(template: &Template, fields: &Fields, bytes: &[u8]) -> Result<PathBuf> {
    let path = template.fill(fields);
    write_bytes(&path, bytes)?;
    Ok(path)
}
