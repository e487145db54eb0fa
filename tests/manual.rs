//! What the help and the README say is so: every line fits, every flag is told, every example runs.
mod support {
    pub mod shell;
}

use std::fs;
use std::process::Stdio;
use support::shell::{Shell, ran};

/// Examples that cannot run here, and why.
const SKIPPED: [(&str, &str); 1] = [("cargo ", "builds or tests the program itself")];

fn help(args: &[&str], columns: &str) -> String {
    let shell = Shell::new();
    String::from_utf8(ran(shell.attnviz(args).env("COLUMNS", columns)).ok()).unwrap()
}

#[test]
fn help_fits_into_80_columns() {
    let commands = ["attention", "render", "rerun", "completions", "man"].map(|name| [name, "--help"]);
    for args in commands.iter().map(|args| &args[..]).chain([&["--help"][..], &["-h"], &["attention", "-h"]]) {
        let text = help(args, "80");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {} columns: {line}", line.chars().count());
        }
    }
    // No terminal at all: the width is not guessed beyond 100.
    assert!(help(&["--help"], "").lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn every_flag_and_every_choice_is_told() {
    for args in [&["--help"][..], &["attention", "--help"]] {
        let text = help(args, "80");
        let lines: Vec<&str> = text.lines().collect();
        let flags: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].trim_start().starts_with('-')).collect();
        assert!(flags.len() >= 25, "{flags:?}");
        for at in flags {
            let flag = lines[at].trim();
            let described = flag.contains("  ") || lines.get(at + 1).is_some_and(|next| next.starts_with("          "));
            // `- name: what` lists a choice.
            assert!(described || flag.contains(": "), "{flag} is not described in {args:?}");
        }
        for heading in ["Model:", "Prompt:", "Selection:", "Figure:", "Output:"] {
            assert!(lines.contains(&heading), "{heading} {args:?}");
        }
    }
    assert!(help(&["--help"], "80").contains("Examples:"));
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

#[cfg(unix)]
#[test]
fn every_example_of_the_help_runs() {
    let text = help(&["--help"], "80");
    let examples: Vec<&str> = text
        .split("Examples:")
        .nth(1)
        .unwrap()
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("attnviz "))
        .collect();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in examples {
        let command = example.split("   ").next().unwrap(); // a remark stands apart
        let command = if jq() { command } else { command.split(" | jq").next().unwrap() };
        runs(command);
    }
}

#[cfg(unix)]
fn jq() -> bool {
    std::process::Command::new("jq").arg("--version").output().is_ok_and(|output| output.status.success())
}

#[cfg(unix)]
#[test]
fn every_example_of_the_readme_runs() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let lines = shell_lines(&readme);
    assert!(lines.len() >= 10, "{lines:?}");
    let (skipped, run): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| SKIPPED.iter().any(|(start, _)| line.starts_with(start)));
    for (start, why) in SKIPPED {
        let lines: Vec<_> = skipped.iter().filter(|line| line.starts_with(start)).collect();
        assert!(!lines.is_empty(), "nothing begins with {start:?} any more");
        println!("skipped, since it {why}: {lines:?}");
    }
    for line in run {
        assert!(line.contains("attnviz") || line.contains("ATTNVIZ_"), "{line} is no example of attnviz");
        runs(&line);
    }
}
