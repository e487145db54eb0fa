//! What was typed, as people read it: the flags that say what is shown, nothing of this machine.

use clap::{Arg, ArgMatches, CommandFactory, Parser, parser::ValueSource};
use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

/// Flags that do not change what is shown, or that name places on this machine.
const PLACES: [&str; 11] =
    ["text", "ids", "model", "against", "offline", "refresh", "threads", "output", "format", "quiet", "verbose"];

/// The command's name, and its flags in a line of a shell.
pub struct Typed<C> {
    /// What clap made of it.
    pub cli: C,
    /// The command's name.
    pub name: String,
    /// What was typed, but for the prompt, the model and where results go.
    pub line: String,
}

/// Parses a command line; without a command it is that of `default`.
pub fn parse<C: Parser + CommandFactory>(
    words: impl IntoIterator<Item = OsString>,
    default: &str,
) -> Result<Typed<C>, clap::Error> {
    let command = C::command();
    let matches = command.clone().try_get_matches_from(words)?;
    let (name, line) = match matches.subcommand() {
        Some((name, matches)) => (name, command.find_subcommand(name).map(|command| within(name, command, matches))),
        None => (default, Some(line(default, &command, &matches))),
    };
    Ok(Typed { cli: C::from_arg_matches(&matches)?, name: name.to_owned(), line: line.unwrap_or_default() })
}

/// What these matches say of one command, or of the one in it that was named.
fn within(name: &str, command: &clap::Command, matches: &ArgMatches) -> String {
    let inner = matches.subcommand().and_then(|(own, matches)| Some((own, command.find_subcommand(own)?, matches)));
    match inner {
        Some((own, command, matches)) => line(&format!("{name} {own}"), command, matches),
        None => line(name, command, matches),
    }
}

/// What these matches say of one command.
fn line(name: &str, command: &clap::Command, matches: &ArgMatches) -> String {
    if let Some((inner, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(inner)
    {
        return line(&format!("{name} {inner}"), command, matches);
    }
    let mut words = vec!["attnviz".to_owned(), name.to_owned()];
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let typed = matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine);
        let Some(flag) = arg.get_long().filter(|_| typed && !is_place(arg)) else { continue };
        if !arg.get_action().takes_values() {
            words.push(format!("--{flag}"));
            continue;
        }
        for value in matches.get_raw(id).into_iter().flatten() {
            words.push(quoted(&format!("--{flag}={}", value.to_string_lossy())));
        }
    }
    words.join(" ")
}

fn is_place(arg: &Arg) -> bool {
    let path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    PLACES.contains(&arg.get_id().as_str()) || path
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/%+@".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
