//! attnviz from the shell: parse, run, report the error and its hint, exit code.
#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod cli;

use attnviz::system;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: system::Allocator = system::Allocator;

fn main() -> ExitCode {
    attnviz::model::keep_freed_memory();
    system::keep_candle_quiet();
    system::tell_of_cut_files();
    match cli::parse().and_then(cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => cli::report(stop),
    }
}
