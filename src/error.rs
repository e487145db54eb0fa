//! The one error type: what went wrong, naming the thing, and the way out.

/// Which exit code a failure deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, the network, or a checkpoint that is missing or broken: exit code 1.
    Failed,
    /// The hub cannot be asked (no network, offline, or it keeps failing): exit code 1, but a default may step in.
    Unreachable,
    /// Something typed that cannot be meant: exit code 2.
    Usage,
    /// Two things were compared, and they differ: exit code 3.
    Different,
}

/// A failure in two lines: a message that names the file, flag, value or model, and a hint that names the way out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub hint: Option<String>,
    /// Which exit code it deserves.
    pub kind: Kind,
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of a file, the network or a checkpoint.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Failed }
    }

    /// A hub that cannot be asked; the caller may have something else to offer.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Unreachable }
    }

    /// A failure of what was typed.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Usage }
    }

    /// Two things that were compared and differ.
    pub fn different(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Different }
    }

    /// The same failure with the way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Self::failed(format!("tensor computation failed: {error}"))
    }
}
