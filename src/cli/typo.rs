//! A first word that is nearly the name of a command: a prompt all the same, but that is said.

use super::Cli;
use clap::CommandFactory;
use std::ffi::OsString;

/// The word, and the command that it is nearly called. A word alone is taken for a prompt without a word.
pub fn meant(words: &[OsString]) -> Option<(String, String)> {
    let [_, word, _, ..] = words else { return None };
    let word = word.to_str().filter(|word| !word.starts_with('-') && !word.contains(char::is_whitespace))?;
    let names: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    if names.iter().any(|name| name == word) || word == "help" {
        return None;
    }
    // Of a short name two changes leave nothing.
    let near = |name: &String| Some(distance(word, name)).filter(|steps| *steps <= 2 && 2 * steps < name.len());
    let (_, name) = names.iter().filter_map(|name| Some((near(name)?, name))).min()?;
    Some((word.to_owned(), name.clone()))
}

/// How many letters to change, add, leave out or swap with their neighbours (Damerau 1964, each place once).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_nearly_a_command_is_noticed() {
        let of =
            |line: &str| meant(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).map(|(_, command)| command);
        for (line, command) in [
            ("attnviz saliancy text", "saliency"),
            ("attnviz Saliency text", "saliency"),
            ("attnviz haeds -m builtin", "heads"),
            ("attnviz mx text", "mix"),
            ("attnviz dif a b", "diff"),
            ("attnviz snapshoot record", "snapshot"),
        ] {
            assert_eq!(of(line).as_deref(), Some(command), "{line}");
        }
        for line in [
            "attnviz saliency text",
            "attnviz saliancy",
            "attnviz Once upon",
            "attnviz cat text",
            "attnviz -q lenz",
            "attnviz land x",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
