//! What is told of a check: a line for each case on the terminal, JUnit's XML and Markdown in a folder.

use super::SnapshotArgs;
use super::lock::Lock;
use super::record::{remove, write};
use crate::cli::output::printable;
use attnviz::error::{Error, Result};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where the report goes where nobody says.
const FOLDER: &str = "attnviz-report";
const JUNIT: &str = "junit.xml";
const PAGE: &str = "report.md";
/// Bytes of details in a page; GitHub takes 65,536 in a comment.
const MOST_DETAILS: usize = 48 << 10;
/// Rows of a page's table.
const MOST_ROWS: usize = 50;

/// What became of a case or a model.
pub struct Outcome {
    name: String,
    /// The command, or `model`.
    kind: String,
    prompt: Option<String>,
    pub verdict: Verdict,
}

/// How it went.
pub enum Verdict {
    Same,
    Differs(Vec<Difference>),
    Failed { message: String, hint: String },
}

/// What differs in one file, or in how a case is made.
pub struct Difference {
    /// The format; empty for settings.
    part: String,
    sentences: Vec<String>,
    /// The file that shows it, in the report's folder.
    picture: Option<String>,
}

impl Verdict {
    /// The message and the hint, where it failed.
    pub fn failure(&self) -> Option<(&str, &str)> {
        if let Self::Failed { message, hint } = self { Some((message, hint)) } else { None }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Same => "ok",
            Self::Differs(_) => "differs",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Difference {
    /// What changed in a lock file, in a few words.
    pub fn of_locks(old: &Lock, new: &Lock) -> String {
        let parts = [
            (old.version != new.version, "the version"),
            (old.tolerance != new.tolerance, "the tolerance"),
            (old.models != new.models, "models"),
            (old.cases != new.cases, "cases"),
        ];
        let named: Vec<_> = parts.into_iter().filter(|(differs, _)| *differs).map(|(_, part)| part).collect();
        if named.is_empty() { "its form".into() } else { named.join(", ") }
    }

    fn sentence(&self, sentence: &str) -> String {
        if self.part.is_empty() { sentence.to_owned() } else { format!("{}: {sentence}", self.part) }
    }

    /// The first sentence, and how many more there are.
    fn short(&self) -> String {
        let first = self.sentence(self.sentences.first().map_or("", String::as_str));
        match self.sentences.len() {
            0 | 1 => first,
            count => format!("{first} (and {} more)", count - 1),
        }
    }
}

impl Outcome {
    pub fn new(name: String, kind: &str, prompt: Option<String>, changes: Vec<String>) -> Self {
        let mut outcome = Self { name, kind: kind.to_owned(), prompt, verdict: Verdict::Same };
        if !changes.is_empty() {
            outcome.differs("", changes);
        }
        outcome
    }

    /// Adds what differs in one part.
    pub fn differs(&mut self, part: &str, sentences: Vec<String>) {
        let difference = Difference { part: part.to_owned(), sentences, picture: None };
        match &mut self.verdict {
            Verdict::Differs(all) => all.push(difference),
            verdict => *verdict = Verdict::Differs(vec![difference]),
        }
    }

    /// Says which file shows what differs in a part.
    pub fn attach(&mut self, part: &str, picture: String) {
        if let Verdict::Differs(all) = &mut self.verdict
            && let Some(difference) = all.iter_mut().find(|difference| difference.part == part)
        {
            difference.picture = Some(picture);
        }
    }

    /// All that there is to say, a sentence each.
    fn sentences(&self) -> Vec<String> {
        match &self.verdict {
            Verdict::Same => Vec::new(),
            Verdict::Failed { message, hint } => vec![message.clone(), hint.clone()],
            Verdict::Differs(all) => {
                all.iter().flat_map(|one| one.sentences.iter().map(|sentence| one.sentence(sentence))).collect()
            }
        }
    }

    fn short(&self) -> String {
        match &self.verdict {
            Verdict::Same => String::new(),
            Verdict::Failed { message, .. } => message.clone(),
            Verdict::Differs(all) => all.iter().map(Difference::short).collect::<Vec<_>>().join("; "),
        }
    }

    /// The line on the terminal.
    pub fn line(&self) -> String {
        let (word, short) = (self.verdict.word(), self.short());
        let short = if short.is_empty() { short } else { format!(": {short}") };
        printable(&format!("{word:8} {}{short}", self.name)) + "\n"
    }

    fn is_same(&self) -> bool {
        matches!(self.verdict, Verdict::Same)
    }

    fn pictures(&self) -> impl Iterator<Item = &String> {
        let all = if let Verdict::Differs(all) = &self.verdict { &all[..] } else { &[] };
        all.iter().filter_map(|one| one.picture.as_ref())
    }
}

/// The folder of a report.
pub struct Report {
    dir: PathBuf,
    /// Whether it is there.
    made: bool,
}

impl Report {
    /// A folder that was asked for is made before anything slow.
    pub fn open(args: &SnapshotArgs) -> Result<Self> {
        let dir = args.report.clone().unwrap_or_else(|| FOLDER.into());
        let made = dir.join(JUNIT).is_file();
        let mut report = Self { dir, made };
        if args.report.is_some() {
            report.make()?;
        }
        Ok(report)
    }

    /// Whether pictures are drawn: not of what is accepted, unless they were asked for.
    pub fn is_wanted(&self, args: &SnapshotArgs) -> bool {
        !args.update || args.report.is_some()
    }

    fn make(&mut self) -> Result<()> {
        let name = self.dir.display();
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists || !self.dir.is_dir() => {
                Err(Error::failed(format!("cannot write the report to {name}: {error}"))
                    .hint("name a folder with --report; the one around it must exist"))
            }
            _ => {
                self.made = true;
                Ok(())
            }
        }
    }

    /// Writes a picture; its name in the folder.
    pub fn picture(&mut self, case: &str, part: &str, bytes: Vec<u8>) -> Result<String> {
        self.make()?;
        let name = format!("{case}.{part}.png");
        write(&self.dir.join(&name), &bytes)?;
        Ok(name)
    }

    /// The page that a reader begins with.
    pub fn page(&self) -> PathBuf {
        self.dir.join(PAGE)
    }

    /// Writes the report where something differs, where it was asked for, and where an older one would mislead.
    pub fn finish(&mut self, args: &SnapshotArgs, outcomes: &[Outcome]) -> Result<()> {
        let differs = outcomes.iter().any(|outcome| !outcome.is_same());
        if !self.is_wanted(args) || !differs && !self.made {
            return Ok(());
        }
        self.make()?;
        let shown: HashSet<&String> = outcomes.iter().flat_map(Outcome::pictures).collect();
        for outcome in outcomes.iter().filter(|outcome| outcome.kind != "model") {
            for part in ["png", "svg"] {
                let name = format!("{}.{part}.png", outcome.name);
                if !shown.contains(&name) && self.dir.join(JUNIT).exists() {
                    remove(&self.dir.join(name))?;
                }
            }
        }
        write(&self.dir.join(JUNIT), junit(outcomes).as_bytes())?;
        write(&self.page(), markdown(&args.out, outcomes).as_bytes())
    }
}

/// The XML that most services of continuous integration read.
fn junit(outcomes: &[Outcome]) -> String {
    let count = |word: &str| outcomes.iter().filter(|outcome| outcome.verdict.word() == word).count();
    let counts =
        format!("tests=\"{}\" failures=\"{}\" errors=\"{}\"", outcomes.len(), count("differs"), count("failed"));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"attnviz snapshot\" {counts}>\n<testsuite name=\"attnviz snapshot\" {counts}>\n"
    );
    for outcome in outcomes {
        let (name, kind) = (xml(&outcome.name), xml(&outcome.kind));
        let element = match outcome.verdict {
            Verdict::Same => {
                _ = writeln!(out, "<testcase classname=\"attnviz.{kind}\" name=\"{name}\"/>");
                continue;
            }
            Verdict::Differs(_) => "failure",
            Verdict::Failed { .. } => "error",
        };
        let mut lines = outcome.sentences();
        lines.extend(outcome.prompt.as_ref().map(|prompt| format!("prompt: {prompt}")));
        lines.extend(outcome.pictures().map(|picture| format!("picture: {picture}")));
        _ = writeln!(
            out,
            "<testcase classname=\"attnviz.{kind}\" name=\"{name}\">\n<{element} type=\"{}\" message=\"{}\">{}</{element}>\n</testcase>",
            outcome.verdict.word(),
            xml(&outcome.short()),
            xml(&lines.join("\n")),
        );
    }
    out + "</testsuite>\n</testsuites>\n"
}

/// Text for an attribute or an element; what XML forbids becomes a replacement character.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
    out
}

/// A page for a pull request's comment or a job's summary.
fn markdown(dir: &Path, outcomes: &[Outcome]) -> String {
    let apart: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_same()).collect();
    let (count, total, dir) = (apart.len(), outcomes.len(), code(&dir.display().to_string()));
    if apart.is_empty() {
        return format!("## attnviz snapshot: all {total} are the same\n\nCompared with {dir}.\n");
    }
    let mut out = format!("## attnviz snapshot: {count} of {total} differ\n\nCompared with {dir}.\n\n");
    out += "| | case | what |\n|---|---|---|\n";
    for outcome in apart.iter().take(MOST_ROWS) {
        _ = writeln!(out, "| {} | {} | {} |", outcome.verdict.word(), code(&outcome.name), code(&outcome.short()));
    }
    if count > MOST_ROWS {
        _ = writeln!(out, "\n… and {} more, all in `{JUNIT}`.", count - MOST_ROWS);
    }
    for (place, outcome) in apart.iter().enumerate() {
        if out.len() > MOST_DETAILS {
            _ = writeln!(out, "\nThe details of {} more are in `{JUNIT}`.", count - place);
            break;
        }
        _ = write!(out, "\n<details><summary>{}</summary>\n\n", code(&outcome.name));
        if let Some(prompt) = &outcome.prompt {
            _ = writeln!(out, "- prompt: {}", code(prompt));
        }
        for sentence in outcome.sentences() {
            _ = writeln!(out, "- {}", code(&sentence));
        }
        for picture in outcome.pictures() {
            _ = writeln!(out, "- picture: {}", code(picture));
        }
        out += "\n</details>\n";
    }
    out
}

/// Characters of a text in a page.
const MOST_TEXT: usize = 400;

/// Any text as code on one line: nothing in it is Markdown, HTML, a table's edge, a link or a mention.
fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    let text = printable(text);
    for c in text.chars().take(MOST_TEXT) {
        match c {
            '/' if out.ends_with(':') => out.push_str("&#47;"),
            '.' if out.ends_with("www") => out.push_str("&#46;"),
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | ',' | '.' | ';' | '/' | '%' | '=' | '#' | '"' | '\u{80}'.. => {
                out.push(c)
            }
            ':' | '(' | ')' | '+' | '-' if !out.ends_with(c) => out.push(c),
            c => _ = write!(out, "&#{};", u32::from(c)),
        }
    }
    if text.chars().nth(MOST_TEXT).is_some() {
        out.push('…');
    }
    out + "</code>"
}
