//! Files appear whole or not at all: a full disk, a folder that may not be written to, a pipe that is closed.
use crate::support::shell::{Ran, Shell, ran};
use crate::support::skip::skip;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
/// The user and the group that own nothing.
const NOBODY: u32 = 65534;

#[test]
fn a_closed_pipe_is_no_error() {
    let shell = Shell::new();
    let mut child = shell
        .attnviz(&["-m", "builtin", "The fox and the crow", "-o", "-", "--format", "csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    // A listing that nobody reads is no reason to fail either: the file is there.
    let mut child =
        shell.attnviz(&["-m", BASE, "The ca"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert!(ran.code == Some(0) && !ran.err.contains("error"), "{}", ran.err);
    assert_eq!(shell.files(), ["attention-the-ca-base.png"]);
}

#[cfg_attr(not(target_os = "linux"), ignore = "needs /dev/full")]
#[test]
fn a_full_disk_is_said() {
    let shell = Shell::new();
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for format in ["json", "png", "npz", "safetensors", "csv", "txt", "svg"] {
        let ran = ran(shell.attnviz(&["-m", BASE, "The ca", "-o", "-", "--format", format]).stdout(full()));
        let (message, _) = ran.fails(1);
        assert!(message.contains("standard output"), "{message}");
    }
    for name in ["full.json", "full.png"] {
        std::os::unix::fs::symlink("/dev/full", shell.path(name)).unwrap();
        let (message, hint) = shell.fails(1, &["-m", BASE, "The ca", "-o", name]);
        assert!(message.contains("the disk is full") && message.contains(name) && hint.contains("room"), "{message}");
    }
}

#[test]
fn what_cannot_be_written_is_left_as_it_was() {
    let shell = Shell::new();
    shell.write("old.json", "old");
    let before = fs::metadata(shell.path("old.json")).unwrap().permissions();
    fs::set_permissions(shell.path("old.json"), fs::Permissions::from_mode(0o444)).unwrap();
    let (message, hint) = shell.fails(1, &["-m", BASE, "The ca", "-o", "old.json"]);
    assert!(message.contains("old.json is read-only") && hint.contains("writable"), "{message} {hint}");
    assert_eq!(shell.text("old.json"), "old");
    fs::set_permissions(shell.path("old.json"), before).unwrap();
    shell.ok(&["-m", BASE, "The ca", "-o", "old.json"]);
    assert!(shell.text("old.json").starts_with('{'));
    assert_eq!(shell.files(), ["old.json"]);
}

#[test]
fn a_folder_that_may_not_be_written_to_is_named() {
    let shell = Shell::new();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir(shell.path("locked")).unwrap();
    mode(&shell.path("locked"), 0o555);
    let args = ["The ca", "-o", "locked/a.png", "-m"];
    let ran = if fs::write(shell.path("locked/probe"), "").is_err() {
        shell.run(&[&args[..], &[BASE]].concat())
    } else {
        // root may write anywhere: another user runs a copy where every user may read. `cp` makes it, since a program that is still
        // open for writing in this process, or in a child of another test, cannot be run.
        fs::remove_file(shell.path("locked/probe")).unwrap();
        mode(shell.folder(), 0o755);
        assert!(shell.program("cp").args(["-R", env!("CARGO_BIN_EXE_attnviz"), BASE, "."]).status().unwrap().success());
        let mut other = shell.program(shell.path("attnviz"));
        match other.args(args).arg("base").uid(NOBODY).gid(NOBODY).output() {
            Ok(output) => output.into(),
            Err(error) => return skip(&format!("root may write anywhere, and another user cannot run: {error}")),
        }
    };
    let (message, hint) = ran.fails(1);
    assert!(message.contains("locked/a.png") && hint.contains("locked"), "{message} {hint}");
    assert!(crate::support::shell::names(&shell.path("locked")).is_empty());
}

#[cfg_attr(not(target_os = "linux"), ignore = "needs a shell whose `ulimit -f` counts in 512 bytes")]
#[test]
fn a_limit_on_file_size_leaves_no_part_of_a_file() {
    let shell = Shell::new();
    shell.write("old.npz", "old");
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} -m builtin 'The fox and the crow' -o new.npz -o old.npz",
        env!("CARGO_BIN_EXE_attnviz")
    );
    let (message, _) = ran(shell.program("sh").args(["-c", &script])).fails(1);
    assert!(message.contains("new.npz"), "{message}");
    assert_eq!(shell.files(), ["old.npz"]);
    assert_eq!(shell.text("old.npz"), "old");
}
