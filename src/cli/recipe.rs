//! What was typed, in the form that travels inside files: enough to do it again, nothing of this machine.

use clap::{ArgMatches, CommandFactory, Parser, parser::ValueSource};

/// A command and its flags.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// The command's name.
    pub command: String,
    /// Its flags as `--name=value`, but for those that say where the prompt and the model come from and where results go.
    pub args: Vec<String>,
}

/// Flags that do not change what is shown, or that name places on this machine.
const PLACES: [&str; 11] =
    ["text", "file", "ids", "model", "offline", "refresh", "threads", "output", "format", "quiet", "verbose"];

impl Recipe {
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

/// Parses the command line, and what of it is worth remembering.
pub fn parse<C: Parser + CommandFactory>(default: &str) -> Result<(C, Recipe), clap::Error> {
    let command = C::command();
    let matches = command.clone().try_get_matches()?;
    let recipe = match matches.subcommand() {
        Some((name, matches)) => {
            command.find_subcommand(name).map_or_else(Recipe::default, |command| Recipe::of(command, matches))
        }
        None => Recipe { command: default.into(), ..Recipe::of(&command, &matches) },
    };
    Ok((C::from_arg_matches(&matches)?, recipe))
}
