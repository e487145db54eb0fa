//! Heads that are named one by one, such as `4.11,L5H1`.

use super::Selected;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// More heads than these are a sheet of layers and heads.
const MOST: usize = 24;

/// Heads by layer and number, in the order wanted; negative numbers count from the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Picks(Vec<(i64, i64)>);

impl Picks {
    /// Whether a list is meant to be of these, and not of plain numbers.
    pub fn is_meant(list: &str) -> bool {
        list.contains(['.', 'h', 'H'])
    }

    /// Whether there are two or more.
    pub(super) fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The heads meant among those of these layers and numbers; where they are all heads of some layers, as these.
    ///
    /// # Errors
    /// A layer or head that is not among them, one that is named twice, or too many.
    pub(super) fn among(&self, whose: &str, layers: &[usize], heads: &[usize]) -> Result<Selected> {
        let find = |what: &'static str, all: &[usize], index: i64| {
            super::Indices::signed(index).among(what, whose, all).map(|found| found[0]).map_err(|e| e.option("head"))
        };
        let mut picked = Vec::new();
        for (layer, head) in &self.0 {
            let one = (find("layer", layers, *layer)?, find("head", heads, *head)?);
            if picked.contains(&one) {
                return Err(Error::usage(format!("head {}.{} is named twice", one.0, one.1))
                    .hint("name each head once")
                    .option("head"));
            }
            picked.push(one);
        }
        if picked.len() > MOST {
            return Err(Error::usage(format!("{} heads are named one by one", picked.len()))
                .hint(format!("name at most {MOST}, or choose layers and heads by --layer and --head"))
                .option("head"));
        }
        Ok(Selected::of(picked))
    }
}

impl FromStr for Picks {
    type Err = Error;

    fn from_str(list: &str) -> Result<Self> {
        let one = |item: &str| -> Option<(i64, i64)> {
            let item = item.trim().to_ascii_lowercase();
            let (layer, head) = match item.strip_prefix('l') {
                Some(rest) => rest.split_once('h')?,
                None => item.split_once('.')?,
            };
            Some((layer.parse().ok()?, head.parse().ok()?))
        };
        let wrong = |item: &str| {
            Error::usage(format!("{item:?} is not a head of a layer"))
                .hint("write a list such as 0,3-5,-1, or single heads as 4.11 or L4H11")
        };
        list.split(',').map(|item| one(item).ok_or_else(|| wrong(item))).collect::<Result<_>>().map(Self)
    }
}

impl fmt::Display for Picks {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (place, (layer, head)) in self.0.iter().enumerate() {
            write!(f, "{}{layer}.{head}", if place > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Picks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error: Error| error.message)
    }
}

impl From<Picks> for String {
    fn from(picks: Picks) -> Self {
        picks.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_in_every_notation_and_in_their_order() {
        let (layers, heads): (Vec<usize>, Vec<usize>) = ((0..6).collect(), (0..12).collect());
        let of = |text: &str| text.parse::<Picks>().unwrap().among("the model", &layers, &heads);
        let found = of("4.11,L5H1, l5h-1").unwrap();
        assert_eq!(found.picked, [(4, 11), (5, 1), (5, 11)]);
        assert_eq!((found.layers, found.heads), (vec![4, 5], vec![11, 1]));
        // All heads of some layers need no list of their own.
        assert_eq!(of("-1.3").unwrap(), Selected { layers: vec![5], heads: vec![3], picked: Vec::new() });
        assert!(of("1.2,1.3,2.2,2.3").unwrap().picked.is_empty());
        for wrong in ["6.0", "0.12", "1.1,1.1"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        for wrong in ["4", "4.", ".1", "L4", "4.11.2", "h1", "4.1,", "L4.1"] {
            assert!(wrong.parse::<Picks>().is_err(), "{wrong}");
        }
    }
}
