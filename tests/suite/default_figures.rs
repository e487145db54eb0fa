//! The figure that each command draws by itself, made by the program with the built-in model, looks as it did.
use crate::support::commands::commands_with;
use crate::support::pictures::look_as_they_did;
use crate::support::shell::Shell;
use attnviz::compare::Tolerance;

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

#[test]
fn every_command_that_draws_has_a_picture_here() {
    let drawn: Vec<&str> = FIGURES.iter().map(|(_, args)| args[0]).collect();
    for name in commands_with("Figure") {
        assert!(drawn.contains(&name.as_str()), "{name} draws, but has no golden picture");
    }
}
