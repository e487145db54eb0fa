//! What is told of a check: a line for each case on the terminal, JUnit's XML and Markdown in a folder.

mod junit;
mod markdown;

use super::SnapshotArgs;
use super::lock::Lock;
use super::record::{remove, write};
use crate::cli::output::printable;
use attnviz::error::{Error, Result};
use junit::junit;
use markdown::markdown;
use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Where the report goes where nobody says.
const FOLDER: &str = "attnviz-report";
const JUNIT: &str = "junit.xml";
const PAGE: &str = "report.md";

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
