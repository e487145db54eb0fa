//! Suites out of files: which format it is, and what every format comes to.

use super::{Options, stereoset, tables, winobias};
use crate::error::{Error, Result};
use crate::findings::probe::rows::{Bad, bytes};
use crate::record::Input;
use std::path::{Path, PathBuf};

/// Which suite it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// CrowS-Pairs (Nangia et al. 2020).
    Crows,
    /// The sentences of StereoSet with a blank (Nadeem et al. 2021).
    StereoSet,
    /// WinoBias (Zhao et al. 2018).
    WinoBias,
    /// Pairs of one's own.
    #[default]
    Pairs,
}

impl Kind {
    /// Its name in data files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crows => "crows-pairs",
            Self::StereoSet => "stereoset",
            Self::WinoBias => "winobias",
            Self::Pairs => "pairs",
        }
    }

    /// Its name in a sentence.
    pub fn said(self) -> &'static str {
        match self {
            Self::Crows => "CrowS-Pairs",
            Self::StereoSet => "StereoSet, intrasentence",
            Self::WinoBias => "WinoBias: no standard for causal models, so the gap in log p of pro − anti",
            Self::Pairs => "pairs",
        }
    }

    /// What its two sentences are called: the one that fits a stereotype more, and the other.
    pub fn sides(self) -> [&'static str; 2] {
        match self {
            Self::Crows | Self::Pairs => ["more", "less"],
            Self::StereoSet => ["stereotype", "anti-stereotype"],
            Self::WinoBias => ["pro", "anti"],
        }
    }

    /// Sentences of an item.
    pub(super) fn sentences(self) -> usize {
        if self == Self::StereoSet { 3 } else { 2 }
    }
}

/// What items are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// What they are about.
    Category,
    /// CrowS-Pairs: whether the stereotype is shown or violated.
    Direction,
    /// WinoBias: the pronoun that fits the stereotype.
    Pronoun,
}

impl Cut {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Direction => "direction",
            Self::Pronoun => "pronoun",
        }
    }
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// By what; none of everything.
    pub cut: Option<Cut>,
    /// What all of them have there.
    pub name: String,
}

impl Level {
    /// How a figure calls it.
    pub fn label(&self) -> String {
        match self.cut {
            None | Some(Cut::Category) => self.name.clone(),
            Some(Cut::Direction) => format!("direction: {}", self.name),
            Some(Cut::Pronoun) => format!("pro pronoun: {}", self.name),
        }
    }
}

/// Sentences that are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The one that fits a stereotype more, the other, and of StereoSet the unrelated one.
    pub texts: Vec<String>,
    /// What it is counted under.
    pub tags: Vec<(Cut, String)>,
    /// StereoSet's target term.
    pub target: String,
    /// Its file's name, by its number.
    pub file: usize,
    /// Its line there.
    pub line: usize,
}

impl Item {
    /// Whether it is counted there.
    pub fn is_in(&self, level: &Level) -> bool {
        level.cut.is_none_or(|cut| self.tags.iter().any(|(own, name)| *own == cut && *name == level.name))
    }

    /// What it is about.
    pub fn category(&self) -> &str {
        self.tags.iter().find(|(cut, _)| *cut == Cut::Category).map_or("", |(_, name)| name)
    }
}

/// Items with where they come from.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The file, folder, or two files.
    pub input: Input,
    /// Which suite it is.
    pub kind: Kind,
    /// The files' names.
    pub files: Vec<String>,
    /// The items.
    pub items: Vec<Item>,
    /// Rows that are none.
    pub bad: Vec<Bad>,
    /// What was assumed, or left out.
    pub remarks: Vec<String>,
    /// Items before a sample was drawn.
    pub all: usize,
}

const FORMATS: &str = "give CrowS-Pairs (.csv), StereoSet (.json), WinoBias (a pro and an anti file, or their folder), or pairs \
    (.csv, .tsv, .jsonl)";

impl Suite {
    /// Reads a file, a folder, or the two files of WinoBias.
    ///
    /// # Errors
    /// What cannot be read; a format that is not known; no item at all; with `strict`, a row that is none; options that this suite
    /// does not have.
    pub fn read(paths: &[PathBuf], options: &Options) -> Result<Self> {
        let suite = match paths {
            [path] if path.is_dir() && winobias::is_in(path)? => winobias::folder(path, options)?,
            [path] if path.is_dir() => tables::read(path, options)?,
            [path] => Self::file(path, options)?,
            [a, b] => winobias::pair([a, b], options)?,
            _ => {
                return Err(Error::usage(format!("{} files are given", paths.len()))
                    .hint("give one file or folder, or the two files of WinoBias"));
            }
        };
        suite.fits(options)?;
        options.sample.check(&suite.bad)?;
        if suite.items.is_empty() {
            let why = suite.bad.first().map_or("it is empty".into(), ToString::to_string);
            let error = Error::failed(format!("{} has no pair: {why}", suite.input.name));
            return Err(match suite.kind {
                Kind::Crows | Kind::Pairs => {
                    error.hint("rows need the fields sent_more and sent_less, or name others").option("more")
                }
                Kind::StereoSet => error.hint("an item has a sentence of each gold_label, and a target"),
                Kind::WinoBias => error.hint("a line is: 1 [The cook] called the maid because [he] was late."),
            });
        }
        Ok(suite)
    }

    fn file(path: &Path, options: &Options) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match &extension[..] {
            "csv" | "tsv" | "jsonl" => tables::read(path, options),
            "json" => stereoset::read(path, options),
            _ if winobias::is_one(&bytes(path)?) => {
                Err(Error::failed(format!("{} looks like one half of WinoBias", path.display()))
                    .hint("give the pro and the anti file, or their folder"))
            }
            _ => Err(Error::failed(format!("{} is of no format that is known", path.display())).hint(FORMATS)),
        }
    }

    /// Options that say nothing here are mistakes.
    fn fits(&self, options: &Options) -> Result<()> {
        let is_table = matches!(self.kind, Kind::Crows | Kind::Pairs);
        let named = [("more", &options.more), ("less", &options.less), ("category", &options.category)];
        if let Some((option, _)) = named.iter().find(|(_, value)| value.is_some() && !is_table) {
            return Err(Error::usage(format!("{} has no fields to be named", self.input.name))
                .hint("leave it out: only tables and JSONL have fields")
                .option(option));
        }
        if options.convention.is_some() && self.kind == Kind::StereoSet {
            return Err(Error::usage("StereoSet has a score of its own, and no other convention")
                .hint("leave it out")
                .option("convention"));
        }
        Ok(())
    }

    /// Adds what a row came to.
    pub(super) fn add(&mut self, row: Result<Item, Bad>) {
        match row {
            Ok(item) => self.items.push(item),
            Err(bad) => self.bad.push(bad),
        }
    }

    /// Everything, then what each cut divides it into, in the order in which it came up.
    pub fn levels(&self) -> Vec<Level> {
        let mut levels = vec![Level { cut: None, name: "all".into() }];
        for cut in [Cut::Category, Cut::Direction, Cut::Pronoun] {
            let first = levels.len();
            for (_, name) in self.items.iter().flat_map(|item| &item.tags).filter(|(own, _)| *own == cut) {
                if !levels[first..].iter().any(|level| level.name == *name) {
                    levels.push(Level { cut: Some(cut), name: name.clone() });
                }
            }
        }
        levels
    }
}

/// Fails where nothing is compared.
pub(super) fn two_sentences(a: &str, b: &str) -> Result<(), String> {
    if a == b { Err("its two sentences are the same".into()) } else { Ok(()) }
}
