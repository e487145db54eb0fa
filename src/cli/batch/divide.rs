//! Which of the words after `batch` are its own, and which belong to the command that it runs.

use super::BatchArgs;
use clap::{Arg, ArgAction, Args, Command};
use std::ffi::OsString;

/// The command to run, what `batch` itself understands, and the flags of the command.
pub fn divide(words: &[OsString], commands: &Command) -> (String, Vec<OsString>, Vec<OsString>) {
    let batch = BatchArgs::augment_args(Command::new("batch"));
    let name = named(words).unwrap_or_else(|| "attention".into());
    let nothing = Command::new("nothing");
    let command = commands.find_subcommand(&name).unwrap_or(&nothing);
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            own.push(word.clone());
            own.extend(words.by_ref().cloned());
            break;
        }
        let (flag, value) = text.split_once('=').map_or((&*text, None), |(flag, value)| (flag, Some(value)));
        let known = |command: &Command| flag_of(command, flag).map(|arg| wants_value(arg) && value.is_none());
        let (to, takes_next) = match (text.starts_with("--"), known(&batch), known(command)) {
            (false, takes, _) => (&mut own, takes == Some(true) && text.len() == 2),
            (true, Some(takes), _) => (&mut own, takes),
            (true, None, None) if matches!(flag, "--help" | "--version") => (&mut own, false),
            (true, None, takes) => (&mut theirs, takes == Some(true)),
        };
        to.push(word.clone());
        if takes_next && let Some(value) = words.next() {
            to.push(value.clone());
        }
    }
    (name, own, theirs)
}

/// What `--run` says.
fn named(words: &[OsString]) -> Option<String> {
    let texts: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let end = texts.iter().position(|text| text == "--").unwrap_or(texts.len());
    let joined = texts[..end].iter().find_map(|text| text.strip_prefix("--run=").map(String::from));
    joined.or_else(|| texts[..end].windows(2).find(|pair| pair[0] == "--run").map(|pair| pair[1].to_string()))
}

fn flag_of<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    let short = flag.strip_prefix('-').filter(|rest| rest.chars().count() == 1).and_then(|rest| rest.chars().next());
    let long = flag.strip_prefix("--");
    command.get_arguments().find(|arg| {
        let (named, letter) = (arg.get_long(), arg.get_short());
        (long.is_some() && named == long) || (short.is_some() && letter == short)
    })
}

/// Whether the word after a flag is its value.
fn wants_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_require_equals_set()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_to_whom_they_belong() {
        let commands = Command::new("attnviz").subcommand(
            Command::new("attention")
                .arg(Arg::new("layer").long("layer"))
                .arg(Arg::new("bos").long("bos").action(ArgAction::SetTrue))
                .arg(Arg::new("words").long("words").num_args(0..=1).require_equals(true)),
        );
        let words = "a.txt --layer -1 --out d -m builtin --bos --words b.txt --format=png,json --nope -q -- --c.txt";
        let words: Vec<OsString> = words.split(' ').map(Into::into).collect();
        let (name, own, theirs) = divide(&words, &commands);
        assert_eq!(name, "attention");
        let text = |words: Vec<OsString>| words.iter().map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ");
        assert_eq!(text(own), "a.txt --out d -m builtin b.txt --format=png,json -q -- --c.txt");
        assert_eq!(text(theirs), "--layer -1 --bos --words --nope");
    }
}
