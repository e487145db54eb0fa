//! A folder of results is of one run: whatever is added to it or joined with it is what a single run would have written, or is refused by
//! name. `tests/folders_of_one_run.py` does the same with random changes and random kills.

use crate::support::shell;
use crate::support::shell::{Shell, names};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// So many prompts, one a line; the third is none.
fn prompts(count: usize) -> String {
    (0..count).map(|i| if i == 2 { "\n".into() } else { format!("the cat {i}\n") }).collect()
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap())).collect()
}

/// A batch of `p.txt` into `out` by the model in `m`, as CSV for speed, unless the flags say otherwise. One line is bad.
fn batch(shell: &Shell, out: &str, flags: &[&str]) -> shell::Ran {
    let format = if flags.contains(&"--format") { &[][..] } else { &["--format", "csv"] };
    shell.run(&[&["batch", "p.txt", "--out", out, "-m", "m", "-q"], format, flags].concat())
}

/// It was done, but for the bad line.
#[track_caller]
fn done(ran: shell::Ran) {
    assert!(ran.code == Some(1) && ran.err.contains("prompts failed"), "{}", ran.err);
}

/// A shell with a model `m` and prompts.
fn shell(count: usize) -> Shell {
    let shell = Shell::new();
    fs::create_dir(shell.path("m")).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let from = format!("{}/tests/fixtures/base/{name}", env!("CARGO_MANIFEST_DIR"));
        fs::copy(from, shell.path("m").join(name)).unwrap();
    }
    shell.write("p.txt", prompts(count));
    shell
}

fn replace(shell: &Shell, name: &str, from: &str, to: &str) {
    let text = shell.text(name);
    assert!(text.contains(from), "{name} has no {from}");
    shell.write(name, text.replacen(from, to, 1));
}

/// A resume is refused, says what differs, and leaves the folder as it was.
#[track_caller]
fn refused(shell: &Shell, flags: &[&str], says: &[&str]) {
    let before = contents(&shell.path("d"));
    let (message, _) = batch(shell, "d", &[flags, &["--resume"]].concat()).fails(2);
    says.iter().for_each(|what| assert!(message.contains(what), "{what:?} is not in {message:?}"));
    assert!(contents(&shell.path("d")) == before, "{flags:?}");
}

#[test]
fn what_a_folder_is_of_is_decided_at_its_first_block() {
    let shell = shell(66);
    done(batch(&shell, "d", &[]));
    refused(&shell, &["--sink", "mask"], &["options.view.selection.sink was \"keep\", is \"mask\""]);
    refused(&shell, &["--run", "heads"], &["command was \"attention\", is \"heads\""]);
    refused(&shell, &["--format", "json"], &["formats was [\"csv\"], is [\"json\"]"]);
    refused(&shell, &["--name", "{index}"], &["name was \"{index}-{slug}\", is \"{index}\""]);
    refused(&shell, &["--shard", "1/2"], &["it holds all prompts, and share 1/2 was asked for"]);
    refused(&shell, &["--input-format", "txt"], &["input_format was null, is \"txt\""]);
    for (name, from, to, part) in [
        ("m/config.json", "1e-05", "0.5", "its config.json was"),
        ("m/tokenizer.json", "{", "{ ", "its tokenizer was"),
        ("p.txt", "the cat 65", "the cat 66", "prompt 65 is not the one that was done there: it was \"the cat 65\""),
        ("p.txt", "\n\n", "\n\u{1}\n", "it was none (the line is empty)"),
    ] {
        let before = shell.text(name);
        replace(&shell, name, from, to);
        refused(&shell, &[], &[part]);
        shell.write(name, before);
    }
    shell.write("m/added_tokens.json", "{}");
    refused(&shell, &[], &["its tokenizer was"]);
    fs::remove_file(shell.path("m/added_tokens.json")).unwrap();
}

#[test]
fn a_share_is_resumed_as_the_share_that_it_is() {
    let shell = shell(130);
    done(batch(&shell, "d", &["--shard", "1/2"]));
    refused(&shell, &["--shard", "2/2"], &["it holds share 1/2, and share 2/2 was asked for"]);
    refused(&shell, &["--shard", "1/3"], &["share 1/2", "share 1/3"]);
    refused(&shell, &[], &["it holds share 1/2, and all prompts was asked for"]);
    // A share without prompts says whose it is, too.
    shell.write("p.txt", prompts(10));
    batch(&shell, "none", &["--shard", "2/2"]).ok();
    let (message, _) = batch(&shell, "none", &["--shard", "1/2", "--resume"]).fails(2);
    assert!(message.contains("it holds share 2/2"), "{message}");
}

#[test]
fn a_finished_run_that_is_extended_is_what_a_single_run_gives() {
    for format in ["parquet", "csv,json"] {
        let shell = shell(70);
        done(batch(&shell, "d", &["--format", format]));
        for count in [70, 100, 128, 129] {
            shell.write("p.txt", prompts(count));
            done(batch(&shell, "d", &["--format", format, "--resume"]));
            let whole = format!("whole-{count}");
            done(batch(&shell, &whole, &["--format", format]));
            assert!(contents(&shell.path("d")) == contents(&shell.path(&whole)), "{count} {format}");
        }
    }
}

#[test]
fn a_result_that_is_not_what_it_was_is_done_again() {
    let shell = shell(70);
    let formats = ["--format", "csv,parquet"];
    done(batch(&shell, "d", &formats));
    let whole = contents(&shell.path("d"));
    let change = |name: &str| {
        let mut bytes = shell.read(name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        shell.write(name, bytes);
    };
    change("d/000000-the-cat-0.csv");
    fs::remove_file(shell.path("d/000066-the-cat-66.csv")).unwrap();
    change("d/rows-000064.parquet");
    done(batch(&shell, "d", &[&formats[..], &["--resume"]].concat()));
    assert!(contents(&shell.path("d")) == whole);
    // A list that was changed is not believed.
    replace(&shell, "d/manifest.jsonl", "\"hint\":\"mend", "\"hint\":\"keep");
    let (message, _) = batch(&shell, "d", &[&formats[..], &["--resume"]].concat()).fails(2);
    assert!(message.contains("its list was changed"), "{message}");
}

/// Two shares of 130 prompts as tables, and what one run gives.
fn shares(count: usize) -> Shell {
    let shell = shell(count);
    for (out, flags) in [("whole", &[][..]), ("a", &["--shard", "1/2"]), ("b", &["--shard", "2/2"])] {
        let ran = batch(&shell, out, &[&["--format", "parquet,csv"], flags].concat());
        if out == "b" { drop(ran.ok()) } else { done(ran) }
    }
    shell
}

#[test]
fn honest_shares_with_bad_lines_join_to_the_whole() {
    for count in [130, 60] {
        let shell = shares(count); // of 60 prompts the second share has none
        done(shell.run(&["batch", "--merge", "b", "a", "--out", "m1"]));
        assert!(contents(&shell.path("m1")) == contents(&shell.path("whole")), "{count}");
        let (_, hint) = shell.fails(2, &["batch", "--merge", "a", "b", "--out", "m1"]);
        assert!(!hint.contains("--resume"), "{hint}");
    }
}

#[test]
fn a_merge_takes_whole_shares_of_one_run_and_one_input_or_leaves_nothing() {
    let shell = shares(130);
    let again = |shell: &Shell, flags: &[&str]| {
        fs::remove_dir_all(shell.path("b")).unwrap();
        batch(shell, "b", &[&["--format", "parquet,csv", "--shard", "2/2"], flags].concat()).ok();
    };
    let fails = |shell: &Shell, says: &[&str]| {
        let before = shell.files();
        let (message, hint) = shell.fails(1, &["batch", "--merge", "a", "b", "--out", "out"]);
        says.iter().for_each(|what| assert!(message.contains(what), "{what:?} is not in {message:?}"));
        assert!(hint.contains("share"), "{hint}");
        assert_eq!(shell.files(), before, "nothing is left behind");
    };
    let manifest = shell.text("b/manifest.jsonl");
    for (from, to, says) in [
        ("\"prompt\":\"the cat 70\"", "\"prompt\":\"the dog 70\"", "its list was changed"),
        ("\"index\":70", "\"index\":71", "prompt 70 is missing"),
        ("\"line\":72}", "\"line\":73}", "its list was changed"),
        (",\"shard\":\"2/2\"}\n", "}\n", "prompt 65 is of another run or share"),
        ("rows-000064.parquet\"", "../rows-000064.parquet\"", "no name of a result"),
        ("\"line\":\"attnviz attention\"", "\"line\":\"attnviz attention --words\"", "its first entry is not what"),
        ("\"sha256\":\"", "\"sha256\":\"0", "its list was changed"),
        ("\"status\":\"ok\"", "\"status\":\"error\",\"error\":\"\"", "its list was changed"),
    ] {
        assert!(manifest.contains(from), "{from}");
        shell.write("b/manifest.jsonl", manifest.replacen(from, to, 1));
        fails(&shell, &[says]);
    }
    let lines: Vec<&str> = manifest.lines().collect();
    shell.write("b/manifest.jsonl", lines[..lines.len() - 1].join("\n") + "\n");
    fails(&shell, &["prompt 127 is missing"]);
    shell.write("b/manifest.jsonl", format!("{manifest}{}", lines[3]));
    fails(&shell, &["cut short"]);
    again(&shell, &["--sink", "mask"]);
    fails(
        &shell,
        &["b was made with other settings than a: ", "options.view.selection.sink was \"keep\", is \"mask\""],
    );
    shell.write("p.txt", prompts(129));
    again(&shell, &[]);
    fails(&shell, &["b is a share of 129 prompts", "all shares together have 130"]);
    shell.write("p.txt", prompts(130).replace("the cat 3\n", "the dog 3\n"));
    again(&shell, &[]);
    fails(&shell, &["b is a share of 130 prompts with the hash"]);
    shell.write("p.txt", prompts(130));
    replace(&shell, "m/config.json", "1e-05", "0.5");
    again(&shell, &[]);
    fails(&shell, &["b was made with other settings than a: its config.json was"]);
}

#[test]
fn a_batch_refuses_what_it_cannot_honour() {
    let shell = shell(3);
    for (flags, says) in [
        (&["--ids", "1"][..], "--ids"),
        (&["--file", "p.txt"], "--file"),
        (&["--output", "x.png"], "--output"),
        (&["--verbose"], "--verbose"),
        (&["--run", "heads", "--seed", "9"], "seed is for random tokens"),
        (&["--run", "heads", "--with", "draws", "--format", "json"], "draws is for random tokens"),
    ] {
        let (message, _) = batch(&shell, "d", flags).fails(2);
        assert!(message.contains(says), "{message}");
    }
    for flag in [["--format", "json"], ["--layer", "0"], ["--run", "heads"], ["--model", "builtin"]] {
        shell.fails(2, &[&["batch", "--merge", "a", "--out", "d"], &flag[..]].concat());
    }
    assert_eq!(shell.files(), ["m", "p.txt"]);
}

#[test]
fn a_record_tells_models_apart_that_differ_in_their_config_or_tokenizer() {
    let shell = shell(1);
    shell.ok(&["the cat", "-m", "m", "-o", "a.json"]);
    let hash = |name: &str| -> String {
        let json: Value = serde_json::from_slice(&shell.read(name)).unwrap();
        json["model"]["hash"].as_str().unwrap().to_owned()
    };
    replace(&shell, "m/config.json", "1e-05", "1e-06");
    shell.ok(&["the cat", "-m", "m", "-o", "b.json"]);
    assert_ne!(hash("a.json"), hash("b.json"));
    let (message, _) = shell.fails(3, &["rerun", "a.json", "-m", "m"]);
    assert!(message.contains("model m: its config.json was"), "{message}");
    // A file of before says nothing of the config: it is compared by its weights, and that is said.
    let old = hash("b.json");
    replace(&shell, "b.json", &old, old.split('-').next().unwrap());
    let (message, _) = shell.fails(3, &["rerun", "b.json", "-m", "m"]);
    assert!(
        message.contains("only one of the two says which config.json") && !message.contains("weights were"),
        "{message}"
    );
}

#[cfg_attr(not(unix), ignore = "needs a file that can be cut while it is mapped")]
#[test]
fn a_model_that_is_overwritten_or_cut_while_a_batch_runs_stops_it_clean() {
    let shell = shell(200);
    let lines = shell.text("p.txt");
    shell.pipe(&["batch", "-", "--out", "whole", "-m", "m", "--format", "csv"], lines.as_bytes());
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    for (out, name) in [("cut", "model.safetensors"), ("other", "model.safetensors"), ("words", "tokenizer.json")] {
        let bytes = shell.read(&format!("m/{name}"));
        let args = ["batch", "-", "--out", out, "-m", "m", "--format", "csv"];
        let mut child = shell.attnviz(&args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let child = child.as_mut().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(lines[..130].concat().as_bytes()).unwrap();
        let journal = shell.path(&format!("{out}/.manifest.jsonl.part"));
        while fs::metadata(&journal).map_or(0, |journal| journal.len()) == 0 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before its input");
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut changed = bytes.clone();
        match out {
            "cut" => changed.truncate(bytes.len() / 2),
            _ => changed[bytes.len() / 2] ^= 1,
        }
        fs::write(shell.path(&format!("m/{name}")), changed).unwrap(); // in place, as `cp` does
        let _ = input.write_all(lines[130..].concat().as_bytes()); // it may have noticed
        drop(input);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{err}");
        assert!(err.contains(name) && err.contains("was changed while it was in use"), "{err}");
        fs::write(shell.path(&format!("m/{name}")), bytes).unwrap();
        // What was kept is of the old model: the rest completes it to what one run gives.
        let piped = [&args[..], &["--resume"]].concat();
        let ran = shell.pipe(&piped, lines.concat().as_bytes());
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        assert!(contents(&shell.path(out)) == contents(&shell.path("whole")), "{out}");
    }
}
