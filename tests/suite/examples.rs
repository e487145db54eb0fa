//! The programs in examples/ do what they say.
use crate::support::drawing::Drawing;
use crate::support::results::{json, png, svg};
use crate::support::shell::{Shell, ran};
use std::path::PathBuf;

/// `cargo test` builds examples beside the binary.
fn example(name: &str) -> PathBuf {
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_attnviz")).with_file_name("examples");
    let program = folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "run `cargo test`, or `cargo build --examples` first: there is no {}", program.display());
    program
}

fn says(shell: &Shell, name: &str, args: &[&str]) -> String {
    String::from_utf8(ran(shell.program(example(name)).args(args)).ok()).unwrap()
}

#[test]
fn heatmap_draws_one_head() {
    let shell = Shell::new();
    assert_eq!(says(&shell, "heatmap", &["The fox ran away", "fox.svg"]), "fox.svg\n");
    let picture = svg(&shell.text("fox.svg"));
    assert!(picture.shows("layer 4, head 3") && picture.shows("query") && picture.shows("The fox ran away"));
    // The same map as the program draws.
    shell.ok(&["-m", "builtin", "The fox ran away", "--layer", "4", "--head", "3", "-o", "head.svg"]);
    let [ours, theirs] = ["fox.svg", "head.svg"].map(|name| Drawing::of(&shell.text(name)));
    for at in 0..16 {
        let middle = |drawing: &Drawing| drawing.frames[0].cell((4, 4), at / 4, at % 4).middle();
        assert_eq!(ours.colour(middle(&ours)), theirs.colour(middle(&theirs)), "cell {at}");
    }
}

#[test]
fn tap_finds_heads_that_change_the_next_word() {
    let told = says(&Shell::new(), "tap", &["Once upon a time there was a little"]);
    let (first, rest) = told.split_once('\n').unwrap();
    assert!(first.contains(" → "), "{told}");
    let word = |line: &str| line.split(" → ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert!((1..36).contains(&rest.lines().count()), "some heads change the word, not all: {told}");
    assert!(rest.lines().all(|line| line.starts_with("without ") && word(line) != word(first)), "{told}");
}

#[test]
fn batch_gives_a_prompt_the_same_numbers_alone_and_among_others() {
    let (one, other) = ("The fox ran.", "Once upon a time there was a girl.");
    let both = says(&Shell::new(), "batch", &[one, other]);
    let alone = says(&Shell::new(), "batch", &[one]) + &says(&Shell::new(), "batch", &[other]);
    assert_eq!(both, alone);
    assert_eq!(both.lines().count(), 2);
}

#[test]
fn mix_makes_what_the_command_makes_of_the_same_options() {
    let shell = Shell::new();
    let text = "The fox met the crow by the well.";
    assert_eq!(says(&shell, "mix", &[text]), "mixing.json\nmixing.csv\nmixing.png\n");
    let flags = ["--method", "raw,rollout,value-zeroing", "--sink", "renorm", "--theme", "dark"];
    let files = ["-o", "own.json", "-o", "own.csv", "-o", "own.png"];
    shell.ok(&[&["mix", "-m", "builtin", text], &flags[..], &files].concat());
    assert_eq!(shell.text("mixing.csv"), shell.text("own.csv"));
    let [library, typed] = ["mixing.png", "own.png"].map(|name| png(&shell.read(name)));
    assert!(library.rgb == typed.rgb);
    // The records are equal but for what was typed, which a program does not have.
    let [library, mut typed] = ["mixing.json", "own.json"].map(|name| json(&shell.read(name)));
    let line = typed.as_object_mut().unwrap().remove("line").unwrap();
    assert!(line.as_str().unwrap().contains("--sink=renorm"), "{line}");
    assert_eq!(library, typed);
}

#[test]
fn a_new_analysis_has_a_picture_a_table_data_and_a_record() {
    let shell = Shell::new();
    let told = says(&shell, "new_analysis", &["The fox ran away"]);
    assert_eq!(told, "own-word.png\nown-word.json\nown-word.csv\n");
    let data = json(&shell.read("own-word.json"));
    assert_eq!((&data["command"], &data["options"]["layer"]), (&"own-word".into(), &3.into()));
    let shares: Vec<f64> = serde_json::from_value(data["results"][0]["share"].clone()).unwrap();
    assert!(shares.len() == 4 && shares[0] == 1.0 && shares[1..].iter().all(|share| (0.0..1.0).contains(share)));
    assert_eq!(shell.text("own-word.csv").lines().count(), 5);
    assert_eq!(png(&shell.read("own-word.png")).record["command"], "own-word");
}
