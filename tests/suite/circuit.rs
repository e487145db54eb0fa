//! `attnviz circuit check`: a model that has a circuit passes, one that has not exits with 3, and each quantity is counted by hand.
use crate::support::base::BASE;
use crate::support::results::{json, table};
use crate::support::shell::Shell;

const CHECK: [&str; 4] = ["circuit", "check", "induction", "--count"];

#[test]
fn the_built_in_model_has_induction() {
    let shell = Shell::new();
    let ran = shell.run(&[&CHECK[..], &["1", "-m", "builtin"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let out = String::from_utf8(ran.out).unwrap();
    assert!(out.contains("4 of 4 quantities are as known") && out.contains("(4.3)"), "{}", out);
    assert_eq!(out.matches("holds").count(), 4);
    assert!(shell.files().is_empty());
}

#[test]
fn a_random_model_has_no_induction_and_files_say_what_fails() {
    let shell = Shell::new();
    let files = ["-o", "a.json", "-o", "a.csv", "-o", "a.svg", "-o", "a.parquet"];
    let ran = shell.run(&[&CHECK[..], &["3", "--seed", "5", "-m", BASE], &files].concat());
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(
        ran.err.contains("different: 3 of 4 quantities") || ran.err.contains("different: 4 of 4 quantities"),
        "{}",
        ran.err
    );
    let found = &json(&shell.read("a.json"))["results"][0];
    assert_eq!(
        (found["method"].as_str(), found["seed"].as_u64(), found["count"].as_u64()),
        (Some("circuit-check"), Some(5), Some(3))
    );
    assert_eq!((found["holds"].as_bool(), found["quantities"].as_array().unwrap().len()), (Some(false), 4));
    let stripe = &found["quantities"][0];
    assert!(
        stripe["value"].as_f64().unwrap() < 0.4 && stripe["least"].as_f64() == Some(0.4) && stripe["holds"] == false
    );
    // Nothing repeats for it: the losses of both halves are alike.
    assert!((found["quantities"][1]["value"].as_f64().unwrap() - 1.0).abs() < 0.05, "{found}");
    assert_eq!(table(&shell.text("a.csv")).len(), 5);
    for file in ["a.json", "a.svg"] {
        assert!(shell.says(&["rerun", file, "-m", BASE]).contains("the same bytes"));
    }
}

#[test]
fn a_seed_gives_the_same_numbers_and_another_gives_others() {
    let shell = Shell::new();
    let numbers = |seed: &str| {
        let ran = shell.run(&[&CHECK[..], &["2", "--seed", seed, "-m", BASE, "-o", "-", "--format", "csv"]].concat());
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        ran.out
    };
    assert_eq!(numbers("1"), numbers("1"));
    assert_ne!(numbers("1"), numbers("2"));
}

#[test]
fn circuits_that_cannot_be_checked_are_refused_before_weights_are_read() {
    let shell = Shell::new();
    for (args, message, hint) in [
        (&["ioi", "-m", BASE][..], "12 layers of 12 heads; this model has 2 of 2", "induction"),
        (&["greater-than", "-m", "builtin"], "this model has 5 of 4", "induction"),
        (&["copying", "-m", "builtin"], "induction, ioi, greater-than", ""),
        (&["induction", "--count", "0", "-m", "builtin"], "count 0", "--count"),
        (&["induction", "-m", "builtin", "-o", "{head}.png"], "no file for each layer or head", ""),
        (&["induction", "-m", "builtin", "-o", "a.dot"], "finds no graph", ""),
    ] {
        let (said, way) = shell.fails(2, &[&["circuit", "check"], args].concat());
        assert!(said.contains(message) && way.contains(hint), "{args:?}: {said} / {way}");
    }
}
