//! attnviz from the shell: parse, run, report the error and its hint, exit code.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    attnviz::model::keep_freed_memory();
    match cli::parse().and_then(cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => cli::report(stop),
    }
}
