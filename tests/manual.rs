//! What the help and the README say is so: every line fits, every flag is told, every example runs.
mod support {
    pub mod shell;
}

use attnviz::Named;
use attnviz::figure::Colormap;
use std::fs;
use std::process::Stdio;
use support::shell::{Shell, ran};

/// What examples that cannot run here contain, and why they cannot.
const SKIPPED: [(&str, &str); 2] = [("cargo ", "builds or tests the program itself"), ("distilgpt2", "asks the hub")];

fn help(args: &[&str], columns: &str) -> String {
    let shell = Shell::new();
    String::from_utf8(ran(shell.attnviz(args).env("COLUMNS", columns)).ok()).unwrap()
}

/// The names that the help lists under `Commands:`.
fn commands() -> Vec<String> {
    let text = help(&["--help"], "80");
    let listed = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A long description goes on in lines that are indented further.
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = named.map(|line| line.split_whitespace().next().unwrap().to_string());
    names.filter(|name| name != "help").collect() // it has no help of its own
}

/// The help of the program and of every command, with the arguments that print it.
fn manuals() -> Vec<(Vec<String>, String)> {
    let whole = ["--help", "-h"].map(|flag| vec![flag.to_string()]);
    let each = commands().into_iter().flat_map(|name| ["--help", "-h"].map(|flag| vec![name.clone(), flag.into()]));
    let asked = whole.into_iter().chain(each);
    asked.map(|args| (args.clone(), help(&args.iter().map(String::as_str).collect::<Vec<_>>(), "80"))).collect()
}

#[test]
fn help_fits_into_80_columns() {
    assert!(commands().contains(&"attention".into()), "{:?}", commands());
    for (args, text) in manuals() {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {} columns: {line}", line.chars().count());
        }
    }
    // No terminal at all: the width is not guessed beyond 100.
    assert!(help(&["--help"], "").lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn help_is_a_command_as_well() {
    for (asked, same) in [(&["help"][..], &["--help"][..]), (&["help", "lens"], &["lens", "--help"])] {
        assert_eq!(help(asked, "80"), help(same, "80"));
    }
}

#[test]
fn every_flag_and_every_choice_is_told() {
    for (args, text) in manuals() {
        let lines: Vec<&str> = text.lines().collect();
        let flags: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].trim_start().starts_with('-')).collect();
        assert!(!flags.is_empty(), "{args:?}");
        for at in flags {
            let flag = lines[at].trim();
            let described = flag.contains("  ") || lines.get(at + 1).is_some_and(|next| next.starts_with("          "));
            // `- name: what` lists a choice.
            assert!(described || flag.contains(": "), "{flag} is not described in {args:?}");
        }
    }
    let text = help(&["attention", "--help"], "80");
    for heading in ["Model:", "Prompt:", "Selection:", "Figure:", "Output:"] {
        assert!(text.lines().any(|line| line == heading), "{heading}");
    }
    for map in Colormap::all().map(Colormap::name) {
        assert!(text.contains(map), "{map}");
    }
}

/// The lines of code blocks in a Markdown text that a shell would run, continued lines joined.
fn shell_lines(markdown: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut within = false;
    for line in markdown.lines() {
        match line.trim() {
            "```sh" => within = true,
            "```" => within = false,
            line if within => match lines.last_mut() {
                Some(last) if last.ends_with('\\') => {
                    last.pop();
                    last.push_str(line);
                }
                _ => lines.push(line.to_string()),
            },
            _ => {}
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Runs one line in a folder with everything that examples name, through a real shell.
#[cfg(unix)]
fn runs(line: &str) {
    let shell = Shell::new();
    let story = "Once upon a time there was a fox who lived by a well. ".repeat(60);
    shell.write("story.txt", story);
    fs::create_dir(shell.path("heads")).unwrap();
    fs::create_dir(shell.path("my-gpt2")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        let asset = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/model/");
        fs::copy(format!("{asset}{file}"), shell.path("my-gpt2").join(file)).unwrap();
    }
    let before = shell.files();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_attnviz")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(binary.to_path_buf())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .unwrap();
    let ran = ran(shell.program("sh").args(["-c", line]).env("PATH", path).stdin(Stdio::null()));
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.err);
    assert!(!ran.err.contains("error:"), "{line}: {}", ran.err);
    let sets = line.starts_with("export ");
    assert!(sets || !ran.out.is_empty() || shell.files() != before, "{line} does nothing");
}

/// The examples of the help, without the remarks beside them.
fn help_lines() -> Vec<String> {
    let text = help(&["--help"], "80");
    let examples =
        text.split("Examples:").nth(1).unwrap().lines().map(str::trim).filter(|line| line.starts_with("attnviz "));
    examples.map(|line| line.split("   ").next().unwrap().to_string()).collect()
}

fn readme_lines() -> Vec<String> {
    shell_lines(&fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap())
}

fn skipped(line: &str) -> bool {
    SKIPPED.iter().any(|(part, _)| line.contains(part))
}

#[test]
fn nothing_is_skipped_without_need() {
    let lines = [help_lines(), readme_lines()].concat();
    for (part, why) in SKIPPED {
        let skipped: Vec<_> = lines.iter().filter(|line| line.contains(part)).collect();
        assert!(!skipped.is_empty(), "no example has {part:?} any more");
        println!("not run, since it {why}: {skipped:?}");
    }
}

#[cfg(unix)]
fn is_here(program: &str) -> bool {
    std::process::Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[cfg(unix)]
#[test]
fn every_example_of_the_help_runs() {
    let jq = is_here("jq");
    let lines = help_lines();
    assert!(lines.len() >= 4, "{lines:?}");
    for line in lines.iter().filter(|line| !skipped(line)) {
        runs(if jq { line } else { line.split(" | jq").next().unwrap() });
    }
}

#[cfg(unix)]
#[test]
fn every_example_of_the_readme_runs() {
    let lines = readme_lines();
    assert!(lines.len() >= 10, "{lines:?}");
    for line in lines.iter().filter(|line| !skipped(line)) {
        assert!(line.contains("attnviz") || line.contains("ATTNVIZ_"), "{line} is no example of attnviz");
        match line.contains("| parallel ") && !is_here("parallel") {
            true => println!("not run, since GNU parallel is not installed: {line}"),
            false => runs(line),
        }
    }
}
