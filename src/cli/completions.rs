//! `attnviz completions`: what a shell needs to complete commands, flags, their values and the models that are there.

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
    output::print(with_models(args.shell, &String::from_utf8_lossy(&script)).as_bytes())
}

/// The first column of `attnviz models`, without its heading.
const NAMES: &str = "attnviz models 2>/dev/null | tail -n +2 | cut -d ' ' -f 1";
/// The flags that name a model.
const FLAGS: [&str; 3] = ["model", "tokenizer", "against"];

/// The same script, where a model can be one that is in the cache, or a folder: clap knows neither.
fn with_models(shell: Shell, script: &str) -> String {
    let mut lines: Vec<String> = script.lines().map(str::to_owned).collect();
    match shell {
        Shell::Bash => {
            let arms = FLAGS.map(|flag| format!("--{flag})"));
            for at in 1..lines.len() {
                let arm = lines[at - 1].trim();
                if arm == "-m)" || arms.iter().any(|one| one == arm) {
                    lines[at] = format!("COMPREPLY=($(compgen -W \"$({NAMES})\" -d -- \"${{cur}}\"))");
                }
            }
        }
        Shell::Zsh => {
            lines.iter_mut().for_each(|line| *line = line.replace(":MODEL:_default", ":MODEL:_attnviz_models"));
            let function = format!(
                "_attnviz_models() {{\n    local -a names\n    names=(${{(f)\"$({NAMES})\"}})\n    \
                 compadd -a names\n    _files -/\n}}\n"
            );
            lines.insert(lines.iter().position(|line| line == "_attnviz() {").unwrap_or(1), function);
        }
        Shell::Fish => {
            let flags = FLAGS.map(|flag| format!(" -l {flag} "));
            let named = |line: &&mut String| line.ends_with(" -r") && flags.iter().any(|flag| line.contains(flag));
            lines.iter_mut().filter(named).for_each(|line| *line += " -f -a '(__attnviz_models)'");
            lines.insert(0, format!("function __attnviz_models\n    {NAMES}\n    __fish_complete_directories\nend"));
        }
        _ => {}
    }
    lines.join("\n") + "\n"
}
