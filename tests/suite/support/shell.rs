//! The binary as someone at a shell uses it: a folder of its own, no network, no model named by the surroundings.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder to work in, empty at first, and an empty cache beside it.
pub struct Shell {
    folder: TempDir,
    cache: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

impl Shell {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), cache: TempDir::new().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}; there are {:?}", self.files()))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    /// The names in the folder, in order.
    pub fn files(&self) -> Vec<String> {
        names(self.folder())
    }

    /// A program in this folder that sees nothing of the machine's models.
    pub fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder())
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_HOME", self.cache.path())
            .env("XDG_CACHE_HOME", self.cache.path());
        for name in
            ["ATTNVIZ_MODEL", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "COLUMNS", "NO_COLOR", "CLICOLOR_FORCE"]
        {
            command.env_remove(name);
        }
        command
    }

    /// attnviz with these arguments.
    pub fn attnviz<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_attnviz"));
        command.args(args);
        command
    }

    /// Runs it with nothing to read.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Ran {
        ran(self.attnviz(args).stdin(Stdio::null()))
    }

    /// Runs it with bytes to read.
    pub fn pipe<A: AsRef<OsStr>>(&self, args: &[A], input: &[u8]) -> Ran {
        let mut command = self.attnviz(args);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input); // a program that fails early reads nothing
        child.wait_with_output().unwrap().into()
    }

    /// Runs it well; what it printed.
    pub fn ok<A: AsRef<OsStr>>(&self, args: &[A]) -> Vec<u8> {
        self.run(args).ok()
    }

    /// Runs it well, with text for output.
    pub fn says<A: AsRef<OsStr>>(&self, args: &[A]) -> String {
        String::from_utf8(self.ok(args)).unwrap()
    }

    /// Runs it into an error with this exit code; the message and the hint.
    pub fn fails<A: AsRef<OsStr>>(&self, code: i32, args: &[A]) -> (String, String) {
        self.run(args).fails(code)
    }
}

/// The names in a folder, in order.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    command.output().unwrap().into()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self { code: output.status.code(), out: output.stdout, err: String::from_utf8(output.stderr).unwrap() }
    }
}

impl Ran {
    /// It went well.
    pub fn ok(self) -> Vec<u8> {
        assert_eq!(self.code, Some(0), "{}", self.err);
        assert!(!self.err.contains("error:") && !self.err.contains("panicked"), "{}", self.err);
        self.out
    }

    /// It failed with this exit code, two lines on stderr, nothing on stdout, and nothing that a terminal would obey.
    pub fn fails(self, code: i32) -> (String, String) {
        let Self { code: actual, out, err } = self;
        assert_eq!(actual, Some(code), "{err}");
        let lines: Vec<&str> = err.strip_suffix('\n').unwrap_or(&err).split('\n').collect();
        let [message, hint] = lines[..] else { panic!("not two lines: {err:?}") };
        let what = if code == 3 { "different: " } else { "error: " };
        let (Some(message), Some(hint)) = (message.strip_prefix(what), hint.strip_prefix("hint: ")) else {
            panic!("not an error and a hint: {err:?}")
        };
        assert!(message.len() > 8 && hint.len() > 8 && message.len() < 800, "{err:?}");
        assert!(!err.contains("panicked") && !err.chars().any(|c| c.is_control() && c != '\n'), "{err:?}");
        assert!(out.is_empty(), "an error has no results, but stdout has {:?}", String::from_utf8_lossy(&out));
        (message.into(), hint.into())
    }
}
