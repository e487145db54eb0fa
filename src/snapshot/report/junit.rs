//! A report as services of continuous integration read it.

use crate::snapshot::outcome::{Outcome, Verdict};
use crate::text::{printable, xml};
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
        let (name, kind) = (xml(&printable(&outcome.name)), xml(&outcome.kind));
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
        let lines: Vec<String> = lines.iter().flat_map(|line| line.lines()).map(printable).collect();
        _ = writeln!(
            out,
            "<testcase classname=\"attnviz.{kind}\" name=\"{name}\">\n<{element} type=\"{}\" message=\"{}\">{}</{element}>\n</testcase>",
            outcome.verdict.word(),
            xml(&printable(&outcome.short())),
            xml(&lines.join("\n")),
        );
    }
    out + "</testsuite>\n</testsuites>\n"
}
