//! What was typed, in the form that travels inside files: enough to do it again, nothing of this machine.

use attnviz::error::{Error, Result};
use clap::{Arg, ArgMatches, CommandFactory, Parser, parser::ValueSource};
use std::any::TypeId;
use std::ffi::OsString;
use std::path::PathBuf;

/// A command and its flags.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// The command's name.
    pub command: String,
    /// Its flags as `--name=value`, but for those that say where the prompt and the model come from and where results go.
    pub args: Vec<String>,
}

/// Flags that do not change what is shown, or that name places on this machine.
const PLACES: [&str; 12] = [
    "text", "file", "ids", "model", "against", "offline", "refresh", "threads", "output", "format", "quiet", "verbose",
];

impl Recipe {
    /// The command line again, with these words after the flags. A recipe comes from a file that is not trusted: no flag is taken
    /// but those of the command, and none that names a place on this machine.
    pub fn parse<C: Parser + CommandFactory>(&self, words: &[OsString]) -> Result<C> {
        let Self { command: name, args } = self;
        let (all, hint) = (C::command(), "run the command by hand; `attnviz --help` lists what this version takes");
        let command = all
            .find_subcommand(name)
            .ok_or_else(|| Error::failed(format!("the file was made by a command {name:?}")).hint(hint))?;
        for typed in args {
            let flag = typed.strip_prefix("--").map(|typed| typed.split_once('=').map_or(typed, |(flag, _)| flag));
            let known = |arg: &&Arg| arg.get_long() == flag && !arg.is_hide_set();
            let place = |arg: &Arg| {
                PLACES.contains(&arg.get_id().as_str()) || arg.get_value_parser().type_id() == TypeId::of::<PathBuf>()
            };
            match command.get_arguments().find(known).filter(|_| flag.is_some()) {
                None => {
                    return Err(Error::failed(format!("the file was made with {typed:?}, which {name} does not take"))
                        .hint(hint));
                }
                Some(arg) if place(arg) => {
                    return Err(
                        Error::failed(format!("the file was made with {typed:?}, which names a place")).hint(hint)
                    );
                }
                Some(_) => {}
            }
        }
        let line = [OsString::new(), name.into()].into_iter().chain(args.iter().map(Into::into));
        C::try_parse_from(line.chain(["--".into()]).chain(words.iter().cloned())).map_err(|error| {
            let error = error.render().to_string();
            let first = error.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Error::failed(format!("the file's own flags do not fit: {first}")).hint(hint)
        })
    }

    /// What these matches say of one command.
    pub fn of(command: &clap::Command, matches: &ArgMatches) -> Self {
        let mut args = Vec::new();
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            let typed =
                matches.try_contains_id(id).is_ok() && matches.value_source(id) == Some(ValueSource::CommandLine);
            let Some(name) = arg.get_long().filter(|_| typed && !PLACES.contains(&id)) else { continue };
            if !arg.get_action().takes_values() {
                args.push(format!("--{name}"));
                continue;
            }
            for value in matches.get_raw(id).into_iter().flatten() {
                args.push(format!("--{name}={}", value.to_string_lossy()));
            }
        }
        Self { command: command.get_name().to_string(), args }
    }
}

/// Parses a command line, and what of it is worth remembering.
pub fn parse<C: Parser + CommandFactory>(
    words: impl IntoIterator<Item = OsString>,
    default: &str,
) -> Result<(C, Recipe), clap::Error> {
    let command = C::command();
    let matches = command.clone().try_get_matches_from(words)?;
    let recipe = match matches.subcommand() {
        Some((name, matches)) => {
            command.find_subcommand(name).map_or_else(Recipe::default, |command| Recipe::of(command, matches))
        }
        None => Recipe { command: default.into(), ..Recipe::of(&command, &matches) },
    };
    Ok((C::from_arg_matches(&matches)?, recipe))
}
