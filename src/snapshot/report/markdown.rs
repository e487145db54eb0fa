//! A report as people read it.

use super::JUNIT;
use crate::snapshot::outcome::Outcome;
use crate::text::printable;
use std::fmt::Write as _;
use std::path::Path;

/// Bytes of details in a page; GitHub takes 65,536 in a comment.
const MOST_DETAILS: usize = 48 << 10;
/// Rows of a page's table.
const MOST_ROWS: usize = 50;
/// Characters of a text in a page.
const MOST_TEXT: usize = 400;

/// A page for a pull request's comment or a job's summary.
pub fn markdown(dir: &Path, outcomes: &[Outcome]) -> String {
    let apart: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_same()).collect();
    let (count, total, dir) = (apart.len(), outcomes.len(), code(&dir.display().to_string()));
    if apart.is_empty() {
        return format!("## attnviz snapshot: all {total} are the same\n\nCompared with {dir}.\n");
    }
    let mut out = format!("## attnviz snapshot: {count} of {total} differ\n\nCompared with {dir}.\n\n");
    out += "| | case | what |\n|---|---|---|\n";
    for outcome in apart.iter().take(MOST_ROWS) {
        _ = writeln!(out, "| {} | {} | {} |", outcome.verdict.word(), code(&outcome.name), code(&outcome.short()));
    }
    if count > MOST_ROWS {
        _ = writeln!(out, "\n… and {} more, all in `{JUNIT}`.", count - MOST_ROWS);
    }
    for (place, outcome) in apart.iter().enumerate() {
        if out.len() > MOST_DETAILS {
            _ = writeln!(out, "\nThe details of {} more are in `{JUNIT}`.", count - place);
            break;
        }
        _ = write!(out, "\n<details><summary>{}</summary>\n\n", code(&outcome.name));
        if let Some(prompt) = &outcome.prompt {
            _ = writeln!(out, "- prompt: {}", code(prompt));
        }
        for sentence in outcome.sentences() {
            _ = writeln!(out, "- {}", code(&sentence));
        }
        for picture in outcome.pictures() {
            _ = writeln!(out, "- picture: {}", code(picture));
        }
        out += "\n</details>\n";
    }
    out
}

/// Any text as code on one line: nothing in it is Markdown, HTML, a table's edge, a link or a mention.
fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    let text = printable(text);
    for c in text.chars().take(MOST_TEXT) {
        match c {
            '/' if out.ends_with(':') => out.push_str("&#47;"),
            '.' if out.ends_with("www") => out.push_str("&#46;"),
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | ',' | '.' | ';' | '/' | '%' | '=' | '#' | '"' | '\u{80}'.. => {
                out.push(c)
            }
            ':' | '(' | ')' | '+' | '-' if !out.ends_with(c) => out.push(c),
            c => _ = write!(out, "&#{};", u32::from(c)),
        }
    }
    if text.chars().nth(MOST_TEXT).is_some() {
        out.push('…');
    }
    out + "</code>"
}
