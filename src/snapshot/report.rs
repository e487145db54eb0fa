//! The report of a check: JUnit's XML and Markdown in a folder, with pictures of what differs.

mod junit;
mod markdown;

use super::file::{remove, write};
use super::options::Options;
use super::outcome::Outcome;
use crate::error::{Error, Result};
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

/// The folder of a report.
pub struct Report {
    dir: PathBuf,
    /// Whether it is there.
    made: bool,
    /// Whether there is to be one: not of what is accepted, unless it was asked for.
    pub wanted: bool,
}

impl Report {
    /// A folder that was asked for is made before anything slow.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn open(options: &Options) -> Result<Self> {
        let dir = options.report.clone().unwrap_or_else(|| FOLDER.into());
        let made = dir.join(JUNIT).is_file();
        let mut report = Self { dir, made, wanted: !options.update || options.report.is_some() };
        if options.report.is_some() {
            report.make()?;
        }
        Ok(report)
    }

    fn make(&mut self) -> Result<()> {
        let name = self.dir.display();
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists || !self.dir.is_dir() => {
                Err(Error::failed(format!("cannot write the report to {name}: {error}"))
                    .hint("name another folder; the one around it must exist")
                    .option("report"))
            }
            _ => {
                self.made = true;
                Ok(())
            }
        }
    }

    /// Writes a picture; its name in the folder.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn picture(&mut self, case: &str, part: &str, bytes: &[u8]) -> Result<String> {
        self.make()?;
        let name = format!("{case}.{part}.png");
        write(&self.dir.join(&name), bytes)?;
        Ok(name)
    }

    /// The page that a reader begins with.
    pub fn page(&self) -> PathBuf {
        self.dir.join(PAGE)
    }

    /// Writes the report where something differs, where it was asked for, and where an older one would mislead.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn finish(&mut self, options: &Options, outcomes: &[Outcome]) -> Result<()> {
        let differs = outcomes.iter().any(|outcome| !outcome.is_same());
        if !self.wanted || !differs && !self.made {
            return Ok(());
        }
        self.make()?;
        let shown: HashSet<&String> = outcomes.iter().flat_map(Outcome::pictures).collect();
        for outcome in outcomes.iter().filter(|outcome| outcome.kind != "model") {
            for part in ["png", "svg", "pdf"] {
                let name = format!("{}.{part}.png", outcome.name);
                if !shown.contains(&name) && self.dir.join(JUNIT).exists() {
                    remove(&self.dir.join(name))?;
                }
            }
        }
        write(&self.dir.join(JUNIT), junit(outcomes).as_bytes())?;
        write(&self.page(), markdown(&options.out, outcomes).as_bytes())
    }
}
