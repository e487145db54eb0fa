//! `attnviz lens --norms`: against transformers, in every format, made again, and refused beside what it has no use for.
use crate::support::base::BASE;
use crate::support::results::{flat, json, npz, table};
use crate::support::shell::Shell;
use crate::support::{fixtures, load};
use attnviz::analysis::residuals::residuals;
use attnviz::model::Backend;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f32> {
    flat(value)
}

#[track_caller]
fn near(ours: &[f32], theirs: &[f32]) {
    let apart = |(a, b): (&f32, &f32)| (a - b).abs() / b.abs().max(1.0);
    assert!(ours.len() == theirs.len() && ours.iter().zip(theirs).map(apart).all(|x| x < 2e-5), "{ours:?} {theirs:?}");
}

#[test]
fn norms_largest_dimensions_and_the_sink_are_those_of_transformers() {
    let golden: Value = serde_json::from_slice(&std::fs::read(fixtures().join("heads.json")).unwrap()).unwrap();
    let wanted = &golden["norms"];
    let ids: Vec<u32> = serde_json::from_value(wanted["ids"].clone()).unwrap();
    let found = residuals(&load(BASE.as_ref(), &Backend::Fused), &ids).unwrap();
    assert_eq!(found.depths.len(), 3);
    near(&found.first, &numbers(&wanted["first"]));
    near(&found.depths.iter().map(|depth| depth.median).collect::<Vec<_>>(), &numbers(&wanted["medians"]));
    for (row, depth) in found.depths.iter().enumerate() {
        near(&depth.norms, &numbers(&wanted["norms"][row]));
        for (place, large) in depth.largest.iter().enumerate() {
            let theirs = numbers(&wanted["top"][row][place]);
            assert_eq!([large.dimension as f32, large.position as f32], theirs[..2], "{row} {place}");
            near(&[large.value], &theirs[2..]);
        }
    }
}

#[test]
fn every_format_says_the_same_and_a_file_is_made_again() {
    let shell = Shell::new();
    let args = ["lens", "The fox met", "--norms", "-m", "builtin", "-q"];
    shell.ok(&[
        &args[..],
        &["-o", "a.json", "-o", "a.npz", "-o", "a.csv", "-o", "a.txt", "-o", "a.parquet", "-o", "a.png"],
    ]
    .concat());
    let found = &json(&shell.read("a.json"))["results"][0];
    let arrays = npz(&shell.path("a.npz"));
    assert_eq!((arrays["norm"].dims(), arrays["largest"].dims()), (&[6, 3][..], &[6, 3][..]));
    let rows = table(&shell.text("a.csv"));
    assert_eq!(rows.len(), 1 + 6 * (3 + 3 + 1) + 5);
    let of = |measure: &str| -> Vec<f32> {
        rows.iter().filter(|row| row[1] == measure).map(|row| row[6].parse().unwrap()).collect()
    };
    for (measure, name) in
        [("norm", "norm"), ("largest", "largest"), ("median", "median"), ("first_token", "first_token")]
    {
        assert_eq!(of(measure), flat(&found[name]), "{measure}");
    }
    assert!(shell.text("a.txt").contains("attention on the first token"));
    for file in ["a.png", "a.json"] {
        shell.ok(&["rerun", file]);
    }
}

#[test]
fn one_token_has_norms_and_no_sink() {
    let shell = Shell::new();
    shell.ok(&["lens", "The", "--norms", "-m", "builtin", "-q", "-o", "a.json", "-o", "a.txt"]);
    assert_eq!(
        json(&shell.read("a.json"))["results"][0]["first_token"],
        serde_json::json!([null, null, null, null, null])
    );
    assert!(!shell.text("a.txt").contains("the mean over layers"));
}

#[test]
fn norms_go_through_a_batch_and_a_snapshot() {
    let shell = Shell::new();
    shell.write("prompts.txt", "The fox met\nThe crow\n");
    shell.ok(&[
        "batch",
        "prompts.txt",
        "--out",
        "d",
        "--run",
        "lens",
        "--norms",
        "-m",
        BASE,
        "--format",
        "json,parquet",
        "-q",
    ]);
    let all = crate::support::shell::names(&shell.path("d"));
    assert!(all.iter().filter(|name| name.ends_with(".json")).count() >= 2, "{all:?}");
    let above = format!("model = {BASE:?}\nformats = [\"png\", \"json\"]\n");
    let cases = [
        "command = \"lens\"\nargs = [\"--norms\"]\nprompt = \"The fox\"\n",
        "command = \"heads\"\nargs = [\"--weights\"]\n",
    ];
    shell.write("snapshot.toml", cases.iter().fold(above, |suite, case| format!("{suite}[[case]]\n{case}")));
    shell.ok(&["snapshot", "record", "--out", "s", "snapshot.toml"]);
    shell.ok(&["snapshot", "check", "--out", "s", "snapshot.toml"]);
}

#[test]
fn what_is_for_answers_is_refused_beside_norms() {
    let shell = Shell::new();
    for flags in [&["--direct"][..], &["--top", "3"], &["--colour", "rank"], &["--target", " a"], &["--position", "1"]]
    {
        let args = [&["lens", "The fox", "--norms", "-m", BASE, "-o", "a.png"], flags].concat();
        let (message, hint) = shell.fails(2, &args);
        assert!(format!("{message} {hint}").contains(flags[0]), "{flags:?}: {message} {hint}");
    }
}
