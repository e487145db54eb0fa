//! A report as services of continuous integration read it.

use crate::render::escape;
use crate::snapshot::outcome::{Outcome, Verdict};
use std::fmt::Write as _;

/// The XML that most services of continuous integration read.
pub fn junit(outcomes: &[Outcome]) -> String {
    let count = |word: &str| outcomes.iter().filter(|outcome| outcome.verdict.word() == word).count();
    let counts =
        format!("tests=\"{}\" failures=\"{}\" errors=\"{}\"", outcomes.len(), count("differs"), count("failed"));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"attnviz snapshot\" {counts}>\n<testsuite name=\"attnviz snapshot\" {counts}>\n"
    );
    for outcome in outcomes {
        let (name, kind) = (xml(&outcome.name), xml(&outcome.kind));
        let element = match outcome.verdict {
            Verdict::Same => {
                _ = writeln!(out, "<testcase classname=\"attnviz.{kind}\" name=\"{name}\"/>");
                continue;
            }
            Verdict::Differs(_) => "failure",
            Verdict::Failed { .. } => "error",
        };
        let mut lines = outcome.sentences();
        lines.extend(outcome.prompt.as_ref().map(|prompt| format!("prompt: {prompt}")));
        lines.extend(outcome.pictures().map(|picture| format!("picture: {picture}")));
        _ = writeln!(
            out,
            "<testcase classname=\"attnviz.{kind}\" name=\"{name}\">\n<{element} type=\"{}\" message=\"{}\">{}</{element}>\n</testcase>",
            outcome.verdict.word(),
            xml(&outcome.short()),
            xml(&lines.join("\n")),
        );
    }
    out + "</testsuite>\n</testsuites>\n"
}

/// Text for an attribute or an element, its lines kept; what XML forbids becomes a replacement character.
fn xml(text: &str) -> String {
    let allowed = |c| match c {
        '\n' => c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    escape(&text.chars().map(allowed).collect::<String>()).replace('\n', "&#10;")
}
