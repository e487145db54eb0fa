//! Files that strangers have put where ours are read or written: links, pipes, devices. None is followed, waited for or read for ever.

use crate::support::shell;
use crate::support::shell::Shell;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A run that takes this long waits for somebody.
const HANGS: Duration = Duration::from_secs(60);
const SUITE: &str = "formats = [\"json\"]\n[[case]]\nname = \"fox\"\nprompt = \"The fox\"\n";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Runs it in little memory; the error and the hint.
#[track_caller]
fn fails(shell: &Shell, code: i32, args: &[&str]) -> (String, String) {
    let mut command = shell.program("sh");
    command.args(["-c", "ulimit -v 2097152 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_attnviz")]).args(args);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > HANGS {
            child.kill().unwrap();
            panic!("{args:?} hangs");
        }
        sleep(Duration::from_millis(2));
    }
    let ran: shell::Ran = child.wait_with_output().unwrap().into();
    ran.fails(code)
}

fn pipe(shell: &Shell, name: &str) {
    let _ = fs::remove_file(shell.path(name));
    assert!(shell.program("mkfifo").arg(name).status().unwrap().success());
}

fn zero(shell: &Shell, name: &str) {
    let _ = fs::remove_file(shell.path(name));
    symlink("/dev/zero", shell.path(name)).unwrap();
}

/// A folder of three prompts.
fn batched() -> Shell {
    let shell = Shell::new();
    shell.write("p.txt", "a\nb\nc\n").write("victim", "precious");
    shell.ok(&["batch", "p.txt", "-m", "builtin", "--out", "d", "--format", "csv", "-q"]);
    shell
}

const RESUME: [&str; 10] = ["batch", "p.txt", "-m", "builtin", "--out", "d", "--format", "csv", "-q", "--resume"];
const MERGE: [&str; 5] = ["batch", "--merge", "d", "--out", "m"];

#[test]
fn no_name_in_a_folder_of_results_leads_elsewhere() {
    let shell = batched();
    let whole = (shell.text("d/manifest.jsonl"), shell.read("d/000001-b.csv"));
    for name in ["manifest.jsonl", ".manifest.jsonl.part", ".attnviz-batch.lock"] {
        for plant in [link, twin, pipe, zero] {
            let _ = fs::remove_file(shell.path("d/manifest.jsonl")).and_then(|()| fs::remove_file(shell.path("d/x")));
            let _ = fs::remove_file(shell.path("d/.attnviz-batch.lock"));
            let _ = fs::remove_file(shell.path("d/.manifest.jsonl.part"));
            plant(&shell, &format!("d/{name}"));
            let (message, hint) = fails(&shell, 1, &RESUME);
            assert!(message.contains(name) && hint.contains("empty folder"), "{message} {hint}");
            assert_eq!(shell.text("victim"), "precious");
        }
    }
    fs::remove_file(shell.path("d/.attnviz-batch.lock")).unwrap();
    // A result is replaced, whatever stands there.
    for plant in [link, twin, pipe, zero] {
        let _ = fs::remove_file(shell.path("d/.manifest.jsonl.part"));
        shell.write("d/manifest.jsonl", &whole.0);
        plant(&shell, "d/000001-b.csv");
        shell.ok(&RESUME);
        assert!(fs::symlink_metadata(shell.path("d/000001-b.csv")).unwrap().is_file());
        assert!(shell.read("d/000001-b.csv") == whole.1);
        assert_eq!(shell.text("victim"), "precious");
    }
}

fn link(shell: &Shell, name: &str) {
    let _ = fs::remove_file(shell.path(name));
    symlink(shell.path("victim"), shell.path(name)).unwrap();
}

fn twin(shell: &Shell, name: &str) {
    let _ = fs::remove_file(shell.path(name));
    fs::hard_link(shell.path("victim"), shell.path(name)).unwrap();
}

#[test]
fn a_name_that_nobody_typed_leads_nowhere() {
    let shell = Shell::new();
    shell.write("victim", "precious");
    for plant in [link, pipe, zero] {
        for (args, name) in [(&[][..], "attention-the-fox-builtin.png"), (&["-o", "{slug}.csv"], "the-fox.csv")] {
            plant(&shell, name);
            shell.ok(&[&["The fox", "-m", "builtin", "-q"], args].concat());
            assert!(fs::symlink_metadata(shell.path(name)).unwrap().is_file(), "{name}");
            fs::remove_file(shell.path(name)).unwrap();
        }
    }
    // A name that was typed is what it is.
    link(&shell, "typed.csv");
    shell.ok(&["The fox", "-m", "builtin", "-q", "-o", "typed.csv"]);
    assert!(shell.text("victim").starts_with("layer,") && fs::read_link(shell.path("typed.csv")).is_ok());
}

#[test]
fn a_share_is_read_from_plain_files_only() {
    let shell = batched();
    for plant in [link, pipe, zero] {
        for name in ["d/manifest.jsonl", "d/000001-b.csv"] {
            let kept = shell.read(name);
            plant(&shell, name);
            let (message, _) = fails(&shell, 1, &MERGE);
            assert!(message.contains(name), "{message}");
            fs::remove_file(shell.path(name)).unwrap();
            shell.write(name, kept);
        }
    }
    // A file with a hole of a terabyte is no list, and no result.
    for name in ["d/manifest.jsonl", "d/000001-b.csv"] {
        let kept = shell.read(name);
        fs::File::create(shell.path(name)).unwrap().set_len(1 << 40).unwrap();
        fails(&shell, 1, &MERGE);
        shell.write(name, kept);
    }
    assert_eq!(shell.files(), ["d", "p.txt", "victim"]);
    shell.ok(&MERGE);
}

#[test]
fn a_suite_and_its_snapshot_are_plain_files() {
    let shell = Shell::new();
    shell.write("snapshot.toml", SUITE).write("victim", "precious");
    shell.ok(&["snapshot", "record", "--out", "s"]);
    let check = ["snapshot", "check", "--out", "s", "--report", "r"];
    for plant in [pipe, zero] {
        plant(&shell, "snapshot.toml");
        assert!(fails(&shell, 1, &check).0.contains("snapshot.toml"));
        fs::remove_file(shell.path("snapshot.toml")).unwrap();
        shell.write("snapshot.toml", SUITE);
        let lock = shell.read("s/snapshot.lock.json");
        plant(&shell, "s/snapshot.lock.json");
        assert!(fails(&shell, 1, &check).0.contains("snapshot.lock.json"));
        fs::remove_file(shell.path("s/snapshot.lock.json")).unwrap();
        shell.write("s/snapshot.lock.json", lock);
        plant(&shell, "s/fox.json");
        assert_eq!(shell.run(&check).code, Some(3));
        plant(&shell, "r/junit.xml");
        assert_eq!(shell.run(&check).code, Some(3));
        shell.ok(&["snapshot", "check", "--out", "s", "--update"]);
        assert!(fs::symlink_metadata(shell.path("s/fox.json")).unwrap().is_file());
    }
}

#[test]
fn files_of_a_cache_and_of_a_checkpoint_are_plain_files() {
    for plant in [pipe, zero] {
        let shell = Shell::new();
        shell.write("victim", "precious");
        let repository = "hub/models--a--b";
        fs::create_dir_all(shell.path(&format!("{repository}/refs"))).unwrap();
        fs::create_dir_all(shell.path(&format!("{repository}/snapshots/{COMMIT}"))).unwrap();
        plant(&shell, &format!("{repository}/refs/main"));
        plant(&shell, &format!("{repository}/snapshots/{COMMIT}/config.json"));
        plant(&shell, "token");
        let mut listed = shell.attnviz(&["models"]);
        shell::ran(listed.env("HF_HOME", shell.folder())).ok();
        let mut asked = shell.attnviz(&["the", "-m", "a/b"]);
        shell::ran(asked.env("HF_HOME", shell.folder())).fails(1);
        fs::create_dir(shell.path("model")).unwrap();
        for name in ["config.json", "tokenizer.json", "vocab.txt", "model.safetensors"] {
            for good in ["config.json", "tokenizer.json", "model.safetensors"] {
                let from = format!("{}/tests/fixtures/base/{good}", env!("CARGO_MANIFEST_DIR"));
                fs::copy(from, shell.path("model").join(good)).unwrap();
            }
            plant(&shell, &format!("model/{name}"));
            let (message, _) = fails(&shell, 1, &["the", "-m", "model", "-o", "a.csv"]);
            assert!(message.contains(name), "{message}");
            fs::remove_file(shell.path("model").join(name)).unwrap();
        }
        plant(&shell, "a.npz");
        for args in [&["render", "a.npz"][..], &["rerun", "a.npz"], &["diff", "a.npz", "a.npz"]] {
            assert!(fails(&shell, 1, args).0.contains("a.npz"));
        }
    }
}
