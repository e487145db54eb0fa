//! What the program says of itself: its commands, their help, and the examples in it. A new command is found here by itself.

use super::shell::{Shell, ran};

/// The help that these arguments print, as wide as the columns say.
pub fn help(args: &[&str], columns: &str) -> String {
    let shell = Shell::new();
    String::from_utf8(ran(shell.attnviz(args).env("COLUMNS", columns)).ok()).unwrap()
}

/// The names that the help lists under `Commands:`.
pub fn commands() -> Vec<String> {
    let text = help(&["--help"], "80");
    let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A long description goes on in lines that are indented further.
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = named.map(|line| line.split_whitespace().next().unwrap().to_string());
    let names: Vec<String> = names.filter(|name| name != "help").collect(); // it has no help of its own
    assert!(names.contains(&"attention".into()), "{text}");
    names
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

/// The lines of a help that can be typed, without the remarks beside them.
pub fn examples(help: &str) -> Vec<String> {
    let lines = help.split("Examples:").nth(1).unwrap_or_default().lines().map(str::trim);
    let examples = lines.filter(|line| line.starts_with("attnviz "));
    examples.map(|line| line.split("  ").next().unwrap().to_string()).collect()
}
