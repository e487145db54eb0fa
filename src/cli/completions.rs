//! `attnviz completions`: what a shell needs to complete commands and flags.

use super::{Cli, output};
use attnviz::error::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// The flags of `completions`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  attnviz completions bash > ~/.local/share/bash-completion/completions/attnviz
  attnviz completions zsh > ~/.zfunc/_attnviz
  attnviz completions fish > ~/.config/fish/completions/attnviz.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", ignore_case = true)]
    shell: Shell,
}

/// Prints them.
pub fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "attnviz", &mut script);
    output::print(&script)
}
