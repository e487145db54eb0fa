//! A number of nodes as it is written: the number, or `auto`.

use super::Steps;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The name of the number that is found by doubling.
const AUTO: &str = "auto";

/// As files hold it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Text {
    /// So many.
    Number(usize),
    /// `auto`.
    Word(String),
}

impl From<Steps> for Text {
    fn from(steps: Steps) -> Self {
        match steps {
            Steps::Fixed(steps) => Self::Number(steps),
            Steps::Auto => Self::Word(AUTO.into()),
        }
    }
}

impl TryFrom<Text> for Steps {
    type Error = String;

    fn try_from(written: Text) -> Result<Self, String> {
        match written {
            Text::Number(steps) => Ok(Self::Fixed(steps)),
            Text::Word(word) => word.parse(),
        }
    }
}

impl FromStr for Steps {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(steps) => Ok(Self::Fixed(steps)),
            Err(_) if text == AUTO => Ok(Self::Auto),
            Err(_) => Err(format!("give a number of nodes, or {AUTO}")),
        }
    }
}
