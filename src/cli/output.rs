//! Where results go: files by extension or template, standard output.

use super::args::one_of;
use attnviz::Named;
use attnviz::error::{Error, Result};
use attnviz::export::{Fields, Template, slug, write_atomically, write_own};
use attnviz::findings::{Advice, Output};
use attnviz::format::Format;
use attnviz::prompt::{Prompt, Remark};
use attnviz::session::Session;
pub use attnviz::text::printable;
use attnviz::text::shell_word;
use clap::Args;
use std::collections::HashSet;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

/// Where to and how loud.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// A file, or a template with {layer}, {head}, {slug} or {hash}; the extension decides; `-` is standard output
    #[arg(short, long, value_name = "PATH")]
    pub output: Vec<String>,
    /// The format for `-o -`, or of the file in the current folder without -o
    #[arg(long, value_name = "FORMAT", value_parser = one_of::<Format>())]
    pub format: Option<Format>,
    /// Print no preview and no remarks
    #[arg(short, long)]
    pub quiet: bool,
    /// Say how long each part took
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// A clock that says how long each part took, for whoever wants to know.
pub struct Laps {
    started: Instant,
    wanted: bool,
}

impl Laps {
    /// A part is done.
    pub fn lap(&self, what: &str) {
        if self.wanted {
            remark(&format!("{what}: {:.1} ms since the start", 1e3 * self.started.elapsed().as_secs_f64()));
        }
    }
}

/// One destination, checked before anything is computed.
pub enum Destination {
    /// Standard output.
    Stdout(Format),
    /// A file, or one for each head.
    File(Template, Format),
}

impl Destination {
    /// What a result is wanted for there.
    pub fn output(&self) -> Output {
        match self {
            Self::Stdout(format) => Output::whole(*format),
            Self::File(template, format) => Output { format: *format, by_part: template.by_part() },
        }
    }
}

impl OutputArgs {
    /// Starts the clock.
    pub fn laps(&self) -> Laps {
        Laps { started: Instant::now(), wanted: self.verbose }
    }

    /// Every destination; without `-o`, a file in the current folder named after the command, the prompt, the model that was named, and
    /// the flags of the line that was typed, so that another run has another name.
    pub fn destinations(&self, command: &str, model: Option<&str>, line: &str) -> Result<Vec<Destination>> {
        self.destinations_or(Format::Png, command, model, line)
    }

    /// The same, with the format of the file that nobody named.
    pub fn destinations_or(
        &self,
        usual: Format,
        command: &str,
        model: Option<&str>,
        line: &str,
    ) -> Result<Vec<Destination>> {
        if self.output.is_empty() {
            let format = self.format.unwrap_or(usual);
            let model = model.map(|model| format!("-{}", slug(last(model)))).unwrap_or_default();
            let name = format!("{command}-{{slug}}{model}{}.{}", flags(line), format.extension());
            let template = Template::parse(&name)?;
            return Ok(vec![Destination::File(template, format)]);
        }
        let plain =
            |path: &str| Path::new(path).components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
        let mut names = HashSet::new();
        if let Some(path) = self.output.iter().find(|path| !names.insert(plain(path))) {
            return Err(Error::usage(format!("-o {path} is given twice")).hint("every result needs a name of its own"));
        }
        self.output.iter().map(|path| self.destination(path)).collect()
    }

    fn destination(&self, path: &str) -> Result<Destination> {
        if path == "-" {
            let format = self.format.ok_or_else(|| {
                Error::usage("-o - needs a format").hint(format!("add --format NAME: {}", Format::names()))
            })?;
            if format.is_binary() && std::io::stdout().is_terminal() {
                return Err(Error::usage(format!("-o - would write {} to a terminal", format.extension()))
                    .hint("send it to a file or a pipe, or choose --format txt"));
            }
            return Ok(Destination::Stdout(format));
        }
        let extension = Path::new(path).extension().map(|extension| extension.to_string_lossy());
        let format = extension.and_then(|extension| Format::of_extension(&extension)).ok_or_else(|| {
            let all: Vec<_> = Format::all().map(|format| format!(".{}", format.extension())).collect();
            Error::usage(format!("-o {path}: its extension names no format"))
                .hint(format!("use one of {}", all.join(", ")))
        })?;
        let meant = !self.output.iter().any(|path| path == "-"); // else it is the format of `-o -`
        if meant && self.format.is_some_and(|asked| asked != format) {
            return Err(Error::usage(format!(
                "-o {path} and --format {} disagree",
                self.format.unwrap_or(format).extension()
            ))
            .hint("leave --format out; the extension decides"));
        }
        let template = Template::parse(path)?;
        let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
        // A template's folder is made when its files are: nobody types one by mistake.
        let there = match template.fields().is_empty() {
            true => folder,
            false => folder.and_then(|folder| folder.ancestors().find(|above| above.exists())),
        };
        if let Some(folder) = there.filter(|folder| folder.exists() && !folder.is_dir()) {
            return Err(Error::failed(format!("-o {path}: {} is no folder", folder.display()))
                .hint("choose another place for results"));
        }
        if let Some(folder) = there.filter(|folder| !folder.is_dir()) {
            return Err(Error::failed(format!("-o {path}: there is no folder {}", folder.display()))
                .hint(format!("create it: mkdir -p {}", shell_word(&folder.to_string_lossy()))));
        }
        Ok(Destination::File(template, format))
    }
}

/// The last name of a path or id, without a revision.
fn last(model: &str) -> &str {
    let name = model.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(model);
    name.split('@').next().unwrap_or(name)
}

/// The flags of a line as a part of a file's name, with a hash where their letters alone would not tell them from others.
fn flags(line: &str) -> String {
    let Some(at) = [" --", " '--"].iter().filter_map(|start| line.find(start)).min() else { return String::new() };
    let flags = &line[at + 1..];
    let name = slug(flags);
    let spelt = flags.replace(" --", "-").replace('=', "-").to_ascii_lowercase();
    match spelt.strip_prefix("--") == Some(&name) {
        true => format!("-{name}"),
        false => format!("-{name}-{:06x}", attnviz::hash::xxh3_64(flags.as_bytes()) >> 40),
    }
}

/// What marks an error as a closed pipe.
pub const CLOSED: &str = "standard output was closed";

/// Bytes to standard output.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| unprinted(&error))
}

fn unprinted(error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Error::failed(CLOSED),
        _ => Error::failed(format!("cannot write to standard output: {error}"))
            .hint("check where it is sent to, or write a file with -o"),
    }
}

/// Standard output for a writer that makes much of it.
pub fn stream(write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>) -> Result<()> {
    let mut out = Standard(BufWriter::new(std::io::stdout()), None);
    let result = write(&mut out);
    let flushed = out.flush();
    match (out.1, flushed) {
        (Some(error), _) | (None, Err(error)) => Err(unprinted(&error)),
        (None, Ok(())) => result,
    }
}

/// Standard output that remembers why a write failed.
struct Standard(BufWriter<std::io::Stdout>, Option<std::io::Error>);

impl Standard {
    fn watch<T>(&mut self, result: std::io::Result<T>) -> std::io::Result<T> {
        result.inspect_err(|error| self.1 = Some(error.kind().into()))
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let result = self.0.write(bytes);
        self.watch(result)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let result = self.0.flush();
        self.watch(result)
    }
}

/// The paths of files that were written, a line each.
pub fn list(paths: &[PathBuf]) -> Result<()> {
    let lines: String = paths.iter().map(|path| printable(&path.display().to_string()) + "\n").collect();
    print(lines.as_bytes())
}

/// A remark on stderr.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(text)); // a remark that nobody can read is no failure
}

/// What may be asked for instead, on stderr, in the flags of the command.
pub fn advise(Advice { option, value, effect }: &Advice) {
    let flag = super::flag(option);
    remark(&[&flag, *value, effect].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "));
}

/// What was assumed to read a model, unless nobody wants to know.
pub fn remark_on(session: &Session, quiet: bool) {
    if !quiet {
        session.remarks().iter().for_each(|text| remark(text));
    }
}

/// What people should know of a prompt, unless nobody wants to.
pub fn remark_on_prompt(prompt: &Prompt, quiet: bool) {
    prompt.remarks.iter().filter(|_| !quiet).for_each(say);
}

/// A remark, with the flag that would have it otherwise.
pub fn say(Remark { text, option }: &Remark) {
    match option {
        Some(option) => remark(&format!("{text} ({})", super::flag(option))),
        None => remark(text),
    }
}

/// The file that a template names for these fields, written whole or not at all. A link or a pipe is what the user means where its name was
/// typed as it is; a name that comes of a prompt was typed by nobody, and such a thing there is replaced.
pub fn write(
    template: &Template,
    fields: &Fields,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<()>,
) -> Result<PathBuf> {
    let path = template.fill(fields);
    if let Some(folder) = path.parent().filter(|folder| !template.fields().is_empty() && !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|e| {
            Error::failed(format!("cannot create the folder {}: {e}", folder.display()))
                .hint("choose another place with -o")
        })?;
    }
    let is_odd = || path.symlink_metadata().is_ok_and(|there| !there.is_file() && !there.is_dir());
    match !template.fields().is_empty() && is_odd() {
        true => write_own(&path, write)?,
        false => write_atomically(&path, write)?,
    }
    Ok(path)
}
