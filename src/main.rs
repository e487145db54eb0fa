//! attnviz from the shell: parse, run, report the error and its hint, exit code.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    attnviz::model::keep_freed_memory();
    match cli::parse().and_then(cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => cli::report(stop),
    }
}
