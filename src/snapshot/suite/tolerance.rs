//! `[tolerance]`: how far results may be from what is expected.

use crate::compare::{Closeness, Tolerance};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// As typed.
pub type Typed = BTreeMap<Spanned<String>, Knob>;

/// One number for all, or those of one quantity.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Knob {
    Number(f64),
    Own(BTreeMap<String, f64>),
}

/// What is meant.
///
/// # Errors
/// What is no tolerance, with its line.
pub fn tolerance(typed: &Typed, line: impl Fn(usize) -> usize) -> Result<Tolerance, (usize, Error)> {
    let (mut tolerance, mut quantities) = (Tolerance::default(), Vec::new());
    for (key, knob) in typed {
        let wrong = |what: String, hint: &str| (line(key.span().start), Error::usage(what).hint(hint.to_owned()));
        let name = key.get_ref().as_str();
        let negative = |value: &f64| !(value.is_finite() && *value >= 0.0);
        match (name, knob) {
            (_, Knob::Number(value)) if negative(value) => {
                return Err(wrong(format!("tolerance.{name} is {value}"), "give a number that is not negative"));
            }
            ("absolute", Knob::Number(value)) => tolerance.numbers.absolute = *value,
            ("relative", Knob::Number(value)) => tolerance.numbers.relative = *value,
            ("levels", Knob::Number(value)) if value.fract() == 0.0 && *value <= 255.0 => {
                tolerance.colours.levels = *value as u8;
            }
            ("share", Knob::Number(value)) if *value <= 1.0 => tolerance.colours.share = *value,
            ("distance", Knob::Number(value)) => tolerance.distance = *value,
            (_, Knob::Number(_)) => {
                return Err(wrong(
                    format!("there is no tolerance.{name} of that size"),
                    "there are absolute, relative, levels (0 to 255), share (0 to 1) and distance",
                ));
            }
            (_, Knob::Own(own)) => {
                if own.iter().any(|(key, value)| !matches!(key.as_str(), "absolute" | "relative") || negative(value)) {
                    return Err(wrong(
                        format!("tolerance.{name} has something else than absolute and relative"),
                        "give one or both, as numbers that are not negative",
                    ));
                }
                quantities.push((name.to_owned(), own));
            }
        }
    }
    for (name, own) in quantities {
        let value = |key: &str, all: f64| own.get(key).copied().unwrap_or(all);
        let Closeness { absolute, relative } = tolerance.numbers;
        let own = Closeness { absolute: value("absolute", absolute), relative: value("relative", relative) };
        tolerance.quantities.insert(name, own);
    }
    Ok(tolerance)
}
