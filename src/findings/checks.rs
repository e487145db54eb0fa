//! What several analyses check of their options.

use super::Output;
use crate::error::{Error, Result};
use crate::format::Holds;
use crate::text;

/// Refuses a graph where there is none.
///
/// # Errors
/// A format that holds graphs.
pub fn refuse_graph(command: &str, outputs: &[Output]) -> Result<()> {
    if outputs.iter().any(|output| output.format.holds() == Holds::Graph) { Err(no_graph(command)) } else { Ok(()) }
}

pub(super) fn no_graph(command: &str) -> Error {
    Error::usage(format!("{command} finds no graph")).hint("patch --edges does; choose another format here")
}

/// Refuses a file for each layer and head where there are none, and a graph as well.
pub(super) fn refuse_parts(command: &str, outputs: &[Output]) -> Result<()> {
    refuse_graph(command, outputs)?;
    if outputs.iter().any(|output| output.by_part) {
        return Err(
            Error::usage(format!("{command} has no file for each layer or head")).hint("leave {layer} and {head} out")
        );
    }
    Ok(())
}

/// Refuses more arrays where no output holds them.
pub(super) fn need_arrays(outputs: &[Output]) -> Result<()> {
    if outputs.iter().any(|output| output.format.has_arrays()) {
        return Ok(());
    }
    Err(Error::usage("more arrays need a data file").hint("write a .safetensors, .npz or .json file").option("with"))
}

/// Refuses a number outside of its bounds.
pub(super) fn within<T: PartialOrd + std::fmt::Display>(
    option: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<()> {
    if value >= least && value <= most {
        return Ok(());
    }
    Err(Error::usage(format!("{option} {value} is not from {least} to {most}"))
        .hint(format!("give {least} to {most}"))
        .option(option))
}

/// A position of a prompt of so many tokens; negative ones count from the end.
pub(super) fn position(option: &'static str, typed: i64, len: usize) -> Result<usize> {
    let from_start = if typed < 0 { typed.saturating_add(len as i64) } else { typed };
    usize::try_from(from_start).ok().filter(|at| *at < len).ok_or_else(|| {
        Error::usage(format!("{option} {typed}: the prompt has {}", text::count(len, "token")))
            .hint(format!("positions are 0 to {}; -1 is the last", len.saturating_sub(1)))
            .option(option)
    })
}

/// A list of choices without those that stand in it already.
pub(super) fn each_once<T: Copy + PartialEq>(all: &[T]) -> Vec<T> {
    let mut once: Vec<T> = Vec::with_capacity(all.len());
    all.iter().for_each(|one| {
        if !once.contains(one) {
            once.push(*one);
        }
    });
    once
}

/// Checks that an analysis' options survive JSON, that none given are the defaults, and that `unknown` is refused.
#[cfg(test)]
pub(super) fn check_json<O>(unknown: &str)
where
    O: Default + PartialEq + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let json = serde_json::to_string(&O::default()).unwrap();
    assert_eq!(serde_json::from_str::<O>(&json).unwrap(), O::default());
    assert_eq!(serde_json::from_str::<O>("{}").unwrap(), O::default());
    assert!(serde_json::from_str::<O>(unknown).is_err());
}
