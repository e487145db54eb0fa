//! Linear probes find what scikit-learn's find, and a label from the layer on that writes it.
use crate::support::checkpoint::Copy;
use crate::support::results::{json, table};
use crate::support::shell::Shell;
use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use std::collections::HashMap;

const TASK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/linear/task.jsonl");
const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn accuracies_are_those_of_scikit_learn_in_every_layer() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/linear/sklearn.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    // Without optimisation a seed takes long.
    let seeds = if cfg!(debug_assertions) { "1" } else { "2" };
    let args = ["probe", "linear", TASK, "-m", "builtin", "--seeds", seeds, "-q", "-o", "-", "--format", "json"];
    let found = json(&Shell::new().ok(&args));
    let sites = found["results"][0]["sites"].as_array().unwrap();
    assert_eq!(sites.len(), 6);
    for (at, site) in sites.iter().enumerate() {
        for what in ["task", "control"] {
            let (ours, theirs) = (numbers(&site["by_seed"][what]["test"]), numbers(&golden[what][at]));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!((ours - theirs).abs() < 0.01, "{} {what}: {ours} {theirs}", site["site"]);
            }
        }
    }
}

/// Four letters, whose label is whether two signs agree: no linear function of their embeddings.
const SIGNS: [(char, f32, f32, &str); 4] =
    [('a', 1.0, 1.0, "same"), ('b', -1.0, -1.0, "same"), ('c', 1.0, -1.0, "other"), ('d', -1.0, 1.0, "other")];

/// A model whose only layer that does anything is this one: its MLP writes whether the signs agree.
fn planted(layer: usize) -> Copy {
    let copy = Copy::of("base");
    let path = copy.path("model.safetensors");
    let tokenizer: Value = serde_json::from_slice(&std::fs::read(copy.path("tokenizer.json")).unwrap()).unwrap();
    let mut tensors: HashMap<String, Tensor> = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for (name, tensor) in &mut tensors {
        let (shape, count) = (tensor.dims().to_vec(), tensor.elem_count());
        let is_scale = name.contains("ln_") && name.ends_with("weight");
        let mut values = vec![if is_scale { 1.0f32 } else { 0.0 }; count];
        let mut set = |row: usize, col: usize, x: f32| values[row * shape[1] + col] = x;
        if name.ends_with("wte.weight") {
            for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
                let letter = SIGNS.iter().find(|(letter, ..)| token.ends_with(*letter));
                if let (Some((_, a, b, _)), Some(id)) = (letter, id.as_u64()) {
                    [*a, *b, -a, -b].into_iter().enumerate().for_each(|(col, x)| set(id as usize, col, x));
                }
            }
        } else if name.contains(&format!("h.{layer}.mlp.c_fc.weight")) {
            // One unit for each way to agree.
            for (unit, x) in [(0, 2.0), (1, -2.0)] {
                set(0, unit, x);
                set(1, unit, x);
            }
        } else if name.contains(&format!("h.{layer}.mlp.c_proj.weight")) {
            [0, 1].into_iter().for_each(|unit| set(unit, 8, 1.0));
        }
        *tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    }
    candle_core::safetensors::save(&tensors, &path).unwrap();
    copy
}

#[test]
fn a_planted_label_is_found_from_its_layer_on_and_not_before() {
    let item = |number: usize| {
        let signs = |at: usize| SIGNS[(number * 7 + at * at * 3 + number / 3 * at) % 4];
        let [words, labels] = [0, 1].map(|which| {
            (0..6)
                .map(|at| if which == 0 { signs(at).0.to_string() } else { signs(at).3.to_owned() })
                .collect::<Vec<_>>()
        });
        json!({ "words": words, "labels": labels }).to_string()
    };
    let task: String = (0..80).map(|number| item(number) + "\n").collect();
    for layer in 0..2 {
        let model = planted(layer);
        let shell = Shell::new();
        shell.write("task.jsonl", &task);
        let model = model.path("").display().to_string();
        let args = ["probe", "linear", "task.jsonl", "-m", &model, "--seeds", "3", "-q", "-o", "probes.csv"];
        shell.ok(&args);
        let rows = table(&shell.text("probes.csv"));
        let at = |name: &str| rows[0].iter().position(|own| own == name).unwrap();
        for (site, row) in rows[1..].iter().enumerate() {
            let accuracy: f64 = row[at("accuracy")].parse().unwrap();
            match site > layer {
                true => assert!(accuracy > 0.99, "layer {layer}, site {site}: {accuracy}"),
                false => assert!(accuracy < 0.9, "layer {layer}, site {site}: {accuracy}"),
            }
        }
    }
}

/// The same text of files of every kind: sentences of letters, a label each.
fn files(shell: &Shell) {
    let words = |number: usize| (0..4).map(move |at| ["ab", "c", "de"][(number + at * (1 + number % 2)) % 3]);
    let label = |word: &str| if word == "c" { "short" } else { "long" };
    let (mut conllu, mut jsonl, mut tsv) = (String::new(), String::new(), "item\tword\tlabel\n".to_owned());
    for number in 0..20 {
        let own: Vec<&str> = words(number).collect();
        let labels: Vec<&str> = own.iter().map(|word| label(word)).collect();
        for (at, (word, label)) in own.iter().zip(&labels).enumerate() {
            conllu += &format!("{}\t{word}\t_\t{label}\t_\t_\t_\t_\t_\t_\n", at + 1);
            tsv += &format!("{number}\t{word}\t{label}\n");
        }
        conllu += "\n";
        jsonl += &(json!({ "words": own, "labels": labels }).to_string() + "\n");
    }
    for (name, text) in [("a.conllu", conllu), ("a.jsonl", jsonl), ("a.tsv", tsv)] {
        shell.write(name, text);
    }
}

fn probe(shell: &Shell, file: &str, flags: &[&str]) -> Value {
    let args =
        [&["probe", "linear", file, "-m", BASE, "--seeds", "2", "-q", "-o", "-", "--format", "json"], flags].concat();
    json(&shell.ok(&args))
}

#[test]
fn a_task_is_the_same_in_every_kind_of_file_and_for_any_number_of_threads() {
    let shell = Shell::new();
    files(&shell);
    let first = probe(&shell, "a.conllu", &["--threads", "1"]);
    assert_eq!(first["results"][0]["examples"], 80);
    assert_eq!(first["results"][0]["types"], 3);
    for (file, flags) in
        [("a.conllu", ["--threads", "3"]), ("a.jsonl", ["--threads", "2"]), ("a.tsv", ["--threads", "2"])]
    {
        assert_eq!(probe(&shell, file, &flags)["results"][0]["sites"], first["results"][0]["sites"], "{file}");
    }
}

#[test]
fn whole_texts_are_probed_by_their_last_token_or_their_mean() {
    let shell = Shell::new();
    let rows: String = (0..30)
        .map(|number| format!("{}\t{}\n", ["abc", "cba"][number % 2].repeat(1 + number % 3), number % 2))
        .collect();
    shell.write("b.tsv", format!("text\tlabel\n{rows}"));
    for pool in ["last", "mean"] {
        let found = probe(&shell, "b.tsv", &["--pool", pool]);
        let own = &found["results"][0];
        assert_eq!((own["examples"].as_u64(), own["pool"].as_str()), (Some(30), Some(pool)));
        let best = own["sites"].as_array().unwrap().last().unwrap();
        assert!(best["accuracy"]["mean"].as_f64().unwrap() > 0.9, "{pool}: {best}");
    }
}

#[test]
fn a_row_that_is_none_is_named_and_a_task_without_classes_is_refused_before_the_model_loads() {
    let shell = Shell::new();
    let rows: String =
        (0..9).map(|number| json!({ "text": "a b", "label": number % 2 == 0 }).to_string() + "\n").collect();
    shell.write("c.jsonl", &(rows.clone() + "{\"text\": \"a\"}\n"));
    let found = probe(&shell, "c.jsonl", &[]);
    assert_eq!(found["results"][0]["unusable"], json!(["c.jsonl:10: it has no label"]));
    let refused = |file: &str, flags: &[&str]| {
        let args = [&["probe", "linear", file, "-m", "/nowhere", "-o", "x.csv"], flags].concat();
        shell.fails(1, &args).0
    };
    assert!(refused("c.jsonl", &["--strict"]).contains("c.jsonl:10: it has no label"));
    shell.write("one.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n".repeat(9));
    assert!(refused("one.jsonl", &[]).contains("one class only: every label is \"x\""));
    shell.write("empty.jsonl", "");
    assert!(refused("empty.jsonl", &[]).contains("has nothing with a label"));
    shell.write("few.jsonl", rows.lines().take(4).map(|line| line.to_owned() + "\n").collect::<String>());
    assert!(refused("few.jsonl", &[]).contains("too few"));
}

#[test]
fn probes_are_made_again_from_their_file() {
    let shell = Shell::new();
    files(&shell);
    shell.ok(&["probe", "linear", "a.conllu", "-m", BASE, "--seeds", "2", "-q", "-o", "probes.json"]);
    shell.ok(&["rerun", "probes.json", "--input", "a.conllu", "-m", BASE, "-q"]);
}

#[test]
fn kept_residuals_change_nothing_and_a_damaged_file_is_not_believed() {
    let shell = Shell::new();
    let run = |cache: &str, out: &str, more: &[&str]| {
        let args = ["probe", "linear", TASK, "-m", BASE, "--seeds", "1", "--cache", cache, "-o", out];
        let ran = shell.run(&[&args[..], more].concat());
        assert!(ran.code == Some(0), "{}", ran.err);
        (shell.read(out), ran.err)
    };
    let (plain, said) = run("none", "a.json", &[]);
    assert!(!said.contains("residuals"), "{said}");
    let (first, said) = run("kept", "a.json", &[]);
    assert!(said.contains("are kept in kept"), "{said}");
    let (second, said) = run("kept", "a.json", &[]);
    assert!(said.contains("of an earlier run"), "{said}");
    let without_line = |bytes: &[u8]| {
        let mut whole = json(bytes);
        whole.as_object_mut().unwrap().remove("line");
        whole
    };
    assert!(first == second && without_line(&plain) == without_line(&first));
    for (more, why) in [(&["--pool", "mean"][..], "another pool"), (&["--bos"], "other tokens")] {
        assert!(run("kept", "b.json", more).1.contains("are kept in"), "{why}");
    }
    let name = std::fs::read_dir(shell.path("kept")).unwrap().map(|entry| entry.unwrap().path());
    for path in name {
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let (again, said) = run("kept", "a.json", &[]);
    assert!(said.contains("are kept in") && again == first, "{said}");
}
