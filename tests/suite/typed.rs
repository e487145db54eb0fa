//! What people type and set: names in any case, short names of methods, commands with a typing error, a dash, an odd environment.

use crate::support::results::json;
use crate::support::shell::{Shell, ran};
use serde_json::json as object;

const B: [&str; 2] = ["-m", "builtin"];

#[test]
fn names_are_understood_in_any_case_and_methods_by_their_short_names() {
    let shell = Shell::new();
    let options = |args: &[&str]| {
        json(&shell.ok(&[args, &B, &["-q", "-o", "-", "--format", "JSON"]].concat()))["options"].clone()
    };
    let own = options(&[
        "saliency",
        "a b",
        "--method",
        "integrated-gradients,occlusion",
        "--of",
        "prob",
        "--colormap",
        "grey",
        "--scale",
        "sqrt",
        "--theme",
        "dark",
    ]);
    let typed = options(&[
        "saliency",
        "a b",
        "--method",
        "IG,occ",
        "--of",
        "Probability",
        "--colormap",
        "Gray",
        "--scale",
        "SQRT",
        "--theme",
        "Dark",
    ]);
    assert_eq!(typed, own);
    assert_eq!(own["method"], object!(["integrated-gradients", "occlusion"]));
    assert_eq!(options(&["mix", "a b", "--method", "VZ"])["method"], object!(["value-zeroing"]));
    assert_eq!(options(&["mix", "a b", "--method", "ALL"])["method"], options(&["mix", "a b"])["method"]);
    assert_eq!(
        options(&["a b", "--reduce", "Heads=MEAN"])["view"]["selection"]["reduce"],
        object!({"heads": "mean", "layers": null})
    );
    let (message, _) = shell.fails(2, &["saliency", "a b", "--method", "ix"]);
    assert!(message.contains("\"ix\" is not a method"), "{message}");
    assert!(shell.fails(2, &["a b", "--scale", "cubic"]).0.contains("linear, sqrt, log"));
}

#[test]
fn a_command_with_a_typing_error_is_noticed() {
    let shell = Shell::new();
    for args in [&["saliancy", "x y"][..], &["saliancy", "--method", "ig"], &["saliancy", "x", "--nothing"]] {
        let (message, hint) = shell.fails(2, args);
        assert!(
            message.contains("\"saliancy\" is no command") && hint.contains("attnviz saliency?"),
            "{message} {hint}"
        );
    }
    let drawn = |args: &[&str]| {
        let ran = shell.run(&[args, &B, &["-o", "a.json"]].concat());
        let said = ran.err.clone();
        ran.ok();
        said
    };
    let said = "\"haeds\" was taken as the prompt; the command is called heads";
    assert!(drawn(&["haeds"]).contains(said));
    assert_eq!(json(&shell.read("a.json"))["prompt"], "haeds");
    assert!(!drawn(&["haeds", "-q"]).contains("taken"));
    assert!(!drawn(&["attention", "haeds"]).contains("taken") && !drawn(&["cat"]).contains("taken"));
}

#[test]
fn a_dash_behind_two_dashes_is_a_prompt() {
    let shell = Shell::new();
    let prompt = |args: &[&str]| {
        shell.pipe(&[&["-q", "-o", "a.json"], &B[..], args].concat(), b"from standard input").ok();
        json(&shell.read("a.json"))["prompt"].clone()
    };
    assert_eq!(prompt(&["--", "-"]), "-");
    assert_eq!(prompt(&["-"]), "from standard input");
    assert_eq!(prompt(&["--", "-q"]), "-q");
    shell.pipe(&["diff", "-q", "-o", "b.json", "-m", "builtin", "--", "-", "-"], b"").ok();
    assert_eq!(json(&shell.read("b.json"))["prompt"], "-");
}

#[test]
fn no_number_of_threads_in_the_environment_is_too_large() {
    let shell = Shell::new();
    let args = |name: &str| ["a b", "-m", "builtin", "-q", "-o", name].map(str::to_owned);
    for (threads, name) in [("1", "a.png"), ("99999", "b.png"), ("none", "c.png")] {
        ran(shell.attnviz(&args(name)).env("RAYON_NUM_THREADS", threads)).ok();
        assert!(shell.read(name) == shell.read("a.png"), "{threads}");
    }
}
