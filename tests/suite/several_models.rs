//! Several models in one run: each has the numbers that it has alone, and the others are compared with the first.

use super::support::fixtures;
use super::support::shell::Shell;
use serde_json::Value;

const TEXT: &str = "Once upon a time there was a fox by the well";

fn model(name: &str) -> String {
    if name == "builtin" { name.into() } else { fixtures().join(name).display().to_string() }
}

/// What a command of models says, as JSON, in a fresh folder.
fn results(args: &[&str], models: &[&str]) -> Vec<Value> {
    let names: Vec<String> = models.iter().flat_map(|name| ["-m".to_owned(), model(name)]).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let out = Shell::new().ok(&[args, &names, &["-q", "-o", "-", "--format", "json"]].concat());
    let mut whole: Value = serde_json::from_slice(&out).unwrap();
    whole["results"].as_array_mut().unwrap().drain(..).collect()
}

fn numbers(value: &Value) -> Vec<Option<f64>> {
    value.as_array().unwrap().iter().map(Value::as_f64).collect()
}

#[test]
fn surprisal_of_several_models_is_that_of_each_alone() {
    let both = results(&["surprisal", TEXT, "--bos"], &["base", "eps"]);
    let alone: Vec<Value> =
        ["base", "eps"].map(|name| results(&["surprisal", TEXT, "--bos"], &[name]).remove(0)).into();
    for (both, alone) in both.iter().zip(&alone) {
        for field in ["bits", "total", "perplexity"] {
            assert_eq!(both[field], alone[field], "{field}");
        }
    }
    let [first, second] = [&both[0], &both[1]].map(|one| numbers(&one["compared"]));
    assert_eq!(first.len() + 1, numbers(&both[0]["bits"]).len(), "without BOS");
    let gaps: Vec<f64> = numbers(&both[1]["difference"]).into_iter().flatten().collect();
    for (at, gap) in gaps.iter().enumerate() {
        assert!((second[at].unwrap() - first[at].unwrap() - gap).abs() < 1e-5);
    }
    let own = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let than = &both[1]["more_than"];
    let mean = than["mean"].as_f64().unwrap();
    assert!((mean - own).abs() < 1e-6, "{than}");
    let [low, high] = [0, 1].map(|end| than["interval"][end].as_f64().unwrap());
    assert!(low < mean && mean < high && (low + high - 2.0 * mean).abs() < 1e-9);
}

#[test]
fn models_with_other_tokens_are_compared_by_words() {
    let both = results(&["surprisal", "The fox met a crow. The crow ran."], &["builtin", "base"]);
    let words = ["The", "fox", "met", "a", "crow.", "The", "crow", "ran."];
    for one in &both {
        assert_eq!(one["labels"], serde_json::json!(words));
        let (bits, words) = (numbers(&one["bits"]), numbers(&one["compared"]));
        assert!(bits.len() > words.len());
        let [tokens, words] = [bits, words].map(|all| all.into_iter().flatten().sum::<f64>());
        assert!(one["labels"].as_array().unwrap().len() == 8 && words <= tokens + 1e-4, "{words} of {tokens}");
    }
    let shell = Shell::new();
    let (base, induction) = (model("base"), model("induction"));
    let args = ["surprisal", "The fox", "-m", &base, "-m", &induction, "-q", "-o", "a.png"];
    let (said, hint) = shell.fails(2, &args);
    assert!(said.contains("do not read the same words") && hint.contains("--words"), "{said}\n{hint}");
    assert!(shell.files().is_empty());
}

#[test]
fn results_of_several_models_stand_beside_one_another_in_every_format() {
    let shell = Shell::new();
    shell.write("pairs.csv", "good,bad\nThe cats sleep.,The cats sleeps.\nHe saw himself.,He saw herself.\n");
    let task: String = (0..40).map(|at| format!("the {} ran {at}\t{}\n", ["fox", "crow"][at % 2], at % 2)).collect();
    shell.write("task.tsv", format!("text\tlabel\n{task}"));
    let (base, eps) = (model("base"), model("eps"));
    for (name, args) in [
        ("surprisal", &["surprisal", TEXT][..]),
        ("pairs", &["probe", "pairs", "pairs.csv", "--with", "pairs"]),
        ("linear", &["probe", "linear", "task.tsv", "--seeds", "2"]),
        ("filled", &["probe", "cloze", "--template", "The {a}", "--fill", "a=fox,crow"]),
        ("groups", &["bias", "--template", "The {man|woman} was"]),
    ] {
        let files = ["npz", "json", "safetensors", "csv", "svg"].map(|kind| format!("{name}.{kind}"));
        let files: Vec<&str> = files.iter().flat_map(|file| ["-o", file]).collect();
        shell.ok(&[args, &["-m", &base, "-m", &eps, "-q"], &files].concat());
        for kind in ["npz", "safetensors"] {
            let ran = shell.run(&["diff", &format!("{name}.{kind}"), &format!("{name}.json"), "-o", "diff.png"]);
            assert!(ran.err.contains("do not differ"), "{name}: {}", ran.err);
        }
        let (said, _) = shell.fails(1, &["rerun", &format!("{name}.svg")]);
        assert!(said.contains("compares 2 models"), "{said}");
    }
}

#[test]
fn commands_of_one_model_refuse_several() {
    let shell = Shell::new();
    for args in [&["attention", TEXT][..], &["diff", TEXT, "another"], &["heads"]] {
        let (said, _) = shell.fails(2, &[args, &["-m", "builtin", "-m", "./absent"]].concat());
        assert!(said.contains("is of one model"), "{args:?}: {said}");
    }
    let (said, _) = shell.fails(2, &["surprisal", TEXT, "-m", "builtin", "-m", "builtin"]);
    assert!(said.contains("named twice"), "{said}");
}
