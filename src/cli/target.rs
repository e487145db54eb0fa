//! `--target`, `--foil` and `--position`: which of the model's predictions is looked at.

use attnviz::findings::{Target, Token};
use clap::Args;

/// Which prediction.
#[derive(Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// The next token to explain: its text, such as " time", or its id; `text:12` is the text 12. Of a sequence classifier's saliency
    /// the class: its name or its number
    /// [default: what the model itself would say]
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub target: Option<String>,
    /// Explain the target rather than this token or class
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    pub foil: Option<String>,
    /// The position whose next token is meant; negative ones count from the end [default: the last]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub position: Option<i64>,
}

impl TargetArgs {
    /// What is meant: a bare integer is a token id or a class's number, everything else a text; `text:` forces a text.
    pub fn target(&self) -> Target {
        let token = |typed: &Option<String>| typed.as_deref().map(token);
        Target { target: token(&self.target), foil: token(&self.foil), position: self.position }
    }
}

/// What is meant by one token: a bare integer is an id, everything else a text; `text:` forces a text.
pub fn token(typed: &str) -> Token {
    match typed.parse() {
        Ok(id) => Token::Id(id),
        Err(_) => Token::Text(typed.strip_prefix("text:").unwrap_or(typed).to_owned()),
    }
}
