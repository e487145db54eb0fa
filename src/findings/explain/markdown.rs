//! An explanation as Markdown: the sentences, and the tables that they are taken from.

use super::facts::{array, column, number, value};
use super::shown::Explained;
use super::story;
use crate::export::Entry;
use crate::export::markdown::{escaped, rows};
use serde_json::Value;

/// Writers of the answer in a table.
const WRITERS: usize = 10;

/// A page of one explanation, or of several of one prompt.
pub(super) fn page(all: &[&Explained]) -> String {
    let mut text = format!("# {}\n", escaped(&all.first().map(|one| one.about.headline()).unwrap_or_default()));
    for one in all {
        text += &format!("\n{}\n\n", escaped(&one.about.line(super::LINE)));
        for sentence in &one.sentences {
            text += &format!("- {}\n", escaped(&sentence.text));
        }
        for found in &one.panels {
            let table = found.results.first().and_then(|entry| table(one, found.id, entry, &found.results));
            text += &table.map_or_else(String::new, |table| format!("\n## {}\n\n{table}", escaped(found.title)));
        }
    }
    text + "\nThe figures are in the page (`-o FILE.html`), all numbers in the data (`-o FILE.json`).\n"
}

/// What a section comes to in rows; none where that is a picture only.
fn table(one: &Explained, id: &str, entry: &Entry, all: &[Entry]) -> Option<String> {
    let labels = one.about.labels();
    match id {
        "next" | "contrast" => {
            let next = value(entry, "next")?.as_array()?;
            let row = |next: &Value| vec![text(&next["label"]), percent(next["p"].as_f64().unwrap_or(f64::NAN))];
            let lead = match value(entry, "prompt").and_then(Value::as_str) {
                Some(prompt) => format!("After: {}\n\n", escaped(prompt)),
                None => String::new(),
            };
            Some(lead + &rows(&[("token", false), ("probability, %", true)], next.iter().map(row)))
        }
        "saliency" => {
            let scored: Vec<&Entry> = all.iter().filter(|entry| array(entry, "scores").is_some()).collect();
            let heads = [("position", true), ("token", false)].into_iter();
            let heads: Vec<_> = heads.chain(scored.iter().map(|entry| (&*entry.method, true))).collect();
            let scores = |at: usize| scored.iter().filter_map(move |entry| array(entry, "scores")?.values.get(at));
            let row = |(at, label): (usize, &String)| {
                [at.to_string(), label.clone()].into_iter().chain(scores(at).map(|x| short(*x))).collect()
            };
            Some(rows(&heads, labels.iter().enumerate().map(row)))
        }
        "lens" => {
            let next = one.panels.iter().find(|found| found.id == "next")?.results.first()?;
            let position = number(next, "position")? as usize;
            let names = value(entry, "rows")?.as_array()?;
            let [rank, p] = ["rank", "p_target"].map(|name| column(entry, name, position));
            let (rank, p) = (rank?, p?);
            let row = |at: usize| vec![text(&names[at]), short(rank[at]), percent(f64::from(p[at]))];
            let heads = [("after", false), ("rank of the answer", true), ("probability, %", true)];
            Some(rows(&heads, (0..names.len().min(rank.len())).map(row)))
        }
        "direct" => {
            let writers = story::writers(entry)?;
            let row = |writer: &story::Writer| vec![writer.name.clone(), short(writer.wrote)];
            Some(rows(&[("writer", false), ("logit, centred", true)], writers.iter().take(WRITERS).map(row)))
        }
        "without" => {
            let of = |when: &str| {
                let found = value(entry, when)?;
                Some(vec![when.to_owned(), percent(found["logprob"].as_f64()?.exp()), found["rank"].to_string()])
            };
            let heads = [("", false), ("probability, %", true), ("rank", true)];
            Some(rows(&heads, ["before", "after"].into_iter().filter_map(of)))
        }
        "surprisal" => {
            let bits = &array(entry, "bits")?.values;
            let row = |(at, (label, bits)): (usize, (&String, &f32))| {
                vec![at.to_string(), label.clone(), if bits.is_nan() { String::new() } else { short(*bits) }]
            };
            let mean = number(entry, "mean").map_or_else(String::new, |mean| format!("\nMean: {mean:.2} bits\n"));
            let heads = [("position", true), ("token", false), ("bits", true)];
            Some(rows(&heads, labels.iter().zip(bits).enumerate().map(row)) + &mean)
        }
        _ => None,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short(x: f32) -> String {
    if x.fract() == 0.0 { format!("{x:.0}") } else { format!("{x:.4}") }
}

fn percent(p: f64) -> String {
    format!("{:.2}", 100.0 * p)
}
