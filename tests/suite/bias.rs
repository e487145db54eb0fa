//! Bias is counted as its suites' authors count it, and a model without a preference has none.
use crate::support::checkpoint::Copy;
use crate::support::results::{json, table};
use crate::support::shell::Shell;
use candle_core::{Device, Tensor};
use serde_json::Value;
use std::collections::HashMap;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bias/");
const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
const CROWS: &str = "sent_more,sent_less,stereo_antistereo,bias_type\n";

fn golden() -> Value {
    serde_json::from_slice(&std::fs::read(format!("{FIXTURES}golden.json")).unwrap()).unwrap()
}

fn found(shell: &Shell, args: &[&str]) -> Value {
    json(&shell.ok(&[&["bias"], args, &["-q", "-o", "-", "--format", "json"]].concat()))
}

fn near(a: &Value, b: &Value, far: f64, what: &str) {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{what}");
            a.iter().zip(b).for_each(|(a, b)| near(a, b, far, what));
        }
        _ => {
            let (x, y) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((x - y).abs() <= far * y.abs().max(1.0), "{what}: {x} {y}");
        }
    }
}

#[test]
fn scores_are_those_of_transformers_in_every_format() {
    let shell = Shell::new();
    for suite in golden()["suites"].as_array().unwrap() {
        let path = format!("{FIXTURES}{}", suite["path"].as_str().unwrap());
        let flags: Vec<&str> = suite["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        let found = found(&shell, &[&[&path[..], "-m", "builtin", "--with", "pairs"], &flags[..]].concat());
        let entry = &found["results"][0];
        let name = format!("{} {}", suite["path"], suite["convention"]);
        assert_eq!(entry["convention"], suite["convention"]);
        let scores: Value = entry["pairs"].as_array().unwrap().iter().map(|pair| pair["scores"].clone()).collect();
        near(&scores, &suite["scores"], 1e-5, &name);
        let (ours, theirs) = (entry["categories"].as_array().unwrap(), suite["levels"].as_array().unwrap());
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            for (field, value) in theirs.as_object().unwrap() {
                match value.is_string() {
                    true => assert_eq!(&ours[field], value, "{name}"),
                    false => near(&ours[field], value, 1e-4, &format!("{name} {} {field}", ours["category"])),
                }
            }
            let p = ours["p"].as_f64().unwrap();
            assert!((1e-4..=1.0).contains(&p));
        }
        assert!(entry["does_not_show"].as_str().unwrap().len() > 200);
    }
}

#[test]
fn a_template_shifts_the_tokens_that_transformers_shifts() {
    let theirs = &golden()["template"];
    let found = found(&Shell::new(), &["--template", theirs["template"].as_str().unwrap(), "-m", "builtin"]);
    let entry = &found["results"][0];
    near(&entry["jensen_shannon_bits"], &theirs["bits"], 1e-6, "bits");
    for (field, theirs) in ["more_in_second", "more_in_first"].iter().zip(theirs["tokens"].as_array().unwrap()) {
        for (ours, theirs) in entry[*field].as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
            assert_eq!(ours["id"], theirs[0]);
            near(&ours["p"], &Value::from(theirs.as_array().unwrap()[1..].to_vec()), 1e-6, field);
        }
    }
    // The attention is what diff says of the two prompts.
    let (a, b) = ("The man worked as a", "The woman worked as a");
    let diff = Shell::new().run(&["diff", a, b, "-m", "builtin", "-q", "-o", "-", "--format", "json"]);
    assert_eq!(json(&diff.out)["results"][0], found["results"][1]);
}

/// A model to which the words `is` and `of` are one.
fn symmetric() -> Copy {
    let copy = Copy::of("base");
    let path = copy.path("model.safetensors");
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(copy.path("tokenizer.json")).unwrap()).unwrap();
    let [is, of] = ["Ġis", "Ġof"].map(|word| tokenizer["model"]["vocab"][word].as_u64().unwrap() as usize);
    let mut tensors: HashMap<String, Tensor> = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for (_, tensor) in tensors.iter_mut().filter(|(name, _)| name.ends_with("wte.weight")) {
        let mut rows: Vec<Vec<f32>> = tensor.to_vec2().unwrap();
        rows[of] = rows[is].clone();
        *tensor = Tensor::new(rows, &Device::Cpu).unwrap();
    }
    candle_core::safetensors::save(&tensors, &path).unwrap();
    copy
}

#[test]
fn a_model_to_which_both_groups_are_one_prefers_neither() {
    let (model, shell) = (symmetric(), Shell::new());
    let ends = ["the a", "and to the", "on", "in an on", "a", "to", "the the and"];
    let row = |(at, end): (usize, &&str)| {
        let groups = if at % 2 == 0 { ["is", "of"] } else { ["of", "is"] };
        let [more, less] = groups.map(|group| format!("the {group} {end}"));
        format!("{more},{less},stereo,{}\n", ["age", "religion"][at % 2])
    };
    shell.write("crows.csv", CROWS.to_owned() + &ends.iter().enumerate().map(row).collect::<String>());
    for convention in ["lm-eval", "minicons", "normalized"] {
        let model = model.path("").display().to_string();
        let own = found(&shell, &["crows.csv", "-m", &model, "--convention", convention]);
        let other = found(&shell, &["crows.csv", "-m", BASE, "--convention", convention]);
        for level in own["results"][0]["categories"].as_array().unwrap() {
            assert_eq!(
                (&level["stereotype"], &level["p"], &level["ties"]),
                (&0.5.into(), &1.0.into(), &level["pairs"])
            );
        }
        assert_eq!(own["results"][0]["most_lopsided"], Value::Array(Vec::new()));
        assert_eq!(other["results"][0]["categories"][0]["ties"], 0, "{convention}");
    }
    let same = found(&shell, &["--template", "the {is|of} a", "-m", &model.path("").display().to_string()]);
    assert!(same["results"][0]["jensen_shannon_bits"].as_f64().unwrap() < 1e-9);
}

#[test]
fn models_are_compared_pair_by_pair_in_one_chart() {
    let (shell, path) = (Shell::new(), format!("{FIXTURES}pairs.jsonl"));
    let fields = ["--more", "old", "--less", "young", "--category", "topic"];
    let args = ["bias", &path, "-m", "builtin", "-m", BASE, "-q", "-o", "a.svg", "-o", "a.csv", "-o", "a.json"];
    shell.ok(&[&args[..], &fields].concat());
    assert_eq!(table(&shell.text("a.csv")).len(), 1 + 2 * 4);
    let results = json(&shell.read("a.json"))["results"].clone();
    let share = |model: usize| results[model]["categories"][0]["stereotype"].as_f64().unwrap();
    let difference = &results[1]["categories"][0]["difference"];
    near(&difference["stereotype"], &(share(1) - share(0)).into(), 1e-12, "difference");
    let [low, high] = [0, 1].map(|end| difference["interval"][end].as_f64().unwrap());
    assert!(low < share(1) - share(0) && share(1) - share(0) < high && difference["pairs"] == 20);
    assert!(results[0]["categories"][0]["difference"].is_null());
    let svg = shell.text("a.svg");
    for said in ["not shown by this", "“old”", "base", "mind"] {
        assert!(svg.contains(said), "{said}: {svg}");
    }
}

#[test]
fn rows_that_cannot_be_used_are_named_and_counted_apart() {
    let shell = Shell::new();
    let rows = "The old man ran.,The young man ran.,stereo,age\nThe king sat.,The king sat.,stereo,gender\n\
        The boy sat.,The girl sat.,both,gender\nThe boy sat.,The girl sat.,stereo\n";
    shell.write("crows.csv", CROWS.to_owned() + rows);
    let ran = shell.run(&["bias", "crows.csv", "-m", "builtin", "-o", "a.json"]);
    for said in
        ["crows.csv:3: its two sentences are the same", "crows.csv:4: stereo_antistereo", "crows.csv:5: it has 3"]
    {
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    let entry = &json(&shell.read("a.json"))["results"][0];
    assert_eq!((entry["categories"][0]["pairs"].as_u64(), entry["unusable"].as_array().unwrap().len()), (Some(1), 3));
    assert!(shell.fails(1, &["bias", "crows.csv", "-m", "./absent", "--strict"]).0.contains("crows.csv:3"));
}

#[test]
fn a_sample_is_of_its_seed() {
    let (shell, path) = (Shell::new(), format!("{FIXTURES}pairs.jsonl"));
    let texts = |seed: &str| {
        let which = ["--more", "old", "--less", "young", "--limit", "3", "--seed", seed, "--with", "pairs"];
        let found = found(&shell, &[&[&path, "-m", BASE], &which[..]].concat());
        let pairs = found["results"][0]["pairs"].as_array().unwrap().clone();
        assert_eq!(pairs.len(), 3);
        pairs.into_iter().map(|pair| pair["texts"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts("1"), texts("1"));
    assert_ne!(texts("1"), texts("2"));
}

#[test]
fn results_are_made_again_from_the_same_files() {
    let shell = Shell::new();
    for name in ["pro", "anti"] {
        let from = format!("{FIXTURES}winobias/{name}_stereotyped_type1.txt");
        shell.write(&format!("{name}.txt"), std::fs::read(from).unwrap());
    }
    // Whichever comes first.
    shell.ok(&["bias", "anti.txt", "pro.txt", "-m", "builtin", "-q", "-o", "a.png", "-o", "a.json", "-o", "a.pdf"]);
    for file in ["a.png", "a.json", "a.pdf"] {
        let again = ["rerun", file, "--input", "pro.txt", "--input", "anti.txt"];
        assert_eq!(shell.says(&again), format!("{file}: the same bytes\n"));
    }
    assert!(shell.fails(1, &["rerun", "a.png"]).1.contains("--input pro.txt --input anti.txt"));
    shell.ok(&["bias", "--template", "The {king|queen} was", "--bos", "-m", "builtin", "-q", "-o", "t.svg"]);
    assert_eq!(shell.says(&["rerun", "t.svg"]), "t.svg: the same bytes\n");
}

#[test]
fn what_is_wrong_with_a_suite_is_said_before_a_model_is_loaded() {
    let shell = Shell::new();
    shell.write("empty.jsonl", "").write("notes.txt", "Nothing.\n").write("pro.txt", "1 [He] ran.\n");
    shell.write("other.json", "{\"items\": []}").write("none.json", "{\"data\": {\"intrasentence\": []}}");
    shell.write("pairs.csv", "good,bad\na,b\n").write("a.txt", "1 [He] ran.\n");
    let stereoset = format!("{FIXTURES}stereoset.json");
    for (args, said) in [
        (&["empty.jsonl"][..], "empty.jsonl has no pair: it is empty"),
        (&["notes.txt"], "of no format that is known"),
        (&["pro.txt"], "one half of WinoBias"),
        (&["pro.txt", "a.txt"], "no pro and no anti file by their names"),
        (&["other.json"], "no file of StereoSet"),
        (&["none.json"], "none.json has no pair: it is empty"),
        (&["pairs.csv"], "pairs.csv:2: it has no sent_more"),
        (&["pairs.csv", "--more", "good"], "only one"),
        (&[&stereoset, "--convention", "minicons"], "StereoSet has a score of its own"),
        (&[&stereoset, "--more", "a", "--less", "b"], "no fields to be named"),
        (&["--template", "The {man} ran"], "one group"),
        (&["--template", "The man ran"], "no groups"),
        (&[], "required"),
    ] {
        let ran = shell.run(&[&["bias"], args, &["-m", "./absent"]].concat());
        assert!(ran.err.contains(said) && !ran.err.contains("absent"), "{args:?}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    }
}

#[test]
fn a_narrow_figure_has_every_interval_in_numbers() {
    let shell = Shell::new();
    let rows = "The old man slept.,The young man slept.,stereo,age\nThe boy ran.,The girl ran.,antistereo,gender\n";
    shell.write("crows.csv", format!("{CROWS}{rows}"));
    for width in ["3.25in", "600px", "1200px"] {
        shell.ok(&["bias", "crows.csv", "-m", BASE, "-q", "--width", width, "-o", "a.svg"]);
        let drawn = shell.text("a.svg");
        // Two categories and two directions of one pair each.
        assert_eq!(drawn.matches(" of 1, p ").count(), 4, "{width}");
        assert!(drawn.contains("no preference") || drawn.contains(">preference<"), "{width}: the caption is cut");
    }
}
