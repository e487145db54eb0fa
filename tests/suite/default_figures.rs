//! The figure that each command draws by itself, made by the program with the built-in model, looks as it did.
use crate::support::commands::commands_with;
use crate::support::fixtures;
use crate::support::pictures::look_as_they_did;
use crate::support::shell::Shell;
use attnviz::compare::Tolerance;
use attnviz::model::Family;

/// Plain Latin letters: the bundled fonts draw all of it on any machine.
const TEXT: &str = "The fox met the crow. The fox";
const SAVED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/traces/bert.npz");
const CROWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bias/crows.csv");
const B: &str = "-mbuiltin";

const FIGURES: [(&str, &[&str]); 22] = [
    ("attention", &["attention", TEXT, B]),
    ("attention-head", &["attention", TEXT, B, "--layer", "4", "--head", "3"]),
    ("attention-received", &["attention", TEXT, B, "--received"]),
    ("saliency", &["saliency", TEXT, B]),
    ("saliency-evaluate", &["saliency", TEXT, B, "--method", "all", "--evaluate"]),
    ("saliency-generate", &["saliency", TEXT, B, "--generate", "4"]),
    ("lens", &["lens", TEXT, B]),
    ("lens-direct", &["lens", TEXT, B, "--direct"]),
    ("heads", &["heads", B]),
    ("explain", &["explain", "Once upon a", B]),
    ("heads-prompt", &["heads", TEXT, B]),
    ("mix", &["mix", TEXT, B]),
    ("patch", &["patch", "The old king and his", "The young king and her", B]),
    ("patch-ablate", &["patch", TEXT, B, "--ablate", "4.3,mlp2"]),
    ("patch-each", &["patch", TEXT, B, "--ablate", "each"]),
    ("patch-edges", &["patch", "The old king and his", "The young king and her", B, "--edges"]),
    ("qk", &["qk", TEXT, B]),
    ("surprisal", &["surprisal", TEXT, B]),
    ("bias", &["bias", CROWS, B]),
    ("bias-template", &["bias", "--template", "The {man|woman} worked as a", B]),
    ("diff", &["diff", TEXT, "The fox met a dog. The fox", B]),
    ("render", &["render", SAVED]),
];

#[test]
fn every_default_figure_looks_as_it_did() {
    let drawn = FIGURES.map(|(name, args)| {
        let shell = Shell::new();
        let ran = shell.run(&[args, &["-q", "-o", "a.png"]].concat());
        assert!(ran.code == Some(0) || ran.code == Some(3) && name == "diff", "{name}: {}", ran.err);
        (format!("default-{name}"), shell.read("a.png"))
    });
    // Another processor's last digit may move a number to the next level of its colour map.
    look_as_they_did(drawn, Tolerance::default().colours.levels);
}

/// A tiny checkpoint of each family, and what is drawn of it; `_` stands for a space.
const FAMILIES: [(&str, &str); 11] = [
    ("gemma-plain", "attention --ids 2,7,5,11,9"),
    ("gemma2-words", "lens The_cat_is"),
    ("gemma3-words", "attention The_cat_sat_on_the"),
    ("llama-words", "attention The_cat_is --layer 1 --head 2"),
    ("mistral-window", "attention --ids 3,7,5,11,9,4,8,6 --layer 0"),
    ("neo-words", "attention The_cat_sat_on_the --layer 1"),
    ("neox-words", "lens The_cat_is --direct"),
    ("olmo2-words", "mix The_cat_is"),
    ("phi3-window", "attention --ids 3,7,5,11,9,4,8,6,10 --received"),
    ("qwen2-window", "qk --ids 3,7,5,11 --head 1.0 --query 3"),
    ("qwen3-words", "saliency The_cat_is"),
];

#[test]
fn a_figure_of_each_family_looks_as_it_did() {
    let folder = fixtures().join("families");
    let drawn = FAMILIES.map(|(name, words)| {
        let shell = Shell::new();
        let model = folder.join(name);
        let words: Vec<String> = words.split(' ').map(|word| word.replace('_', " ")).collect();
        let typed = words.iter().map(String::as_str).chain(["-q", "-o", "a.png", "-m", model.to_str().unwrap()]);
        shell.ok(&typed.collect::<Vec<_>>());
        (format!("family-{name}"), shell.read("a.png"))
    });
    look_as_they_did(drawn, Tolerance::default().colours.levels);
    let config = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(folder.join(name).join("config.json")).unwrap()).unwrap()
    };
    let kinds = FAMILIES.map(|(name, _)| config(name)["model_type"].as_str().unwrap().to_owned());
    for kind in Family::MODEL_TYPES.iter().filter(|kind| **kind != "gpt2") {
        assert!(kinds.iter().any(|drawn| drawn == kind), "{kind} has no golden picture");
    }
}

#[test]
fn every_command_that_draws_has_a_picture_here() {
    let drawn: Vec<&str> = FIGURES.iter().map(|(_, args)| args[0]).collect();
    for name in commands_with("Figure") {
        assert!(drawn.contains(&name.as_str()), "{name} draws, but has no golden picture");
    }
}
