//! A test that cannot run here says so: it never passes in silence.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Says that the test that calls this, or a part of it, does not run here: one line on stderr, past the capture, and the same line
/// in the file that `ATTNVIZ_SKIPPED` names, for whoever counts them.
#[track_caller]
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let place = std::panic::Location::caller();
    let test = match thread.name() {
        Some(name) if name != "main" => format!("{}::{name}", env!("CARGO_CRATE_NAME")),
        _ => place.to_string(), // a single thread runs all tests under its own name
    };
    let line = format!("skipped: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    if let Some(file) = std::env::var_os("ATTNVIZ_SKIPPED") {
        OpenOptions::new().create(true).append(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// A folder of what is not ours to ship, in `shared` beside this checkout; where there is none, the test is skipped.
#[track_caller]
pub fn shared(name: &str) -> Option<PathBuf> {
    let around = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = around.map(|folder| folder.join("shared").join(name)).find(|folder| folder.is_dir());
    if found.is_none() {
        skip(&format!("there is no ../shared/{name}"));
    }
    found
}
