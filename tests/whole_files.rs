//! Files appear whole or not at all: a full disk, a folder that may not be written to, a pipe that is closed.
#![cfg(unix)]
mod support {
    pub mod shell;
}

use std::fs;
use std::process::Stdio;
use support::shell::{Ran, Shell, ran};

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");

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
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(shell.files(), ["attention-the-ca.png"]);
}

#[cfg(target_os = "linux")]
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
    use std::os::unix::fs::PermissionsExt;
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

    fs::create_dir(shell.path("locked")).unwrap();
    fs::set_permissions(shell.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(shell.path("locked/probe"), "").is_ok() {
        fs::remove_file(shell.path("locked/probe")).unwrap();
        eprintln!("skipped: this user may write into read-only folders");
        return;
    }
    let (message, hint) = shell.fails(1, &["-m", BASE, "The ca", "-o", "locked/a.png"]);
    assert!(message.contains("locked/a.png") && hint.contains("locked"), "{message} {hint}");
}

#[cfg(target_os = "linux")]
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
