//! What the program says of itself: its commands, their help, and the examples in it. A new command is found here by itself.

use super::shell::{Shell, ran};

/// The help that these arguments print, as wide as the columns say.
pub fn help(args: &[&str], columns: &str) -> String {
    let shell = Shell::new();
    String::from_utf8(ran(shell.attnviz(args).env("COLUMNS", columns)).ok()).unwrap()
}

/// The names that the help lists under `Commands:`.
pub fn commands() -> Vec<String> {
    let names = listed(&[]);
    assert!(names.contains(&"attention".into()), "{names:?}");
    names
}

/// The words of every command, and of the commands of commands: `probe`, `probe pairs`.
pub fn whole_commands() -> Vec<Vec<String>> {
    let mut whole = Vec::new();
    for name in commands() {
        let own = listed(&[&name]);
        whole.push(vec![name.clone()]);
        whole.extend(own.into_iter().map(|own| vec![name.clone(), own]));
    }
    assert!(whole.iter().any(|words| words.len() > 1), "{whole:?}");
    whole
}

/// What the help of these words lists as commands.
fn listed(words: &[&str]) -> Vec<String> {
    let text = help(&[words, &["--help"]].concat(), "80");
    let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A long description goes on in lines that are indented further.
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = named.map(|line| line.split_whitespace().next().unwrap().to_string());
    names.filter(|name| name != "help").collect() // it has no help of its own
}

/// The commands with flags under this heading: `Figure` are those that draw.
pub fn commands_with(heading: &str) -> Vec<String> {
    let heading = format!("{heading}:");
    let has = |name: &String| help(&[name, "--help"], "80").lines().any(|line| line == heading);
    let found: Vec<String> = commands().into_iter().filter(has).collect();
    assert!(found.len() > 2, "{heading} {found:?}");
    found
}

/// The commands that look at one prompt: those that `batch` and `snapshot` run.
pub fn commands_of_a_prompt() -> Vec<String> {
    let takes_a_text = |name: &String| {
        help(&[name, "-h"], "80").lines().any(|line| line.starts_with("Usage:") && line.ends_with("[TEXT]"))
    };
    let found: Vec<String> = commands().into_iter().filter(takes_a_text).collect();
    assert!(found.contains(&"attention".into()), "{found:?}");
    found
}

/// The lines of a help that can be typed, without the remarks beside them, continued lines joined.
pub fn examples(help: &str) -> Vec<String> {
    let text = help.split("Examples:").nth(1).unwrap_or_default().replace("\\\n", "");
    let lines = text.lines().map(str::trim).filter(|line| line.starts_with("attnviz "));
    // A continued line is indented as well.
    let joined = |line: &str| match line.split_once("  ") {
        Some((before, more)) if more.trim_start().starts_with('-') => format!("{before} {}", more.trim_start()),
        Some((before, _)) => before.to_owned(),
        None => line.to_owned(),
    };
    lines.map(joined).collect()
}
