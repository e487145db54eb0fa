//! The shapes in which patterns can be drawn, and what is marked on them.

use super::View;
use crate::error::{Error, Result};
use crate::named::Named;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How patterns are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// As maps from queries to keys.
    #[default]
    Map,
    /// As lines from queries to keys.
    Lines,
    /// As the text, shaded by what one query attends to.
    Text,
}

impl Named for Shape {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Map, "map", "As maps from queries to keys"),
        (Self::Lines, "lines", "As lines from queries to keys, each head in its colour"),
        (Self::Text, "text", "As the text, shaded by what one query attends to"),
    ];
}

/// A cell that is framed: its query and its key; negative ones count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark {
    /// The query.
    pub query: i64,
    /// The key.
    pub key: i64,
}

impl FromStr for Mark {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once(':').and_then(|(q, k)| Some((q.trim().parse().ok()?, k.trim().parse().ok()?)));
        let (query, key) = parts.ok_or_else(|| {
            Error::usage(format!("{text:?} is not a query and a key"))
                .hint("write them as 3:1, counted from 0; negative ones count from the end")
        })?;
        Ok(Self { query, key })
    }
}

impl TryFrom<String> for Mark {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error: Error| error.message)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.to_string()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}", self.query, self.key)
    }
}

/// The place that an index means among so many.
///
/// # Errors
/// One that is not among them.
pub(super) fn place(what: &str, index: i64, count: usize, option: &'static str) -> Result<usize> {
    let from_start = if index < 0 { index.saturating_add(count as i64) } else { index };
    usize::try_from(from_start).ok().filter(|place| *place < count).ok_or_else(|| {
        Error::usage(format!("{what} {index}: there are {count}"))
            .hint(format!("count from 0 to {}, or from -1 at the end", count.saturating_sub(1)))
            .option(option)
    })
}

impl View {
    /// Fails for options of one shape that are given to another.
    pub(super) fn check_shape(&self) -> Result<()> {
        let wrong = |what: &str, of: &str, option| {
            Err(Error::usage(format!("{what} goes with {of}")).hint("leave one of the two out").option(option))
        };
        match self.shape {
            Shape::Map if self.top.is_some() => wrong("top", "lines", "top"),
            Shape::Map if self.query.is_some() => wrong("query", "the text", "query"),
            Shape::Text if self.top.is_some() => wrong("top", "lines", "top"),
            Shape::Lines if self.query.is_some() => wrong("query", "the text", "query"),
            Shape::Lines | Shape::Text if self.numbers => wrong("numbers", "maps", "numbers"),
            Shape::Lines | Shape::Text if !self.mark.is_empty() => wrong("mark", "maps", "mark"),
            Shape::Lines | Shape::Text if self.received => wrong("received", "maps", "received"),
            _ if self.top == Some(0) => {
                Err(Error::usage("top 0: no line is left").hint("give 1 or more").option("top"))
            }
            _ => Ok(()),
        }
    }
}
