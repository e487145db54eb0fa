//! Which layers and heads, and what becomes of their patterns.

use super::Picks;
use crate::analysis::{Reduction, Sink};
use crate::error::{Error, Result};
use crate::model::Spec;
use crate::named::Named;
use crate::prompt::WordRule;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::fmt;
use std::str::FromStr;

/// Which layers and heads, and what becomes of their patterns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// The layers; none means all.
    pub layer: Option<Indices>,
    /// The heads; none means all.
    pub head: Option<Indices>,
    /// Heads that are named one by one, in place of layers and heads; none unless named.
    pub heads: Option<Picks>,
    /// Which maps become one.
    pub reduce: Reduce,
    /// The attention on the first token, kept unless another policy is named.
    pub sink: Sink,
    /// Gathers tokens to words by this rule; none keeps tokens.
    pub words: Option<WordRule>,
}

/// Which of several maps become one; none keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reduce {
    /// The maps of each layer's heads.
    pub heads: Option<Reduction>,
    /// The maps of all layers.
    pub layers: Option<Reduction>,
}

/// A selection within a model or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The numbers of the layers, in the order asked for, none twice.
    pub layers: Vec<usize>,
    /// The numbers of the heads, likewise.
    pub heads: Vec<usize>,
    /// Layers and heads in the order asked for, where these are not all heads of those layers; else empty.
    pub picked: Vec<(usize, usize)>,
}

impl Selected {
    /// Single heads, none twice; where they are all heads of some layers, as these.
    pub(super) fn of(mut picked: Vec<(usize, usize)>) -> Self {
        let mut layers: Vec<usize> = picked.iter().map(|(layer, _)| *layer).collect();
        let mut heads: Vec<usize> = picked.iter().map(|(_, head)| *head).collect();
        let once = |all: &mut Vec<usize>| {
            let mut seen = Vec::new();
            all.retain(|one| {
                !seen.contains(one) && {
                    seen.push(*one);
                    true
                }
            });
        };
        once(&mut layers);
        once(&mut heads);
        if Self::all(&layers, &heads).eq(picked.iter().copied()) {
            picked.clear();
        }
        Self { layers, heads, picked }
    }

    /// Every one of these heads of every one of these layers.
    fn all(layers: &[usize], heads: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        layers.iter().flat_map(move |layer| heads.iter().map(move |head| (*layer, *head)))
    }

    /// Each layer and head, in the order asked for.
    fn places(&self) -> Vec<(usize, usize)> {
        if self.picked.is_empty() { Self::all(&self.layers, &self.heads).collect() } else { self.picked.clone() }
    }
}

impl Selection {
    /// Whether anything but all of it as it is was asked for.
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// Where words begin.
    pub fn word_rule(&self) -> WordRule {
        self.words.unwrap_or_default()
    }

    /// The selection within a model.
    ///
    /// # Errors
    /// A layer or head that the model does not have.
    pub fn within(&self, spec: &Spec) -> Result<Selected> {
        let all = |count| (0..count).collect::<Vec<_>>();
        self.among("the model", &all(spec.layers), &all(spec.heads))
    }

    /// The selection among the layers and heads of these numbers, none of them twice.
    ///
    /// # Errors
    /// A layer or head that is not among them.
    pub fn among(&self, whose: &str, layers: &[usize], heads: &[usize]) -> Result<Selected> {
        if let Some(picks) = &self.heads {
            if self.layer.is_some() || self.head.is_some() || self.reduce != Reduce::default() {
                return Err(Error::usage("heads are named one by one, and chosen or reduced in another way as well")
                    .hint("leave layer, head and reduce out where heads are named as 4.11")
                    .option("head"));
            }
            return picks.among(whose, layers, heads);
        }
        let pick = |what, asked: &Option<Indices>, all: &[usize]| match asked {
            None => Ok(all.to_vec()),
            Some(indices) => indices.among(what, whose, all),
        };
        let (layers, heads) = (pick("layer", &self.layer, layers)?, pick("head", &self.head, heads)?);
        Ok(Selected { layers, heads, picked: Vec::new() })
    }

    /// The selection among single heads, none of them twice: those of the layers and heads asked for that are there, in that order, or
    /// all in their own.
    ///
    /// # Errors
    /// A layer or head that is not among them; that they be reduced, for they are not all heads of those layers.
    pub fn among_picked(&self, whose: &str, picked: &[(usize, usize)]) -> Result<Selected> {
        let all = Selected::of(picked.to_vec());
        let selected = self.among(whose, &all.layers, &all.heads)?;
        if self.reduce != Reduce::default() && !all.picked.is_empty() {
            return Err(Error::usage(format!("{whose} has single heads: they are not reduced"))
                .hint("leave reduce out, or save layers with all of their heads")
                .option("reduce"));
        }
        if self.layer.is_none() && self.head.is_none() && self.heads.is_none() {
            return Ok(all);
        }
        let (there, absent): (Vec<_>, Vec<_>) = selected.places().into_iter().partition(|place| picked.contains(place));
        // Of heads that are named one by one each must be there, of layers and heads one.
        if there.is_empty() || self.heads.is_some() && !absent.is_empty() {
            let (layer, head) = absent.first().copied().unwrap_or_default();
            let names: Vec<String> = picked.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
            return Err(Error::usage(format!("head {layer}.{head}: {whose} does not hold it"))
                .hint(format!("{whose} has only {}", names.join(", ")))
                .option("head"));
        }
        Ok(Selected::of(there))
    }

    /// What data files say of how it was selected, beside what its layers and heads were reduced to.
    pub fn settings(&self, reduce: Reduce) -> Map<String, Value> {
        Map::from_iter([
            ("reduce_layers".into(), json!(reduce.layers.map(Named::name))),
            ("reduce_heads".into(), json!(reduce.heads.map(Named::name))),
            ("sink".into(), self.sink.name().into()),
            ("word_rule".into(), json!(self.words.map(Named::name))),
        ])
    }
}

/// Numbers and ranges, such as `0,3-5,-1`; negative numbers count from the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Indices(Vec<(i64, i64)>);

impl Indices {
    /// One number.
    pub fn one(index: usize) -> Self {
        Self(vec![(index as i64, index as i64)])
    }

    /// One number, which may count from the end.
    pub(super) fn signed(index: i64) -> Self {
        Self(vec![(index, index)])
    }

    /// The numbers meant among `all`, in the order written, none twice. `what` and `whose` name them in errors.
    ///
    /// # Errors
    /// A number that is not among them, a range that runs backwards.
    pub fn among(&self, what: &'static str, whose: &str, all: &[usize]) -> Result<Vec<usize>> {
        let count = all.iter().max().map_or(0, |last| last + 1);
        let find = |index: i64| -> Result<usize> {
            let from_start = if index < 0 { index.saturating_add(count as i64) } else { index };
            usize::try_from(from_start).ok().filter(|i| all.contains(i)).ok_or_else(|| {
                let (there, plural) = (all.len(), if all.len() == 1 { "" } else { "s" });
                let error = Error::usage(format!("{what} {index}: {whose} has {there} {what}{plural}")).option(what);
                if there == count {
                    return error
                        .hint(format!("{what}s are numbered 0 to {}; -1 is the last", count.saturating_sub(1)));
                }
                let numbers: Vec<String> = all.iter().map(usize::to_string).collect();
                error.hint(format!("{whose} has only {}", numbers.join(", ")))
            })
        };
        let mut found = Vec::new();
        for (first, last) in &self.0 {
            let (from, to) = (find(*first)?, find(*last)?);
            if from > to {
                return Err(Error::usage(format!("{what} \"{first}-{last}\" runs backwards"))
                    .hint("write the smaller number first")
                    .option(what));
            }
            found.extend((from..=to).filter(|number| all.contains(number)));
        }
        let mut seen = vec![false; count];
        found.retain(|index| !std::mem::replace(&mut seen[*index], true));
        Ok(found)
    }
}

impl FromStr for Indices {
    type Err = Error;

    fn from_str(list: &str) -> Result<Self> {
        let one = |item: &str| -> Option<(i64, i64)> {
            // The dash of a range is one that follows a digit.
            let dash =
                item.char_indices().skip(1).find(|(at, c)| *c == '-' && item.as_bytes()[at - 1].is_ascii_digit());
            match dash {
                Some((at, _)) => Some((item[..at].parse().ok()?, item[at + 1..].parse().ok()?)),
                None => item.parse().ok().map(|index| (index, index)),
            }
        };
        let wrong = |item: &str| {
            Error::usage(format!("{item:?} is not a number or a range"))
                .hint("write numbers and ranges, such as 0,3-5,-1")
        };
        list.split(',').map(str::trim).map(|item| one(item).ok_or_else(|| wrong(item))).collect::<Result<_>>().map(Self)
    }
}

impl fmt::Display for Indices {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (place, (first, last)) in self.0.iter().enumerate() {
            f.write_str(if place > 0 { "," } else { "" })?;
            if first == last { write!(f, "{first}")? } else { write!(f, "{first}-{last}")? }
        }
        Ok(())
    }
}

impl TryFrom<String> for Indices {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error: Error| error.message)
    }
}

impl From<Indices> for String {
    fn from(indices: Indices) -> Self {
        indices.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_read_as_they_are_written() {
        let all: Vec<usize> = (0..6).collect();
        for (text, wanted) in
            [("0", &[0][..]), ("0,3-5", &[0, 3, 4, 5]), ("-1", &[5]), ("-3--1", &[3, 4, 5]), ("4, 4", &[4])]
        {
            let indices: Indices = text.parse().unwrap();
            assert_eq!(indices.among("layer", "the model", &all).unwrap(), wanted, "{text}");
            assert_eq!(indices.to_string().parse::<Indices>().unwrap(), indices);
            let json = serde_json::to_string(&indices).unwrap();
            assert_eq!(serde_json::from_str::<Indices>(&json).unwrap(), indices);
        }
        for text in ["", "a", "1-", "1--", "--1", "1.5", "99999999999999999999"] {
            assert!(text.parse::<Indices>().is_err(), "{text}");
        }
        for text in ["6", "-7", "4-2", "9223372036854775807"] {
            assert!(text.parse::<Indices>().unwrap().among("layer", "the model", &all).is_err(), "{text}");
        }
    }

    #[test]
    fn of_single_heads_those_that_are_there_are_meant() {
        let there = [(4, 1), (2, 3), (4, 0)];
        let of = |layer: &str, head: &str, heads: &str| {
            let list = |text: &str| (!text.is_empty()).then(|| text.parse::<Indices>().unwrap());
            let heads = (!heads.is_empty()).then(|| heads.parse().unwrap());
            Selection { layer: list(layer), head: list(head), heads, ..Selection::default() }
                .among_picked("the file", &there)
        };
        assert_eq!(of("", "", "").unwrap().picked, there);
        assert_eq!(of("", "", "4.0,2.3").unwrap().picked, [(4, 0), (2, 3)]);
        assert_eq!(of("4", "", "").unwrap(), Selected { layers: vec![4], heads: vec![1, 0], picked: Vec::new() });
        assert_eq!(of("", "3,0", "").unwrap().picked, [(4, 0), (2, 3)]);
        for (layer, head, heads) in [("3", "", ""), ("2", "1", ""), ("", "", "2.1"), ("", "", "4.1,4.3")] {
            assert!(of(layer, head, heads).is_err(), "{layer} {head} {heads}");
        }
        let reduce = Reduce { heads: Some(Reduction::Mean), layers: None };
        let error = Selection { reduce, ..Selection::default() }.among_picked("the file", &there).unwrap_err();
        assert_eq!(error.option, Some("reduce"));
    }

    #[test]
    fn a_file_may_hold_some_layers_only() {
        let found = "4-9".parse::<Indices>().unwrap().among("layer", "the file", &[4, 7, 9]).unwrap();
        assert_eq!(found, [4, 7, 9]);
        let error = "5".parse::<Indices>().unwrap().among("layer", "the file", &[4, 7]).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("the file has only 4, 7"));
    }
}
