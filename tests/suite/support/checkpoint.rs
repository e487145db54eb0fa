//! Checkpoints to be broken: a copy of a fixture, and a run through it in little memory.

use super::shell::{Ran, Shell};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
/// More than any run here needs, in KiB of address space: threads and mapped fonts count as well.
const MEMORY: usize = 1 << 20;
/// A run that takes this long hangs.
const HANGS: Duration = Duration::from_secs(60);

/// A copy of a good checkpoint, to be broken.
pub struct Copy {
    shell: Shell,
}

impl Copy {
    pub fn of(fixture: &str) -> Self {
        let shell = Shell::new();
        fs::create_dir(shell.path("m")).unwrap();
        for file in fs::read_dir(PathBuf::from(FIXTURES).join(fixture)).unwrap().map(|e| e.unwrap()) {
            let name = file.file_name().into_string().unwrap();
            if !name.starts_with("expected") {
                fs::copy(file.path(), shell.path("m").join(name)).unwrap();
            }
        }
        Self { shell }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.shell.path("m").join(name)
    }

    pub fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), bytes).unwrap();
        self
    }

    /// A file beside the folder.
    pub fn write_beside(&self, name: &str, text: &str) {
        self.shell.write(name, text);
    }

    pub fn without(self, name: &str) -> Self {
        fs::remove_file(self.path(name)).unwrap();
        self
    }

    pub fn json(self, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let mut value = serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap();
        change(&mut value);
        self.with(name, value.to_string())
    }

    /// Changes the weights' header and data.
    pub fn weights(self, change: impl FnOnce(&mut Value, &mut Vec<u8>)) -> Self {
        let file = fs::read(self.path(WEIGHTS)).unwrap();
        let (length, rest) = file.split_at(8);
        let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
        let (mut header, mut data) = (serde_json::from_slice(header).unwrap(), data.to_vec());
        change(&mut header, &mut data);
        self.with(WEIGHTS, safetensors(&header.to_string(), &data))
    }

    /// Gives every tensor another name.
    pub fn renamed(self, name: impl Fn(&str) -> String) -> Self {
        self.weights(|header, _| {
            let tensors = std::mem::take(header.as_object_mut().unwrap());
            let named = |old: String| if old == "__metadata__" { old } else { name(&old) };
            *header = tensors.into_iter().map(|(old, tensor)| (named(old), tensor)).collect();
        })
    }

    /// Runs a prompt through it with little memory; a run that hangs is a failure.
    pub fn run(&self) -> Ran {
        self.asks(&["attention", "The café is", "-o", "-", "--format", "json"])
    }

    /// The same for a whole command line but the model.
    pub fn asks(&self, words: &[&str]) -> Ran {
        let mut command = if cfg!(target_os = "linux") {
            let mut limited = self.shell.program("sh");
            limited.args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_attnviz")]);
            limited
        } else {
            self.shell.program(env!("CARGO_BIN_EXE_attnviz"))
        };
        command.args(words).args(["-m", "m", "--threads", "2"]);
        let pipes = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        let started = Instant::now();
        // The error fits into the pipe, so that the child ends without being read.
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > HANGS {
                child.kill().unwrap();
                panic!("it hangs");
            }
            sleep(Duration::from_millis(2));
        }
        child.wait_with_output().unwrap().into()
    }

    /// What it finds, and what it says on stderr.
    pub fn finds(&self) -> (Value, String) {
        let ran = self.run();
        let said = ran.err.clone();
        let found: Value = serde_json::from_slice(&ran.ok()).unwrap();
        (found["results"].clone(), said)
    }

    /// Fails in two lines that name these things.
    #[track_caller]
    pub fn refused(&self, says: &[&str]) {
        let (message, hint) = self.run().fails(1);
        for what in says {
            assert!(message.contains(what) || hint.contains(what), "{what:?} is not in {message:?} {hint:?}");
        }
    }
}

pub const WEIGHTS: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";
pub const TOKENIZER: &str = "tokenizer.json";

pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub fn base() -> Copy {
    Copy::of("base")
}
