//! The scripts that make and install a release, and the one that the action runs, do what they say; none of them needs a network here.
#![cfg(unix)]
use crate::support::shell::{Ran, Shell, ran};
use crate::support::skip::skip;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

fn script(shell: &Shell, name: &str, args: &[&str]) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_attnviz")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([binary.to_path_buf()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = shell.program(Path::new(TREE).join("packaging").join(name));
    command.args(args).env("PATH", path);
    command
}

/// The programs that are not here; a test that needs them says so.
#[track_caller]
fn lacks(programs: &[&str]) -> bool {
    let here = |name: &str| Command::new(name).arg("--version").output().is_ok();
    let lacking: Vec<&&str> = programs.iter().filter(|name| !here(name)).collect();
    if !lacking.is_empty() {
        skip(&format!("not installed: {lacking:?}"));
    }
    !lacking.is_empty()
}

#[test]
fn the_action_puts_the_report_on_the_summary_and_fails_where_anything_differs() {
    if lacks(&["bash"]) {
        return;
    }
    let shell = Shell::new();
    shell.write("snapshot.toml", "[[case]]\nname = \"once\"\nprompt = \"Once upon a time\"\nformats = [\"json\"]\n");
    shell.ok(&["snapshot", "record", "--out", "snapshots"]);
    let check = || {
        let args = ["snapshot.toml", "snapshots", "attnviz-report"];
        ran(script(&shell, "check.sh", &args).env("GITHUB_STEP_SUMMARY", shell.path("summary.md")))
    };
    check().ok();
    let same = shell.text("summary.md");
    let kept = shell.text("snapshots/once.json");
    let changed = kept.replacen("[1.0,", "[0.5,", 1);
    assert_ne!(changed, kept);
    shell.write("snapshots/once.json", changed);
    assert_eq!(check().code, Some(3));
    let both = shell.text("summary.md");
    let differs = both.strip_prefix(&same).unwrap();
    assert!(differs.contains("once") && differs != same && shell.path("attnviz-report/junit.xml").exists(), "{both}");
    fs::remove_dir_all(shell.path("snapshots")).unwrap();
    assert_eq!(check().code, Some(1));
    assert_eq!(shell.text("summary.md"), both, "an old report is no news");
}

/// A copy of what a version is told by, with this changelog.
fn tree_with(shell: &Shell, changelog: &str) -> PathBuf {
    fs::create_dir(shell.path("packaging")).unwrap();
    for name in ["packaging/version.sh", "Cargo.toml", "Cargo.lock"] {
        fs::copy(Path::new(TREE).join(name), shell.path(name)).unwrap();
    }
    shell.write("CHANGELOG.md", changelog);
    shell.path("packaging/version.sh")
}

#[test]
fn a_tag_is_refused_where_version_lock_or_changelog_say_something_else() {
    if lacks(&["bash"]) {
        return;
    }
    let version = env!("CARGO_PKG_VERSION");
    let shell = Shell::new();
    let told =
        tree_with(&shell, &format!("# Changelog\n\n## {version} (2030-01-01)\n\n- New.\n\n## 0.0.1\n\n- Old.\n"));
    let says = |args: &[&str]| ran(shell.program(&told).args(args));
    assert_eq!(says(&[]).ok(), format!("{version}\n").as_bytes());
    let tag = format!("v{version}");
    assert_eq!(String::from_utf8(says(&[&tag]).ok()).unwrap().trim(), "- New.");
    assert!(says(&["v9.9.9"]).fails(1).0.contains("v9.9.9"));
    shell.write("CHANGELOG.md", format!("# Changelog\n\n## Unreleased\n\n- New.\n\n## {version}0\n\n- Other.\n"));
    assert!(says(&[&tag]).fails(1).0.contains("CHANGELOG.md"));
    let lock = shell.text("Cargo.lock");
    let ours = format!("name = \"attnviz\"\nversion = \"{version}\"");
    shell.write("Cargo.lock", lock.replace(&ours, "name = \"attnviz\"\nversion = \"9.9.9\""));
    assert!(says(&[&tag]).fails(1).0.contains("Cargo.lock"));
}

#[test]
fn a_release_is_installed_only_where_its_hash_is_right() {
    if lacks(&["bash", "curl", "tar"]) {
        return;
    }
    let target = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-gnu",
        ("linux", "aarch64") => "aarch64-unknown-linux-gnu",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        ("macos", "aarch64") => "aarch64-apple-darwin",
        other => return skip(&format!("there are no releases for {other:?}")),
    };
    let shell = Shell::new();
    let (name, folder) = (format!("attnviz-v1.2.3-{target}"), "site/releases/download/v1.2.3");
    fs::create_dir_all(shell.path(folder)).unwrap();
    fs::create_dir(shell.path(&name)).unwrap();
    shell.write(&format!("{name}/attnviz"), "#!/bin/sh\necho attnviz 1.2.3\n");
    ran(shell.program("chmod").args(["+x", &format!("{name}/attnviz")])).ok();
    let file = format!("{folder}/{name}.tar.gz");
    ran(shell.program("tar").args(["-czf", &file, &name])).ok();
    let hash: String = ring::digest::digest(&ring::digest::SHA256, &shell.read(&file))
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let install = |version: &str| -> Ran {
        let url = format!("file://{}/site", shell.folder().display());
        ran(&mut script(&shell, "install.sh", &[&url, version, "here"]))
    };
    shell.write(&format!("{file}.sha256"), format!("{hash}  {name}.tar.gz\n"));
    assert_eq!(install("1.2.3").ok(), b"attnviz 1.2.3\n");
    assert_eq!(crate::support::shell::names(&shell.path("here")), ["attnviz"]);
    fs::remove_file(shell.path("here/attnviz")).unwrap();
    shell.write(&format!("{file}.sha256"), format!("{}  {name}.tar.gz\n", hash.replace(&hash[..1], "g")));
    assert!(install("1.2.3").fails(1).0.contains("not what its hash says"));
    assert!(!shell.path("here/attnviz").exists());
    let missing = install("9.9.9");
    assert!(missing.code == Some(1) && missing.err.contains("cannot download"), "{}", missing.err);
}
